"""A small database with several revisions pending, in a file or on a server: what is killed and written to beside."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.alembic_projects import project
from tests.damaged_clinic import MODES, content
from tests.engines import Base, ServedBase
from tests.engines.mariadb import MariadbEngine
from tests.engines.postgresql import PostgresqlBase
from tests.engines.sqlite import SqliteBase
from upkeep.equipment import Equipment, equip

BEFORE = (
    "CREATE TABLE people (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(40) NOT NULL)",
    "CREATE TABLE pets (id INTEGER NOT NULL PRIMARY KEY, person INTEGER REFERENCES people (id), name VARCHAR(40))",
    "CREATE TABLE notes (n INTEGER)",
    *(f"INSERT INTO people VALUES ({number}, 'person {number}')" for number in range(1, 200)),
    *(f"INSERT INTO pets VALUES ({number}, {number}, 'pet {number}')" for number in range(1, 200)),
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
    "INSERT INTO alembic_version VALUES ('r1')",
)
REVISIONS = (
    "pass",
    "op.add_column('people', sa.Column('born', sa.Date))\nop.execute(\"UPDATE people SET born = '1815-12-10'\")",
    "op.create_table('visits', sa.Column('id', sa.Integer, primary_key=True), sa.Column('person', sa.Integer))\n"
    "op.execute('INSERT INTO visits (id, person) SELECT id, id FROM people')",
    "with op.batch_alter_table('pets') as batch:\n    batch.alter_column('name', type_=sa.String(80))",
    # Whoever runs it alone has committed what came before by then, and lost the way back (P-84, P-89).
    "with op.get_context().autocommit_block():\n    op.execute('CREATE TABLE at_once (id INTEGER)')\n"
    "op.execute('INSERT INTO at_once VALUES (1)')",
    "op.create_index('pets_name', 'pets', ['name'])",
)
HEAD = f"r{len(REVISIONS)}"
_SCHEMA = (
    "SELECT table_name, column_name, data_type, character_maximum_length FROM information_schema.columns"
    " WHERE table_schema = 'public' ORDER BY 1, 2",
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
)


@dataclass(frozen=True)
class Pending:
    """One such database with its project, its store, and the settings that point there."""

    folder: Path
    on: ServedBase | None = None

    @property
    def path(self) -> Path:
        """The database where it is a file."""
        return self.folder / "app.db"

    @property
    def base(self) -> Base:
        """The database."""
        return self.on or SqliteBase(self.path)

    @property
    def store(self) -> Path:
        """The folder of the store's objects of this database."""
        return self.folder / "store" / "main"

    @property
    def environment(self) -> dict[str, str]:
        """The settings."""
        return {
            "DATABASE_URL": self.base.url,
            "UPKEEP_DATABASE": "main",
            "UPKEEP_STORE": (self.folder / "store").as_uri(),
            "UPKEEP_SCRATCH": str(self.folder / "scratch"),
            "UPKEEP_POLICY": str(self.folder / "policy.toml"),
            "UPKEEP_ALEMBIC_INI": str(self.folder / "project" / "alembic.ini"),
        }

    def equipment(self, **settings: str) -> Equipment:
        """What a run works with; the settings stay in the environment until the test ends."""
        os.environ.update(self.environment | settings)
        return equip()

    def content(self) -> Any:
        """Every row, every column and every index."""
        if not self.on:
            return content(self.path)
        schema = [self.on.ask(sql) for sql in _SCHEMA] if isinstance(self.on, PostgresqlBase) else []
        return self.on.listing(), schema

    @property
    def scratches(self) -> list[Any]:
        """What runs have left in the scratch folder and on the server."""
        root = self.folder / "scratch" / "main"
        return [*root.glob("*"), *(self.on.scratches(root) if self.on else ())]

    def copied(self, folder: Path) -> "Pending":
        """Another copy, while nobody has it open."""
        shutil.copytree(self.folder, folder)
        return Pending(folder, self.on and self.on.copied())

    def remove(self) -> None:
        """Give back the room that a copy takes."""
        shutil.rmtree(self.folder)
        if self.on:
            self.on.drop()


def pending_at(place: str, folder: Path, request: pytest.FixtureRequest, *revisions: str) -> Pending:
    """One in a place (a journal mode, a server), with revisions of its own or the ``REVISIONS``."""
    base: Base
    folder.mkdir()
    if place in MODES:
        base = SqliteBase(folder / "app.db")
        base.run(f"PRAGMA journal_mode = {place}")
    elif place == "mariadb":
        base = MariadbEngine(request.getfixturevalue("mariadb")).empty()
    else:
        server = request.getfixturevalue(f"{place}_postgresql")
        base = PostgresqlBase(server, server.make_database())
    base.run(*BEFORE)
    (folder / "store").mkdir()
    (folder / "project").mkdir()
    project(folder / "project", *(revisions or REVISIONS))
    return Pending(folder, None if isinstance(base, SqliteBase) else base)
