"""A night on which nothing has changed opens no older backup, and one on which something has opens what it must."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from upkeep.databases import Reading
from upkeep.databases.sqlite import SqliteDatabase
from upkeep.finding import find, keys_of
from upkeep.older_backups import Older
from upkeep.plan import Plan
from upkeep.planning import Planner
from upkeep.policy import Policy
from upkeep.recall import Recall
from upkeep.searching import search
from upkeep.stores import Store, open_store

RESTORES = Policy.model_validate({"rule": [{"child": "*", "orphan": ["restore"]}]})
WARD = """
    CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p (id));
    CREATE TABLE named (name TEXT PRIMARY KEY NOT NULL);
    CREATE TABLE n (id INTEGER PRIMARY KEY, name TEXT REFERENCES named (name));
    INSERT INTO p VALUES (1, 'Ada'), (2, 'Bob');
    INSERT INTO c VALUES (10, 1), (20, 77), (21, 78);
"""
"""Rows 20 and 21 point at nothing that ever was."""


class Nights:
    """A database whose backups are copies of its file, asked as a night asks them; it counts what is opened."""

    def __init__(self, folder: Path, secret: str = "") -> None:
        self.folder, self.secret = folder, secret
        self.database = SqliteDatabase("ward", folder / "now.db")
        self.store: Store = open_store((folder / "store").as_uri())
        self.copies: list[SqliteDatabase] = []
        self.opened: list[str] = []
        self.run(WARD)

    def run(self, script: str) -> None:
        with closing(sqlite3.connect(self.database.path)) as connection:
            connection.executescript(script)

    @contextmanager
    def _open(self, copy: SqliteDatabase) -> Iterator[Reading]:
        self.opened.append(copy.name)
        with copy.reading() as reading:
            yield reading

    def fall(self, *, recalling: bool = True) -> Plan:
        """The plan of one more night, which takes a backup first; without ``recalling`` as if nothing were known."""
        with self.database.reading() as now:
            recall = Recall.in_(self.store, "ward", now, self.secret)
            older = [
                Older(one.name, partial(self._open, one), memory=recall.memory(one.name) if recalling else None)
                for one in reversed(self.copies)
            ]
            copy = SqliteDatabase(f"{len(self.copies):02}", self.folder / f"{len(self.copies):02}.db")
            copy.path.write_bytes(self.database.path.read_bytes())
            keys = keys_of(now, RESTORES)
            origins = search(now, keys, RESTORES, older, own=recall.memory(copy.name) if recalling else None)
            findings = tuple(find(now, key, limit=0) for key in keys)
            plan = Planner(now, keys, RESTORES, (), origins).plan("ward", findings, None)
        if recalling:
            self.copies.append(copy)
        return plan

    def opens(self) -> list[str]:
        """What was opened since this was asked."""
        found, self.opened = self.opened, []
        return found


def test_from_the_first_night_on_no_backup_is_opened_for_orphans_that_nothing_proves(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    plans = [nights.fall() for _ in range(5)]
    assert nights.opens() == []
    assert len({plan.digest for plan in plans}) == 1
    nights.fall(recalling=False)
    assert nights.opens() == ["04", "03", "02", "01", "00"], "without memory each night would open them all"


def test_a_new_orphan_is_looked_for_once_in_all_and_a_parent_that_is_there_each_night(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    for _ in range(3):
        nights.fall()
    nights.run("INSERT INTO c VALUES (22, 79)")
    nights.fall()
    assert nights.opens() == ["02", "01", "00"]
    nights.fall()
    assert nights.opens() == []
    nights.run("DELETE FROM p WHERE id = 1")
    plan = nights.fall()
    assert [(one.table, one.row) for one in plan.repairs] == [("p", (1,))]
    assert nights.opens()[0] == "04"
    again = nights.fall()
    assert again.digest == plan.digest, "what is remembered changes no plan"
    assert nights.opens() == ["04", "03", "02", "01", "00"], "the night before has it not, each before that has it"


def test_another_schema_or_another_secret_asks_all_again(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    for _ in range(2):
        nights.fall()
    nights.secret = "changed"
    nights.fall()
    assert nights.opens() == ["01", "00"]
    nights.run("ALTER TABLE p ADD mail TEXT")
    nights.fall()
    assert nights.opens() == ["02", "01", "00"]
    nights.fall()
    assert nights.opens() == []


def test_p103_without_a_secret_no_digest_of_a_name_is_kept_and_never_the_name(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.run("INSERT INTO n VALUES (1, 'planted')")
    for _ in range(3):
        nights.fall()
    assert nights.opens() == ["00", "01", "00"], "it is asked each night"
    nights.secret = "of the application"
    nights.fall()
    nights.opens()
    nights.fall()
    assert nights.opens() == []
    kept = list(tmp_path.rglob("absent.json"))
    assert kept
    assert [path for path in kept if b"planted" in path.read_bytes()] == []


@pytest.mark.parametrize("page", [b"", b"{}", b'{"format": 1, "of": "another", "absent": {}}', b"\xff"])
def test_a_memory_that_cannot_be_read_is_asked_again_and_written_anew(tmp_path: Path, page: bytes) -> None:
    nights = Nights(tmp_path)
    nights.fall()
    (path,) = tmp_path.rglob("absent.json")
    path.write_bytes(page)
    nights.fall()
    assert nights.opens() == ["00"]
    nights.fall()
    assert nights.opens() == []
