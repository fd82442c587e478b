"""Removing backups that are past their time, and what killed runs left half stored."""

from tasks.step import step
from upkeep.backups import utc_now
from upkeep.equipment import Equipment
from upkeep.pruning import judge_store, remove_old


@step("prune", retried=True)
def prune(equipment: Equipment) -> tuple[str, ...]:
    """Apply retention; the ids of the backups that were removed. Call it only after a passed verdict (P-30)."""
    settings, store = equipment.settings, equipment.store
    return remove_old(store, judge_store(store, settings.database, days=settings.backup_retention_days, now=utc_now()))
