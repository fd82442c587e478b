"""The end of a run in the ledger: its page is drawn and stored, then the receipt is written that names all it left."""

from io import BytesIO
from typing import Any

from upkeep.attestations import Contents, backed_up, proven
from upkeep.clock import utc_now
from upkeep.equipment import Equipment
from upkeep.ledger import Kind, Link
from upkeep.manifests import Manifest
from upkeep.pages.composing import Source, run_page
from upkeep.pages.contents import LAST, Told, told
from upkeep.pages.files import files_of
from upkeep.proofs import manifest_evidence, mark_of, proof_of
from upkeep.receipts import evidence_of, receipts_of
from upkeep.stores import Store


def close(
    equipment: Equipment, kind: Kind, run: str, contents: dict[str, Any], untold: tuple[Manifest, ...] = ()
) -> Link:
    """Write the last receipt of a run, with everything that stands in the store of it as evidence, its page included.

    The page comes first, so that the receipt vouches for it. It says what that receipt will say and cannot say its
    number and hash. ``untold`` are backups of the run of which no receipt of it tells yet.
    """
    store, name = equipment.store, equipment.settings.database
    for manifest in untold:
        contents = contents | backup_and_proof(equipment, manifest)
    if own := receipts_of(store, name, run):  # one that has ended has its page, and its last receipt vouches for that
        _draw(store, name, run, told(own), kind, contents)
    manifests = [manifest_evidence(store, manifest) for manifest in untold]
    return equipment.attest(kind, run, contents, (*evidence_of(store, name, run), *manifests))


def backup_and_proof(equipment: Equipment, manifest: Manifest) -> Contents:
    """A backup as it stands in the store, and its proof where it has one."""
    proof = proof_of(equipment.store, manifest)
    return {
        "backup": backed_up(manifest, equipment.store.url),
        "proof": proven(proof, manifest.taken, mark_of(equipment.store, manifest)) if proof else None,
    }


def _draw(store: Store, name: str, run: str, own: tuple[Told, ...], kind: Kind, contents: dict[str, Any]) -> None:
    """What a run that was killed had drawn is drawn anew: no receipt names it yet."""
    now = utc_now()
    closing = Told(LAST, "", kind, run, f"{now:%Y-%m-%dT%H:%M:%SZ}", contents)
    page = run_page(Source(name, store.url, now), (*own, closing), run, None)
    for file, content in files_of(page, now, with_pdf=True, zipped=True):
        store.put(f"{name}/evidence/{run}/{file}", BytesIO(content))
