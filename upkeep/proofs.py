"""What the store holds beside the dump of a backup: its manifest as evidence, and its proof."""

from bisect import bisect_left
from datetime import timedelta

from upkeep.clock import as_written
from upkeep.errors import Damaged
from upkeep.ledger import Evidence
from upkeep.manifests import Manifest, Proof, folder
from upkeep.receipts import attested, receipt_at
from upkeep.stores import Store

_SOON = timedelta(days=7)
"""By then the run that took a backup has written its receipt, or it never will."""


def manifest_evidence(store: Store, manifest: Manifest) -> Evidence:
    """The manifest as the store gives it back."""
    return attested(store, f"{folder(manifest.database, manifest.id)}/manifest.json")


def proof_of(store: Store, manifest: Manifest) -> Proof | None:
    """The proof of a backup; None where it is not proven."""
    name = f"{folder(manifest.database, manifest.id)}/verified.json"
    if not store.exists(name):
        return None
    with store.get(name) as file:
        return Proof.model_validate_json(file.read())


def refuse_changed(store: Store, manifest: Manifest) -> None:
    """Raise Damaged where a receipt names the manifest of a backup, and with it its dump, otherwise than it is now.

    Whoever can write to the store could else have any rows put back into the database. Receipts come in the order of
    time, so few are read. What no receipt names (it is older than the ledger, its run was killed) is taken as it is.
    """
    now = manifest_evidence(store, manifest)
    names = [entry.name for entry in store.list(f"{manifest.database}/ledger/")]
    taken, until = as_written(manifest.taken), as_written(manifest.taken + _SOON)
    begin = bisect_left(names, taken, key=lambda name: receipt_at(store, name).written)
    for name in names[begin:]:
        receipt = receipt_at(store, name)
        said = [one for one in receipt.evidence if one.name == now.name]
        if said and said[0] != now:
            raise Damaged(
                f"backup {manifest.id} is not what receipt {receipt.number} says: its manifest was changed",
                "stop; run `upkeep ledger verify` and find out who did it",
            )
        if said or receipt.written > until:
            return
