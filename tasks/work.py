"""The one function that is rehearsed on a copy and performed on the live database: clean up by policy, then migrate."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tasks.migration import Door, MigrationFailed
from upkeep.changes import Mended
from upkeep.databases import Bench, Database
from upkeep.equipment import Equipment
from upkeep.errors import Busy, Escaped
from upkeep.finding import keys_of
from upkeep.mending import mend
from upkeep.plan import Migration, Plan
from upkeep.standing import Standing, take_standing
from upkeep.verdict import Check, judge_changes, judge_failed_migration, judge_migration


@dataclass(frozen=True)
class Migrated:
    """How things stood before and after a migration."""

    before: Standing
    after: Standing


@dataclass(frozen=True)
class Worked:
    """What was done, the claims about it, and its seconds; ``migrated`` where a migration came to its end."""

    mended: Mended
    checks: tuple[Check, ...]
    seconds: float
    migrated: Migrated | None = None


def work_on(
    equipment: Equipment,
    target: Database,
    plan: Plan,
    record: Callable[[Mended], None],
    agree: Callable[[Worked], None],
    migrating: tuple[Door, Path] | None,
    promised: Worked | None = None,
) -> Worked:
    """Do what ``plan`` says to ``target``; where it migrates, through a door to Alembic, with a folder to work in.

    ``record`` is called with every changed row, and where the plan migrates ``agree`` with all that was done, before
    anything is kept; what raises there undoes it. ``promised`` is what the rehearsal did, and spares others a wait.
    Raises Refused if a row is no longer what it was, RowsRefused if the database refuses one; then nothing is kept.
    """
    begun = time.monotonic()
    if plan.migration is None:
        mended = _mended(equipment, target, plan, record)
        return Worked(mended, (judge_changes(len(mended.changes), plan.rows, mended.beside_the_plan),), _since(begun))
    if migrating is None:
        raise AssertionError("a plan that migrates needs Alembic")
    door, workplace = migrating
    with target.exchanged(workplace) as bench:
        mended = _mended(equipment, bench, plan, record)
        checks, migrated = _migrated(bench, plan.migration, door, promised)
        checks = [judge_changes(len(mended.changes), plan.rows, mended.beside_the_plan), *checks]
        worked = Worked(mended, tuple(checks), _since(begun), migrated)
        agree(worked)
    return worked


def _mended(equipment: Equipment, bench: Bench | Database, plan: Plan, record: Callable[[Mended], None]) -> Mended:
    if not plan.repairs:
        return Mended()
    with bench.writing() as writing:
        mended = mend(writing, plan, keys_of(writing, equipment.policy, equipment.models))
        record(mended)
    return mended


def _migrated(
    bench: Bench, migration: Migration, door: Door, promised: Worked | None
) -> tuple[list[Check], Migrated | None]:
    """The claims about the migration; one that failed is a finding of the rehearsal and not the end of the run."""
    counted = None
    if promised and promised.migrated:
        counted = promised.migrated.after.replaced_since(promised.migrated.before)
    before = take_standing(bench, counted)
    try:
        with bench.lent() as lent:
            door.upgrade(lent)
    except MigrationFailed as fault:
        if bench.may_pass(fault.state):
            raise Busy(fault.message, "nothing was kept; try again when other programs are done") from None
        return [judge_failed_migration(fault.message)], None
    except Escaped as fault:
        if promised:
            raise
        return [judge_failed_migration(fault.message)], None
    migrated = Migrated(before, take_standing(bench, counted))
    return judge_migration(migration, migrated.before, migrated.after), migrated


def _since(begun: float) -> float:
    return time.monotonic() - begun
