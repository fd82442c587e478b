"""The damaged example clinic for tests: built once, copied for each test, and rehearsed without or with Prefect."""

import contextlib
import hashlib
import inspect
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from examples import clinic as example
from examples.clinic import DEMO_KINDS, build
from tasks.detection import Looked
from tasks.performance import perform
from tasks.preparation import preflight
from tasks.recovery import recover_runs
from tasks.rehearsal import Rehearsed, look, rehearse
from tasks.work import Worked
from upkeep.backups import Manifest, bring_back, prove, take_backup, utc_now
from upkeep.databases import Database
from upkeep.equipment import Equipment, equip
from upkeep.workplaces import workplace

RUN = "20260401T020000Z-tested"
ROOT = Path(__file__).parents[1]
MODES = ("delete", "wal")
Content = dict[str, Any]


@dataclass(frozen=True)
class Clinic:
    """One copy of the damaged clinic: its database, its store, and the settings that point there."""

    folder: Path

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
    def scratches(self) -> list[Path]:
        """What runs have left in the scratch folder."""
        return list((self.folder / "scratch" / "clinic").glob("*"))

    @property
    def environment(self) -> dict[str, str]:
        """The settings."""
        home = Path(example.__file__).parent
        return {
            "DATABASE_URL": f"sqlite:///{self.path}",
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
        return Clinic(folder)


def content(path: Path) -> Content:
    """Everything that a database holds: its schema and every row of every table. It must be whole, too."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        schema = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2").fetchall()
        tables = [name for kind, name, _, _ in schema if kind == "table"]
        rows = {name: sorted(connection.execute(f'SELECT * FROM "{name}"'), key=repr) for name in tables}
    return {"schema": schema, "rows": rows}


def bytes_of(path: Path) -> dict[str, tuple[str, int]]:
    """The digest and the time of change of a database file and of the logs beside it.

    An empty log is none: SQLite makes one for every reader of a database in WAL mode.
    """
    files = [path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-journal")]
    return {
        f.name: (hashlib.sha256(f.read_bytes()).hexdigest(), f.stat().st_mtime_ns)
        for f in files
        if f.exists() and f.stat().st_size
    }


def build_clinic(folder: Path, seed: int = 7) -> Clinic:
    """Build the damaged clinic of a seed, with its nightly backups in the store."""
    clinic = Clinic(folder)
    (folder / "store").mkdir(parents=True)
    shutil.copy(Path(example.__file__).parent / "policy.toml", folder)
    shutil.copytree(ROOT / "expectations" / "suites" / "clinic", folder / "suites")
    before = dict(os.environ)

    def nightly(_database: Path, when: datetime) -> None:
        equipment = clinic.equipment()
        with workplace(equipment.settings.scratch, "clinic", "nightly") as place:
            take_backup(equipment.database, equipment.store, place, run="example", now=when)

    try:
        build(folder, seed=seed, kinds=DEMO_KINDS, nights=3, nightly=nightly)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return clinic


@pytest.fixture(scope="session")
def built_clinic(tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    """The damaged clinic, built once; nobody writes to it."""
    return build_clinic(tmp_path_factory.mktemp("built") / "clinic")


@pytest.fixture
def damaged(built_clinic: Clinic, tmp_path: Path) -> Clinic:
    """A copy of the damaged clinic of one's own, with the settings in the environment."""
    own = built_clinic.copied(tmp_path / "clinic")
    os.environ.update(own.environment)
    return own


@dataclass(frozen=True)
class Night:
    """What a rehearsal without Prefect came to."""

    manifest: Manifest
    scratch: Database
    looked: Looked
    rehearsed: Rehearsed


def rehearse_at(equipment: Equipment, folder: Path, *, migrate: bool = True) -> Night:
    """Everything up to the verdict, with temporary files in ``folder``: the steps of the runbook, called directly."""
    _, migration = inspect.unwrap(preflight)(equipment, folder, migrate=migrate)
    manifest = take_backup(equipment.database, equipment.store, folder, run=RUN, now=utc_now())
    scratch = equipment.database.scratch(folder)
    scratch.discard()
    bring_back(equipment.store, manifest, scratch)
    _, against = prove(equipment.store, manifest, scratch, run=RUN, now=utc_now(), seconds=0.0)
    assert against == ()
    looked = inspect.unwrap(look)(equipment, scratch, folder)
    rehearsed = inspect.unwrap(rehearse)(equipment, scratch, folder, manifest, looked.detected, migration)
    return Night(manifest, scratch, looked, rehearsed)


def perform_at(equipment: Equipment, folder: Path, night: Night, run: str = RUN) -> Worked:
    """Do the plan of a rehearsal to the database, and put it on record."""
    return inspect.unwrap(perform)(  # type: ignore[no-any-return]  # unwrap knows no types
        equipment, run, night.rehearsed.plan, night.rehearsed.worked, night.manifest.id, "tester: to see", folder
    )


def recover_at(equipment: Equipment) -> tuple[str, ...]:
    """What the next run says of those that died."""
    return inspect.unwrap(recover_runs)(equipment)  # type: ignore[no-any-return]  # unwrap knows no types


class Runs:
    """Runs in processes of their own that can be killed; see ``tests.mortal``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def maintain(self, clinic: Clinic, *, moment: str = "", **parameters: Any) -> Any:
        """The whole runbook: its report as JSON, with ``error`` where it was refused; None where it was killed."""
        return self.do(clinic, "maintain", moment=moment, **parameters)

    def do(self, clinic: Clinic, verb: str, *, moment: str = "", kill_after: float = 0.0, **parameters: Any) -> Any:
        """One verb of ``tests.mortal`` and its answer; None where it was killed.

        ``moment`` is one at which the run kills itself; ``kill_after`` the seconds after which it is killed from here.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        answer = clinic.folder / "answer.json"
        answer.unlink(missing_ok=True)
        request = {
            "verb": verb,
            "environment": clinic.environment,
            "moment": moment,
            "parameters": parameters,
            "answer": str(answer),
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        child = int(self._process.stdout.readline())
        timer = threading.Timer(kill_after, _kill, (child,))
        if kill_after:
            timer.start()
        status = int(self._process.stdout.readline())
        timer.cancel()
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            return None
        assert os.WEXITSTATUS(status) == 0, "the run ended with an error that is not ours; it is told above"
        return json.loads(answer.read_text())


def _kill(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it ended before its time had come
        os.kill(child, signal.SIGKILL)


@contextlib.contextmanager
def mortal_runs(server: str = "") -> Iterator[Runs]:
    """The process that forks runs; with the URL of a Prefect server where whole runs are wanted."""
    # Prefect reads its settings when it is imported: a child would come too late with the server's URL.
    api = {"PREFECT_API_URL": server} if server else {}
    environment = os.environ | {"PREFECT_LOGGING_LEVEL": "CRITICAL"} | api
    with subprocess.Popen(
        [sys.executable, "-m", "tests.mortal"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    ) as process:
        yield Runs(process)
        process.kill()


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[str]:
    """Prefect's own server for tests; the URL of its API."""
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield str(PREFECT_API_URL.value())


@pytest.fixture(scope="session")
def runs(prefect_server: str) -> Iterator[Runs]:
    """Whole runs, quick to begin."""
    with mortal_runs(prefect_server) as runs:
        yield runs


@pytest.fixture(scope="session")
def short_runs() -> Iterator[Runs]:
    """Parts of runs, for which no Prefect server is needed."""
    with mortal_runs() as runs:
        yield runs
