"""A database that loses whole tables, with copies of it that stand for backups, on an engine with its own means."""

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from tasks.enforcement import validated
from tests.engines.postgresql import PostgresqlBase
from tests.servers.postgresql import PostgresServer
from upkeep.changes import Mended
from upkeep.databases import Database, Reading
from upkeep.databases.opening import open_database
from upkeep.equipment import Equipment, equip
from upkeep.finding import find, keys_of, with_tables_back
from upkeep.lost_tables import LostTables, look_for_tables
from upkeep.making import comeback_of
from upkeep.older_backups import Older
from upkeep.plan import Plan
from upkeep.planning import Planner
from upkeep.policy import Policy
from upkeep.remaking import as_if_made, carry_out
from upkeep.searching import search
from upkeep.undoing import Deed, draw_back
from upkeep.verdict import Check


class Place(Protocol):
    """Where a database is; nothing here goes through Upkeep."""

    @property
    def url(self) -> str:
        """As it stands in the settings."""

    def run(self, script: str) -> None:
        """Statements of the application, foreign keys enforced only where the engine always does it."""

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""

    def written(self) -> list[str]:
        """All that the database says, schema, rows and numbers, line by line as the engine's own tool writes it."""

    def copied(self, number: int) -> "Place":
        """A copy that nobody else writes to."""


@dataclass(frozen=True)
class FilePlace:
    """A SQLite file."""

    path: Path

    @property
    def url(self) -> str:
        """The file."""
        return f"sqlite:///{self.path}"

    def run(self, script: str) -> None:
        """As one script."""
        with closing(sqlite3.connect(self.path)) as connection:
            connection.executescript(script)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(sql).fetchall()

    def written(self) -> list[str]:
        """As the shell's .dump."""
        with closing(sqlite3.connect(self.path)) as connection:
            return sorted(connection.iterdump())

    def copied(self, number: int) -> "FilePlace":
        """Byte for byte."""
        copy = FilePlace(self.path.with_name(f"{number:02}.db"))
        copy.path.write_bytes(self.path.read_bytes())
        return copy


@dataclass(frozen=True)
class ServerPlace:
    """A PostgreSQL database."""

    base: PostgresqlBase

    @property
    def url(self) -> str:
        """Over loopback."""
        return self.base.url

    def run(self, script: str) -> None:
        """As one string of statements, which is one transaction."""
        self.base.server.run(self.base.name, script)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.base.ask(sql)

    def written(self) -> list[str]:
        """As pg_dump, but for what is another word at each call."""
        server = self.base.server
        words = ["-h", str(server.sockets), "-p", str(server.port), "-U", server.user, self.base.name]
        said = subprocess.run([server.programs / "pg_dump", *words], capture_output=True, text=True, check=True)
        tokens = ("\\restrict ", "\\unrestrict ")
        return sorted(line for line in said.stdout.splitlines() if line and not line.startswith(tokens))

    def copied(self, number: int) -> "ServerPlace":
        """By the server."""
        del number
        return ServerPlace(self.base.copied())


