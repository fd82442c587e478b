"""Commands for backups: backup, verify, prune, restore. They use the kernel alone."""

import time
from typing import Annotated

import typer

from upkeep.backups import bring_back, find_backup, list_backups, prove, remove_backup, take_backup, utc_now
from upkeep.census import differences, take_census
from upkeep.cli.saying import DAMAGED, HOLDS, Json, end, say
from upkeep.databases import open_database
from upkeep.equipment import equip
from upkeep.errors import Damaged, Refused
from upkeep.retention import judge_retention
from upkeep.settings import load_settings
from upkeep.stores import open_store
from upkeep.wording import text
from upkeep.workplaces import workplace

Wanted = Annotated[str, typer.Argument(metavar="ID|latest", help="Which backup; see `upkeep backups`.")]


def add_to(app: typer.Typer) -> None:
    """Put the commands of this file into the program."""
    for command in (backup, verify, prune, restore):
        app.command()(command)


def backup(as_json: Json = False) -> None:
    """Take a backup now. It counts as verified after `upkeep verify` or the next nightly run."""
    equipment = equip()
    equipment.store.probe()
    with workplace(equipment.settings.scratch, equipment.settings.database, "backup") as folder:
        manifest = take_backup(equipment.database, equipment.store, folder, run="shell", now=utc_now())
    document = {
        "id": manifest.id,
        "taken": manifest.taken.isoformat(),
        "revision": list(manifest.census.revision),
        "bytes": manifest.stored_bytes,
        "verified": False,
    }
    say(
        as_json,
        document,
        f"backup {manifest.id}: {manifest.census.rows:,} rows, {manifest.stored_bytes:,} bytes stored",
    )


def verify(wanted: Wanted, as_json: Json = False) -> None:
    """Restore a backup into a scratch, compare it with its manifest, and mark it verified if all is equal."""
    equipment = equip()
    name = equipment.settings.database
    if wanted == "latest":
        usable = [one.manifest for one in list_backups(equipment.store, name) if one.manifest]
        if not usable:
            raise Refused(f"there is no backup of {name} in {equipment.store.url}", "run `upkeep backup` first")
        manifest = max(usable, key=lambda one: one.taken)
    else:
        manifest = find_backup(equipment.store, name, wanted)
    begun = time.monotonic()
    with workplace(equipment.settings.scratch, name, "verify") as folder:
        scratch = equipment.database.scratch(folder)
        bring_back(equipment.store, manifest, scratch)
        seconds = time.monotonic() - begun
        _, against = prove(equipment.store, manifest, scratch, run="shell", now=utc_now(), seconds=seconds)
    if against:
        raise Damaged(
            f"backup {manifest.id} is not what was stored: {'; '.join(against)}", "use another, see `upkeep backups`"
        )
    document = {"id": manifest.id, "verified": True, "seconds": round(seconds, 3), "rows": manifest.census.rows}
    say(
        as_json,
        document,
        f"backup {manifest.id} is verified: {manifest.census.rows:,} rows, restored in {seconds:.2f} s",
    )


def prune(
    yes: Annotated[
        bool, typer.Option("--yes", help="Remove; without it the command only shows what it would.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show which backups retention would remove and why the others stay; with --yes remove them."""
    equipment = equip()
    name, days = equipment.settings.database, equipment.settings.backup_retention_days
    judged = judge_retention(list_backups(equipment.store, name), days=days, now=utc_now())
    if yes:
        for one in judged:
            if not one.kept:
                remove_backup(equipment.store, name, one.id)
    document = {
        "kept": [{"id": one.id, "reasons": [one.reason]} for one in judged if one.kept],
        "removed": [one.id for one in judged if not one.kept] if yes else [],
        "would_remove": [one.id for one in judged if not one.kept],
    }
    say(as_json, document, text.retention(judged) + ("" if yes else "\nnothing was removed; --yes removes"))


def restore(
    wanted: Wanted,
    to: Annotated[str, typer.Option(help="The SQLAlchemy URL of the target, which must be empty.")],
    as_json: Json = False,
) -> None:
    """Bring a backup back into an empty target and compare it with its manifest; works without Prefect."""
    settings = load_settings()
    store = open_store(settings.store)
    manifest = find_backup(store, settings.database, wanted)
    target = open_database(settings.database, to, settings.lock_seconds)
    begun = time.monotonic()
    bring_back(store, manifest, target)
    seconds = time.monotonic() - begun
    with target.reading() as reading:
        against = [*reading.complaints(), *differences(manifest.census, take_census(reading, digests=False))]
    checks = [
        {"claim": "every byte is as it was stored", "holds": True},
        {"claim": "it is what the manifest says", "holds": not against, "seen": against},
    ]
    document = {"restored": manifest.id, "rows": manifest.census.rows, "seconds": round(seconds, 3), "checks": checks}
    told = "; ".join(against) or f"{manifest.census.rows:,} rows in {seconds:.2f} s, equal to the manifest"
    say(as_json, document, f"backup {manifest.id} restored: {told}")
    end(DAMAGED if against else HOLDS)
