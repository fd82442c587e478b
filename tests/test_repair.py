"""The repair of any small database is what a model in plain Python says, row for row, whatever the order."""

import os
import random
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.repair_model import Model, Reference, SomeRule, TableShape
from upkeep.catalog import ForeignKey
from upkeep.changes import Change
from upkeep.databases.sqlite import SqliteDatabase
from upkeep.finding import find, keys_of
from upkeep.findings import Finding
from upkeep.mending import mend
from upkeep.plan import Plan
from upkeep.planning import Planner
from upkeep.policy import Policy

PLAIN = ("id", "a", "b", "c", "d", "e")
ODD = ("rowid", "oid", "_rowid_", "a")
"""Columns that leave the rows of a table without any number of their own."""
POOLS: dict[str, tuple[Any, ...]] = {
    "INTEGER": (0, 1, 2, 3, 2**63 - 1),
    "TEXT": ("", "x", "x\x00y", "\udcffz", "\udcff"),
    "": (b"", b"\x00", 1, "1", 2),
}
# What is not text in UTF-8 comes as surrogates, and goes in by its bytes.
ACTIONS = (
    ("delete",), ("delete",), ("delete",), ("nullify",), ("nullify", "delete"), ("delete", "nullify"),
    ("delete", "keep"), ("restore",), ("nullify", "restore"), ("keep", "delete"), (),
)  # fmt: skip
GONE = "gone"


@dataclass(frozen=True)
class SmallTable:
    """One table: the end of its statement and what the model must know."""

    name: str
    columns: tuple[str, ...]
    kind: str
    required: frozenset[str]
    primary_key: tuple[str, ...]
    uniques: tuple[tuple[str, ...], ...]
    is_without_rowid: bool
    rows: tuple[tuple[Any, ...], ...]

    @property
    def shape(self) -> TableShape:
        """What the model must know."""
        return TableShape(
            frozenset(self.columns) - self.required - (set(self.primary_key) if self.is_without_rowid else set()),
            self.primary_key,
            has_locator=self.columns is PLAIN or self.is_by_key,
        )

    @property
    def is_by_key(self) -> bool:
        """Are its rows told apart by values of their own, and not by a number that the insertion gives?"""
        return bool(self.primary_key) and (
            self.is_without_rowid
            or set(self.primary_key) <= self.required
            or (self.kind == "INTEGER" and len(self.primary_key) == 1)
        )

    def statement(self, keys: list[Reference]) -> str:
        """CREATE TABLE with ``keys``."""
        lines = [f"{column} {self.kind}{' NOT NULL' * (column in self.required)}" for column in self.columns]
        lines += [f"PRIMARY KEY ({', '.join(self.primary_key)})"] if self.primary_key else []
        lines += [f"UNIQUE ({', '.join(columns)})" for columns in self.uniques]
        lines += [
            f"FOREIGN KEY ({', '.join(key.columns)}) REFERENCES {key.parent} ({', '.join(key.parent_columns)})"
            for key in keys
        ]
        return f"CREATE TABLE {self.name} ({', '.join(lines)}){' WITHOUT ROWID' * self.is_without_rowid}"