class Surgery:
    """A database with older copies of it, newest first; it remembers which of them were opened."""

    def __init__(self, place: Place, script: str) -> None:
        self.place = place
        self.older: list[Older] = []
        self.opened: list[str] = []
        place.run(script)
        self.database: Database = open_database("surgery", place.url, 5.0)

    def night(self, *, known: bool = True) -> None:
        """A backup; ``known``: its census says what tables it has."""
        name = f"{len(self.older):02}"
        copy = open_database(name, self.place.copied(len(self.older)).url, 5.0)
        with copy.reading() as reading:
            tables = frozenset(table.lower() for table in reading.catalog().tables)
        self.older.insert(0, Older(name, partial(self._open, copy), tables if known else None))

    @contextmanager
    def _open(self, copy: Database) -> Iterator[Reading]:
        self.opened.append(copy.name)
        with copy.reading() as reading:
            yield reading

    def lost(self, by: Policy) -> LostTables:
        """What older backups have whole."""
        with self.database.reading() as now:
            return look_for_tables(now, keys_of(now, by), by, self.older, self.database.unmakeable)

    def planned(self, by: Policy) -> Plan:
        """As a rehearsal draws it up."""
        lost = self.lost(by)
        comebacks = [one.comeback for one in lost.found]
        with self.database.reading() as now:
            findings = tuple(find(now, key, limit=0) for key in keys_of(now, by))
        with as_if_made(self.database, comebacks) as now:
            keys = keys_of(now, by)
            origins = replace(search(now, keys, by, self.older, lost.found), gone=lost.why_not)
            findings = with_tables_back(now, keys, findings, {one.table for one in comebacks})
            return Planner(now, keys, by, (), origins).plan("surgery", findings, None)

    def performed(self, plan: Plan, by: Policy) -> Mended:
        """Do it, and have the keys that came back validated."""
        with self.database.writing() as writing:
            mended = carry_out(writing, plan, lambda reading: keys_of(reading, by))
        self.checks: tuple[Check, ...] = validated(self.database, plan)
        return mended

    def undo_of(self, plan: Plan, mended: Mended, by: Policy) -> Plan:
        """As it is drawn up of the plan's own JSON."""
        tables = [comeback_of(said) for said in json.loads(json.dumps(plan.document())).get("tables", ())]
        with self.database.reading() as reading:
            there = reading.catalog().tables
        tables = [one for one in tables if one.goes != (one.table in there)]
        with as_if_made(self.database, [one.reversed for one in tables if one.goes]) as reading:
            deed = Deed("run", mended.changes, tables=tuple(tables))
            return draw_back(reading, "surgery", deed, keys_of(reading, by))

    def run(self, script: str) -> None:
        """What the application does."""
        self.place.run(script)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.place.ask(sql)

    def content(self) -> list[str]:
        """All that the database says."""
        return self.place.written()


def in_a_file(folder: Path, script: str) -> Surgery:
    """A surgery on SQLite."""
    return Surgery(FilePlace(folder / "now.db"), script)


def on_postgresql(server: PostgresServer, script: str) -> Surgery:
    """A surgery on PostgreSQL."""
    return Surgery(ServerPlace(PostgresqlBase(server, server.make_database())), script)


def missed_of(surgery: Surgery, gone: set[str], above: str) -> set[str]:
    """Which of the tables a and b that are gone rows still want: c points at both, b at the one ``above`` it."""
    missed = {name for name in gone if surgery.ask(f"SELECT 1 FROM c WHERE {name} IS NOT NULL")}
    if above in gone and "b" not in gone and surgery.ask("SELECT 1 FROM b WHERE up IS NOT NULL"):
        missed.add(above)
    if above in gone and "b" in missed:
        missed.add(above)
    return missed


def comes_back_and_goes_again(surgery: Surgery, by: Policy, whole: list[str] | None, missed: set[str]) -> Plan:
    """Those tables, and no others, come back; then all is ``whole``, if that is told, and an undo takes it back."""
    damaged = surgery.content()
    plan = surgery.planned(by)
    assert {one.table for one in plan.tables} == missed
    mended = surgery.performed(plan, by)
    if whole is not None:
        assert surgery.content() == whole
    assert surgery.planned(by).is_empty
    if plan.tables:
        surgery.performed(surgery.undo_of(plan, mended, by), by)
        assert surgery.content() == damaged
    return plan


@dataclass(frozen=True)
class Ward:
    """A small database that has lost a table, its store, and the settings that point there."""

    folder: Path
    place: Place

    @property
    def environment(self) -> dict[str, str]:
        """The settings."""
        return {
            "DATABASE_URL": self.place.url,
            "UPKEEP_DATABASE": "ward",
            "UPKEEP_STORE": (self.folder / "store").as_uri(),
            "UPKEEP_SCRATCH": str(self.folder / "scratch"),
            "UPKEEP_POLICY": str(self.folder / "policy.toml"),
        }

    @property
    def store(self) -> Path:
        """The folder of the store's objects of this database."""
        return self.folder / "store" / "ward"

    def equipment(self) -> Equipment:
        """What a run on this ward works with."""
        os.environ.update(self.environment)
        return equip()

    def content(self) -> list[str]:
        """All that the database says; whether a key is believed, which is seen to last, is no part of it."""
        return [line.replace(" NOT VALID;", ";") for line in self.place.written()]

    def copied(self, folder: Path) -> "Ward":
        """Another one that holds the same, while nobody has it open."""
        shutil.copytree(self.folder, folder)
        if isinstance(self.place, FilePlace):
            return Ward(folder, FilePlace(folder / self.place.path.name))
        return Ward(folder, self.place.copied(0))

    def remove(self) -> None:
        """Give back the room that it takes."""
        shutil.rmtree(self.folder)
        if isinstance(self.place, ServerPlace):
            self.place.base.drop()
