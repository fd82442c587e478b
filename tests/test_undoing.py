"""An undo of any small repair gives back what there was, row for row; what was touched since is told and left alone."""

import random
import sqlite3
import tracemalloc
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import Phase, event, given, settings
from hypothesis import strategies as st

from tests.test_repair import Situation, drawn_up, exactly, rows_of, several, situations, written
from upkeep.changes import CHANGES, Change, Mended, Refusal, RowsRefused
from upkeep.databases.sqlite import SqliteDatabase
from upkeep.documents import put_in_parts
from upkeep.finding import find, keys_of
from upkeep.fixpoint import Spot
from upkeep.mending import mend
from upkeep.plan import Plan
from upkeep.policy import Policy
from upkeep.rows import images_of
from upkeep.spilled import Spilled
from upkeep.stores.directory import DirectoryStore
from upkeep.undo import Conflict
from upkeep.undo_verdict import judge_put_back
from upkeep.undoing import Deed, draw_back
from upkeep.values import Row

Content = dict[str, Counter[str]]


def content(database: SqliteDatabase, situation: Situation) -> Content:
    """Every row of every table, types and bits."""
    return {table.name: Counter(map(exactly, rows_of(database, table))) for table in situation.tables}


def done(database: SqliteDatabase, policy: Policy, plan: Plan) -> Mended:
    """Do a plan for good."""
    with database.writing() as writing:
        return mend(writing, plan, keys_of(writing, policy))


def deed_of(plan: Plan, mended: Mended) -> Deed:
    """What a run would be read back as."""
    missed: dict[str, set[Row]] = {}
    for repair in plan.repairs:
        if repair.wave == 0:
            missed.setdefault(repair.key, set()).add(repair.row)
    return Deed("run", mended.changes, missed)


def undo_of(database: SqliteDatabase, policy: Policy, deed: Deed, refusals: tuple[Refusal, ...] = ()) -> Plan:
    """The undo of a run as it is drawn up now."""
    with database.reading() as reading:
        return draw_back(reading, "small", deed, keys_of(reading, policy), refusals)


def as_far_as_possible(database: SqliteDatabase, policy: Policy, deed: Deed) -> Plan:
    """Undo a run for good, but for the rows that the database refuses; the undo as it was done."""
    refusals: tuple[Refusal, ...] = ()
    while True:
        undo = undo_of(database, policy, deed, refusals)
        try:
            done(database, policy, undo)
        except RowsRefused as fault:
            refusals += fault.refusals
        else:
            return undo


def orphans(database: SqliteDatabase, policy: Policy) -> dict[str, int]:
    """By key, where there are any."""
    with database.reading() as reading:
        found = [find(reading, key, limit=0) for key in keys_of(reading, policy)]
    return {str(one.key): one.orphans for one in found if one.orphans}


@several
@given(situations())
def test_promise_3_an_undo_gives_back_what_there_was_and_its_own_undo_what_the_run_had_made(
    situation: Situation,
) -> None:
    policy = situation.policy
    with written(situation) as database:
        before, astray = content(database, situation), orphans(database, policy)
        plan = drawn_up(database, policy)
        mended = done(database, policy, plan)
        repaired, kept = content(database, situation), orphans(database, policy)
        event(f"rows {min(len(mended.changes), 5)}")

        undo = undo_of(database, policy, deed_of(plan, mended))
        assert undo.undo is not None
        assert undo.undo.conflicts == ()
        assert undo.rows == len(mended.changes)
        undone = done(database, policy, undo)
        assert content(database, situation) == before
        assert orphans(database, policy) == astray
        for name, rows in undone.astray:
            assert rows <= astray[name] - kept.get(name, 0), name
        assert undone.changed_in_all == len(undone.changes)

        again = undo_of(database, policy, deed_of(plan, mended))
        assert again.is_empty, "a second undo finds nothing to do (promise 2)"
        assert again.undo is not None
        assert again.undo.there == len(mended.changes)

        redo = undo_of(database, policy, deed_of(undo, undone))
        assert redo.undo is not None
        assert redo.undo.conflicts == ()
        done(database, policy, redo)
        assert content(database, situation) == repaired


