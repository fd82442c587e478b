"""Promise 9: the application reads and writes while Upkeep works, and loses nothing."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests import scribe
from tests.clinics import Runs, perform_at, rehearse_at
from tests.damaged_clinic import MODES, Clinic
from upkeep.errors import Unreachable

pytest_plugins = ("tests.clinics",)

TRIES = 20


@contextmanager
def somebody_writing(database: Path, log: Path) -> Iterator[Path]:
    """Another process that writes to the table ``notes`` all the time; its log."""
    command = [sys.executable, scribe.__file__, str(database), str(log), "notes"]
    with subprocess.Popen(command) as process:
        try:
            wait_for_more(log)
            yield log
            wait_for_more(log)
            assert process.poll() is None, "the writer died"
        finally:
            process.terminate()


def wait_for_more(log: Path) -> None:
    """Until the writer has written five times more."""
    wanted = len(of_kind(log, "written")) + 5
    while len(of_kind(log, "written")) < wanted:
        time.sleep(0.01)


def of_kind(log: Path, kind: str) -> list[str]:
    """The lines of a log that are of one kind, without the one that is being written."""
    text = log.read_text() if log.exists() else ""
    return [line.removeprefix(kind).strip() for line in text.splitlines(keepends=True) if line.startswith(kind)]


def assert_nothing_is_lost(database: Path, log: Path) -> None:
    """Every write that was told as committed is there, and whatever else is there was being written."""
    with closing(sqlite3.connect(database)) as connection:
        there = [row[0] for row in connection.execute("SELECT n FROM notes ORDER BY n")]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    written = [int(number) for number in of_kind(log, "written")]
    assert there[: len(written)] == written
    assert len(there) - len(written) in (0, 1), "the writer ended between a commit and its log"


@pytest.fixture(params=MODES)
def busy_clinic(request: pytest.FixtureRequest, damaged: Clinic) -> Clinic:
    """A clinic in each journal mode, with a table that its application writes to."""
    damaged.change("CREATE TABLE notes (n INTEGER)")
    return damaged.into(str(request.param))


def test_promise_9_no_write_fails_or_is_lost_during_a_nightly_run(
    busy_clinic: Clinic, runs: Runs, tmp_path: Path
) -> None:
    with somebody_writing(busy_clinic.path, tmp_path / "log") as log:
        report = runs.maintain(busy_clinic, perform="never")
    assert report["ended"] == "rehearsed; nothing was changed"
    assert report["verdict"]["passed"], report["verdict"]
    assert of_kind(log, "refused") == []
    assert_nothing_is_lost(busy_clinic.path, log)


def test_promise_9_no_write_fails_or_is_lost_during_a_performance_without_migration(
    busy_clinic: Clinic, tmp_path: Path
) -> None:
    equipment = busy_clinic.equipment()
    with somebody_writing(busy_clinic.path, tmp_path / "log") as log:
        night = rehearse_at(equipment, tmp_path, migrate=False)
        perform_at(equipment, tmp_path, night)
        again = rehearse_at(equipment, tmp_path, migrate=False)
    assert again.rehearsed.plan.is_empty
    assert of_kind(log, "refused") == []
    assert_nothing_is_lost(busy_clinic.path, log)


def test_promise_9_no_write_is_lost_during_a_performance_with_migration(busy_clinic: Clinic, tmp_path: Path) -> None:
    """Writers wait meanwhile. One that comes in between ends the run, which is then tried again."""
    equipment = busy_clinic.equipment()
    with somebody_writing(busy_clinic.path, tmp_path / "log") as log:
        night = rehearse_at(equipment, tmp_path)
        for number in range(TRIES):
            with suppress(Unreachable):
                perform_at(equipment, tmp_path, night, run=f"try-{number}")
                break
        again = rehearse_at(equipment, tmp_path)
    assert again.rehearsed.plan.is_empty
    assert again.manifest.census.revision == ("0e315951c2f5",)
    assert all("locked" in refusal for refusal in of_kind(log, "refused")), "a refused write is told as such"
    assert_nothing_is_lost(busy_clinic.path, log)


def test_promise_9_readers_go_on_during_a_whole_performance(busy_clinic: Clinic, runs: Runs) -> None:
    """A connection that the application keeps open reads before, and afterwards sees the new schema."""
    with closing(sqlite3.connect(busy_clinic.path)) as connection:
        rows = connection.execute("SELECT COUNT(*) FROM patients").fetchall()
        report = runs.maintain(busy_clinic, perform="within_limits")
        assert report["ended"] == "performed and verified"
        assert connection.execute("SELECT COUNT(*) FROM patients").fetchall() == rows
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0e315951c2f5",)]
