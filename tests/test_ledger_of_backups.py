"""What the ledger says of backups is what the store holds of them: their marks, their dumps, who made them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.shell import Place, family, upkeep
from tests.test_cli import aged
from tests.test_ledger import guides_verifier


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Two backups: the older is proven, the newer is not."""
    place = family(tmp_path / "shop")
    for command in (["backup"], ["verify", "latest"], ["backup"]):
        assert upkeep(*command).code == 0
    return place


def backups(place: Place) -> list[Path]:
    """Their folders, the older one first."""
    return sorted((place.store / "main/backups").iterdir(), key=lambda one: not (one / "verified.json").exists())


def broken(place: Place) -> list[str]:
    """What is wrong, after it was seen that both verifiers and the exit code agree on whether anything is."""
    said = upkeep("ledger", "verify", "--json")
    found: list[str] = said.document["broken"]
    ran = guides_verifier(place.store, alone=False)
    assert (said.code, ran.returncode, "Traceback" in ran.stderr) == (4, 1, False) if found else (0, 0, False)
    return found


def name_in(place: Place, path: Path) -> str:
    return path.relative_to(place.store).as_posix()


def remove_the_mark(older: Path, _newer: Path) -> Path:
    (older / "verified.json").unlink()
    return older / "verified.json"


def mark_what_is_not_proven(older: Path, newer: Path) -> Path:
    shutil.copy(older / "verified.json", newer)
    return newer / "verified.json"


def remove_the_dump(older: Path, _newer: Path) -> Path:
    (older / "dump.zstd").unlink()
    return older / "dump.zstd"


def cut_the_dump(older: Path, _newer: Path) -> Path:
    (older / "dump.zstd").write_bytes((older / "dump.zstd").read_bytes()[:-1])
    return older / "dump.zstd"


@pytest.mark.parametrize("forge", [remove_the_mark, mark_what_is_not_proven, remove_the_dump, cut_the_dump])
def test_what_a_backup_has_lost_or_was_given_is_noticed(place: Place, forge: Callable[[Path, Path], Path]) -> None:
    assert broken(place) == []
    forged = forge(*backups(place))
    (said,) = broken(place)
    assert said.startswith(name_in(place, forged))


def test_a_backup_that_was_pruned_has_no_mark_and_no_dump(place: Place) -> None:
    old = aged(90)
    for backup in (old, "latest"):
        assert upkeep("verify", backup).code == 0
    assert upkeep("prune", "--yes", "--json").document["removed"] == [old]
    assert broken(place) == []


def test_a_proof_that_fails_stands_in_the_ledger_and_nobody_can_put_the_old_one_back(place: Place) -> None:
    older, _ = backups(place)
    mark, whole = (older / "verified.json").read_bytes(), (older / "dump.zstd").read_bytes()
    (older / "dump.zstd").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert upkeep("verify", older.name).code == 4
    assert not (older / "verified.json").exists()
    last = upkeep("ledger", "show", "--json").document["receipts"][-1]
    said = last["contents"]["proof"]
    assert (last["kind"], said["holds"], said["against"], said["verified_sha256"]) == ("proof", False, 1, None)
    assert broken(place) == []
    assert "1 alarm" in upkeep("report", "--from", "2026-01-01", "--output", str(place.folder / "page")).out
    (older / "verified.json").write_bytes(mark)
    assert broken(place) == [f"{name_in(place, older)}/verified.json calls verified what is not, as receipt 4 says"]
    (older / "verified.json").unlink()
    (older / "dump.zstd").write_bytes(whole)
    assert upkeep("verify", older.name).code == 0
    assert broken(place) == []


def test_a_proof_that_was_edited_is_not_excused_by_the_next_one(place: Place) -> None:
    older, _ = backups(place)
    mark = older / "verified.json"
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"seconds": 0.5}))
    assert upkeep("verify", older.name).code == 0
    assert broken(place) == [f"receipt 4 calls backup {older.name} verified otherwise than receipt 2"]


def test_a_ledger_that_takes_no_receipt_costs_a_good_backup_nothing(place: Place) -> None:
    older, _ = backups(place)
    (place.store / "main/ledger/00000003.json").write_bytes(b"{}")
    assert upkeep("verify", older.name).code == 4
    assert (older / "verified.json").exists()


def planted(place: Place, run: str) -> Path:
    """The older backup once more, under a new name and as if this run had made it: now it is the newest."""
    older, *_ = backups(place)
    folder = older.with_name("29990101T020000Z-abcdef01")
    shutil.copytree(older, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest |= {"id": folder.name, "dump": f"main/backups/{folder.name}/dump.zstd", "run": run}
    manifest |= {"taken": "2999-01-01T02:00:00Z"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize("made_by", ["shell", "a run that has ended"])
def test_a_backup_that_stands_in_no_receipt_is_told(place: Place, made_by: str) -> None:
    """A command or a run that was killed leaves such a one too, so it is no damage."""
    strange = planted(place, "shell" if made_by == "shell" else upkeep("maintain", "--json").document["run"])
    assert broken(place) == []
    told = [line for line in upkeep("ledger", "verify", "--json").document["told"] if strange.name in line]
    assert told == [
        f"backup {strange.name} stands in no receipt: what made it was killed, or somebody else put it there; "
        f"`upkeep verify {strange.name}` puts it on record"
    ]
    assert f"in no receipt: {name_in(place, strange)}/manifest.json" in guides_verifier(place.store, alone=False).stdout


def test_what_stands_in_no_receipt_is_restored_with_a_word_and_not_put_on_record_by_that(
    place: Place, tmp_path: Path
) -> None:
    strange = planted(place, "shell")
    said = upkeep("restore", "latest", "--to", f"sqlite:///{tmp_path / 'again.db'}", "--json")
    assert (said.code, said.document["restored"]) == (0, strange.name)
    told = f"no receipt vouches for backup {strange.name}: what made it was killed, or somebody else put it there"
    assert said.document["remarks"] == [told]
    named = f"backup {strange.name} stands in no receipt: "
    assert any(line.startswith(named) for line in upkeep("ledger", "verify", "--json").document["told"])


def test_a_manifest_that_was_changed_is_told_where_it_is_restored(place: Place, tmp_path: Path) -> None:
    older, _ = backups(place)
    manifest = older / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"place": "elsewhere"}))
    said = upkeep("restore", older.name, "--to", f"sqlite:///{tmp_path / 'again.db'}", "--json")
    assert said.code == 0
    assert said.document["remarks"] == [f"backup {older.name} is not what receipt 1 says: its manifest was changed"]
