"""The gate before a migration: what has to be so before anything is migrated, here or on a copy."""

import shutil
from datetime import timedelta

from upkeep.catalog import Catalog
from upkeep.clock import utc_now
from upkeep.databases import Database
from upkeep.detected import Detected
from upkeep.equipment import Equipment
from upkeep.errors import Refused
from upkeep.losses import LEFT_BEHIND
from upkeep.manifests import find_backup
from upkeep.numbers import several
from upkeep.policy import Policy
from upkeep.proofs import proof_of


def refuse_leftovers(catalog: Catalog) -> None:
    """A copy that a failed batch has left makes the next batch on that table fail, and may hold rows (P-78)."""
    for name in sorted(catalog.tables):
        if name.startswith(LEFT_BEHIND):
            raise Refused(
                f"{name} is what a migration that failed has left behind, and the next one fails on it",
                f"see whether it holds rows that {name.removeprefix(LEFT_BEHIND)} lacks, then `DROP TABLE {name}`",
            )


def refuse_half_built(half_built: dict[str, str]) -> None:
    """An index that was begun beside the application and not finished: a revision finds its name taken (P-84).

    A restored copy does not have it, so no rehearsal tells.
    """
    for name, drop in half_built.items():
        raise Refused(
            f"the index {name} is not valid: its making was cut short, and a migration would find it in its way",
            f"`{drop}`, then run it again; nothing was done",
        )


def refuse_narrowness(database: Database) -> None:
    """Where the migrated database takes the place of the live one, all of it must fit beside itself for a moment."""
    room = database.room_to_migrate()
    if room is None:
        return
    place, needed = room
    free = shutil.disk_usage(place).free
    if free < needed:
        raise Refused(
            f"beside the database there is room for {free >> 20} MiB, its migration may need {needed >> 20} MiB",
            f"free some room in {place}, or use --no-migrate; nothing was done",
        )


def refuse_orphans(policy: Policy, detected: Detected) -> None:
    """Rows that point at nothing, unless a rule of the policy says that these are kept (P-91)."""
    wrong = [
        finding
        for finding in detected.findings
        if finding.orphans and not (policy.rule_for(finding.key)[0] and policy.keeps(finding.key))
    ]
    if wrong:
        orphans = sum(finding.orphans or 0 for finding in wrong)
        worst = max(wrong, key=lambda finding: finding.orphans or 0)
        raise Refused(
            f"nothing is migrated while there are orphans: {orphans:,} by {several(len(wrong), 'foreign key')}, "
            f"the most of {worst.key}",
            "`upkeep maintain` cleans up and migrates in one run; rows that shall stay need a rule that keeps them",
        )


def refuse_old_backup(equipment: Equipment, backup: str) -> None:
    """A migration that went wrong in a way that nobody foresaw is taken back by a restore, so that must be near."""
    hours = equipment.settings.migration_backup_hours
    manifest = find_backup(equipment.store, equipment.settings.database, backup)
    if proof_of(equipment.store, manifest) is None:
        raise Refused(f"backup {backup} is not proven, so nothing is migrated on it", f"`upkeep verify {backup}`")
    age = utc_now() - manifest.taken
    if age > timedelta(hours=hours):
        raise Refused(
            f"backup {backup} is {age / timedelta(hours=1):.1f} h old, a migration may rest on one of {hours:g} h",
            "run it again and approve it sooner, or set UPKEEP_MIGRATION_BACKUP_HOURS; nothing was changed",
        )
