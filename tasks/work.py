"""What is rehearsed on a copy and performed on the live database: clean up by policy, then migrate, keys around it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from tasks.enforcement import hold_back, validated
from tasks.migration import Door, MigrationFailed
from tasks.progress import told_in_log
from upkeep.catalog import ForeignKey
from upkeep.changes import Mended
from upkeep.databases import Bench, Database
from upkeep.equipment import Equipment
from upkeep.errors import Busy, Escaped
from upkeep.finding import find, keys_of
from upkeep.losses import Loss, converted_columns, find_losses
from upkeep.numbers import several
from upkeep.orphans import counting
from upkeep.plan import Migration, Plan
from upkeep.remaking import carry_out
from upkeep.revisions import Explained, Lint, Ran
from upkeep.sayings import sayings
from upkeep.standing import Standing, take_standing
from upkeep.verdict import (
    Check,
    judge_changes,
    judge_coming_keys,
    judge_complaints,
    judge_failed_migration,
    judge_migration,
    judge_new_keys,
    judge_orphans_since,
)


@dataclass(frozen=True)
class Migrated:
    """How things stood before and after a migration, how each revision ran, and what is gone."""

    before: Standing
    after: Standing
    ran: tuple[Ran, ...] = ()
    losses: tuple[Loss, ...] = ()


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
    Raises Refused if a row is no longer what it was, RowsRefused if the database refuses one; then nothing is kept but
    the foreign keys that came into force before it.
    """
    begun = time.monotonic()
    hold_back(target, plan)
    if plan.migration is None:
        mended = _mended(equipment, target, plan, record)
        return Worked(mended, (judge_changes(len(mended.changes), plan.rows, mended.beside_the_plan),), _since(begun))
    if migrating is None:
        raise AssertionError("a plan that migrates needs Alembic")
    door, workplace = migrating
    with target.exchanged(workplace) as bench:
        if plan.repairs:
            _take_locks(bench, promised)  # before any row is locked: who waits for a lock may hold none (P-84)
        mended = _mended(equipment, bench, plan, record)
        gate = _asked_again(equipment, bench, plan, promised)
        if any(check.holds is not True for check in gate):
            checks, migrated = [judge_failed_migration("it was not begun")], None
        else:
            checks, migrated = _migrated(bench, plan.migration, door, promised)
        checks = [judge_changes(len(mended.changes), plan.rows, mended.beside_the_plan), *gate, *checks]
        worked = Worked(mended, tuple(checks), _since(begun), migrated)
        agree(worked)
    return worked


def with_keys_validated(target: Database, plan: Plan, worked: Worked) -> Worked:
    """What was done, with the plan's foreign keys validated: in a transaction of its own, after the others (P-84)."""
    return replace(worked, checks=(*worked.checks, *validated(target, plan)))


def _mended(equipment: Equipment, bench: Bench | Database, plan: Plan, record: Callable[[Mended], None]) -> Mended:
    if not plan.repairs and not plan.tables:
        return Mended()
    tell = told_in_log()
    with bench.writing() as writing:
        mended = carry_out(writing, plan, lambda reading: keys_of(reading, equipment.policy, equipment.models), tell)
        record(mended)
    return mended


def _asked_again(equipment: Equipment, bench: Bench, plan: Plan, promised: Worked | None) -> tuple[Check, ...]:
    """Right before a live migration: is the database as clean as its rehearsal was? Hours may lie between (P-94).

    Not where rows that are locked by now would stay so while whole tables are read; there the engine itself enforces.
    """
    if promised is None or not (bench.is_a_copy or not plan.repairs):
        return ()
    with bench.reading() as reading:
        findings = tuple(find(reading, key, limit=0) for key in keys_of(reading, equipment.policy))
        complaints = reading.complaints() if bench.is_a_copy else ()
    return judge_complaints(complaints), judge_orphans_since(findings, plan)


