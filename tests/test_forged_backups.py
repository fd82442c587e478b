"""A backup that is not what the ledger says of it gives no row back: who writes to the store writes no row of ours."""

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from tasks.origins import opened
from tests.shell import FAMILY, Place, family, upkeep
from upkeep.clock import utc_now
from upkeep.equipment import Equipment, equip
from upkeep.errors import Damaged
from upkeep.manifests import Manifest, list_backups
from upkeep.proofs import receipt_of
from upkeep.receipts import write_receipt


def one_backup(folder: Path) -> tuple[Place, Equipment, Manifest]:
    """A small database with a backup in its store; what works on it and the manifest."""
    place = family(folder)
    assert upkeep("backup").code == 0
    equipment = equip()
    (backup,) = list_backups(equipment.store, "main")
    assert backup.manifest
    return place, equipment, backup.manifest


def receipts_in_between(equipment: Equipment, days: tuple[int, ...]) -> None:
    for day in days:
        write_receipt(equipment.store, "main", "proof", run="shell", now=utc_now() + timedelta(days=day), contents={})


def test_a_backup_that_was_forged_whole_is_damaged_and_one_that_was_not_is_opened(tmp_path: Path) -> None:
    place, equipment, manifest = one_backup(tmp_path / "shop")
    with opened(equipment, manifest, manifest.census.revision) as reading:
        assert list(reading.rows("SELECT name FROM parent")) == [("one",)]
    forged = family(tmp_path / "forge", FAMILY.replace("'one'", "'Mallory'"))
    assert upkeep("backup").code == 0
    other = json.loads(forged.backups[0].read_bytes())
    place.set()
    shutil.copy(forged.store / other["dump"], place.store / manifest.dump)
    parts = ("plain_bytes", "plain_sha256", "stored_bytes", "stored_sha256", "census")
    said = json.loads(place.backups[0].read_bytes()) | {part: other[part] for part in parts}
    place.backups[0].write_text(json.dumps(said))
    (backup,) = list_backups(equipment.store, "main")
    assert backup.manifest
    damaged = pytest.raises(Damaged, match=r"is not what receipt 1 says: its manifest was changed")
    with damaged, opened(equipment, backup.manifest, manifest.census.revision):
        pass


def test_the_receipt_of_a_backup_is_found_among_those_of_years(tmp_path: Path) -> None:
    place, equipment, manifest = one_backup(tmp_path / "shop")
    ledger = place.store / "main/ledger"
    shutil.rmtree(ledger)
    assert receipt_of(equipment.store, manifest) is None
    receipts_in_between(equipment, (-900, -30, -2, -1))
    assert upkeep("backup").code == 0
    receipts_in_between(equipment, (1, 9, 900))
    *_, newest = known = [one.manifest for one in list_backups(equipment.store, "main") if one.manifest]
    assert [receipt_of(equipment.store, one) for one in known] == [None, 5]
    path = place.store / f"main/backups/{newest.id}/manifest.json"
    path.write_text(path.read_text() + " ")
    with pytest.raises(Damaged, match=r"is not what receipt 5 says"):
        receipt_of(equipment.store, newest)
    (ledger / "00000005.json").write_text("{}")
    with pytest.raises(Damaged, match=r"00000005\.json is no receipt"):
        receipt_of(equipment.store, newest)


def test_a_forged_backup_that_says_another_day_of_itself_is_damaged_too(tmp_path: Path) -> None:
    place, equipment, manifest = one_backup(tmp_path / "shop")
    receipts_in_between(equipment, (1, 30))
    assert receipt_of(equipment.store, manifest) == 1
    for days in (-900, -8, 8, 900):
        said = manifest.model_copy(update={"taken": manifest.taken + timedelta(days=days)})
        place.backups[0].write_text(said.model_dump_json())
        with pytest.raises(Damaged, match="is not what receipt 1 says"):
            receipt_of(equipment.store, said)


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_here")
def test_who_approves_is_told_what_comes_back_from_a_backup_that_no_receipt_names(tmp_path: Path) -> None:
    place, _, manifest = one_backup(tmp_path / "shop")
    place.policy('[limits]\nshare = 1.0\n[[rule]]\nchild = "child"\norphan = ["restore"]\n')
    place.run("DELETE FROM parent WHERE id = 1")
    shutil.rmtree(place.store / "main/ledger")
    told = f"whether backup {manifest.id} is one of ours: no receipt vouches for it ("
    by_policy = upkeep("maintain", "--perform", "within_limits", "--json").document
    assert by_policy["ended"].startswith(f"nothing was performed: a person says first {told}")
    (left_out,) = by_policy["verdict"]["left_out"]
    assert left_out.startswith(told)
    assert ", and 1 row would come back from it; " in left_out
    assert upkeep("verify", manifest.id).code == 0
    again = upkeep("maintain", "--perform", "within_limits", "--json").document
    assert (again["ended"], again["verdict"]["left_out"]) == ("performed and verified", [])
    assert place.ask("SELECT * FROM parent") == [(1, "one")]
