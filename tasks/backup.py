"""Taking a backup and bringing it back: a backup is verified by being restored."""

import time
from pathlib import Path

from tasks.progress import progress_of
from tasks.step import step
from upkeep.backups import bring_back, prove, take_backup
from upkeep.census import Census
from upkeep.clock import utc_now
from upkeep.databases import Database
from upkeep.equipment import Equipment
from upkeep.errors import Damaged
from upkeep.manifests import Manifest


@step("back up", retried=True)
def back_up(equipment: Equipment, workplace: Path, run: str) -> Manifest:
    """Dump, compress, encrypt and store in one stream; the manifest last."""
    with progress_of("back up", 2) as progress:
        return take_backup(
            equipment.database,
            equipment.store,
            workplace,
            run=run,
            now=utc_now(),
            progress=progress,
            keyring=equipment.keyring,
        )


@step("snapshot", retried=True)
def snapshot(equipment: Equipment, workplace: Path, run: str, manifest: Manifest) -> tuple[Database, Census]:
    """Bring the backup back from the store and compare it with its manifest: a scratch, and its census.

    Raises Damaged where it is not what was stored: then nothing that follows could be trusted.
    """
    begun = time.monotonic()
    scratch = equipment.database.scratch(workplace)
    scratch.discard()
    remarks = bring_back(equipment.store, manifest, scratch, equipment.keyring)
    seconds = time.monotonic() - begun
    with progress_of("verify", len(manifest.census.tables) + 1) as progress:
        proof, against = prove(
            equipment.store,
            manifest,
            scratch,
            run=run,
            now=utc_now(),
            seconds=seconds,
            remarks=remarks,
            progress=progress,
            keyring=equipment.keyring,
        )
    if against:
        raise Damaged(
            f"backup {manifest.id} was restored and is not what was stored: {'; '.join(against)}",
            "look at the database's own integrity first; the backup is not marked verified",
        )
    return scratch, proof.census
