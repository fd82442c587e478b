"""Removing backups that are past their time, and what killed runs left half stored."""

from tasks.step import step
from upkeep.attestations import pruned
from upkeep.clock import utc_now
from upkeep.equipment import Equipment
from upkeep.pruning import judge_store, remove_old


@step("prune", retried=True)
def prune(equipment: Equipment, run: str) -> tuple[str, ...]:
    """Apply retention; the ids of the backups that were removed. Call it only after a passed verdict (P-30)."""
    settings, store = equipment.settings, equipment.store
    pruning = judge_store(store, settings.database, days=settings.backup_retention_days, now=utc_now())
    if pruning.going:  # before it is done: what is gone without a receipt was not removed by us
        equipment.attest("pruning", run, pruned(pruning))
    return remove_old(store, pruning)
