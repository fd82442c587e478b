"""A small PostgreSQL database with a key that nobody declared, for tests of bringing it into force."""

import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg

from tasks.work import Worked
from tests.clinics import Night, perform_at, rehearse_at
from tests.servers.postgresql import PostgresServer
from upkeep.equipment import Equipment, equip

KEY = "visits(doctor) -> doctors(id)"
NAME = "visits_doctor_fkey"
TABLES = (
    "CREATE TABLE doctors (id int PRIMARY KEY, name text)",
    "CREATE TABLE visits (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, doctor int, note text)",
    "CREATE TABLE rooms (id int PRIMARY KEY, doctor int, CONSTRAINT theirs FOREIGN KEY (doctor) REFERENCES doctors)",
    "INSERT INTO doctors SELECT n, 'doctor ' || n FROM generate_series(1, 20) AS n",
    "INSERT INTO visits (doctor, note) SELECT n, 'visit ' || n FROM generate_series(1, 23) AS n",
    "INSERT INTO rooms VALUES (1, 1)",
    "ALTER TABLE rooms ADD CONSTRAINT of_old FOREIGN KEY (doctor) REFERENCES doctors NOT VALID",
)
"""Visits 21 to 23 are orphans. A key that is NOT VALID for reasons of its own stands beside it."""
POLICY = """
[limits]
share = 1.0
[[reference]]
from = "visits.doctor"
to = "doctors.id"
[[rule]]
child = "visits.doctor"
parent = "doctors"
orphan = ["nullify"]
ondelete = "SET NULL"
enforce = true
"""
_STATE = "SELECT convalidated FROM pg_constraint WHERE conrelid = 'visits'::regclass AND contype = 'f' ORDER BY conname"


@dataclass(frozen=True)
class Ward:
    """The database, and the folder of its store, its policy and its runs."""

    server: PostgresServer
    base: str
    folder: Path
    more: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The settings."""
        return {
            "DATABASE_URL": self.server.url(self.base),
            "UPKEEP_DATABASE": "ward",
            "UPKEEP_STORE": (self.folder / "store").as_uri(),
            "UPKEEP_SCRATCH": str(self.folder / "scratch"),
            "UPKEEP_POLICY": str(self.folder / "policy.toml"),
            "UPKEEP_LOCK_SECONDS": "2",
        } | self.more

    def equipment(self) -> Equipment:
        """What a run on it works with."""
        os.environ.update(self.environment)
        return equip()

    def rehearsed(self, *, migrate: bool = False) -> Night:
        """A rehearsal; its scratch is gone."""
        place = self.folder / "place"
        place.mkdir(exist_ok=True)
        night = rehearse_at(self.equipment(), place, migrate=migrate)
        night.scratch.discard()
        return night

    def performed(self, night: Night, run: str = "performed") -> Worked:
        """The performance of a rehearsal."""
        place = self.folder / run
        place.mkdir()
        return perform_at(self.equipment(), place, night, run)

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """What the application says to its database."""
        return self.server.run(self.base, *statements)

    def copied(self, folder: Path) -> "Ward":
        """Another one that holds the same, store and all."""
        shutil.copytree(self.folder, folder)
        base = f"{self.base}_{secrets.token_hex(3)}"
        self.server.run("postgres", f"CREATE DATABASE {base} TEMPLATE {self.base}")
        return replace(self, base=base, folder=folder)

    @property
    def pickled(self) -> str:
        """The file in which a process that will be killed finds the rehearsal."""
        return str(self.folder / "rehearsal.pickle")

    @property
    def state(self) -> str:
        """How the key stands: absent, NOT VALID, valid; as many words as there are such keys."""
        return " ".join("valid" if valid else "NOT VALID" for (valid,) in self.run(_STATE)) or "absent"

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """All visits."""
        return self.run("SELECT id, doctor, note FROM visits ORDER BY id")

    @property
    def others(self) -> list[tuple[Any, ...]]:
        """The other keys, which are nobody's business here."""
        return self.run("SELECT conname, convalidated FROM pg_constraint WHERE conrelid = 'rooms'::regclass ORDER BY 1")

    def refuses(self, statement: str) -> bool:
        """Does the database refuse what would make an orphan? Tried, and undone."""
        with self.server.connect(self.base) as connection, connection.transaction(force_rollback=True):
            try:
                connection.execute(statement.encode())
            except psycopg.errors.ForeignKeyViolation:
                return True
        return False


def ward_on(server: PostgresServer, folder: Path, *more: str, policy: str = POLICY) -> Ward:
    """A ward of one's own, in a folder that may be there."""
    folder.mkdir(exist_ok=True)
    (folder / "policy.toml").write_text(policy)
    return Ward(server, server.make_database(*TABLES, *more), folder)


@dataclass
class Written:
    """What a writer was told of its rows: kept or refused, by their notes."""

    kept: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@contextmanager
def writing(ward: Ward, pause: float = 0.01) -> Iterator[Written]:
    """An application that inserts good visits and orphans by turns, each a transaction, until the context ends."""
    written, ended = Written(), threading.Event()

    def write() -> None:
        number = 0
        with ward.server.connect(ward.base) as connection:
            while not ended.wait(pause):
                number += 1
                note, doctor = (f"good {number}", 1) if number % 2 else (f"astray {number}", 1000 + number)
                try:
                    connection.execute("INSERT INTO visits (doctor, note) VALUES (%s, %s)", (doctor, note))
                    written.kept.append(note)
                except psycopg.errors.ForeignKeyViolation:
                    written.refused.append(note)
                except psycopg.Error as fault:
                    written.faults.append(str(fault))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield written
    finally:
        ended.set()
        writer.join()
