"""When a backup is due to be restored, and what a run may claim that restored none: judged by the last proof's time."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.shell import Place, family, upkeep
from upkeep.assurance import LONGEST, Assurance, Proven, find_assurance, judge_assurance
from upkeep.policy import Policy, Restores
from upkeep.policy_file import load_policy
from upkeep.stores import open_store

NOW = datetime(2026, 4, 1, 2, tzinfo=UTC)


def assurance(wanted: Restores, age: timedelta | None) -> Assurance:
    """What is known when the last proof is so old."""
    last = None if age is None else Proven("b", NOW - age - timedelta(hours=1), NOW - age)
    return Assurance(wanted, NOW, last)


@pytest.mark.parametrize(
    ("wanted", "age", "due"),
    [
        ("nightly", timedelta(), True),
        ("nightly", None, True),
        ("weekly", None, True),
        ("weekly", timedelta(days=1), False),
        ("weekly", timedelta(days=6, hours=11), False),
        ("weekly", timedelta(days=6, hours=12), True),
        ("weekly", timedelta(days=7), True),
        ("weekly", timedelta(days=400), True),
        ("never", None, False),
        ("never", timedelta(days=400), False),
    ],
)
def test_a_restore_is_due_by_the_age_of_the_last_proof(wanted: Restores, age: timedelta | None, due: bool) -> None:
    assert assurance(wanted, age).is_due is due


@pytest.mark.parametrize(
    ("wanted", "age", "holds"),
    [
        ("weekly", None, False),
        ("weekly", timedelta(days=3), True),
        ("weekly", LONGEST, True),
        ("weekly", LONGEST + timedelta(seconds=1), False),
        ("nightly", None, False),
        ("never", None, True),
        ("never", timedelta(days=400), True),
    ],
)
def test_a_run_that_proved_nothing_passes_only_while_a_proof_is_young_or_the_policy_wants_none(
    wanted: Restores, age: timedelta | None, holds: bool
) -> None:
    check = judge_assurance(assurance(wanted, age))
    assert check.holds is holds
    assert ("was ever proven" in check.seen) is (age is None)
    if wanted == "never":
        assert check.claim == "the policy says that no night proves a backup"


def test_what_is_said_names_the_last_proof_its_time_and_the_policy() -> None:
    assert str(assurance("weekly", timedelta(days=3, hours=2))) == (
        "the backup of this run was not proven: the policy says weekly; "
        "the last proven one is b, 3 days ago, on 2026-03-29 00:00 UTC"
    )
    assert str(assurance("never", None)).endswith("the policy says never; no backup was ever proven")


@given(st.lists(st.integers(min_value=-180, max_value=180), min_size=30, max_size=60), st.integers(0, 600))
def test_by_weekly_there_is_a_proof_in_every_week_or_so_whenever_the_nights_begin(
    minutes: list[int], lasting: int
) -> None:
    """Nights begin up to three hours early or late, and a restore takes up to ten hours: it is told by hand here."""
    last, proofs = None, []
    for night, late in enumerate(minutes):
        now = NOW + timedelta(days=night, minutes=late)
        known = Assurance("weekly", now, last)
        if known.is_due:
            last = Proven("b", now, now + timedelta(minutes=lasting))
            proofs.append(last.proven)
        else:
            assert judge_assurance(known).holds is True
    gaps = [later - earlier for earlier, later in pairwise(proofs)]
    assert proofs[0] <= NOW + timedelta(hours=13), "the first night has none and makes one"
    assert all(timedelta(days=6, hours=12) <= gap <= timedelta(days=8, hours=6) for gap in gaps)
    assert len(proofs) >= len(minutes) // 8


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A small database with three backups, of which the first two are proven."""
    place = family(tmp_path / "place")
    for _ in range(3):
        assert upkeep("backup").code == 0
    oldest, middle, _ = place.backups
    for one in (oldest, middle):
        assert upkeep("verify", one.parent.name).code == 0
    return place


def known(place: Place) -> Assurance:
    """What the store says."""
    return find_assurance(open_store(place.store.as_uri()), "main", wanted="weekly", now=datetime.now(UTC))


def rewrite(place: Place, backup: str, /, **words: object) -> None:
    """Write other words into the proof of a backup."""
    path = place.store / "main/backups" / backup / "verified.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | words))


def age(place: Place) -> None:
    """Make the backups one, two and three days old, the last of the list the youngest."""
    for days, manifest in enumerate(reversed(place.backups), start=1):
        when = datetime.now(UTC).replace(microsecond=0) - timedelta(days=days)
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"taken": when.isoformat()}))


def test_the_newest_backup_that_was_proven_counts(place: Place) -> None:
    age(place)
    oldest, middle, newest = (one.parent.name for one in place.backups)
    assert newest not in str(known(place))
    assert known(place).last is not None
    assert known(place).last.backup == middle  # type: ignore[union-attr]  # asserted above
    rewrite(place, middle, proven=(datetime.now(UTC) - timedelta(days=9)).isoformat())
    assert known(place).is_due, "by the time of its proof, although an older backup was proven later"
    rewrite(place, middle, proven=(datetime.now(UTC) + timedelta(days=9)).isoformat())
    assert known(place).last.backup == oldest, "a proof of tomorrow speaks of a wrong clock"  # type: ignore[union-attr]


@pytest.mark.parametrize("words", [{"proven": "yesterday"}, {"backup": "another"}, {"more": 1}])
def test_a_proof_that_cannot_be_read_proves_nothing(place: Place, words: dict[str, object]) -> None:
    for backup in (manifest.parent.name for manifest in place.backups[:2]):
        rewrite(place, backup, **words)
    assert known(place).last is None
    assert known(place).is_due


def test_a_backup_whose_dump_is_gone_proves_nothing(place: Place) -> None:
    for backup in (manifest.parent.name for manifest in place.backups[:2]):
        (dump,) = (place.store / "main/backups" / backup).glob("dump.*")
        dump.unlink()
    assert known(place).last is None


def test_the_policy_says_how_often_and_silence_is_nightly(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    assert Policy().run.snapshot == "nightly"
    for word in ("nightly", "weekly", "never"):
        path.write_text(f'[run]\nsnapshot = "{word}"\n')
        assert load_policy(path).run.snapshot == word
    with pytest.raises(ValidationError):
        Policy.model_validate({"run": {"snapshot": "monthly"}})
    assert upkeep("policy", "schema").document["$defs"]["Run"]["properties"]["snapshot"]["enum"] == [
        "nightly",
        "weekly",
        "never",
    ]
