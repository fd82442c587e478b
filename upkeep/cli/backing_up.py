"""Commands for backups, by the kernel alone: backup, verify, prune, restore."""

import time
from datetime import datetime
from typing import Annotated

import typer

from upkeep.attestations import Contents, backed_up, disproven, proven, pruned, restored
from upkeep.backups import bring_back, prove, proving_again, take_backup
from upkeep.census import differences, take_census
from upkeep.cli.documents import backup_document, pruning_document
from upkeep.cli.saying import Json, end_badly, say
from upkeep.clock import utc_now
from upkeep.databases import Database
from upkeep.databases.opening import backend_of, open_database
from upkeep.downgrade import refuse_downgrade
from upkeep.encryption.files import keyring_from
from upkeep.environment import load_settings
from upkeep.equipment import Equipment, equip
from upkeep.errors import Damaged, Refused, UpkeepError
from upkeep.holds import hold_for
from upkeep.manifests import Backup, Manifest, Proof, find_backup, list_backups, newest_first
from upkeep.proofs import manifest_evidence, mark_of, receipt_of
from upkeep.pruning import judge_store, remove_old
from upkeep.receipts import write_receipt
from upkeep.settings import Settings
from upkeep.signatures import signer_from
from upkeep.stores import Store, open_store
from upkeep.wording import backups as wording

Wanted = Annotated[str, typer.Argument(metavar="ID|latest", help="Which backup; see `upkeep backups`.")]


def add_to(app: typer.Typer) -> None:
    """Put the commands of this file into the program."""
    for command in (backup, verify, prune, restore):
        app.command()(command)


def backup(as_json: Json = False) -> None:
    """Take a backup now. It counts as verified after `upkeep verify` or the next nightly run."""
    equipment = equip()
    equipment.database.identity()
    equipment.store.probe()
    refuse_downgrade(equipment.store, equipment.settings.database, equipment.keyring)
    manifest = back_up(equipment, "shell", utc_now())
    say(as_json, backup_document(Backup(manifest.id, manifest, verified=False)), wording.taken(manifest))


def back_up(equipment: Equipment, run: str, now: datetime) -> Manifest:
    """Take a backup that belongs to no run of the runbook, and put it on record; ``now`` is UTC."""
    with equipment.workplace("backup") as folder:
        manifest = take_backup(equipment.database, equipment.store, folder, run=run, now=now, keyring=equipment.keyring)
    taken = {"backup": backed_up(manifest, equipment.store.url)}
    equipment.attest("backup", "shell", taken, [manifest_evidence(equipment.store, manifest)])
    return manifest


def verify(wanted: Wanted, as_json: Json = False) -> None:
    """Restore a backup into a scratch, compare it with its manifest, and mark it verified if all is equal."""
    equipment = equip()
    name = equipment.settings.database
    manifest = _to_verify(equipment.store, name, wanted)
    equipment.database.probe_scratch()
    proof = _prove_again(equipment, manifest)
    document = backup_document(Backup(manifest.id, manifest, verified=True))
    remarks, uncompared = list(proof.remarks), list(proof.uncompared)
    document |= {"seconds": round(proof.seconds, 3), "remarks": remarks, "uncompared": uncompared}
    said = f"backup {manifest.id} is verified: {manifest.census.rows:,} rows, restored in {proof.seconds:.2f} s"
    say(as_json, document, "\n".join((said, *remarks, *wording.not_compared(proof.uncompared))))


def _prove_again(equipment: Equipment, manifest: Manifest) -> Proof:
    """Prove a backup and put that on record; raises Damaged where it does not hold, with that on record first."""
    begun = time.monotonic()
    against: tuple[str, ...] = ("it could not be brought back",)
    with proving_again(equipment.store, manifest), equipment.workplace("verify") as folder:
        try:
            scratch = equipment.database.scratch(folder)
            remarks = bring_back(equipment.store, manifest, scratch, equipment.keyring)
            seconds = time.monotonic() - begun
            proof, against = prove(
                equipment.store,
                manifest,
                scratch,
                run="shell",
                now=utc_now(),
                seconds=seconds,
                remarks=remarks,
                keyring=equipment.keyring,
            )
            if against:
                raise Damaged(
                    f"backup {manifest.id} is not what was stored: {'; '.join(against)}",
                    "use another, see `upkeep backups`",
                )
        except Damaged:
            seconds = time.monotonic() - begun
            _attest_proof(equipment, manifest, disproven(manifest.taken, utc_now(), seconds, len(against)))
            raise
    _attest_proof(equipment, manifest, proven(proof, manifest.taken, mark_of(equipment.store, manifest)))
    return proof


