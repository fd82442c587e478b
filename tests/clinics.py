"""The damaged example clinic rehearsed and performed: step by step without Prefect, and in runs that can be killed."""

import contextlib
import inspect
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from tasks.detection import Looked
from tasks.performance import perform
from tasks.preparation import preflight
from tasks.recovery import recover_runs
from tasks.rehearsal import Rehearsed, look, rehearse
from tasks.work import Worked
from tests.damaged_clinic import ROOT
from upkeep.backups import bring_back, prove, take_backup
from upkeep.clock import utc_now
from upkeep.databases import Database
from upkeep.documents import put_in_parts
from upkeep.equipment import Equipment
from upkeep.manifests import Manifest

RUN = "20260401T020000Z-tested"


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
    keyring = equipment.keyring
    manifest = take_backup(equipment.database, equipment.store, folder, run=RUN, now=utc_now(), keyring=keyring)
    scratch = equipment.database.scratch(folder)
    scratch.discard()
    bring_back(equipment.store, manifest, scratch, keyring)
    _, against = prove(equipment.store, manifest, scratch, run=RUN, now=utc_now(), seconds=0.0, keyring=keyring)
    assert against == ()
    looked = inspect.unwrap(look)(equipment, scratch, folder)
    rehearsed = inspect.unwrap(rehearse)(equipment, scratch, folder, manifest, looked.detected, migration)
    return Night(manifest, scratch, looked, rehearsed)


def perform_at(equipment: Equipment, folder: Path, night: Night, run: str = RUN) -> Worked:
    """Do the plan of a rehearsal to the database, and put it on record; the plan too, as a run does before it asks."""
    plan, name = night.rehearsed.plan, equipment.settings.database
    put_in_parts(equipment.store, f"{name}/repairs/{run}/plan.json", plan.in_parts() | {"digest": plan.digest})
    return inspect.unwrap(perform)(  # type: ignore[no-any-return]  # unwrap knows no types
        equipment,
        run,
        plan,
        night.rehearsed.worked,
        night.manifest.id,
        "tester: to see",
        folder,
        lambda: None,
    )


def recover_at(equipment: Equipment) -> tuple[str, ...]:
    """What the next run says of those that died."""
    return inspect.unwrap(recover_runs)(equipment)  # type: ignore[no-any-return]  # unwrap knows no types


@contextlib.contextmanager
def settings_set_back() -> Iterator[None]:
    """What is set in the environment here does not stay: of a fixture that outlives its test nobody else sees to it."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class Home(Protocol):
    """What a run works on: the settings that point there, and a folder for what it answers."""

    @property
    def environment(self) -> dict[str, str]:
        """The settings."""

    @property
    def folder(self) -> Path:
        """The folder."""


class Runs:
    """Runs in processes of their own that can be killed; see ``tests.mortal``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def maintain(self, home: Home, *, moment: str = "", **parameters: Any) -> Any:
        """The whole runbook: its report as JSON, with ``error`` where it was refused; None where it was killed."""
        return self.do(home, "maintain", moment=moment, **parameters)

    def do(
        self,
        home: Home,
        verb: str,
        *,
        moment: str = "",
        kill_after: float = 0.0,
        kill_when: Callable[[], bool] | None = None,
        **parameters: Any,
    ) -> Any:
        """One verb of ``tests.mortal`` and its answer; None where it was killed.

        ``moment`` is one at which the run kills itself; from here it is killed after ``kill_after`` seconds, or
        ``kill_when`` that is so.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        answer = home.folder / "answer.json"
        answer.unlink(missing_ok=True)
        request = {
            "verb": verb,
            "environment": home.environment,
            "moment": moment,
            "parameters": parameters,
            "answer": str(answer),
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        child = int(self._process.stdout.readline())
        timer = threading.Timer(kill_after, _kill, (child,))
        try:
            if kill_after:
                timer.start()
            if kill_when:
                while not kill_when():
                    time.sleep(0.02)
                _kill(child)
            status = int(self._process.stdout.readline())
        except BaseException:  # this test is over; the next one's answers are not to be this one's
            _kill(child)
            self._process.stdout.readline()
            raise
        finally:
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
def runs(prefect_here: str) -> Iterator[Runs]:
    """Whole runs, quick to begin."""
    with mortal_runs(prefect_here) as runs:
        yield runs


@pytest.fixture(scope="session")
def short_runs() -> Iterator[Runs]:
    """Parts of runs, for which no Prefect server is needed."""
    with mortal_runs() as runs:
        yield runs
