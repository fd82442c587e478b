"""What every engine promises of a store that is encrypted: all comes back to who has a key, and nothing else tells."""

import random
from pathlib import Path

import pyrage
import pytest

from tests.age_by_hand import opened
from tests.engines.house import BY_DELETION, NOW, House, engine, house
from tests.every_byte import telling
from upkeep.backups import bring_back, prove, proving_again, take_backup
from upkeep.changes import put_changes, stored_changes
from upkeep.databases.opening import open_database
from upkeep.encryption import PLAIN, Keyring
from upkeep.encryption.files import keyring_from
from upkeep.errors import Damaged, Refused
from upkeep.finding import keys_of
from upkeep.manifests import Manifest
from upkeep.mending import mend

__all__ = ["engine", "house"]

ADA, BEN = (pyrage.x25519.Identity.generate() for _ in range(2))
PUBLIC = (str(ADA.to_public()), str(BEN.to_public()))
OTHERS = Keyring(identities=(ADA,), identity_file=Path("identity.txt"))
PLANTED = ("orphan too", "ODD-VALUE")


def sealed(house: House, keyring: Keyring) -> Manifest:
    """A backup that is encrypted."""
    return take_backup(house.database, house.store, house.workplace, run="test", now=NOW, keyring=keyring)


def proven(house: House, manifest: Manifest, keyring: Keyring) -> tuple[str, ...]:
    """What speaks against the backup when it is restored into a scratch and compared; it stands on the keys given."""
    scratch = house.database.scratch(house.workplace)
    with proving_again(house.store, manifest):
        try:
            bring_back(house.store, manifest, scratch, keyring)
            return prove(house.store, manifest, scratch, run="test", now=NOW, seconds=0, keyring=keyring)[1]
        finally:
            scratch.discard()


def test_what_is_sealed_comes_back_equal_to_the_run_and_to_each_recipient_and_the_store_tells_nothing(
    house: House,
) -> None:
    house.base.run(*house.engine.odd, "UPDATE children SET note = 'ODD-VALUE' WHERE id = 1")
    before, keyring = house.base.listing(), keyring_from(PUBLIC, None)
    manifest = sealed(house, keyring)
    assert manifest.sealed is not None
    assert manifest.sealed.recipients == PUBLIC
    for by in (keyring, OTHERS):
        target = house.engine.absent()
        database = open_database("clinic", target.url)
        bring_back(house.store, manifest, database, by)
        assert target.listing() == before
    assert proven(house, manifest, keyring) == ()
    assert house.verified == [True]
    assert telling(house.folder / "store", PLANTED) == []
    stored = house.dump_of(manifest).read_bytes()
    assert len(stored) == manifest.stored_bytes
    assert opened(stored, str(BEN))[:4] == b"\x28\xb5\x2f\xfd", "what is sealed is zstd's, for whoever has age and zstd"


def test_without_a_key_nothing_is_restored_and_what_is_plain_beside_it_is(house: House) -> None:
    plain, manifest = house.backed_up(), sealed(house, keyring_from(PUBLIC, None))
    assert telling(house.folder / "store", PLANTED) != []
    fresh = house.engine.absent()
    for by in (PLAIN, keyring_from(PUBLIC, None), Keyring(identities=(pyrage.x25519.Identity.generate(),))):
        with pytest.raises(Refused, match=f"backup {manifest.id} is encrypted to {PUBLIC[0]}, {PUBLIC[1]}, and no"):
            bring_back(house.store, manifest, open_database("clinic", fresh.url), by)
    assert not fresh.exists()
    assert proven(house, plain, keyring_from(PUBLIC, None)) == ()


def test_promise_5_a_bit_flipped_in_what_is_sealed_is_never_verified_and_never_a_database(house: House) -> None:
    keyring = keyring_from(PUBLIC, None)
    manifest = sealed(house, keyring)
    assert proven(house, manifest, keyring) == ()
    dump, chance = house.dump_of(manifest), random.Random(5)  # noqa: S311 - the same place each time
    stored = dump.read_bytes()
    fresh = house.engine.absent()
    for place in (60, chance.randrange(len(stored)), len(stored) - 1):
        other = bytearray(stored)
        other[place] ^= 1 << place % 8
        dump.write_bytes(other)
        with pytest.raises(Damaged), proving_again(house.store, manifest):
            bring_back(house.store, manifest, open_database("clinic", fresh.url), keyring)
        assert not fresh.exists()
        assert house.verified == [False]


def test_p62_the_changes_of_a_run_are_sealed_too_and_read_by_who_has_a_key(house: House) -> None:
    keyring, plan = keyring_from(PUBLIC, None), house.planned(BY_DELETION)
    with house.database.writing() as writing:
        mended = mend(writing, plan, keys_of(writing, BY_DELETION))
        record = put_changes(house.store, "clinic/repairs/1/changes.jsonl.zst", mended.changes, keyring)
    assert (record.name, record.rows) == ("clinic/repairs/1/changes.jsonl.zst.age", len(mended.changes))
    for by in (keyring, OTHERS):
        assert tuple(stored_changes(house.store, record, by)) == mended.changes
    with pytest.raises(Refused, match="no identity is set"):
        list(stored_changes(house.store, record))
    assert telling(house.folder / "store", PLANTED) == []
