"""Whole runs on an encrypted store: what works without an identity, what asks for one, and that nothing tells."""

import hashlib
import json
import os
import pickle
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.age_by_hand import raw
from tests.clinics import Runs, perform_at, rehearse_at
from tests.every_byte import telling
from tests.shell import Place, upkeep
from upkeep.encryption.files import keyring_from, make_identity_file
from upkeep.environment import load_settings
from upkeep.equipment import Equipment, equip
from upkeep.ledger_verdict import Demand
from upkeep.receipts import verify_ledger

pytest_plugins = ("tests.clinics",)

PEOPLE = ("Ada Planted", "Ben Planted", "Cyd Planted", "note-planted-1", "note-planted-2", "note-planted-3")
SCRIPT = """
    CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parent (id), note TEXT);
    INSERT INTO parent VALUES (1, 'Ada Planted'), (2, 'Ben Planted'), (3, 'Cyd Planted');
    INSERT INTO child VALUES (1, 1, 'note-planted-1'), (2, 2, 'note-planted-2'), (3, 99, 'note-planted-3');
"""
RULE = '[limits]\nshare = 1.0\n[[rule]]\nchild = "child.parent_id"\nparent = "parent"\norphan = {}\n'
RESTORES, DELETES = RULE.format('["restore", "nullify"]'), RULE.format('["delete"]')
NO_IDENTITY = "older backups cannot be read without UPKEEP_IDENTITY_FILE"


@dataclass(frozen=True)
class Practice:
    """A small database with its store and its keys."""

    place: Place
    identity: Path
    public: str
    more: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where all of it is but the private key."""
        return self.place.folder

    @property
    def environment(self) -> dict[str, str]:
        """The settings of the machine, which has no private key."""
        return {
            "DATABASE_URL": f"sqlite:///{self.place.path}",
            "UPKEEP_STORE": self.place.store.as_uri(),
            "UPKEEP_SCRATCH": str(self.folder / "scratch"),
            "UPKEEP_POLICY": str(self.folder / "policy.toml"),
            "UPKEEP_RECIPIENTS": self.public,
        } | self.more

    def knowing(self, **more: str) -> "Practice":
        """The same with other settings."""
        return replace(self, more=self.more | more)

    @property
    def trusted(self) -> "Practice":
        """The same where somebody has brought the private key."""
        return self.knowing(UPKEEP_IDENTITY_FILE=str(self.identity))

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """All of them."""
        return self.place.ask("SELECT 'p', id, name, '' FROM parent UNION ALL SELECT 'c', * FROM child ORDER BY 1, 2")

    @property
    def journal(self) -> list[Path]:
        """What runs that died have left."""
        return list(self.place.store.glob("main/journal/*"))


@pytest.fixture
def practice(tmp_path: Path) -> Practice:
    """One of one's own."""
    (tmp_path / "practice").mkdir()
    place = Place(tmp_path / "practice")
    place.run(SCRIPT)
    place.policy(RESTORES)
    identity = tmp_path / "elsewhere" / "identity.txt"
    identity.parent.mkdir()
    return Practice(place, identity, make_identity_file(identity))


def equipment_of(practice: Practice) -> Equipment:
    """What a run on it works with; the settings stay until the test ends."""
    os.environ.pop("UPKEEP_IDENTITY_FILE", None)
    os.environ.update(practice.environment)
    return equip()


@pytest.fixture
def work(practice: Practice) -> Path:
    """A folder for parts of runs."""
    (practice.folder / "work").mkdir()
    return practice.folder / "work"


