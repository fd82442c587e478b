"""A ledger that the store itself holds by object lock: what it says, and what nobody can do to it (P-101, P-129)."""

import inspect
import json
import time
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tasks.preparation import preflight
from tests.servers.ceph import S3Server, client_for
from tests.shell import Place, family, upkeep
from upkeep.equipment import equip
from upkeep.errors import Refused
from upkeep.holds import Hold, hold_for
from upkeep.ledger import Link, name_of
from upkeep.ledger_verdict import Demand, LedgerVerdict
from upkeep.pruning import judge_store, remove_old
from upkeep.receipts import verify_ledger, write_receipt
from upkeep.stores import Store, open_store

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectLockRetentionTypeDef, ObjectLockRuleTypeDef

NOW = datetime.now(UTC).replace(microsecond=0)


class Locked:
    """A bucket with object lock on a real server, with the store in it and a client beside it."""

    def __init__(self, server: S3Server, *, locking: bool = True) -> None:
        self.client = client_for(server)
        self.bucket = server.make_bucket(locking=locking)
        self.url = f"s3://{self.bucket}/upkeep"

    @property
    def store(self) -> Store:
        return open_store(self.url)

    def wrote(self, hold: Hold | None = None, count: int = 1) -> list[Link]:
        """Receipts of backups that somebody took."""
        return [
            write_receipt(self.store, "main", "backup", run="shell", now=NOW, contents={"n": n}, hold=hold)
            for n in range(count)
        ]

    def verified(self) -> LedgerVerdict:
        return verify_ledger(self.store, "main", Demand())[0]

    def key(self, number: int) -> str:
        return f"upkeep/{name_of('main', number)}"


@pytest.fixture
def locked(ceph: S3Server, monkeypatch: pytest.MonkeyPatch) -> Locked:
    """An empty store that can hold."""
    for name, value in ceph.environment.items():
        monkeypatch.setenv(name, value)
    return Locked(ceph)


FOR_A_WHILE = hold_for("governance", 2, NOW)


def test_a_held_receipt_anchors_all_before_it_and_no_other(locked: Locked) -> None:
    locked.wrote(count=2)
    said = locked.verified()
    assert (said.intact, said.anchored, said.anchored_to, said.held.hold) == (True, False, 0, None)
    assert "the store could hold receipts against change and holds none: set UPKEEP_LEDGER_LOCK" in said.told
    locked.wrote(FOR_A_WHILE)
    locked.wrote()
    said = locked.verified()
    assert (said.receipts, said.intact, said.complete, said.anchored, said.anchored_to) == (4, True, True, True, 3)
    assert said.held.hold == FOR_A_WHILE
    assert "anchored up to receipt 3 of 4; what came later is not" in said.told


@pytest.mark.parametrize("lock", ["governance", "compliance"])
def test_what_the_store_says_is_asked_of_the_store_and_the_server_keeps_it(locked: Locked, lock: str) -> None:
    hold = hold_for(lock, 1, NOW)
    assert hold is not None
    locked.wrote(hold)
    said = locked.client.get_object_retention(Bucket=locked.bucket, Key=locked.key(1))["Retention"]
    assert (said["Mode"], said["RetainUntilDate"].astimezone(UTC)) == (lock.upper(), hold.until)
    assert locked.store.held(name_of("main", 1)) == hold
    (version,) = locked.client.list_object_versions(Bucket=locked.bucket, Prefix=locked.key(1))["Versions"]
    with pytest.raises(ClientError, match="AccessDenied"):
        locked.client.delete_object(Bucket=locked.bucket, Key=locked.key(1), VersionId=version["VersionId"])
    if lock == "compliance":
        sooner: ObjectLockRetentionTypeDef = {"Mode": "COMPLIANCE", "RetainUntilDate": hold.until - timedelta(hours=1)}
        with pytest.raises(ClientError, match="AccessDenied"):
            locked.client.put_object_retention(
                Bucket=locked.bucket, Key=locked.key(1), Retention=sooner, BypassGovernanceRetention=True
            )


def test_a_tail_that_was_cut_off_is_noticed_without_a_noted_head_p101(locked: Locked) -> None:
    locked.wrote(FOR_A_WHILE, count=3)
    locked.client.delete_object(Bucket=locked.bucket, Key=locked.key(3))
    said = locked.verified()
    assert (said.intact, said.receipts) == (False, 2)
    assert said.broken == ("main/ledger/00000003.json was removed, and the store still keeps what it was",)
    assert said.anchored_to == 2


def test_a_chain_that_was_written_anew_and_held_as_well_is_noticed_p101(locked: Locked) -> None:
    links = locked.wrote(FOR_A_WHILE, count=2)
    for number in (1, 2):
        locked.client.delete_object(Bucket=locked.bucket, Key=locked.key(number))
    forged = locked.wrote(hold_for("compliance", 9, NOW), count=2)
    assert [link.hash for link in forged] != [link.hash for link in links]
    said = locked.verified()
    assert not said.intact
    assert (said.anchored, said.anchored_to) == (False, 0), "a lock on a second version proves nothing of the first"
    assert "main/ledger/00000001.json was written over, and the store still keeps what it was" in said.broken


@pytest.mark.slow
def test_a_lock_that_has_ended_anchors_nothing(locked: Locked) -> None:
    until = (datetime.now(UTC) + timedelta(seconds=8)).replace(microsecond=0)  # a busy machine is slow to ask
    locked.wrote(Hold(until, is_final=False))
    assert locked.verified().anchored
    time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()))
    assert not locked.verified().anchored
    assert locked.verified().intact


