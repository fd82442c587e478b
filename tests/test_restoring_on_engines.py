"""What is put back out of older states is on every engine what the model in Python says, and an undo undoes it."""

import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from tests.engines import ENGINES, Base, Engine, Key, Table
from tests.history_model import History, State
from tests.repair_model import Model
from tests.test_restoring import COLUMNS, Story, backups, drawn_up, stories
from upkeep.databases import Database
from upkeep.databases.opening import open_database
from upkeep.finding import keys_of
from upkeep.mending import mend
from upkeep.plan import Plan
from upkeep.policy import Policy
from upkeep.undoing import Deed, draw_back
from upkeep.values import Row


@pytest.fixture(scope="module", params=["sqlite", "postgresql-system", "mariadb"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """One engine after the other; one that is not there is skipped with the reason."""
    return ENGINES[str(request.param)](request)


@contextmanager
def made(engine: Engine, story: Story, state: State) -> Iterator[tuple[Base, Database]]:
    """One moment of a story in a database of its own."""
    tables = [
        Table(
            name,
            ("id INTEGER NOT NULL", *(f"{c} INTEGER{' NOT NULL' * (c in required)}" for c in COLUMNS[1:])),
            tuple(Key(key.columns, key.parent) for key in story.keys if key.child == name),
            tuple(tuple(row[column] for column in COLUMNS) for row in state[name]),
        )
        for name, required in story.required.items()
    ]
    base = engine.make(*tables)
    try:
        yield base, open_database("small", base.url, 5.0)
    finally:
        if drop := getattr(base, "drop", None):
            drop()


def rows_of(base: Base, story: Story) -> dict[str, Counter[tuple[Any, ...]]]:
    """Every row of every table, as a program reads it."""
    asked = ", ".join(COLUMNS)
    return {table: Counter(map(tuple, base.ask(f"SELECT {asked} FROM {table}"))) for table in story.required}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(
    max_examples=int(os.environ.get("RESTORE_EXAMPLES", "8")),
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(story=stories(), order=st.randoms())
def test_what_is_put_back_is_what_the_model_says_and_an_undo_gives_back_the_damage(
    engine: Engine, story: Story, order: random.Random
) -> None:
    *past, today = story.states
    history = History(past, today, story.shapes, story.keys, story.rules)
    model = Model(today, story.shapes, story.keys, story.rules, order.randrange, history)
    expected, kept = model.repair()
    with ExitStack() as stack:
        older = backups([stack.enter_context(made(engine, story, state))[1] for state in past])
        base, database = stack.enter_context(made(engine, story, today))
        damaged = base.listing()
        plan = drawn_up(database, story.policy, older)
        event(f"{engine.name}: restored {min(plan.by_action().get('restore', 0), 3)}")
        with database.writing() as writing:
            mended = mend(writing, plan, keys_of(writing, story.policy))
        after = rows_of(base, story)
        for table in story.required:
            assert after[table] == Counter(tuple(row[c] for c in COLUMNS) for row in expected[table]), table
        left: Counter[str] = Counter()
        for one in plan.kept:
            left[one.key] += one.rows
        assert left == kept
        assert drawn_up(database, story.policy, older, plan).is_empty, "the second run finds nothing to do (promise 2)"
        assert mended.changed_in_all == len(mended.changes) == plan.rows
        undone(database, story.policy, plan, Deed("run", mended.changes, missed_by(plan)))
        assert base.listing() == damaged, "an undo puts the database back, equal row for row (promise 3)"


def missed_by(plan: Plan) -> dict[str, set[Row]]:
    """By key the rows of a plan that were orphans of it, as a run reads them out of its record."""
    missed: dict[str, set[Row]] = {}
    for repair in plan.repairs:
        if repair.wave == 0 and repair.action.value != "restore":
            missed.setdefault(repair.key, set()).add(repair.row)
    return missed


def undone(database: Database, policy: Policy, plan: Plan, deed: Deed) -> None:
    """Take a plan back; none of its rows is a conflict."""
    with database.reading() as reading:
        undo = draw_back(reading, "small", deed, keys_of(reading, policy))
    assert undo.undo is not None
    assert undo.undo.conflicts == ()
    assert undo.rows == plan.rows
    with database.writing() as writing:
        mend(writing, undo, keys_of(writing, policy))