@pytest.mark.slow
def test_a_night_and_a_repair_need_no_identity_and_tell_nothing_and_an_undo_needs_it_and_puts_back_row_for_row(
    practice: Practice, runs: Runs
) -> None:
    practice.place.policy(DELETES)
    before = practice.rows
    night = runs.maintain(practice)
    assert night["verdict"]["passed"], night
    assert (night["verified"], night["encrypted_to"]) == (True, [practice.public])
    report = runs.maintain(practice, perform="within_limits")
    assert report["ended"] == "performed and verified", report
    repaired = practice.rows
    assert repaired != before
    _the_store_tells_nothing(practice, report["run"])

    refused = runs.do(practice, "undo", run=report["run"], perform="never")
    assert refused["exit"] == 2
    assert refused["error"].endswith(f"is encrypted to {practice.public}, and no identity is set")
    assert "UPKEEP_IDENTITY_FILE" in refused["hint"]
    assert practice.rows == repaired
    digest = runs.do(practice.trusted, "undo", run=report["run"], perform="never")["plan"]["digest"]
    approval = {"approve": digest, "by": "tester", "reason": "to see", "wait": False}
    assert runs.do(practice.trusted, "undo", run=report["run"], **approval)["ended"] == "performed and verified"
    assert practice.rows == before


def _the_store_tells_nothing(practice: Practice, run: str) -> None:
    store = practice.place.store
    names = {path.name for path in (store / "main/repairs" / run).iterdir()}
    assert {"changes.jsonl.zst.age", "marks.jsonl.zst", "plan.json", "outcome.json"} <= names
    assert len(list(store.glob("main/backups/*/dump.zstd.age"))) == 3
    assert len(list(store.rglob("*"))) > 30
    assert telling(store, (*PEOPLE, "AGE-SECRET-KEY")) == []
    assert telling(practice.folder / "scratch", (*PEOPLE, "AGE-SECRET-KEY")) == []
    verdict, links = verify_ledger(equipment_of(practice).store, "main", Demand())
    assert (verdict.intact, verdict.complete) == (True, True)
    backups = [link.receipt.contents["backup"] for link in links if "backup" in link.receipt.contents]
    assert {(one["encryption"], *one["encryption_keys"]) for one in backups} == {("age", practice.public)}


def test_the_same_search_finds_all_of_it_where_nothing_is_encrypted(practice: Practice, work: Path) -> None:
    practice.place.policy(DELETES)
    equipment = equipment_of(practice.knowing(UPKEEP_RECIPIENTS=""))
    perform_at(equipment, work, rehearse_at(equipment, work, migrate=False))
    told = telling(practice.place.store, PEOPLE)
    assert {line.partition(" in ")[0] for line in told} == set(PEOPLE)
    assert [line for line in told if line.endswith("changes.jsonl.zst")] != []


def test_what_an_older_backup_holds_comes_back_with_the_identity_and_else_the_reason_is_told(
    practice: Practice, work: Path
) -> None:
    before = practice.rows
    equipment_of(practice)
    assert upkeep("backup").code == 0
    practice.place.run("DELETE FROM parent WHERE id = 2")
    blind = rehearse_at(equipment_of(practice), work, migrate=False).rehearsed
    assert blind.plan.by_action() == {"nullify": 2}
    assert blind.verdict.left_out == (f"the parents of 2 orphans were not looked for: {NO_IDENTITY}",)
    practice.place.policy(RULE.format('["restore"]'))
    (kept,) = rehearse_at(equipment_of(practice), work, migrate=False).rehearsed.plan.kept
    assert (kept.rows, NO_IDENTITY in kept.reason) == (2, True)
    equipment = equipment_of(practice.trusted)
    night = rehearse_at(equipment, work, migrate=False)
    assert (night.rehearsed.plan.by_action(), night.rehearsed.verdict.left_out) == ({"keep": 1, "restore": 1}, ())
    perform_at(equipment, work, night)
    assert practice.rows == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "said"),
    [
        ("return upkeep/journal.py:write_intention 1", "had changed nothing"),
        ("call tasks/recovery.py:settle 1", "had been performed whole"),
    ],
)
def test_promise_4_the_run_after_a_killed_one_carries_on_without_an_identity(
    practice: Practice, work: Path, short_runs: Runs, moment: str, said: str
) -> None:
    practice.place.policy(DELETES)
    practice = practice.knowing(SECRET_KEY="the application's")
    before, pickled = practice.rows, work / "rehearsal.pickle"
    night = rehearse_at(equipment_of(practice), work, migrate=False)
    pickled.write_bytes(pickle.dumps((night.manifest, night.rehearsed)))
    assert short_runs.do(practice, "perform", moment=moment, rehearsal=str(pickled), run="killed") is None
    now, (entry,) = practice.rows, practice.journal
    assert (now == before) == (said == "had changed nothing")
    other = practice.knowing(SECRET_KEY="another by now")
    for _ in range(2):
        refused = short_runs.do(other, "recover")
        assert refused["exit"] == 2
        assert "SECRET_KEY is not what it was, and no identity fits" in refused["error"]
        assert "UPKEEP_IDENTITY_FILE" in refused["hint"]
    assert (practice.journal, practice.rows) == ([entry], now), "nothing is lost and nothing done"
    by = other.trusted if said == "had changed nothing" else practice
    assert short_runs.do(by, "recover") == [f"run killed died; it {said}"]
    assert short_runs.do(practice, "recover") == []
    assert practice.rows == now
    outcome = json.loads((practice.place.store / "main/repairs/killed/outcome.json").read_text())
    assert outcome["found"] == ("untouched" if said == "had changed nothing" else "performed")


