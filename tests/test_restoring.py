"""What is put back out of older backups is what a model in plain Python says, row for row, whatever the order."""

import os
import random
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.history_model import History, State
from tests.repair_model import Model, Reference, SomeRule, TableShape
from tests.test_origins import touched_by
from upkeep.databases import Database, Reading
from upkeep.databases.sqlite import SqliteDatabase
from upkeep.finding import find, keys_of
from upkeep.mending import mend
from upkeep.older_backups import Older
from upkeep.plan import Plan
from upkeep.planning import Planner
from upkeep.policy import Action, Policy
from upkeep.searching import search

COLUMNS = ("id", "a", "b", "note")
ACTIONS = (
    ("restore",), ("restore",), ("restore", "nullify"), ("restore", "delete"), ("delete", "restore"), ("delete",),
    ("nullify",), ("restore", "nullify", "delete"), ("keep",),
)  # fmt: skip


@dataclass(frozen=True)
class Story:
    """A few tables without rows, their keys and rules, and what they held at one moment after the other."""

    required: dict[str, frozenset[str]]
    keys: tuple[Reference, ...]
    rules: tuple[SomeRule, ...]
    states: tuple[State, ...]

    @property
    def shapes(self) -> dict[str, TableShape]:
        """What the models must know."""
        return {t: TableShape(frozenset(COLUMNS[1:]) - required, ("id",)) for t, required in self.required.items()}

    @property
    def policy(self) -> Policy:
        """The rules as they would be loaded."""
        rules = [
            {"child": f"{r.child}.{r.column}" if r.column else r.child, "parent": "*", "orphan": list(r.actions)}
            for r in self.rules
        ]
        return Policy.model_validate({"rule": rules})

    def write(self, state: State, path: Path) -> SqliteDatabase:
        """One moment as a file."""
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            for table, required in self.required.items():
                lines = ["id INTEGER PRIMARY KEY"]
                lines += [f"{c} INTEGER{' NOT NULL' * (c in required)}" for c in COLUMNS[1:]]
                lines += [
                    f"FOREIGN KEY ({k.columns[0]}) REFERENCES {k.parent} (id)" for k in self.keys if k.child == table
                ]
                connection.execute(f"CREATE TABLE {table} ({', '.join(lines)})")
                rows = [tuple(row[c] for c in COLUMNS) for row in state[table]]
                connection.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", rows)
            connection.commit()
        return SqliteDatabase("small", path)


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Up to three tables that point at each other and at themselves, written to, deleted from and numbered anew."""
    names = [f"t{n}" for n in range(draw(st.integers(2, 3)))]
    pairs = draw(st.lists(st.tuples(*[st.sampled_from(names)] * 2, st.sampled_from("ab")), min_size=1, max_size=5))
    keys = {(child, column): Reference(child, (column,), parent, ("id",)) for child, parent, column in pairs}
    rules = [
        SomeRule(key.child, key.columns[0], None, draw(st.sampled_from(ACTIONS)))
        for key in keys.values()
        if draw(st.integers(0, 7))
    ]
    required = {name: draw(st.frozensets(st.sampled_from("ab"), max_size=1)) for name in names}
    some = st.integers(1, 4)
    now: State = {
        name: [{"id": n, "a": draw(some), "b": draw(some), "note": n} for n in range(1, draw(st.integers(3, 6)))]
        for name in names
    }
    states = []
    for _ in range(draw(st.integers(2, 4))):
        states.append({name: [dict(row) for row in rows] for name, rows in now.items()})
        for _ in range(draw(st.integers(1, 3))):
            draw_event(draw, now, names)
    return Story(required, tuple(keys.values()), tuple(rules), (*states, now))


def draw_event(draw: st.DrawFn, now: State, names: list[str]) -> None:
    """A row comes, under the next number or one that is free again; goes; or is changed."""
    rows = now[draw(st.sampled_from(names))]
    what = draw(st.sampled_from("+---~"))
    if what == "+" or not rows:
        taken = [row["id"] for row in rows]
        free = [number for number in range(1, 9) if number not in taken and (number < 6 or number - 1 in taken)]
        if free:
            values = {column: draw(st.integers(1, 5)) for column in COLUMNS[1:]}
            rows.append({"id": draw(st.sampled_from(free)), **values})
    elif what == "-":
        rows.pop(draw(st.integers(0, len(rows) - 1)))
    else:
        rows[draw(st.integers(0, len(rows) - 1))][draw(st.sampled_from(COLUMNS[1:]))] = draw(st.integers(1, 5))


def rows_of(database: SqliteDatabase, story: Story) -> dict[str, Counter[tuple[Any, ...]]]:
    """Every row of every table."""
    with closing(sqlite3.connect(database.path)) as connection:
        return {table: Counter(connection.execute(f"SELECT * FROM {table}")) for table in story.required}


def drawn_up(database: Database, policy: Policy, older: list[Older], first: Plan | None = None) -> Plan:
    """A plan with what older backups give back."""
    with database.reading() as now:
        keys = keys_of(now, policy)
        origins = search(now, keys, policy, older, touched=lambda: touched_by(first) if first else {})
        findings = tuple(find(now, key, limit=0) for key in keys)
        return Planner(now, keys, policy, (), origins).plan("small", findings, None)


def backups(databases: Sequence[Database]) -> list[Older]:
    """Databases, oldest first, as backups, newest first."""

    @contextmanager
    def opened(database: Database) -> Iterator[Reading]:
        with database.reading() as reading:
            yield reading

    return [Older(f"{n:02}", lambda one=one: opened(one)) for n, one in reversed(list(enumerate(databases)))]  # type: ignore[misc]


@settings(
    max_examples=int(os.environ.get("REPAIR_EXAMPLES", "60")), deadline=None, suppress_health_check=list(HealthCheck)
)
@given(stories(), st.randoms())
def test_what_is_put_back_is_row_for_row_what_the_model_says(story: Story, order: random.Random) -> None:
    *past, today = story.states
    model = Model(
        today,
        story.shapes,
        story.keys,
        story.rules,
        order.randrange,
        History(past, today, story.shapes, story.keys, story.rules),
    )
    expected, kept = model.repair()
    with tempfile.TemporaryDirectory() as folder:
        older = backups([story.write(state, Path(folder, f"{n}.db")) for n, state in enumerate(past)])
        database = story.write(today, Path(folder, "today.db"))
        before = rows_of(database, story)
        plan = drawn_up(database, story.policy, older)
        event(f"restored {min(plan.by_action().get('restore', 0), 3)}")
        event(f"deepest {max((r.wave for r in plan.repairs if r.action is Action.RESTORE), default=None)}")
        with database.writing() as writing:
            mended = mend(writing, plan, keys_of(writing, story.policy))
        after = rows_of(database, story)
        for table in story.required:
            assert after[table] == Counter(tuple(row[c] for c in COLUMNS) for row in expected[table]), table
        left: Counter[str] = Counter()
        for one in plan.kept:
            left[one.key] += one.rows
        assert left == kept
        again = drawn_up(database, story.policy, older, plan)
        assert again.is_empty, "run it twice: the second run finds nothing to do (promise 2)"
        came = Counter((c.table, c.after) for c in mended.changes if c.after is not None)
        gone = Counter((c.table, c.before) for c in mended.changes if c.before is not None)
        for table in story.required:
            flat = {row: n for (name, row), n in (came - gone).items() if name == table}
            assert Counter(flat) == after[table] - before[table], "every changed row is on record (promise 3)"
        assert mended.changed_in_all == len(mended.changes) == plan.rows
