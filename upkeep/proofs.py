"""What the store holds beside the dump of a backup: its manifest as evidence, its proof, the receipt that names it."""

from bisect import bisect_left

from upkeep.clock import as_written, begun_at
from upkeep.errors import Damaged
from upkeep.ledger import Evidence
from upkeep.manifests import Manifest, Proof, folder, list_backups
from upkeep.receipts import attested, receipt_at, receipts_of
from upkeep.stores import Store


def manifest_evidence(store: Store, manifest: Manifest) -> Evidence:
    """The manifest as the store gives it back."""
    return attested(store, f"{folder(manifest.database, manifest.id)}/manifest.json")


def untold(store: Store, database: str, run: str) -> tuple[Manifest, ...]:
    """What backups an open run has taken of which none of its receipts tells: it was stopped or killed before."""
    named = {one.name for link in receipts_of(store, database, run) for one in link.receipt.evidence}
    taken = [one.manifest for one in list_backups(store, database, since=run[:16]) if one.manifest]
    return tuple(one for one in taken if one.run == run and f"{folder(database, one.id)}/manifest.json" not in named)


def proof_of(store: Store, manifest: Manifest) -> Proof | None:
    """The proof of a backup; None where it is not proven."""
    name = _mark(manifest)
    if not store.exists(name):
        return None
    with store.get(name) as file:
        return Proof.model_validate_json(file.read())


def mark_of(store: Store, manifest: Manifest) -> str | None:
    """The SHA-256 of what calls a backup verified; None where nothing does."""
    return attested(store, name).sha256 if store.exists(name := _mark(manifest)) else None


def _mark(manifest: Manifest) -> str:
    return f"{folder(manifest.database, manifest.id)}/verified.json"


def receipt_of(store: Store, manifest: Manifest) -> int | None:
    """The number of the first receipt that vouches for a backup's manifest, and with it its dump; None where none does.

    That a run died says another run, by what it finds: in the name of the dead anybody may have put it there.

    Raises Damaged where it names another content: whoever can write to the store could else have any rows put back into
    the database. Receipts come in the order of time, so few are read where there is one. When the backup was taken is
    told by its name, which the receipt says too, and not by the manifest, which may be forged.
    """
    now = manifest_evidence(store, manifest)
    names = [entry.name for entry in store.list(f"{manifest.database}/ledger/")]
    taken = as_written(begun_at(manifest.id))
    begin = bisect_left(names, taken, key=lambda name: receipt_at(store, name).written)
    for name in (*names[begin:], *reversed(names[:begin])):  # those before it are for clocks that were set back
        receipt = receipt_at(store, name)
        said = [one for one in receipt.evidence if one.name == now.name]
        if said and said[0] != now:
            raise Damaged(
                f"backup {manifest.id} is not what receipt {receipt.number} says: its manifest was changed",
                "stop; run `upkeep ledger verify` and find out who did it",
            )
        if said and receipt.kind != "died":
            return receipt.number
    return None