def _migrated(
    bench: Bench, migration: Migration, door: Door, promised: Worked | None
) -> tuple[list[Check], Migrated | None]:
    """The claims about the migration; one that failed is a finding of the rehearsal and not the end of the run."""
    coming = judge_coming_keys(_coming_orphans(bench, migration))
    if not coming.holds:
        return [coming, judge_failed_migration("it was not begun")], None
    _take_locks(bench, promised)  # whole tables were read by now, and nobody has to wait for that
    counted = None
    if promised and promised.migrated:
        was, became = promised.migrated.before, promised.migrated.after
        counted = became.replaced_since(was) | (became.tables.keys() - was.tables.keys())
    foretold = sayings(Ran(revision.name, 0, revision.sql) for revision in migration.revisions)
    converted = converted_columns(foretold)
    known, before = _declared(bench), take_standing(bench, counted, converted=converted)
    try:
        with bench.lent() as lent:
            ran = door.upgrade(lent, migration.head)
    except MigrationFailed as fault:
        if bench.may_pass(fault.state):
            raise Busy(fault.message, "nothing was kept; try again when other programs are done") from None
        said = "; ".join(filter(None, (fault.message, bench.advice(fault.state))))
        return [coming, judge_failed_migration(said)], None
    except Escaped as fault:
        if promised:
            raise
        return [coming, judge_failed_migration(fault.message)], None
    after = take_standing(bench, counted, before, converted)
    meant = {what: revision.name for revision in migration.revisions for what in revision.loses}
    losses = find_losses(before, after, sayings(ran), meant)
    new = judge_new_keys(_orphans(bench, _declared(bench) - known))
    return [coming, *judge_migration(migration, after, losses), new], Migrated(before, after, ran, losses)


def _take_locks(bench: Bench, promised: Worked | None) -> None:
    """Those that the rehearsal was seen to take. In a rehearsal nobody is in the way."""
    if promised and promised.migrated:
        bench.take_locks({effect for ran in promised.migrated.ran for effect in ran.effects})


def _declared(bench: Bench) -> frozenset[ForeignKey]:
    """The declared keys whatever they say on delete: one that says otherwise is no new one."""
    with bench.reading() as reading:
        return frozenset(replace(key, ondelete="") for key in reading.catalog().keys)


def _orphans(bench: Bench, keys: frozenset[ForeignKey]) -> dict[str, int]:
    """How many orphans each of some declared keys has."""
    with bench.reading() as reading:
        return {str(key): find(reading, key, limit=0).orphans or 0 for key in sorted(keys) if key.askable}


def _coming_orphans(bench: Bench, migration: Migration) -> dict[str, int]:
    """How many rows would violate each key that the revisions declare between columns that are there already."""
    with bench.reading() as reading:
        tables = reading.catalog().tables
        keys = [reading.stated(key) for revision in migration.revisions for key in revision.keys]
        there = [key for key in keys if key.askable and key.child in tables and not key.parent_missing]
        return {str(key): reading.numbers(counting(key, reading.dialect))[0] for key in there}


def explained(migration: Migration, worked: Worked, lints: tuple[Lint, ...]) -> tuple[Explained, ...]:
    """Each pending revision with what was seen of it, and what a linter says of each, where there is one."""
    migrated = worked.migrated
    ran = {one.revision: one for one in migrated.ran} if migrated else {}
    losses = migrated.losses if migrated else ()
    return tuple(
        Explained(one, ran.get(one.name), tuple(loss.what for loss in losses if loss.by == one.name), lint)
        for one, lint in zip_longest(migration.revisions, lints)
    )


def taken_for_good(worked: Worked) -> tuple[str, ...]:
    """What the migration takes that no undo brings back, in words; () where that is nothing."""
    losses = worked.migrated.losses if worked.migrated else ()
    counted = {loss: f" ({several(loss.rows, 'row')})" if loss.rows else "" for loss in losses if loss.is_for_good}
    return tuple(f"{loss}{rows}" for loss, rows in counted.items())


def _since(begun: float) -> float:
    return time.monotonic() - begun
