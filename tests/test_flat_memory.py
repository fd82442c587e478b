"""What older backups give back is on disk while it is looked for and planned: more of it takes no more memory."""

import gc
import sqlite3
import tracemalloc
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.test_origins import Case
from upkeep import judgements, sought, spilled, values
from upkeep.databases.sqlite import SqliteDatabase
from upkeep.finding import find, keys_of
from upkeep.older_backups import Older
from upkeep.planning import Planner
from upkeep.policy import Action, Policy, Rule
from upkeep.searching import search

_SCHEMA = """
    CREATE TABLE clinics (id INTEGER PRIMARY KEY);
    CREATE TABLE doctors (id INTEGER PRIMARY KEY, clinic INTEGER REFERENCES clinics (id), name TEXT);
    CREATE TABLE visits (id INTEGER PRIMARY KEY, doctor INTEGER REFERENCES doctors (id));
    CREATE INDEX by_doctor ON visits (doctor);
"""
_BYTES = 300
"""What an orphan may cost, a tenth of what it took when all that was found for it was in memory."""
_SIZES = 1_500, 5_000
"""The smaller fills every buffer, and the room between them is five times what the peaks of two runs differ by."""


@pytest.mark.slow
def test_a_parent_of_its_own_for_each_orphan_takes_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sought, spilled, values):
        monkeypatch.setattr(module, "_PIECE", 250)
    monkeypatch.setattr(judgements, "_MOST", 250)
    _peak(tmp_path, 100)  # what is kept once for a process is no part of it, whichever test came first
    small, large = (_peak(tmp_path, rows) for rows in _SIZES)
    assert large - small < (_SIZES[1] - _SIZES[0]) * _BYTES


def _peak(folder: Path, rows: int) -> int:
    """Of the memory that Python takes where so many orphans find a parent each, which finds its own parent."""
    case = Case(folder / str(rows))
    case.folder.mkdir()
    numbers = [(i, i) for i in range(1, rows + 1)]
    case.run(_SCHEMA)
    with closing(sqlite3.connect(case.database.path)) as connection, connection:
        connection.executemany("INSERT INTO visits VALUES (?, ?)", numbers)
    older = SqliteDatabase("older", case.folder / "older.db")
    older.path.write_bytes(case.database.path.read_bytes())
    with closing(sqlite3.connect(older.path)) as connection, connection:
        connection.executemany("INSERT INTO clinics VALUES (?)", ((i,) for i, _ in numbers))
        connection.executemany("INSERT INTO doctors VALUES (?, ?, 'a name that takes room')", numbers)
    policy = Policy(rule=(Rule(child="*", orphan=(Action.RESTORE,)),))
    seldom = gc.get_threshold()
    gc.set_threshold(100, 1, 1)  # what only waits to be collected is not held, and how much waits is chance
    tracemalloc.start()
    try:
        with case.database.reading() as now:
            keys = keys_of(now, policy)
            findings = tuple(find(now, key, limit=0) for key in keys)
            origins = search(now, keys, policy, [Older("0", partial(older.reading))])
            plan = Planner(now, keys, policy, (), origins).plan("case", findings, None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.set_threshold(*seldom)
    assert len(plan.repairs) == 2 * rows
    return peak