def _attest_proof(equipment: Equipment, manifest: Manifest, proof: Contents) -> None:
    told = {"backup": manifest.id, "proof": proof}
    equipment.attest("proof", "shell", told, [manifest_evidence(equipment.store, manifest)])


def _to_verify(store: Store, name: str, wanted: str) -> Manifest:
    """The backup of this id; for ``latest`` the newest one that is whole, verified before or not."""
    if wanted != "latest":
        return find_backup(store, name, wanted)
    usable = newest_first(list_backups(store, name))
    if not usable:
        raise Refused(f"there is no backup of {name} in {store.url}", "run `upkeep backup` first")
    return usable[0]


def prune(
    yes: Annotated[
        bool, typer.Option("--yes", help="Remove; without it the command only shows what it would.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show which backups retention would remove and why the others stay; with --yes remove them."""
    equipment = equip()
    settings, store = equipment.settings, equipment.store
    pruning = judge_store(store, settings.database, days=settings.backup_retention_days, now=utc_now())
    if yes:
        if pruning.going:
            equipment.attest("pruning", "shell", pruned(pruning))
        remove_old(store, pruning)
    say(as_json, pruning_document(pruning, done=yes), wording.retention(pruning, done=yes))


def restore(
    wanted: Wanted,
    to: Annotated[str, typer.Option(metavar="URL", help="The SQLAlchemy URL of the target, which must be empty.")],
    as_json: Json = False,
) -> None:
    """Bring a backup back into an empty target and compare it with its manifest; works without Prefect."""
    settings = load_settings()
    store = open_store(settings.store)
    manifest = find_backup(store, settings.database, wanted)
    keyring = keyring_from(settings.recipients, settings.identity_file)
    target = open_database(settings.database, to, settings.lock_seconds, settings.programs_of(backend_of(to)))
    begun = time.monotonic()
    remarks = bring_back(store, manifest, target, keyring)
    seconds = time.monotonic() - begun
    against = _against(manifest, target)
    checks = [
        {"claim": "every byte is as it was stored", "holds": True, "seen": f"SHA-256 {manifest.plain_sha256}"},
        {"claim": "it is what the manifest says", "holds": not against, "seen": "; ".join(against) or "no difference"},
    ]
    document = {"restored": manifest.id, "rows": manifest.census.rows, "seconds": round(seconds, 3), "checks": checks}
    contents = restored(manifest, target.identity(), seconds, len(against))
    remarks = (*remarks, *_attested(store, settings, manifest, contents, _against_the_ledger(store, manifest)))
    document["remarks"] = list(remarks)
    document["companions"] = [one.model_dump() for one in manifest.companions]
    beside = [one.told(store.url) for one in manifest.companions]
    told = f"backup {manifest.id} restored: {manifest.census.rows:,} rows in {seconds:.2f} s"
    if against:
        what = f"backup {manifest.id} was restored and is not what its manifest says: {'; '.join(against)}"
        end_badly(as_json, document, told, Damaged(what, "do not use it; restore another one, see `upkeep backups`"))
    say(as_json, document, "\n".join((f"{told}, equal to the manifest", *remarks, *beside)))


def _against_the_ledger(store: Store, manifest: Manifest) -> tuple[str, ...]:
    """Why this may be none of our backups; in an emergency it comes back all the same, and the ledger may be gone."""
    try:
        number = receipt_of(store, manifest)
    except Damaged as fault:
        return (fault.message,)
    told = f"no receipt vouches for backup {manifest.id}: what made it was killed, or somebody else put it there"
    return () if number else (told,)


def _attested(
    store: Store, settings: Settings, manifest: Manifest, contents: Contents, doubts: tuple[str, ...]
) -> tuple[str, ...]:
    """Write the receipt of a restore; where that cannot be done the restore counts all the same, and it is told.

    In an emergency the store may be a copy that nobody can write to. A manifest in doubt is not named, so that its use
    does not put it on record.
    """
    try:
        write_receipt(
            store,
            settings.database,
            "restored",
            run="shell",
            now=utc_now(),
            contents=contents,
            evidence=() if doubts else [manifest_evidence(store, manifest)],
            signer=signer_from(settings.ledger_key_file) if settings.ledger_key_file else None,
            hold=hold_for(settings.ledger_lock, settings.ledger_lock_days, utc_now()),
        )
    except UpkeepError as fault:
        return (*doubts, f"no receipt of this was written: {fault.message}")
    return doubts


def _against(manifest: Manifest, restored: Database) -> tuple[str, ...]:
    with restored.reading() as reading:
        census = take_census(reading, digests=manifest.census.has_digests, like=manifest.census)
        return (*reading.complaints(), *differences(manifest.census, census))