@dataclass(frozen=True)
class Situation:
    """A small damaged database and a policy for it."""

    tables: tuple[SmallTable, ...]
    declared: tuple[Reference, ...]
    stated: tuple[Reference, ...]
    rules: tuple[SomeRule, ...]

    def write(self, path: Path) -> SqliteDatabase:
        """The database as a file; rows that a constraint refuses are left out."""
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            for table in self.tables:
                connection.execute(table.statement([key for key in self.declared if key.child == table.name]))
                for row in table.rows:
                    marks = ", ".join("CAST(? AS TEXT)" if isinstance(v, str) else "?" for v in row)
                    raw = [v.encode("utf-8", "surrogateescape") if isinstance(v, str) else v for v in row]
                    connection.execute(f"INSERT OR IGNORE INTO {table.name} VALUES ({marks})", raw)
        return SqliteDatabase("small", path)

    def shuffled(self, database: SqliteDatabase, path: Path, order: random.Random) -> SqliteDatabase:
        """The same rows in another order. Not written anew: beside the largest number there is SQLite gives any."""
        path.write_bytes(database.path.read_bytes())
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for table in self.tables:
                self._shuffle(connection, table, order)
        return SqliteDatabase("small", path)

    @staticmethod
    def _shuffle(connection: sqlite3.Connection, table: SmallTable, order: random.Random) -> None:
        connection.execute(f"CREATE TEMP TABLE kept AS SELECT * FROM {table.name}")
        connection.execute(f"DELETE FROM {table.name}")
        ((rows,),) = connection.execute("SELECT COUNT(*) FROM kept")
        places = list(range(1, rows + 1))
        order.shuffle(places)
        for place in places:
            connection.execute(f"INSERT INTO {table.name} SELECT * FROM kept LIMIT 1 OFFSET ?", (place - 1,))
        connection.execute("DROP TABLE kept")

    @property
    def keys(self) -> list[Reference]:
        """All of them; a declared one that a stated one points elsewhere is not sound (P-108)."""
        elsewhere = {(key.child, frozenset(key.columns)) for key in self.stated if key.parent != GONE}
        declared = (
            replace(key, is_sound=key.is_sound and (key.child, frozenset(key.columns)) not in elsewhere)
            for key in self.declared
        )
        return [*declared, *self.stated]

    @property
    def policy(self) -> Policy:
        """The policy as it would be loaded."""
        return Policy.model_validate(
            {
                "reference": [
                    {
                        "from": f"{key.child}({', '.join(key.columns)})",
                        "to": f"{key.parent}({', '.join(key.parent_columns)})",
                    }
                    for key in self.stated
                ],
                "rule": [
                    {
                        "child": rule.child if rule.column is None else f"{rule.child}.{rule.column}",
                        "parent": rule.parent or "*",
                        "orphan": list(rule.actions),
                    }
                    for rule in self.rules
                ],
            }
        )


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Two to five tables, up to seven keys among them of every sort, rows out of four values, rules of every sort."""
    kind = draw(st.sampled_from(sorted(POOLS)))
    tables = [draw(small_tables(f"t{number}", kind)) for number in range(draw(st.integers(2, 5)))]
    keys = draw(st.lists(references(tables), min_size=2, max_size=6))
    keys = list(
        {
            (key.child, key.parent, frozenset(zip(key.columns, key.parent_columns, strict=True))): key for key in keys
        }.values()
    )
    declared = [key for key in keys if draw(st.integers(0, 3))]
    rules = [draw(rules_for(key)) for key in draw(st.permutations(keys)) if draw(st.integers(0, 9))]
    return Situation(tuple(tables), tuple(declared), tuple(k for k in keys if k not in declared), tuple(rules))


@st.composite
def small_tables(draw: st.DrawFn, name: str, kind: str) -> SmallTable:
    """One table with any sort of primary key, or with none and perhaps rows that are exactly alike (P-118)."""
    columns = PLAIN if draw(st.integers(0, 11)) else ODD
    primary_key = draw(st.sampled_from([(columns[0],)] * 5 + [columns[:2], columns[1:3], ()]))
    is_without_rowid = bool(primary_key) and draw(st.integers(0, 2)) == 0
    required = draw(st.frozensets(st.sampled_from(columns), max_size=2))
    if draw(st.booleans()):
        required |= set(primary_key)
    uniques = draw(st.lists(st.sampled_from([(columns[3],), columns[2:4], (columns[1],)]), max_size=1))
    pool = st.sampled_from((*POOLS[kind], *POOLS[kind], None))
    rows = draw(st.lists(st.tuples(*[pool] * len(columns)), min_size=2, max_size=8))
    return SmallTable(name, columns, kind, required, primary_key, tuple(uniques), is_without_rowid, tuple(rows))


@st.composite
def references(draw: st.DrawFn, tables: list[SmallTable]) -> Reference:
    """A key to something unique, to something that is not, or to a table that is gone."""
    child = draw(st.sampled_from(tables))
    parent = draw(st.sampled_from([*tables, *tables, *tables, None]))
    if parent is None:
        theirs: tuple[str, ...] = ("id",)
        is_sound = False
    else:
        unique = [columns for columns in (parent.primary_key, *parent.uniques) if columns]
        theirs = draw(st.sampled_from([*unique * 6, parent.columns[2:3]]))
        is_sound = set(theirs) in [set(columns) for columns in unique]
    # Mostly not of the primary key, which is never nullified.
    ours = tuple(draw(st.permutations(child.columns[draw(st.sampled_from((0, 1, 1, 1))) :])))[: len(theirs)]
    return Reference(child.name, ours, parent.name if parent else GONE, theirs, is_sound)


@st.composite
def rules_for(draw: st.DrawFn, key: Reference) -> SomeRule:
    """A rule that speaks of this key, and perhaps of others."""
    actions = draw(st.sampled_from(ACTIONS))
    column = draw(st.sampled_from([None, key.columns[0], key.columns[-1]]))
    return SomeRule(key.child, column, draw(st.sampled_from([None, key.parent])), actions)


def rows_of(database: SqliteDatabase, table: SmallTable) -> list[tuple[Any, ...]]:
    """Every row of a table, raw."""
    with closing(sqlite3.connect(database.path)) as connection:
        connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        return connection.execute(f"SELECT {', '.join(table.columns)} FROM {table.name}").fetchall()


def exactly(row: tuple[Any, ...]) -> str:
    """A row that equals another only if types and bits do."""
    return repr(row)


def keys_and_findings(database: SqliteDatabase, policy: Policy) -> tuple[tuple[ForeignKey, ...], tuple[Finding, ...]]:
    """What a detection finds."""
    with database.reading() as reading:
        keys = keys_of(reading, policy)
        return keys, tuple(find(reading, key, limit=0) for key in keys)


def drawn_up(database: SqliteDatabase, policy: Policy) -> Plan:
    """A plan for what is found."""
    keys, findings = keys_and_findings(database, policy)
    with database.reading() as reading:
        return Planner(reading, keys, policy).plan("small", findings, None)


@contextmanager
def written(situation: Situation) -> Iterator[SqliteDatabase]:
    """The situation as a file that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        yield situation.write(Path(folder, "small.db"))