def test_p100_the_key_of_a_run_is_written_nowhere(
    practice: Practice, work: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    practice.place.policy(DELETES)
    equipment = equipment_of(practice)
    secret = str(equipment.keyring.of_the_run)
    assert secret.startswith("AGE-SECRET-KEY-1")
    perform_at(equipment, work, rehearse_at(equipment, work, migrate=False))
    said = "".join(capfd.readouterr()) + repr(equipment) + str(equipment)
    hashed = hashlib.sha256(raw(secret)).hexdigest()
    for word in (secret, secret.lower(), raw(secret).hex(), hashed):
        assert word not in said
        assert telling(practice.folder, (word,)) == []
    files = [path for path in practice.folder.rglob("*") if path.is_file()]
    assert [path for path in files if raw(secret) in path.read_bytes()] == []
    assert not re.search("AGE-SECRET", Path("/proc/self/cmdline").read_text() + Path("/proc/self/environ").read_text())


def test_in_a_shell_old_backups_ask_for_the_identity_and_plain_ones_stay_readable(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    practice.place.policy(DELETES)
    for name, value in practice.knowing(UPKEEP_RECIPIENTS="").environment.items():
        monkeypatch.setenv(name, value)
    plain = upkeep("backup", "--json").document
    assert plain["encrypted_to"] == []
    monkeypatch.setenv("UPKEEP_RECIPIENTS", practice.public)
    sealed = upkeep("backup", "--json").document
    assert sealed["encrypted_to"] == upkeep("check", "--json").document["encrypted_to"] == [practice.public]
    listed = {one["id"]: one["encrypted_to"] for one in upkeep("backups", "--json").document["backups"]}
    assert listed == {plain["id"]: [], sealed["id"]: [practice.public]}
    assert upkeep("verify", plain["id"]).code == 0
    target = f"sqlite:///{practice.folder / 'restored.db'}"
    for command in (
        ("verify", sealed["id"]),
        ("restore", sealed["id"], "--to", target),
        ("check", "--backup", sealed["id"]),
    ):
        code, sentence, hint = upkeep(*command).complaint
        assert (code, sentence) == (
            2, f"backup {sealed['id']} is encrypted to {practice.public}, and no identity is set",
        )  # fmt: skip
        assert hint.startswith("set UPKEEP_IDENTITY_FILE to the file")
    assert not (practice.folder / "restored.db").exists()

    stranger = practice.identity.with_name("stranger.txt")
    make_identity_file(stranger)
    monkeypatch.setenv("UPKEEP_IDENTITY_FILE", str(stranger))
    code, sentence, _ = upkeep("restore", sealed["id"], "--to", target).complaint
    assert (code, f"no identity in {stranger} is that of one of them" in sentence) == (2, True)

    monkeypatch.setenv("UPKEEP_IDENTITY_FILE", str(practice.identity))
    assert upkeep("verify", sealed["id"]).code == 0
    assert upkeep("restore", sealed["id"], "--to", target).code == 0
    assert Place(practice.folder).ask("SELECT count(*) FROM child") == [(3,)]
    (dump,) = practice.place.store.glob("main/backups/*/dump.zstd.age")
    content = bytearray(dump.read_bytes())
    content[30] ^= 1
    dump.write_bytes(content)
    assert upkeep("verify", sealed["id"]).complaint[:2] == (
        4, f"backup {sealed['id']} is not what was stored: its bytes have changed",
    )  # fmt: skip
    verified = {one["id"]: one["verified"] for one in upkeep("backups", "--json").document["backups"]}
    assert verified == {plain["id"]: True, sealed["id"]: False}


def test_on_a_real_s3_server_all_of_it_is_encrypted_too_and_comes_back(
    practice: Practice, work: Path, s3_url: str, tmp_path: Path
) -> None:
    practice = practice.knowing(UPKEEP_STORE=s3_url)
    practice.place.run("CREATE TABLE scans (image BLOB); INSERT INTO scans VALUES (randomblob(20000000))")
    equipment = equipment_of(practice)
    assert upkeep("backup").code == 0
    practice.place.run("DELETE FROM parent WHERE id = 2")
    damaged = practice.rows
    practice.place.policy(DELETES)
    perform_at(equipment_of(practice), work, rehearse_at(equipment_of(practice), work, migrate=False))
    assert practice.rows != damaged
    for entry in equipment.store.list():
        copy = tmp_path / "copy" / entry.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        with equipment.store.get(entry.name) as file:
            copy.write_bytes(file.read())
    names = sorted(path.name for path in (tmp_path / "copy").rglob("*.age"))
    assert names == ["changes.jsonl.zst.age", "dump.zstd.age", "dump.zstd.age"]
    assert telling(tmp_path / "copy", PEOPLE) == []

    equipment_of(practice.trusted)
    first = min(one["id"] for one in upkeep("backups", "--json").document["backups"])
    assert upkeep("verify", first).code == 0
    (tmp_path / "back").mkdir()
    back = Place(tmp_path / "back")
    assert upkeep("restore", first, "--to", f"sqlite:///{back.path}").code == 0
    assert back.ask("SELECT name FROM parent ORDER BY id") == [(name,) for name in PEOPLE[:3]]
    assert back.ask("SELECT length(image) FROM scans") == [(20_000_000,)]


def test_what_was_encrypted_until_now_is_not_stored_in_plain_unless_that_is_said(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in practice.environment.items():
        monkeypatch.setenv(name, value)
    assert upkeep("backup").code == 0
    monkeypatch.setenv("UPKEEP_RECIPIENTS", "")
    code, sentence, hint = upkeep("backup").complaint
    assert (code, sentence.endswith("is encrypted, and UPKEEP_RECIPIENTS is not set")) == (2, True)
    assert hint == f"write UPKEEP_RECIPIENTS={practice.public}, or =none if backups are to be plain from now on"
    assert len(practice.place.backups) == 1
    monkeypatch.setenv("UPKEEP_RECIPIENTS", "none")
    assert upkeep("backup", "--json").document["encrypted_to"] == []


def test_keys_new_makes_a_pair_that_the_settings_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = upkeep("keys", "new", "identity.txt")
    (line, following) = said.out.splitlines()
    monkeypatch.setenv(*line.split("="))
    assert (said.code, load_settings().recipients) == (0, (line.removeprefix("UPKEEP_RECIPIENTS="),))
    assert keyring_from(load_settings().recipients, tmp_path / "identity.txt").sealed
    assert "without it no backup can be read" in following
    assert "AGE-SECRET" not in said.out
    code, sentence, _ = upkeep("keys", "new", "identity.txt").complaint
    assert (code, sentence) == (2, "identity.txt is there already")
