"""What the store holds beside the dump of a backup: its manifest as evidence, and its proof."""

from upkeep.ledger import Evidence
from upkeep.manifests import Manifest, Proof, folder
from upkeep.receipts import attested
from upkeep.stores import Store


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
