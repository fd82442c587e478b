"""Promise 9: the application reads and writes while Upkeep works, and loses nothing: beside a file, and on a server."""

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tasks.work import Worked
from tests.clinics import Runs, perform_at, rehearse_at
from tests.damaged_clinic import MODES, PLACES, ROOT, SERVERS, Clinic, asked
from tests.engines.sqlite import SqliteBase
from tests.scribe import connected, lasting
from upkeep.errors import Unreachable

pytest_plugins = ("tests.clinics",)

TRIES = 20
LONGEST_WAIT = 2.0
"""Seconds: half a one is what a try for a lock lasts, the rest is for a busy machine."""
TOUCHES = "UPDATE patients SET phone = '{n}' WHERE id = (SELECT MAX(id) FROM patients)"


@contextmanager
def somebody_writing(url: str, log: Path, *more: str) -> Iterator[Path]:
    """Another process that writes to the table ``notes`` all the time, and does ``more`` with each write; its log."""
    command = [sys.executable, "-m", "tests.scribe", url, str(log), "INSERT INTO notes (n) VALUES ({n})", *more]
    with subprocess.Popen(command, cwd=ROOT) as process:
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
    whole = [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
    return [line.removeprefix(kind).strip() for line in whole if line.startswith(kind)]


def assert_nothing_is_lost(clinic: Clinic | SqliteBase, log: Path) -> None:
    """Every write that was told as committed is there, and whatever else is there was being written."""
    there = [row[0] for row in clinic.ask("SELECT n FROM notes ORDER BY n")]
    written = [int(number) for number in of_kind(log, "written")]
    assert there[: len(written)] == written
    assert len(there) - len(written) in (0, 1), "the writer ended between a commit and its log"


@pytest.fixture(params=asked(PLACES))
def busy_clinic(
    request: pytest.FixtureRequest, clinic_in: Callable[[str, Path], Clinic], tmp_path: Path
) -> Iterator[Clinic]:
    """A clinic in each place, with a table that its application writes to; at the end it is whole."""
    clinic = clinic_in(str(request.param), tmp_path / "clinic")
    clinic.change("CREATE TABLE notes (n INTEGER)")
    os.environ.update(clinic.environment)
    yield clinic
    assert "notes" in clinic.tables


@contextmanager
def somebody_reading(clinic: Clinic) -> Iterator[None]:
    """A transaction that has read every table, stays open, and sees at its end what it saw at its begin.

    In a rollback journal nobody commits while somebody reads, so there nobody does.
    """
    if clinic.on is None and clinic.ask("PRAGMA journal_mode") == [("delete",)]:
        yield
        return
    with closing(connected(clinic.url)) as connection:
        connection.execute(lasting(clinic.url))
        counts = [f"SELECT COUNT(*) FROM {table}" for table in clinic.tables]
        seen = [connection.execute(count).fetchone() for count in counts]
        yield
        assert [connection.execute(count).fetchone() for count in counts] == seen
        connection.execute("COMMIT")


def test_promise_9_no_write_fails_or_is_lost_during_a_nightly_run(
    busy_clinic: Clinic, runs: Runs, tmp_path: Path
) -> None:
    with somebody_writing(busy_clinic.url, tmp_path / "log", TOUCHES) as log, somebody_reading(busy_clinic):
        report = runs.maintain(busy_clinic, perform="never", migrate=busy_clinic.on is None)
    assert report["ended"] == "rehearsed; nothing was changed"
    assert report["verdict"]["passed"], report["verdict"]
    assert of_kind(log, "refused") == []
    assert_nothing_is_lost(busy_clinic, log)


def test_promise_9_no_write_fails_or_is_lost_during_a_performance_without_migration(
    busy_clinic: Clinic, tmp_path: Path
) -> None:
    """The writer works on rows beside those of the plan, in tables that are held steady."""
    equipment = busy_clinic.equipment()
    first = rehearse_at(equipment, tmp_path, migrate=False).rehearsed.plan
    planned = {str(repair.row[0]) for repair in first.repairs if repair.table == "patients"}
    other = next(row[0] for row in busy_clinic.ask("SELECT id FROM patients ORDER BY id") if str(row[0]) not in planned)
    touches = f"UPDATE patients SET phone = '{{n}}' WHERE id = {other}"
    with somebody_writing(busy_clinic.url, tmp_path / "log", touches) as log, somebody_reading(busy_clinic):
        night = rehearse_at(equipment, tmp_path, migrate=False)
        perform_at(equipment, tmp_path, night)
        again = rehearse_at(equipment, tmp_path, migrate=False)
    assert night.rehearsed.plan.digest == first.digest
    ((phone,),) = busy_clinic.ask(f"SELECT phone FROM patients WHERE id = {other}")
    assert int(phone) - int(of_kind(log, "written")[-1]) in (0, 1)
    assert again.rehearsed.plan.is_empty
    assert of_kind(log, "refused") == []
    assert_nothing_is_lost(busy_clinic, log)


@pytest.mark.parametrize("busy_clinic", MODES, indirect=True)
def test_promise_9_no_write_is_lost_during_a_performance_with_migration(busy_clinic: Clinic, tmp_path: Path) -> None:
    """Writers wait meanwhile. One that comes in between ends the run, which is then tried again."""
    equipment = busy_clinic.equipment()
    with somebody_writing(busy_clinic.url, tmp_path / "log") as log:
        night = rehearse_at(equipment, tmp_path)
        for number in range(TRIES):
            with suppress(Unreachable):
                perform_at(equipment, tmp_path, night, run=f"try-{number}")
                break
        again = rehearse_at(equipment, tmp_path)
    assert again.rehearsed.plan.is_empty
    assert again.manifest.census.revision == ("0e315951c2f5",)
    assert all("locked" in refusal for refusal in of_kind(log, "refused")), "a refused write is told as such"
    assert_nothing_is_lost(busy_clinic, log)


@pytest.mark.parametrize("busy_clinic", MODES, indirect=True)
def test_promise_9_readers_go_on_during_a_whole_performance(busy_clinic: Clinic, runs: Runs) -> None:
    """A connection that the application keeps open reads before, and afterwards sees the new schema."""
    with closing(sqlite3.connect(busy_clinic.path)) as connection:
        rows = connection.execute("SELECT id FROM patients ORDER BY id").fetchall()
        report = runs.maintain(busy_clinic, perform="within_limits")
        assert report["ended"] == "performed and verified"
        assert set(rows) < set(connection.execute("SELECT id FROM patients").fetchall()), "some came back, none went"
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0e315951c2f5",)]


@pytest.mark.parametrize("busy_clinic", asked(SERVERS), indirect=True)
def test_promise_9_who_waits_for_a_lock_holds_none_that_stops_the_application_p84(
    busy_clinic: Clinic, tmp_path: Path
) -> None:
    """A transaction of the application's is in the way for three seconds; meanwhile all others go on."""
    equipment = busy_clinic.equipment()
    night = rehearse_at(equipment, tmp_path, migrate=False)
    row = next(r.row[0] for r in night.rehearsed.plan.repairs if r.table == "user_sessions" and r.action == "delete")
    ended: list[Worked] = []
    performing = threading.Thread(target=lambda: ended.append(perform_at(equipment, tmp_path, night)))
    with closing(connected(busy_clinic.url)) as blocking, closing(connected(busy_clinic.url)) as looking:
        with blocking.transaction():
            blocking.execute(f"SELECT 1 FROM user_sessions WHERE id = {row!s} FOR KEY SHARE")
            blocking.execute("UPDATE patients SET phone = phone WHERE id = (SELECT MIN(id) FROM patients)")
            performing.start()
            with somebody_writing(busy_clinic.url, tmp_path / "log", TOUCHES) as log:
                modes = sampled_locks(looking, seconds=3)
            assert ended == []
        performing.join(60)
    assert [worked.mended.digest for worked in ended] == [night.rehearsed.worked.mended.digest]
    assert modes, "it never waited"
    assert modes <= {"AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareLock"}
    assert of_kind(log, "refused") == []
    assert max(map(float, of_kind(log, "waited")), default=0.0) < LONGEST_WAIT
    assert_nothing_is_lost(busy_clinic, log)


def sampled_locks(looking: Any, seconds: float) -> set[str]:
    """The modes in which Upkeep's writing connection holds, or asks for, a table while it waits."""
    asked = (
        "SELECT DISTINCT l.mode FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE l.locktype = 'relation' AND a.application_name = 'upkeep' AND a.datname = current_database()"
    )
    modes, until = set[str](), time.monotonic() + seconds
    while time.monotonic() < until:
        modes |= {mode for (mode,) in looking.execute(asked).fetchall()}
        time.sleep(0.02)
    return modes
