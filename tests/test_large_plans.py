"""A plan of many rows is done all or nothing in pieces, none of which grows with it, whatever the engine."""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from tests.engines import Engine, Key, Table
from tests.engines.house import House, engine, orphans, policy, settled
from tests.engines.postgresql import PostgresqlEngine
from tests.engines.sqlite import SqliteEngine
from tests.servers.postgresql import PostgresServer
from tests.test_engine_contract_undo import deed_of, undo_of
from upkeep.changes import RowsRefused
from upkeep.databases import Means
from upkeep.databases.postgresql import PostgresqlDatabase
from upkeep.databases.postgresql_asking import fetched
from upkeep.orphans import bereaved
from upkeep.plan import Plan

__all__ = ["engine"]

PARENTS = Table("parents", ("id INTEGER NOT NULL",), rows=((1,), (2,)))
CHILDREN = Table("children", ("id INTEGER NOT NULL", "parent INTEGER"), (Key(("parent",), "parents"),))
LEAVES = Table("leaves", ("id INTEGER NOT NULL", "child INTEGER"), (Key(("child",), "children"),))
PAYMENTS = Table("payments", ("id INTEGER NOT NULL", "parent INTEGER"), (Key(("parent",), "parents"),))
BY = policy({"child": "payments", "orphan": ["nullify"]}, {"child": "*", "orphan": ["delete"]})
PIECE = 5000
GONE = 10_000_000
DYING = """
import os, pickle, sys
from pathlib import Path
from upkeep import mending
from upkeep.databases.opening import open_database
from upkeep.finding import keys_of

plan, by = pickle.loads(Path(sys.argv[1]).read_bytes())
left, change = int(sys.argv[2]), mending._change

def change_and_die(*arguments):
    global left
    change(*arguments)
    left -= 1
    if not left:
        os.kill(os.getpid(), 9)

mending._change = change_and_die
with open_database("clinic", os.environ["URL"]).writing() as writing:
    mending.mend(writing, plan, keys_of(writing, by))
"""


def inserts(table: str, rows: Iterator[tuple[int, int | None]]) -> Iterator[str]:
    """Statements of a thousand rows each."""
    said = [f"({first}, {'NULL' if second is None else second})" for first, second in rows]
    for begin in range(0, len(said), 1000):
        yield f"INSERT INTO {table} VALUES {', '.join(said[begin : begin + 1000])}"


@pytest.fixture(params=[20_000, pytest.param(100_000, marks=pytest.mark.exhaustive)])
def many(request: pytest.FixtureRequest) -> int:
    """Rows of a plan."""
    return int(request.param)


@pytest.fixture
def crowded(engine: Engine, many: int, tmp_path: Path) -> Iterator[House]:
    """Half of the plan's rows are orphans that go, a quarter loses its parent by that, a quarter becomes NULL.

    As many rows again are as they should be, and the engine knows how many rows there are.
    """
    base = engine.make(PARENTS, CHILDREN, LEAVES, PAYMENTS)
    half, quarter = many // 2, many // 4
    base.run(
        *inserts("children", ((i, GONE + i if i <= half else 1) for i in range(1, many + 1))),
        *inserts("leaves", ((i, i if i <= quarter else half + i) for i in range(1, half + 1))),
        *inserts("payments", ((i, GONE + i if i <= quarter else 2) for i in range(1, half + 1))),
        "CREATE INDEX by_child ON leaves (child)",
        "CREATE INDEX by_parent ON children (parent)",
        *engine.counting("parents", "children", "leaves", "payments"),
    )
    yield from settled(engine, base, tmp_path)


