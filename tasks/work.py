"""The one function that is rehearsed on a copy and performed on the live database: clean up by policy, then migrate."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from tasks.migration import Door, MigrationFailed
from upkeep.census import Census, take_census
from upkeep.changes import Mended
from upkeep.databases import Database
from upkeep.equipment import Equipment
from upkeep.finding import keys_of
from upkeep.mending import mend
from upkeep.plan import Migration, Plan
from upkeep.verdict import Check, judge_changes, judge_failed_migration, judge_migration


@dataclass(frozen=True)
class Worked:
    """What was done, the claims about it, and the seconds that it took."""

    mended: Mended
    checks: tuple[Check, ...]
    seconds: float


def work_on(
    equipment: Equipment, target: Database, plan: Plan, record: Callable[[Mended], None], door: Door | None
) -> Worked:
    """Do what ``plan`` says to ``target``; where it migrates, through ``door``.

    ``record`` is called with every changed row before anything is committed. Raises Refused if a row is no longer
    what it was, RowsRefused if the database refuses one; then nothing of the clean-up is kept in ``target``.
    """
    begun = time.monotonic()
    mended = Mended()
    if plan.repairs:
        with target.writing() as writing:
            mended = mend(writing, plan, keys_of(writing, equipment.policy))
            record(mended)
    checks = [judge_changes(len(mended.changes), plan.rows, mended.beside_the_plan)]
    if plan.migration:
        if door is None:
            raise AssertionError("a plan that migrates needs Alembic")
        checks += _migrated(target, plan.migration, door)
    return Worked(mended, tuple(checks), time.monotonic() - begun)


def _migrated(target: Database, migration: Migration, door: Door) -> list[Check]:
    """The claims about the migration; one that failed is a finding of the rehearsal and not the end of the run."""
    before, triggers_before = _look(target)
    try:
        door.upgrade(target)
    except MigrationFailed as fault:
        return [judge_failed_migration(fault.message)]
    after, triggers_after = _look(target)
    return judge_migration(migration, before, after, triggers_before - triggers_after)


def _look(target: Database) -> tuple[Census, frozenset[str]]:
    with target.reading() as reading:
        triggers = {trigger.name for table in reading.catalog().tables.values() for trigger in table.triggers}
        return take_census(reading, digests=False), frozenset(triggers)
