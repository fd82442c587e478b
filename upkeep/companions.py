"""What belongs to a backup and stands in no dump: stored beside it with its digest, before the manifest."""

from typing import BinaryIO

from pydantic import BaseModel, ConfigDict

from upkeep.databases import Snapshot
from upkeep.encryption import PLAIN, Keyring, Sealed
from upkeep.errors import Damaged
from upkeep.readers import buffered
from upkeep.stores import Store
from upkeep.streams import CODEC, Packing, Unpacking

_CHUNK = 1 << 20


class Companion(BaseModel):
    """One object beside a dump: what it holds, where it stands, its sizes in bytes and SHA-256 as in the manifest.

    ``missing`` says why there is none; then ``object`` is None.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    holds: str
    object: str | None = None
    plain_bytes: int = 0
    plain_sha256: str = ""
    stored_bytes: int = 0
    stored_sha256: str = ""
    missing: str | None = None

    def told(self, store: str) -> str:
        """Where it is, or why there is none, in words."""
        if self.object is None:
            return f"{self.holds}: not in this backup, {self.missing}"
        return f"{self.holds}: not restored, they stand in {store}/{self.object}"


def store_companions(snapshot: Snapshot, store: Store, folder: str, keyring: Keyring = PLAIN) -> tuple[Companion, ...]:
    """Put each companion of a snapshot into ``folder``, which ends with a slash, as it comes, sealed as the dump."""
    return tuple(
        Companion(name=one.name, holds=one.holds, missing=one.missing)
        if one.content is None
        else _stored(
            one.content,
            store,
            Companion(name=one.name, holds=one.holds, object=f"{folder}{one.name}.{CODEC}{keyring.suffix}"),
            keyring,
        )
        for one in snapshot.companions()
    )


def _stored(content: BinaryIO, store: Store, companion: Companion, keyring: Keyring) -> Companion:
    packing = Packing(content, keyring)
    with buffered(packing) as packed:
        size = store.put(str(companion.object), packed)
    if size != packing.stored.size:
        raise Damaged(f"the store holds {size} bytes of {companion.object}", "look at the store; nothing was kept")
    return companion.model_copy(
        update={
            "plain_bytes": packing.plain.size,
            "plain_sha256": packing.plain.sha256,
            "stored_bytes": size,
            "stored_sha256": packing.stored.sha256,
        }
    )


def damaged_companions(
    store: Store, companions: tuple[Companion, ...], sealed: Sealed | None = None, keyring: Keyring = PLAIN
) -> tuple[str, ...]:
    """What speaks against the companions of a backup, read to their ends: one that is gone or has changed.

    ``sealed`` says how all of the backup is encrypted.
    """
    faults = (_fault(store, one, one.object, sealed, keyring) for one in companions if one.object)
    return tuple(fault for fault in faults if fault)


def _fault(store: Store, companion: Companion, name: str, sealed: Sealed | None, keyring: Keyring) -> str | None:
    try:
        with store.get(name) as packed:
            plain = Unpacking(
                packed,
                plain_sha256=companion.plain_sha256,
                stored_sha256=companion.stored_sha256,
                what=f"the object {name}",
                sealed=sealed,
                keyring=keyring,
            )
            with buffered(plain) as reader:
                while reader.read(_CHUNK):
                    pass
    except Damaged as fault:
        return fault.message
    return None