def killed_after(house: House, plan: Plan, statements: int) -> None:
    """Perform the plan in a process that is killed when so many of its statements are done."""
    file = house.folder / "plan.pickle"
    file.write_bytes(pickle.dumps((plan, BY)))
    environment = os.environ | {"URL": house.base.url}
    died = subprocess.run(
        [sys.executable, "-c", DYING, str(file), str(statements)], env=environment, timeout=300, check=False
    )
    assert died.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_a_large_plan_is_done_whole_or_not_at_all_and_the_second_finds_nothing_promises_2_and_4(
    crowded: House, many: int
) -> None:
    plan = crowded.planned(BY)
    assert plan.by_action() == {"delete": many * 3 // 4, "nullify": many // 4}
    before = crowded.base.listing()
    pieces = many // PIECE
    killed_after(crowded, plan, pieces // 2)
    assert crowded.base.listing() == before, "half of it stands there"
    mended, record = crowded.performed(plan, BY)
    assert (len(mended.changes), mended.changed_in_all, record.rows) == (many, many, many)
    now = crowded.base.listing()
    gone = {"parents": 0, "children": many // 2, "leaves": many // 4, "payments": 0}
    assert {name: len(before[name]) - len(now[name]) for name in gone} == gone
    assert orphans(crowded.database, BY) == {}
    assert crowded.planned(BY).is_empty
    undone, _ = crowded.performed(undo_of(crowded, deed_of(plan, mended)), BY)
    assert undone.changed_in_all == many
    assert crowded.base.listing() == before, "promise 3"


def test_rows_that_point_at_each_other_go_together_where_a_key_cannot_wait(
    system_postgresql: PostgresServer, tmp_path: Path
) -> None:
    pairs = PIECE + 1000
    engine = PostgresqlEngine("PostgreSQL", system_postgresql)
    base = engine.make(PARENTS)
    base.run(
        "CREATE TABLE twins (id int PRIMARY KEY, parent int REFERENCES parents, other int REFERENCES twins)",
        f"INSERT INTO twins SELECT i, {GONE}, (i + {pairs - 1}) % {2 * pairs} + 1"
        f" FROM generate_series(1, {2 * pairs}) AS i",
        "CREATE INDEX by_other ON twins (other)",
        *engine.counting("twins"),
    )
    for house in settled(engine, base, tmp_path):
        mended, _ = house.performed(house.planned(BY), BY)
        assert (len(mended.changes), mended.beside_the_plan) == (2 * pairs, 0)
        assert base.ask("SELECT COUNT(*) FROM twins") == [(0,)]


@pytest.mark.parametrize("stubborn", [(), (1,), (PIECE, PIECE + 1), (2, 17, 4999, 5000, 7777, 10_001, 12_000)])
def test_p119_who_refuses_among_many_is_named_and_nobody_else(tmp_path: Path, stubborn: tuple[int, ...]) -> None:
    engine = SqliteEngine(tmp_path, "wal")
    base = engine.make(PARENTS, CHILDREN)
    base.run(
        *inserts("children", ((i, GONE) for i in range(1, 12_001))),
        "CREATE TABLE stubborn (id INTEGER PRIMARY KEY)",
        *(f"INSERT INTO stubborn VALUES ({number})" for number in stubborn),
        "CREATE TRIGGER stay BEFORE DELETE ON children WHEN OLD.id IN (SELECT id FROM stubborn) "
        "BEGIN SELECT RAISE(ABORT, 'this one stays'); END",
    )
    for house in settled(engine, base, tmp_path):
        plan = house.planned(BY)
        if not stubborn:
            assert len(house.performed(plan, BY)[0].changes) == 12_000
            continue
        with pytest.raises(RowsRefused) as refused:
            house.performed(plan, BY)
        assert {refusal.row for refusal in refused.value.refusals} == {(number,) for number in stubborn}
        assert {refusal.said for refusal in refused.value.refusals} == {"this one stays"}
        again = house.planned(BY, refused=refused.value)
        assert again.by_action() == {"delete": 12_000 - len(stubborn), "keep": len(stubborn)}


def test_postgresql_looks_each_row_up_among_those_that_go_and_goes_through_them_for_none(
    postgresql: PostgresServer,
) -> None:
    base = postgresql.make_database(PARENTS.statement(), CHILDREN.statement(CHILDREN.keys))
    with PostgresqlDatabase.from_url("clinic", make_url(postgresql.url(base)), Means()).reading() as reading:
        (key,) = reading.catalog().keys
        before = list(reading.rows("SELECT current_setting('work_mem')"))
        with reading.chosen("parents", ("id",), ((str(number),) for number in range(300_000))) as doomed:
            sql = bereaved(key, ("id",), ("id",), doomed, reading.dialect)
            told = " ".join(str(row[0]) for row in fetched(reading._connection, f"EXPLAIN {sql}"))
        assert "(NOT (hashed SubPlan" in told or "(NOT (ANY" in told, told
        assert list(reading.rows("SELECT current_setting('work_mem')")) == before