def test_keys_that_may_not_ask_for_locks_verify_a_ledger_all_the_same_and_it_is_told(locked: Locked) -> None:
    locked.wrote(FOR_A_WHILE)
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": ["s3:GetBucketObjectLockConfiguration"],
                "Resource": [f"arn:aws:s3:::{locked.bucket}"],
            }
        ],
    }
    locked.client.put_bucket_policy(Bucket=locked.bucket, Policy=json.dumps(policy))
    said = locked.verified()
    assert (said.intact, said.anchored) == (True, False)
    assert any(
        line.startswith("whether the store holds receipts against change could not be asked") for line in said.told
    )


@pytest.mark.usefixtures("locked")
def test_a_store_that_cannot_hold_is_refused_with_what_to_do(ceph: S3Server, tmp_path: Path) -> None:
    without = Locked(ceph, locking=False)
    folder = open_store((tmp_path / "store").as_uri())
    for store, why in (
        (without.store, "its bucket was made without object lock"),
        (folder, "in a folder who may write may also remove"),
    ):
        assert store.unlockable == why
        with pytest.raises(Refused) as fault:
            store.put("main/ledger/00000001.json", BytesIO(b"{}"), only_if_absent=True, hold=FOR_A_WHILE)
        assert fault.value.message == f"the store {store.url} cannot hold receipts against change: {why}"
        assert (
            fault.value.hint
            == "name a bucket in UPKEEP_STORE that was made with object lock, or unset UPKEEP_LEDGER_LOCK"
        )
        assert list(store.list()) == []
    without.wrote()
    assert not without.verified().anchored


@pytest.fixture
def bucket(moto: S3Server, monkeypatch: pytest.MonkeyPatch) -> Locked:
    """A bucket with object lock that keeps conditions too."""
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    return Locked(moto)


@pytest.fixture
def place(bucket: Locked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A small database that is backed up into the bucket."""
    monkeypatch.chdir(tmp_path)
    made = family(tmp_path / "place")
    made.set(UPKEEP_STORE=bucket.url, UPKEEP_LEDGER_LOCK="governance", UPKEEP_LEDGER_LOCK_DAYS="3")
    return made


def test_a_bucket_whose_server_forgets_conditions_is_refused_before_anything_is_written(locked: Locked) -> None:
    with pytest.raises(Refused, match="lets a second writer overwrite a name that must be free"):
        locked.store.probe()


@pytest.mark.usefixtures("place")
def test_commands_write_receipts_that_the_store_holds(bucket: Locked) -> None:
    assert upkeep("backup").code == 0
    said = bucket.client.head_object(Bucket=bucket.bucket, Key=bucket.key(1))  # moto knows no get_object_retention
    assert said["ObjectLockMode"] == "GOVERNANCE"
    assert timedelta(days=2) < said["ObjectLockRetainUntilDate"] - datetime.now(UTC) <= timedelta(days=3)


def test_the_verifier_says_how_far_the_store_itself_holds_a_ledger(
    locked: Locked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    family(tmp_path / "place").set(UPKEEP_STORE=locked.url)
    locked.wrote(FOR_A_WHILE)
    said = upkeep("ledger", "verify")
    assert said.code == 0
    assert "anchored:  yes, up to receipt 1 of 1" in said.out
    day = f"{NOW + timedelta(days=2):%Y-%m-%d}"
    assert f"until {day} nobody without the right to bypass it may change or remove it" in " ".join(said.out.split())
    document = upkeep("ledger", "verify", "--json").document
    assert (document["anchored"], document["anchored_to"], document["held"]["final"]) == (True, 1, False)


@pytest.mark.usefixtures("place")
def test_retention_removes_what_it_may_and_fails_on_nothing_that_is_locked_p27(bucket: Locked) -> None:
    """Somebody has given the whole bucket a default retention, so backups are locked too."""
    rule: ObjectLockRuleTypeDef = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
    bucket.client.put_object_lock_configuration(
        Bucket=bucket.bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    for _ in range(2):
        assert upkeep("backup").code == upkeep("verify", "latest").code == 0
    before = bucket.client.list_object_versions(Bucket=bucket.bucket, Prefix="upkeep/main/backups/")["Versions"]
    pruning = judge_store(bucket.store, "main", days=1, now=datetime.now(UTC) + timedelta(days=9))
    assert len(pruning.going) == 1
    assert remove_old(bucket.store, pruning) == pruning.going
    assert len(judge_store(bucket.store, "main", days=1, now=NOW).judged) == 1, "it is no backup any more"
    after = bucket.client.list_object_versions(Bucket=bucket.bucket, Prefix="upkeep/main/backups/")["Versions"]
    kept = {one["VersionId"] for one in after}
    assert {one["VersionId"] for one in before} <= kept, "and the store keeps every byte of it"


def test_a_run_is_refused_at_the_start_where_receipts_cannot_be_held(moto: S3Server, place: Place) -> None:
    place.set(UPKEEP_STORE=Locked(moto, locking=False).url, UPKEEP_LEDGER_LOCK="compliance")
    with pytest.raises(Refused) as fault:
        inspect.unwrap(preflight)(equip(), place.folder, migrate=False)
    assert fault.value.message.endswith("cannot hold receipts against change: its bucket was made without object lock")
    assert fault.value.hint.endswith("or unset UPKEEP_LEDGER_LOCK")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("UPKEEP_LEDGER_LOCK", "forever", "UPKEEP_LEDGER_LOCK is neither governance nor compliance"),
        ("UPKEEP_LEDGER_LOCK_DAYS", "36500", "UPKEEP_LEDGER_LOCK_DAYS is more than 3653"),
    ],
)
def test_p36_a_lock_with_wrong_years_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    place = family(tmp_path / "place")
    place.set(**{name: value})
    code, sentence, _ = upkeep("backup").complaint
    assert (code, sentence) == (2, f"one setting is wrong: {said}")
    assert not place.store.exists()
