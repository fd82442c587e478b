"""A plan of as many rows as one likes, on SQLite: drawn up, performed, taken back, and the time of each step."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from tests.bench.processes import Ran, act, inner, interleaved, part
from tests.bench.results import Figure, cpu_ratio, memory_ratio
from tests.bench.sizes import Sizes
from tests.bench.watch import Said, Watch, own_peak_mib

_SCHEMA = """
    CREATE TABLE parents (id INTEGER PRIMARY KEY);
    CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parents (id), note TEXT);
    CREATE TABLE leaves (id INTEGER PRIMARY KEY, child INTEGER REFERENCES children (id));
    CREATE TABLE payments (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parents (id));
    CREATE INDEX by_child ON leaves (child);
    CREATE INDEX by_parent ON children (parent);
    INSERT INTO parents VALUES (1), (2);
    CREATE TABLE doctors (id INTEGER PRIMARY KEY);
    CREATE TABLE visits (id INTEGER PRIMARY KEY, doctor INTEGER REFERENCES doctors (id));
    CREATE INDEX by_doctor ON visits (doctor);
"""
_GONE = 10**9
_VISITS_EACH = 10
"""Of a doctor who comes back."""
AIM = 1.3
"""Of the memory of a plan over that of one with a tenth of the rows."""


def measure(sizes: Sizes, folder: Path) -> Figure:
    """A plan, its performance and its undo, and the same with a tenth of the rows."""
    ran = interleaved(1, {f"{rows:,} rows": _worked(folder, rows) for rows in sizes.plan_rows})
    small, large = (inner(name, several) for name, several in ran.items())
    (told,) = ran[large.name]
    steps = [part(f"{large.name}: {step}", (_only(told, step),), "step") for step in told.said["steps"]]
    return Figure(
        "large-plan",
        "A large plan",
        "orphans of three keys in two waves, deleted and nullified, and as many of a fourth, of which ten each find a"
        " parent in an older state; drawn up, performed and undone in one process",
        (large, small, *steps),
        (memory_ratio(large, small, sizes.aim(AIM)), cpu_ratio(large, small)),
    )


def _worked(folder: Path, rows: int) -> Callable[[], Ran]:
    return lambda: act("large_plan", folder, path=folder / f"{rows}.db", rows=rows)


def _only(ran: Ran, step: str) -> Ran:
    """One step of it as if it were all that was said."""
    return replace(ran, output=json.dumps({"step": ran.said["steps"][step]}))


def build(path: Path, rows: int) -> None:
    """Half of the plan's rows are orphans that go, a quarter loses its parent by that, a quarter becomes NULL.

    As many rows again miss a tenth as many parents, which stand in the older state beside it.
    """
    half, quarter = rows // 2, rows // 4
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(_SCHEMA)
        children = ((i, _GONE + i if i <= half else 1, f"note {i}") for i in range(1, rows + 1))
        connection.executemany("INSERT INTO children VALUES (?, ?, ?)", children)
        leaves = ((i, i if i <= quarter else half + i) for i in range(1, half + 1))
        connection.executemany("INSERT INTO leaves VALUES (?, ?)", leaves)
        payments = ((i, _GONE + i if i <= quarter else 2) for i in range(1, half + 1))
        connection.executemany("INSERT INTO payments VALUES (?, ?)", payments)
        visits = ((i, 1 + i % _doctors(rows)) for i in range(1, rows + 1))
        connection.executemany("INSERT INTO visits VALUES (?, ?)", visits)
    older = _older(path)
    shutil.copy(path, older)
    with closing(sqlite3.connect(older)) as connection, connection:
        connection.executemany("INSERT INTO doctors VALUES (?)", ((i,) for i in range(1, _doctors(rows) + 1)))


def _doctors(rows: int) -> int:
    return rows // _VISITS_EACH


def _older(path: Path) -> Path:
    return path.with_suffix(".older.db")


def large_plan(path: str, rows: int) -> Said:
    """Plan, performance and undo, each with its changes written to a store beside the database and read again."""
    from upkeep.changes import CHANGES, put_changes, stored_changes
    from upkeep.databases.opening import open_database
    from upkeep.finding import find, keys_of
    from upkeep.gathered import Gathered
    from upkeep.mending import mend
    from upkeep.older_backups import Older
    from upkeep.planning import Planner
    from upkeep.policy import Action, Policy, Rule
    from upkeep.searching import search
    from upkeep.spilled import Spilled
    from upkeep.stores import open_store
    from upkeep.undoing import Deed, draw_back

    build(Path(path), rows)
    wanted = {"payments": Action.NULLIFY, "visits": Action.RESTORE, "*": Action.DELETE}
    policy = Policy(rule=tuple(Rule(child=child, orphan=(action,)) for child, action in wanted.items()))
    backup = Older("older", open_database("bench", f"sqlite:///{_older(Path(path))}").reading)
    database, store = open_database("bench", f"sqlite:///{path}"), open_store(Path(f"{path}-store").as_uri())
    watch, steps, last = Watch(), {}, 0.0

    def done(step: str) -> None:
        nonlocal last
        steps[step], last = watch.seconds - last, watch.seconds

    with database.reading() as reading:
        keys = keys_of(reading, policy)
        findings = tuple(find(reading, key, limit=0) for key in keys)
        done("find")
        origins = search(reading, keys, policy, [backup])
        done("search")
        plan = Planner(reading, keys, policy, (), origins).plan("bench", findings, None)
    done("plan")
    planned = plan.digest, plan.rows
    done("digest and counts")
    with database.writing() as writing:
        mended = mend(writing, plan, keys)
        done("perform")
        record = put_changes(store, "changes", mended.changes)
    done("store the changes")
    changes = Spilled(stored_changes(store, record), CHANGES)
    deed = Deed("run", changes, Gathered((one.key, one.row) for one in plan.repairs if one.wave == 0))
    with database.reading() as reading:
        undo = draw_back(reading, "bench", deed, keys)
    done("draw the undo up")
    with database.writing() as writing:
        undone = mend(writing, undo, keys)
    done("undo")
    expected = rows + _doctors(rows)
    if not planned[1] == len(mended.changes) == len(undone.changes) == expected or len(plan.healed) != rows:
        raise RuntimeError(f"{planned[1]} rows planned, {len(mended.changes)} changed, {len(undone.changes)} undone")
    return {**watch.said(), "steps": steps, "peak_mib": own_peak_mib()}
