"""A foreign key that the policy wants enforced: NOT VALID before the clean-up, validated after it, safe in between."""

import pickle
import time
from pathlib import Path
from typing import Any

import pytest

from tests.clinics import Runs, recover_at
from tests.servers.postgresql import PostgresServer
from tests.wards import KEY, NAME, Ward, ward_on, writing
from upkeep.enforcement import Enforced, How
from upkeep.errors import Refused
from upkeep.finding import keys_of

pytest_plugins = ("tests.clinics",)

ORPHANED = "INSERT INTO visits (doctor) VALUES (4711)"
CLAIM = "the foreign keys of the plan are in force and all rows keep them"


@pytest.fixture
def ward(system_postgresql: PostgresServer, tmp_path: Path) -> Ward:
    """A ward of one's own."""
    return ward_on(system_postgresql, tmp_path)


def enforced_in(ward: Ward, how: How = How.ADD, orphans: int = 0) -> Enforced:
    """The key as a plan would have it."""
    equipment = ward.equipment()
    with equipment.database.reading() as reading:
        (key,) = (key for key in keys_of(reading, equipment.policy) if str(key) == KEY)
    return Enforced(key, how, NAME, "SET NULL", orphans)


def test_a_stated_key_is_declared_and_valid_after_the_clean_up_and_a_second_run_finds_nothing(ward: Ward) -> None:
    others = ward.others
    night = ward.rehearsed()
    assert night.rehearsed.verdict.passed, night.rehearsed.verdict.failed
    assert ward.state == "absent", "a rehearsal changes nothing (promise 1)"
    (one,) = night.rehearsed.plan.enforced
    assert (str(one.key), one.how, one.constraint, one.ondelete, one.orphans) == (KEY, How.ADD, NAME, "SET NULL", 3)
    worked = ward.performed(night)
    assert [check.holds for check in worked.checks if check.claim == CLAIM] == [True]
    assert ward.state == "valid"
    assert ward.run(f"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = {NAME!r}") == [
        ("FOREIGN KEY (doctor) REFERENCES doctors(id) ON DELETE SET NULL",)
    ]
    assert ward.refuses(ORPHANED)
    assert ward.others == others
    again = ward.rehearsed().rehearsed
    assert again.plan.is_empty
    assert (again.plan.enforced, again.plan.unenforced) == ((), ())
    assert again.verdict.passed


def test_orphans_that_came_before_the_key_was_in_force_stop_the_performance_and_no_more_can_come(ward: Ward) -> None:
    with writing(ward) as written:
        night = ward.rehearsed()
        while not any(note.startswith("astray") for note in written.kept[-5:]):
            time.sleep(0.05)
        with pytest.raises(Refused, match=r"new orphans of .* came before it was in force.*stay so"):
            ward.performed(night, "stopped")
        assert ward.state == "NOT VALID"
        kept = len(written.kept)
        while not written.refused or len(written.kept) < kept + 5:
            time.sleep(0.05)
        night = ward.rehearsed()
        assert [one.how for one in night.rehearsed.plan.enforced] == [How.VALIDATE]
        ward.performed(night, "done")
        assert ward.state == "valid"
        kept = len(written.kept)
        while len(written.kept) < kept + 5:
            time.sleep(0.05)
    assert written.faults == [], "the application got an error that the key does not explain"
    assert {note for _, _, note in ward.rows if not note.startswith("visit")} == set(written.kept), "a write was lost"
    assert ward.run("SELECT count(*) FROM visits v WHERE doctor IS NOT NULL AND NOT EXISTS"
                    " (SELECT FROM doctors d WHERE d.id = v.doctor)") == [(0,)]  # fmt: skip
    assert ward.rehearsed().rehearsed.plan.is_empty


BOUNDARIES = (
    "return upkeep/journal.py:write_intention 1",
    "call upkeep/databases/postgresql_in_force.py:hold_back 1",
    "return upkeep/databases/postgresql_locks.py:patient 1",
    "return upkeep/databases/postgresql_in_force.py:hold_back 1",
    "return tasks/enforcement.py:hold_back 1",
    "return upkeep/mending.py:_apply 1",
    "return upkeep/mending.py:mend 1",
    "call upkeep/databases/postgresql_in_force.py:validate 1",
    "return upkeep/databases/postgresql_in_force.py:validate 1",
    "call tasks/recovery.py:settle 1",
    "call upkeep/journal.py:clear_intention 1",
    "return upkeep/journal.py:clear_intention 1",
)
STANDS = {
    "absent": "is not declared yet",
    "NOT VALID": "is NOT VALID, which is safe: no new orphan can come, and the next plan validates it",
    "valid": "is in force",
}
"""What recovery says of the key."""


def carries_on(ward: Ward, before: list[Any]) -> tuple[bool, str]:
    """After a kill: a state that is safe, told in words, left as it is, from which the next run comes to the end."""
    rows, state, begun = ward.rows, ward.state, [path.stem for path in (ward.folder / "store/ward/journal").glob("*")]
    assert (rows, state) in [(before, "absent"), (before, "NOT VALID"), (AFTER, "NOT VALID"), (AFTER, "valid")]
    told = recover_at(ward.equipment())
    done = {"valid": "had been performed whole"}.get(state, "had changed all its rows")
    said = done if rows == AFTER else "had changed no row"
    assert told == tuple(f"run {run} died; it {said}; {KEY} {STANDS[state]}" for run in begun)
    assert (ward.rows, ward.state) == (rows, state), "recovery changed the database"
    night = ward.rehearsed()
    assert night.rehearsed.plan.is_empty == (state == "valid")
    if state != "valid":
        ward.performed(night, "next")
    assert (ward.rows, ward.state) == (AFTER, "valid")
    return rows == AFTER, state


@pytest.fixture(scope="module")
def rehearsed(system_postgresql: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Ward:
    """A ward with a rehearsal in ``rehearsal.pickle``, to be copied."""
    ward = ward_on(system_postgresql, tmp_path_factory.mktemp("rehearsed"))
    night = ward.rehearsed()
    (ward.folder / "rehearsal.pickle").write_bytes(pickle.dumps((night.manifest, night.rehearsed)))
    return ward


def killed(ward: Ward, short_runs: Runs, **when: Any) -> None:
    """Perform the rehearsal in a process that is killed."""
    rehearsal = str(ward.folder / "rehearsal.pickle")
    assert short_runs.do(ward, "perform", rehearsal=rehearsal, run="killed", **when) is None, "it was never killed"


AFTER = [(n, n if n <= 20 else None, f"visit {n}") for n in range(1, 24)]


def test_promise_4_killed_at_each_boundary_a_key_is_absent_not_valid_or_valid_and_the_next_run_ends_it(
    rehearsed: Ward, short_runs: Runs, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    met, before, others = set(), rehearsed.rows, rehearsed.others
    for number, moment in enumerate(BOUNDARIES):
        with subtests.test(moment=moment):
            ward = rehearsed.copied(tmp_path / f"at_{number}")
            killed(ward, short_runs, moment=moment)
            met.add(carries_on(ward, before))
            assert ward.others == others, "a key that was there was touched"
    assert met == {(False, "absent"), (False, "NOT VALID"), (True, "NOT VALID"), (True, "valid")}
