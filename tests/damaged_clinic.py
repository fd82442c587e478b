"""The damaged example clinic for tests, in a file or on a server: built once, copied for each test."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from examples import clinic as example
from examples.clinic import DEMO_KINDS, build
from tests.engines import ServedBase
from tests.engines.mariadb import MariadbEngine
from tests.engines.postgresql import PostgresqlBase
from tests.servers.postgresql import PostgresServer
from upkeep.cli.backing_up import back_up
from upkeep.equipment import Equipment, equip

ROOT = Path(__file__).parents[1]
MODES = ("delete", "wal")
SERVERS = ("system", "wheel")
PLACES = (*MODES, *SERVERS, "mariadb")
"""Journal modes of a file, PostgreSQL servers, and MariaDB."""
Content = dict[str, Any]


def asked(places: Iterable[str], ending: str = "") -> list[Any]:
    """Places as parameters of a test; the second server says once more what the first one said: exhaustive."""
    again = pytest.mark.exhaustive
    return [pytest.param(f"{place}{ending}", marks=again if place == "wheel" else ()) for place in places]


@dataclass(frozen=True)
class Clinic:
    """One copy of the damaged clinic: its database, its store, and the settings that point there.

    ``on`` is its database where that is on a server; else it is a file of the folder.
    """

    folder: Path
    on: ServedBase | None = None

    @property
    def path(self) -> Path:
        """The database file."""
        return self.folder / "clinic.db"

    @property
    def store(self) -> Path:
        """The folder of the store's objects of this database."""
        return self.folder / "store" / "clinic"

    @property
    def policy(self) -> Path:
        """The policy file, for a test to edit."""
        return self.folder / "policy.toml"

    @property
    def suites(self) -> Path:
        """The folder of the hand-written suites, for a test to edit."""
        return self.folder / "suites"

    @property
    def url(self) -> str:
        """The database as it stands in the settings."""
        return self.on.url if self.on else f"sqlite:///{self.path}"

    @property
    def scratches(self) -> list[Any]:
        """What runs have left in the scratch folder and on the server."""
        root = self.folder / "scratch" / "clinic"
        return [*root.glob("*"), *(self.on.scratches(root) if self.on else ())]

    @property
    def environment(self) -> dict[str, str]:
        """The settings."""
        home = Path(example.__file__).parent
        return {
            "DATABASE_URL": self.url,
            "UPKEEP_DATABASE": "clinic",
            "UPKEEP_STORE": (self.folder / "store").as_uri(),
            "UPKEEP_SCRATCH": str(self.folder / "scratch"),
            "UPKEEP_POLICY": str(self.policy),
            "UPKEEP_ALEMBIC_INI": str(home / "alembic.ini"),
            "UPKEEP_SUITES": str(self.suites),
            "BACKUP_RETENTION_DAYS": "3650",
        }

    def equipment(self) -> Equipment:
        """What a run on this clinic works with; the settings stay in the environment until the test ends."""
        os.environ.update(self.environment)
        return equip()

    def change(self, *statements: str, enforced: bool = False) -> None:
        """Write to the database as the application does."""
        if self.on:
            self.on.run(*statements)
            return
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute(f"PRAGMA foreign_keys = {'ON' if enforced else 'OFF'}")
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    def into(self, mode: str) -> "Clinic":
        """The same clinic in another journal mode."""
        with closing(sqlite3.connect(self.path)) as connection:
            assert connection.execute(f"PRAGMA journal_mode = {mode}").fetchone() == (mode,)
        return self

    def copied(self, folder: Path) -> "Clinic":
        """Another copy, of the database while nobody has it open."""
        shutil.copytree(self.folder, folder)
        return Clinic(folder, self.on and self.on.copied())

    def remove(self) -> None:
        """Give back the room that a copy takes."""
        shutil.rmtree(self.folder)
        if self.on:
            self.on.drop()

    def become(self, other: "Clinic") -> None:
        """Hold again what another copy holds."""
        if self.on and other.on:
            self.on.become(other.on)
        else:
            shutil.copy(other.path, self.path)

    def content(self) -> Content:
        """Everything that the database holds."""
        return self.on.listing() if self.on else content(self.path)

    @property
    def tables(self) -> list[str]:
        """The names of its tables."""
        return list(self.on.listing() if self.on else content(self.path)["rows"])

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        if self.on:
            return self.on.ask(sql)
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(sql).fetchall()


def content(path: Path) -> Content:
    """Everything that a database holds: its schema and every row of every table. It must be whole, too."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        schema = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2").fetchall()
        tables = [name for kind, name, _, _ in schema if kind == "table"]
        rows = {name: sorted(connection.execute(f'SELECT * FROM "{name}"'), key=repr) for name in tables}
    return {"schema": schema, "rows": rows}


def build_clinic(folder: Path, seed: int = 7, *, backed_up: bool = True) -> Clinic:
    """Build the damaged clinic of a seed, with nightly backups in its store or none; takes a second."""
    clinic = Clinic(folder)
    (folder / "store").mkdir(parents=True)
    shutil.copy(Path(example.__file__).parent / "policy.toml", folder)
    shutil.copytree(ROOT / "expectations" / "suites" / "clinic", folder / "suites")
    before = dict(os.environ)

    def nightly(when: datetime) -> None:
        back_up(clinic.equipment(), "example", when)

    told: dict[str, Any] = {"nights": 3, "nightly": nightly} if backed_up else {}
    try:
        build(folder, seed=seed, kinds=DEMO_KINDS, **told)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return clinic


@pytest.fixture(scope="session")
def built_clinic(tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    """The damaged clinic, built once; nobody writes to it."""
    return build_clinic(tmp_path_factory.mktemp("built") / "clinic")


@pytest.fixture(scope="session")
def clinic_in(
    built_clinic: Clinic, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, Path], Clinic]:
    """A copy of the damaged clinic in one of the ``PLACES``, of one's own, in a folder that is not there yet."""

    @cache
    def built(server: str) -> Clinic:
        base: ServedBase
        if server == "mariadb":
            base = MariadbEngine(request.getfixturevalue("mariadb")).empty()
        else:
            served: PostgresServer = request.getfixturevalue(f"{server}_postgresql")
            base = PostgresqlBase(served, served.make_database())
        build(tmp_path_factory.mktemp("on-a-server"), url=base.url, seed=7, kinds=DEMO_KINDS, nights=3)
        return Clinic(built_clinic.folder, base)

    def copied(place: str, folder: Path) -> Clinic:
        if place in MODES:
            return built_clinic.copied(folder).into(place)
        own = built(place).copied(folder)
        for kind in ("backups", "ledger"):  # they are of the file
            shutil.rmtree(own.store / kind)
        return own

    return copied


@pytest.fixture
def damaged(request: pytest.FixtureRequest, clinic_in: Callable[[str, Path], Clinic], tmp_path: Path) -> Clinic:
    """A damaged clinic of one's own, with the settings in the environment; a test may ask for other ``PLACES``."""
    own = clinic_in(getattr(request, "param", "delete"), tmp_path / "clinic")
    os.environ.update(own.environment)
    return own