def difference(changes: Iterable[Change]) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """What changes take away and what they bring."""
    before = Counter((change.table, exactly(change.before)) for change in changes if change.before is not None)
    after = Counter((change.table, exactly(change.after)) for change in changes if change.after is not None)
    return before - after, after - before


several = settings(
    max_examples=int(os.environ.get("REPAIR_EXAMPLES", "50")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@several
@given(situations(), st.randoms())
def test_a_repair_is_row_for_row_what_the_model_says(situation: Situation, order: random.Random) -> None:
    policy = situation.policy
    with written(situation) as database:
        before = {table.name: rows_of(database, table) for table in situation.tables}
        model = Model(
            {t.name: [dict(zip(t.columns, row, strict=True)) for row in before[t.name]] for t in situation.tables},
            {table.name: table.shape for table in situation.tables},
            situation.keys,
            situation.rules,
            order.randrange,
        )
        expected, kept = model.repair()
        plan = drawn_up(database, policy)
        event(f"deepest wave {max([repair.wave for repair in plan.repairs], default=None)}")
        event(f"actions {', '.join(plan.by_action())}")
        event(f"held back {any('its row of' in one.reason for one in plan.kept)}")
        with database.writing() as writing:
            mended = mend(writing, plan, keys_of(writing, policy))
        after = {table.name: rows_of(database, table) for table in situation.tables}

        for table in situation.tables:
            wanted = [tuple(row[column] for column in table.columns) for row in expected[table.name]]
            assert Counter(map(exactly, after[table.name])) == Counter(map(exactly, wanted)), table.name
        assert Counter({one.key: 0 for one in plan.kept}) + _kept(plan) == kept
        _, findings = keys_and_findings(database, policy)
        assert {str(f.key): f.orphans for f in findings if f.orphans} == dict(kept), (
            "every orphan left is kept, by name"
        )
        again = drawn_up(database, policy)
        assert again.is_empty, "run it twice: the second run finds nothing to do (promise 2)"
        assert _kept(again) == kept

        flat = {name: Counter((name, exactly(row)) for row in rows) for name, rows in before.items()}
        gone = sum(flat.values(), Counter()) - Counter((n, exactly(r)) for n, rows in after.items() for r in rows)
        come = Counter((n, exactly(r)) for n, rows in after.items() for r in rows) - sum(flat.values(), Counter())
        assert difference(mended.changes) == (gone, come), "every changed row is on record (promise 3)"
        assert mended.changed_in_all == len(mended.changes) == plan.rows
        assert mended.beside_the_plan == 0


def _kept(plan: Plan) -> Counter[str]:
    kept: Counter[str] = Counter()
    for one in plan.kept:
        kept[one.key] += one.rows
    return kept


@several
@given(situations(), st.randoms())
def test_equal_databases_have_plans_of_equal_digest_whatever_the_order_of_their_rows(
    situation: Situation, order: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = situation.write(Path(folder, "small.db"))
        plan = drawn_up(database, situation.policy)
        assert drawn_up(database, situation.policy).digest == plan.digest
        copy = Path(folder, "copy.db")
        copy.write_bytes(database.path.read_bytes())
        assert drawn_up(SqliteDatabase("other", copy), situation.policy).digest == plan.digest
        if all(table.is_by_key for table in situation.tables):
            event("by primary key")
            shuffled = situation.shuffled(database, Path(folder, "shuffled.db"), order)
            assert drawn_up(shuffled, situation.policy) == plan
