"""One stage of a migration on its bench: how things stand before and after it, and what is claimed of that."""

from dataclasses import dataclass, replace

from tasks.migration import Door, MigrationFailed
from upkeep.catalog import ForeignKey
from upkeep.databases import Bench, Database
from upkeep.errors import Busy, Escaped
from upkeep.finding import find
from upkeep.losses import Loss, converted_columns, find_losses
from upkeep.orphans import counting
from upkeep.plan import Migration
from upkeep.revisions import Ran, Revision
from upkeep.sayings import sayings
from upkeep.stages import Stage
from upkeep.standing import Standing, take_standing
from upkeep.verdict import (
    Check,
    judge_coming_keys,
    judge_failed_migration,
    judge_heard,
    judge_migration,
    judge_new_keys,
)


@dataclass(frozen=True)
class Migrated:
    """How things stood before and after a migration, how each revision ran, and what is gone.

    ``there`` is what was standing before a stage of what it makes in no transaction, so that it is not its own.
    """

    before: Standing
    after: Standing
    ran: tuple[Ran, ...] = ()
    losses: tuple[Loss, ...] = ()
    there: tuple[str, ...] = ()


def migrate_on(
    bench: Bench, migration: Migration, stage: Stage, door: Door, promise: Migrated | None, *, is_live: bool
) -> tuple[list[Check], Migrated | None]:
    """The claims about a stage; one that failed is a finding of the rehearsal and not the end of the run.

    ``promise`` is what the stage came to in the rehearsal, where there was one.
    """
    revisions = [one for one in migration.revisions if one.name in stage.revisions]
    coming = judge_coming_keys(_coming_orphans(bench, revisions))
    if not coming.holds:
        return [coming, judge_failed_migration("it was not begun")], None
    take_locks(bench, promise)  # whole tables were read by now, and nobody has to wait for that
    counted = None
    if promise:
        was, became = promise.before, promise.after
        counted = became.replaced_since(was) | (became.tables.keys() - was.tables.keys())
    foretold = sayings(Ran(revision.name, 0, revision.sql) for revision in revisions)
    converted = converted_columns(foretold)
    known, before = _declared(bench), take_standing(bench, counted, converted=converted)
    try:
        with bench.lent() as lent:
            ran = door.upgrade(lent, migration.head, stage.revisions)
    except MigrationFailed as fault:
        if bench.may_pass(fault.state):
            raise Busy(fault.message, "nothing was kept; try again when other programs are done") from None
        said = "; ".join(filter(None, (fault.message, bench.advice(fault.state))))
        return [coming, judge_failed_migration(said)], None
    except Escaped as fault:
        if is_live:
            raise
        return [coming, judge_failed_migration(fault.message)], None
    after = take_standing(bench, counted, before, converted)
    meant = {what: revision.name for revision in revisions for what in revision.loses}
    losses = find_losses(before, after, sayings(ran), meant)
    new = judge_new_keys(_orphans(bench, _declared(bench) - known))
    arrived = judge_migration(migration, stage.revisions[-1], after, losses)
    return [coming, *arrived, new], Migrated(before, after, ran, losses)


def all_migrated(stages: tuple[Migrated, ...]) -> Migrated | None:
    """What several stages came to together; None where there was none."""
    if not stages:
        return None
    ran = tuple(ran for stage in stages for ran in stage.ran)
    losses = tuple(loss for stage in stages for loss in stage.losses)
    return Migrated(stages[0].before, stages[-1].after, ran, losses)


def heard(target: Database, stage: Stage, migrated: Migrated) -> tuple[Check, ...]:
    """Did a stage that left the transaction say nothing else there? What it asks the database can change what it says.

    () for one that did not. COMMIT is how Alembic writes that a block without a transaction begins.
    """
    if stage.apart is None:
        return ()
    checks = []
    for ran in migrated.ran:
        apart = target.apart(("COMMIT", *ran.said))
        wrong = apart.wrong if apart else "said in no transaction what it had not foretold; it asks before it speaks"
        checks.append(judge_heard(ran.revision, wrong))
    return tuple(checks)


def take_locks(bench: Bench, promise: Migrated | None) -> None:
    """Those that the rehearsal was seen to take. In a rehearsal nobody is in the way."""
    if promise:
        bench.take_locks({effect for ran in promise.ran for effect in ran.effects})


def _declared(bench: Bench) -> frozenset[ForeignKey]:
    """The declared keys whatever they say on delete: one that says otherwise is no new one."""
    with bench.reading() as reading:
        return frozenset(replace(key, ondelete="") for key in reading.catalog().keys)


def _orphans(bench: Bench, keys: frozenset[ForeignKey]) -> dict[str, int]:
    """How many orphans each of some declared keys has."""
    with bench.reading() as reading:
        return {str(key): find(reading, key, limit=0).orphans or 0 for key in sorted(keys) if key.askable}


def _coming_orphans(bench: Bench, revisions: list[Revision]) -> dict[str, int]:
    """How many rows would violate each key that the revisions declare between columns that are there already."""
    with bench.reading() as reading:
        tables = reading.catalog().tables
        keys = [reading.stated(key) for revision in revisions for key in revision.keys]
        there = [key for key in keys if key.askable and key.child in tables and not key.parent_missing]
        return {str(key): reading.numbers(counting(key, reading.dialect))[0] for key in there}
