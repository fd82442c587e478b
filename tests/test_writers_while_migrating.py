"""Promise 9 on PostgreSQL: who waits for Upkeep's migration waits briefly or as long as it runs, and loses nothing."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tasks.work import Worked
from tests.clinics import Night, perform_at, rehearse_at
from tests.pending import HEAD, Pending, pending_at
from tests.scribe import connected
from tests.test_writers import LONGEST_WAIT, of_kind, somebody_writing, wait_for_more
from upkeep.errors import Busy, UpkeepError

RENAMES = "UPDATE people SET name = 'person {n}' WHERE id = 7"
SLEEPS = 1.5
TRIED = 0.3
"""Seconds that somebody waits at least who comes behind a try for a lock, which lasts half a one."""


@dataclass
class Beside:
    """A rehearsed migration, a writer in another process, and a thread that performs; what came of it."""

    pending: Pending
    night: Night
    folder: Path
    log: Path
    ended: list[Worked | UpkeepError]

    def perform(self, night: Night | None = None) -> threading.Thread:
        """Begin the live run."""
        equipment = self.pending.equipment(UPKEEP_LOCK_SECONDS="1")

        def run() -> None:
            try:
                self.ended.append(perform_at(equipment, self.folder, night or self.night))
            except UpkeepError as fault:
                self.ended.append(fault)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def performed(self) -> bool:
        """Did it come to its end?"""
        return isinstance(self.ended[0], Worked) and self.revision == HEAD

    @property
    def revision(self) -> Any:
        """Where the database is."""
        return self.pending.base.ask("SELECT version_num FROM alembic_version")[0][0]

    @property
    def longest(self) -> float:
        """Seconds that the writer waited at most."""
        return max(map(float, of_kind(self.log, "waited")), default=0.0)

    def others_go_on(self) -> None:
        """While the live run waits the writer writes, and has waited for no more than one try for a lock."""
        wait_for_more(self.log)
        assert self.ended == [], "it waits"
        assert of_kind(self.log, "refused") == []
        assert self.longest < LONGEST_WAIT

    def nothing_is_lost(self) -> bool:
        """Is every write there that was told as committed?"""
        there = {row[0] for row in self.pending.base.ask("SELECT n FROM notes")}
        return {int(number) for number in of_kind(self.log, "written")} <= there


@pytest.fixture
def beside(request: pytest.FixtureRequest, tmp_path: Path) -> Beside:
    """On one server: what it does is its locks' doing, which are the same on all."""
    pending = pending_at("system", tmp_path / "own", request, *getattr(request, "param", ()))
    folder = tmp_path / "work"
    folder.mkdir()
    return Beside(pending, rehearse_at(pending.equipment(), folder), folder, tmp_path / "log", [])


@contextmanager
def somebody_reading(pending: Pending) -> Iterator[None]:
    """A transaction of the application's that has read the table and is idle: in the way of every ALTER TABLE."""
    with closing(connected(pending.base.url)) as blocking, blocking.transaction():
        blocking.execute("SELECT COUNT(*) FROM people")
        yield


@pytest.mark.slow
def test_promise_9_while_a_migration_waits_for_a_lock_nobody_waits_behind_it_p84(beside: Beside) -> None:
    with somebody_writing(beside.pending.base.url, beside.log, RENAMES):
        with somebody_reading(beside.pending):
            thread = beside.perform()
            while thread.is_alive() and beside.longest <= TRIED:
                time.sleep(0.02)
            assert beside.longest > TRIED, "it was tried, and let go"
            beside.others_go_on()
        thread.join(60)
    assert beside.performed(), beside.ended
    assert beside.nothing_is_lost()


@pytest.mark.exhaustive
def test_promise_9_a_lock_that_no_rehearsal_foresaw_is_tried_again_and_held_against_nobody(beside: Beside) -> None:
    worked = beside.night.rehearsed.worked
    assert worked.migrated is not None
    unseen = replace(worked, migrated=replace(worked.migrated, ran=()))
    night = replace(beside.night, rehearsed=replace(beside.night.rehearsed, worked=unseen))
    with somebody_writing(beside.pending.base.url, beside.log, RENAMES):
        with somebody_reading(beside.pending):
            thread = beside.perform(night)
            thread.join(2.5)
            beside.others_go_on()
        thread.join(60)
    assert beside.performed(), beside.ended
    assert beside.nothing_is_lost()


@pytest.mark.slow
def test_promise_9_who_is_in_the_way_for_ever_ends_the_run_and_nothing_was_changed(beside: Beside) -> None:
    with somebody_writing(beside.pending.base.url, beside.log, RENAMES), somebody_reading(beside.pending):
        beside.perform().join(60)
    assert isinstance(beside.ended[0], Busy), beside.ended
    assert "is locked by another program" in beside.ended[0].message
    assert beside.revision == "r1"
    assert of_kind(beside.log, "refused") == []
    assert beside.longest < LONGEST_WAIT
    assert beside.nothing_is_lost()


@pytest.mark.slow
@pytest.mark.parametrize(
    "beside",
    [("pass", f"op.add_column('people', sa.Column('born', sa.Date))\nop.execute('SELECT pg_sleep({SLEEPS})')")],
    indirect=True,
)
def test_promise_9_who_needs_a_table_that_is_migrated_waits_and_loses_nothing(beside: Beside) -> None:
    with somebody_writing(beside.pending.base.url, beside.log, RENAMES):
        beside.perform().join(60)
    assert isinstance(beside.ended[0], Worked), beside.ended
    assert beside.revision == "r2"
    refused = of_kind(beside.log, "refused")
    assert all("lock timeout" in refusal for refusal in refused), "it waits no longer than it will"
    assert refused or beside.longest > SLEEPS
    assert beside.nothing_is_lost()
