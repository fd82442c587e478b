"""Whose number was given again is never taken for another, whatever came and went between the backups (P-110).

Every row has a name of its own, and it is written down whom each child meant: so who comes back is known to be right.
"""

import random
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from tests.test_origins import Case, touched_by
from upkeep.policy import Policy

PARENT = {"c": "p", "g": "c"}
RESTORING = Policy.model_validate({"rule": [{"child": "*", "orphan": ["restore"]}]})


class Life:
    """Three tables, of which each points at the one before, under an application that does not enforce it."""

    def __init__(self, case: Case, chance: random.Random) -> None:
        self._case, self._chance, self._names = case, chance, count(1)
        self._there: dict[str, dict[int, str]] = {"p": {}, "c": {}, "g": {}}
        self.meant: dict[str, str] = {}

    def come(self, table: str) -> None:
        """A row under the next number, as SQLite gives them; a child of somebody who is there."""
        above = self._there.get(PARENT.get(table, ""), {})
        if table in PARENT and not above:
            return
        number, name = max(self._there[table], default=0) + 1, f"{table}{next(self._names)}"
        at = self._chance.choice(list(above)) if above else None
        self._there[table][number] = name
        if at:
            self.meant[name] = above[at]
        self._run(f"INSERT INTO {table} VALUES (?, ?, ?, '')", number, at, name)

    def go(self, table: str) -> None:
        """A row, most often the newest."""
        if there := self._there[table]:
            number = max(there) if self._chance.random() < 0.8 else self._chance.choice(list(there))
            del there[number]
            self._run(f"DELETE FROM {table} WHERE id = ?", number)

    def change(self, table: str) -> None:
        """A row is written to."""
        if there := self._there[table]:
            self._run(f"UPDATE {table} SET note = note || 'x' WHERE id = ?", self._chance.choice(list(there)))

    def _run(self, sql: str, *values: object) -> None:
        with closing(sqlite3.connect(self._case.database.path)) as connection:
            connection.execute(sql, values)
            connection.commit()


@pytest.mark.parametrize("seed", range(60))
def test_whoever_comes_back_is_the_one_whom_every_child_meant(tmp_path: Path, seed: int) -> None:
    case, chance = Case(tmp_path), random.Random(seed)  # noqa: S311 - it shall be the same each time
    case.run(
        "PRAGMA synchronous = OFF; CREATE TABLE p (id INTEGER PRIMARY KEY, at INTEGER, name TEXT, note TEXT);"
        "CREATE TABLE c (id INTEGER PRIMARY KEY, at INTEGER REFERENCES p (id), name TEXT, note TEXT);"
        "CREATE TABLE g (id INTEGER PRIMARY KEY, at INTEGER REFERENCES c (id), name TEXT, note TEXT)"
    )
    life = Life(case, chance)
    for table in "pcg" * 3:
        life.come(table)
    for _ in range(chance.randint(1, 4)):
        case.night()
        for _ in range(chance.randint(5, 20)):
            chance.choice([life.come, life.come, life.go, life.go, life.change])(chance.choice("pppcccg"))
    plan = case.planned(RESTORING)
    case.performed(plan, RESTORING)
    case.touched = touched_by(plan)
    for child, parent in PARENT.items():
        back = [row for (table, row), before in case.touched.items() if table == parent and not before]
        pairs = case.rows(f"SELECT c.name, p.name, p.id FROM {child} AS c JOIN {parent} AS p ON p.id = c.at")
        assert [(who, whom) for who, whom, at in pairs if (at,) in back and life.meant[str(who)] != whom] == []
    assert case.planned(RESTORING).is_empty, "run it twice: the second run finds nothing to do (promise 2)"