@settings(several, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(situations(), st.randoms())
def test_p67_what_was_touched_since_is_a_conflict_and_every_other_row_comes_back(
    situation: Situation, order: random.Random
) -> None:
    policy = situation.policy
    with written(situation) as database:
        plan = drawn_up(database, policy)
        mended = done(database, policy, plan)
        somebody_works_on(database, situation, order)
        now = {name: images(database, name) for name in {change.table for change in mended.changes}}
        others = content(database, situation)

        undo = as_far_as_possible(database, policy, deed_of(plan, mended))
        assert undo.undo is not None
        conflicts = {(one.table, one.row): one.why for one in undo.undo.conflicts}
        assert list(undo.undo.conflicts) == sorted(undo.undo.conflicts, key=as_it_was_approved_before)
        planned = {(repair.table, repair.row) for repair in undo.repairs}
        assert not conflicts.keys() & planned
        event(f"conflicts {min(len(conflicts), 3)}, planned {min(len(planned), 3)}")
        for change in mended.changes:
            spot, image = (change.table, change.row), now[change.table].get(change.row)
            if is_alike(image, change.before):
                assert spot not in conflicts
                assert spot not in planned
            elif not is_alike(image, change.after):
                assert spot in conflicts, "somebody has worked on with it"
            else:
                assert (spot in conflicts) != (spot in planned)
        expected = {name: Counter(rows) for name, rows in others.items()}
        for change in mended.changes:
            if (change.table, change.row) in planned:
                assert change.before is not None
                expected[change.table] += Counter([exactly(change.before)])
                expected[change.table] -= Counter([exactly(change.after)] if change.after else [])
        assert content(database, situation) == expected


def as_it_was_approved_before(one: Conflict) -> str:
    """The order of conflicts when they were a dict: the digest of an undo depends on it."""
    return repr((Spot(one.table, one.row), one.why))


def is_alike(one: tuple[object, ...] | None, other: tuple[object, ...] | None) -> bool:
    """Types and bits too."""
    return repr(one) == repr(other)


def images(database: SqliteDatabase, table: str) -> dict[tuple[object, ...], tuple[object, ...]]:
    """Every row of a table by its locator, asked without regard to any plan."""
    with database.reading() as reading:
        described = reading.catalog().tables[table]
        columns = ", ".join(f'c."{name}"' for name in described.locator)
        rows = list(reading.rows(f'SELECT {columns} FROM "{table}" AS c'))
        return {row: image for row, image in images_of(reading, described, rows).items()}  # noqa: C416


def somebody_works_on(database: SqliteDatabase, situation: Situation, order: random.Random) -> None:
    """A few rows are removed, changed and added, as an application does that enforces nothing."""
    with closing(sqlite3.connect(database.path)) as connection:
        for table in situation.tables:
            what = order.choice(("nothing", "remove", "change", "add", "add"))
            number = order.randrange(4)
            if what == "remove":
                connection.execute(f"DELETE FROM {table.name} WHERE {table.columns[-1]} IS NOT (?)", (number,))
            elif what == "change":
                connection.execute(f"UPDATE OR IGNORE {table.name} SET {table.columns[3]} = ?", (number,))
            elif what == "add":
                # Into the places that are free by now, under the keys that were.
                for row in order.sample(table.rows, min(2, len(table.rows))):
                    values = [row[0], *row[1:-1], number]
                    values = [v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for v in values]
                    marks = ", ".join("?" * len(values))
                    connection.execute(f"INSERT OR IGNORE INTO {table.name} VALUES ({marks})", values)
        connection.commit()


def touched_since(folder: Path, rows: int) -> int:
    """The most memory, in bytes, for an undo of so many rows of which every second one was changed since."""
    path, left = folder / f"{rows}.db", ("id", "parent", "note")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER, note TEXT)")
        now = ((i, "as it was" if i % 2 else "new") for i in range(rows))
        connection.executemany("INSERT INTO child VALUES (?, NULL, ?)", now)
    made = (Change("child", (i,), left, (i, 7, "as it was"), (i, None, "as it was")) for i in range(rows))
    deed = Deed("run", Spilled(made, CHANGES))
    tracemalloc.start()
    try:
        undo = undo_of(SqliteDatabase("small", path), Policy(), deed)
        assert undo.undo is not None
        assert (len(undo.repairs), len(undo.undo.conflicts)) == (rows // 2, rows // 2)
        put_in_parts(DirectoryStore(folder / "store"), "plan.json", undo.in_parts() | {"digest": undo.digest})
        assert judge_put_back(undo, deed, undo.undo).holds is False
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.exhaustive
def test_promise_12_an_undo_with_many_conflicts_needs_no_more_memory(tmp_path: Path) -> None:
    small, large = touched_since(tmp_path, 10_000), touched_since(tmp_path, 30_000)
    assert large < 1.3 * small, (small, large)
