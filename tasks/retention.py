"""Removing backups that are past their time, and what killed runs left half stored."""

from datetime import datetime, timedelta

from tasks.step import step
from upkeep.backups import list_backups, remove_backup, unfinished_backups, utc_now
from upkeep.equipment import Equipment
from upkeep.retention import judge_retention


@step("prune", retried=True)
def prune(equipment: Equipment) -> tuple[str, ...]:
    """Apply retention; the ids of the backups that were removed. Call it only after a passed verdict (P-30)."""
    return remove_old(equipment, utc_now())


def remove_old(equipment: Equipment, now: datetime) -> tuple[str, ...]:
    """What ``prune`` does, at a time that is given (UTC)."""
    store, name = equipment.store, equipment.settings.database
    judged = judge_retention(list_backups(store, name), days=equipment.settings.backup_retention_days, now=now)
    removed = [one.id for one in judged if not one.kept]
    for backup in [*removed, *unfinished_backups(store, name, before=now - timedelta(days=1))]:
        remove_backup(store, name, backup)
    return tuple(removed)
