"""A performance on PostgreSQL waits, a few times, for an application that holds its rows, and checks all again."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.clinics import Night, perform_at, rehearse_at
from tests.shell import DELETES
from tests.test_postgresql import ORPHAN, House, one_house
from upkeep.equipment import Equipment, equip
from upkeep.errors import Busy, Refused, Unreachable

__all__ = ["one_house"]

PATIENCE = 0.4
SOMEBODY_WAITS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
LOSES = (
    "CREATE SEQUENCE tries",
    "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF nextval('tries') <= {times} THEN"
    " RAISE EXCEPTION 'lost' USING ERRCODE = '{state}'; END IF; RETURN OLD; END$$",
    "CREATE TRIGGER loses BEFORE DELETE ON children FOR EACH ROW EXECUTE FUNCTION lose()",
)


@pytest.fixture
def rehearsed(one_house: House, tmp_path: Path) -> tuple[Equipment, Night]:
    """The deletion of one orphan, rehearsed."""
    one_house.run(*ORPHAN)
    (tmp_path / "policy.toml").write_text(DELETES)
    os.environ.update(
        DATABASE_URL=one_house.server.url(one_house.base),
        UPKEEP_STORE=one_house.store.url,
        UPKEEP_SCRATCH=str(tmp_path / "work"),
        UPKEEP_POLICY=str(tmp_path / "policy.toml"),
        UPKEEP_LOCK_SECONDS=str(PATIENCE),
    )
    equipment = equip()
    night = rehearse_at(equipment, tmp_path, migrate=False)
    night.scratch.discard()
    assert night.rehearsed.plan.rows == 1
    return equipment, night


@contextmanager
def holding_the_orphan(house: House, change: str, until: Callable[[Callable[[], bool]], object]) -> Iterator[None]:
    """The application changes the row and commits when ``until`` returns, which is told whether somebody waits."""
    begun = threading.Event()

    def hold() -> None:
        with (
            house.server.connect(house.base) as looking,
            house.server.connect(house.base) as application,
            application.transaction(),
        ):
            application.execute(change.encode())
            begun.set()
            until(lambda: looking.execute(SOMEBODY_WAITS).fetchone() is not None)

    holder = threading.Thread(target=hold)
    holder.start()
    begun.wait()
    try:
        yield
    finally:
        holder.join(60)
    assert not holder.is_alive()


def one_try_was_in_vain(is_waited_for: Callable[[], bool]) -> None:
    """Until somebody has waited, and does not any more."""
    end = time.monotonic() + 60
    for wanted in (True, False):
        while is_waited_for() is not wanted:
            assert time.monotonic() < end, "it never waited"
            time.sleep(0.02)


def left(house: House) -> list[tuple[object, ...]]:
    """The children that are there."""
    return house.run("SELECT id FROM children ORDER BY id")


def test_rows_that_the_application_holds_for_a_while_are_waited_for(
    one_house: House, rehearsed: tuple[Equipment, Night], tmp_path: Path
) -> None:
    with holding_the_orphan(one_house, "SELECT * FROM children WHERE id = 3 FOR UPDATE", one_try_was_in_vain):
        worked = perform_at(rehearsed[0], tmp_path, rehearsed[1])
    assert worked.mended.changed_in_all == 1
    assert left(one_house) == [(1,), (2,)]


def test_each_try_checks_the_rows_again_p52(
    one_house: House, rehearsed: tuple[Equipment, Night], tmp_path: Path
) -> None:
    with (
        holding_the_orphan(one_house, "UPDATE children SET note = 'changed' WHERE id = 3", one_try_was_in_vain),
        pytest.raises(Refused, match="row 3 of children has changed since the rehearsal"),
    ):
        perform_at(rehearsed[0], tmp_path, rehearsed[1])
    assert left(one_house) == [(1,), (2,), (3,)]


def test_after_a_few_tries_it_gives_up_and_has_changed_nothing(
    one_house: House, rehearsed: tuple[Equipment, Night], tmp_path: Path
) -> None:
    given_up = threading.Event()
    with holding_the_orphan(one_house, "SELECT * FROM children WHERE id = 3 FOR UPDATE", lambda _: given_up.wait(60)):
        with pytest.raises(Busy, match="is locked by another program"):
            perform_at(rehearsed[0], tmp_path, rehearsed[1])
        given_up.set()
    assert left(one_house) == [(1,), (2,), (3,)]
    assert [name for name in one_house.stored if "/journal/" in name] == []
    (outcome,) = [name for name in one_house.stored if name.endswith("outcome.json")]
    with one_house.store.get(outcome) as said:
        assert b'"found": "untouched"' in said.read()


@pytest.mark.parametrize("state", ["40001", "40P01", "57014"])
def test_a_transaction_that_lost_a_race_is_tried_again(
    one_house: House, rehearsed: tuple[Equipment, Night], tmp_path: Path, state: str
) -> None:
    one_house.run(*(line.format(times=2, state=state) for line in LOSES))
    perform_at(rehearsed[0], tmp_path, rehearsed[1])
    assert left(one_house) == [(1,), (2,)]
    assert one_house.run("SELECT last_value FROM tries") == [(3,)]


def test_a_transaction_that_loses_every_time_is_tried_three_times(
    one_house: House, rehearsed: tuple[Equipment, Night], tmp_path: Path
) -> None:
    one_house.run(*(line.format(times=99, state="40001") for line in LOSES))
    with pytest.raises(Busy, match="another program changed the same rows"):
        perform_at(rehearsed[0], tmp_path, rehearsed[1])
    assert one_house.run("SELECT last_value FROM tries") == [(3,)]
    assert left(one_house) == [(1,), (2,), (3,)]


def test_a_statement_that_takes_too_long_is_told_as_that_and_not_as_a_lock(
    one_house: House, rehearsed: tuple[Equipment, Night], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_house.run(
        "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(60); RETURN OLD; END$$",
        "CREATE TRIGGER lingers BEFORE DELETE ON children FOR EACH ROW EXECUTE FUNCTION linger()",
    )
    monkeypatch.setattr("upkeep.databases.postgresql._STATEMENTS", 1)
    with pytest.raises(Busy, match="longer than it may, or somebody cancelled it; nothing was kept") as said:
        perform_at(rehearsed[0], tmp_path, rehearsed[1])
    assert "UPKEEP_LOCK_SECONDS" in said.value.hint
    assert "locked" not in said.value.message
    assert left(one_house) == [(1,), (2,), (3,)]


def test_a_lost_connection_is_not_tried_again_for_the_lock_may_be_gone_with_it(
    one_house: House, rehearsed: tuple[Equipment, Night], tmp_path: Path
) -> None:
    one_house.run(*(line.format(times=99, state="57P01") for line in LOSES))
    with pytest.raises(Unreachable, match="was lost") as lost:
        perform_at(rehearsed[0], tmp_path, rehearsed[1])
    assert not isinstance(lost.value, Busy)
    assert one_house.run("SELECT last_value FROM tries") == [(1,)]
    assert left(one_house) == [(1,), (2,), (3,)]
