"""What is rehearsed on a copy and performed on the live database: clean up by policy, then migrate, keys around it."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tasks.enforcement import hold_back, validated
from tasks.migration import Door, alembic
from tasks.progress import told_in_log
from tasks.putting_back import Cleared, clear
from tasks.stage import Migrated, all_migrated, heard, migrate_on, take_locks
from upkeep.changes import Mended
from upkeep.databases import Bench, Database
from upkeep.equipment import Equipment
from upkeep.errors import Escaped, Unfinished, UpkeepError
from upkeep.finding import find, keys_of
from upkeep.plan import Migration, Plan
from upkeep.remaking import carry_out
from upkeep.revisions import Apart
from upkeep.stages import Stage, stages_of, wrong_in
from upkeep.verdict import (
    Check,
    joined,
    judge_apart,
    judge_changes,
    judge_complaints,
    judge_failed_migration,
    judge_orphans_since,
)


@dataclass(frozen=True)
class Worked:
    """What was done, the claims about it, and its seconds; ``migrated`` where a migration came to its end.

    ``stages`` are what each stage came to, of a migration that has several. ``stopped`` says in words where one has
    stopped of which something stays.
    """

    mended: Mended
    checks: tuple[Check, ...]
    seconds: float
    migrated: Migrated | None = None
    stages: tuple[Migrated | None, ...] = ()
    stopped: str = ""

    def promise(self, number: int) -> Migrated | None:
        """What the stage of this number came to."""
        if not self.stages:
            return self.migrated
        return self.stages[number] if number < len(self.stages) else None


Attempt = Callable[[], Worked]


def once(work: Attempt) -> Worked:
    """Do it: on a copy nobody is in the way."""
    return work()


@dataclass(frozen=True)
class _Job:
    """What the stages of one piece of work have in common."""

    equipment: Equipment
    target: Database
    plan: Plan
    record: Callable[[Mended], None]
    agree: Callable[[Worked, Migrated | None], None]
    workplace: Path | None
    promised: Worked | None


def work_on(
    equipment: Equipment,
    target: Database,
    plan: Plan,
    record: Callable[[Mended], None],
    agree: Callable[[Worked, Migrated | None], None],
    workplace: Path | None,
    promised: Worked | None = None,
    patiently: Callable[[Attempt], Worked] = once,
) -> Worked:
    """Do what ``plan`` says to ``target``; where it migrates, through a door to Alembic, with a folder to work in.

    ``record`` is called with every changed row, and where the plan migrates ``agree`` with all that a stage has done
    and what it came to in the rehearsal, before anything of it is kept; what raises there undoes it, or takes it back.
    ``promised`` is what the rehearsal did, and spares others a wait. ``patiently`` is how one stage is tried.
    Raises Refused if a row is no longer what it was, RowsRefused if the database refuses one; then nothing is kept but
    the foreign keys that came into force before it. Where a migration leaves its transaction, what was kept by then
    stays when a later stage fails, and the answer says where it ``stopped``.
    """
    begun = time.monotonic()
    job = _Job(equipment, target, plan, record, agree, workplace, promised)
    if plan.migration is None:
        return patiently(partial(_repaired, job))
    stages, parts = stages_of(plan), list[Worked]()
    for number, stage in enumerate(stages):
        try:
            part = patiently(partial(_done, job, plan.migration, stage, number))
        except (Escaped, Unfinished):
            raise  # what has become of it the next run finds out
        except UpkeepError as fault:
            if not parts:
                raise
            return _stopped(parts, plan.migration, stage, fault, _since(begun))
        parts.append(part)
        if stage.revisions and part.migrated is None:
            break  # in a rehearsal the verdict says so; here it has stopped
    return _all(parts, len(stages), _since(begun))


def with_keys_validated(target: Database, plan: Plan, worked: Worked) -> Worked:
    """What was done, with the plan's foreign keys validated: in a transaction of its own, after the others (P-84)."""
    return replace(worked, checks=(*worked.checks, *validated(target, plan)))


def _repaired(job: _Job) -> Worked:
    begun = time.monotonic()
    hold_back(job.target, job.plan)
    mended = _mended(job, job.target)
    checks = (judge_changes(len(mended.changes), job.plan.rows, mended.beside_the_plan),)
    return Worked(mended, checks, _since(begun))


def _all(parts: list[Worked], stages: int, seconds: float) -> Worked:
    """What came of all stages, or of those up to one that failed."""
    if stages == 1:
        return replace(parts[0], seconds=seconds)
    done = tuple(part.migrated for part in parts)
    migrated = all_migrated(tuple(one for one in done if one)) if len(parts) == stages and done[-1] else None
    checks = joined(check for part in parts for check in part.checks)
    return Worked(parts[0].mended, checks, seconds, migrated, done, parts[-1].stopped)


def _stopped(parts: list[Worked], migration: Migration, stage: Stage, fault: UpkeepError, seconds: float) -> Worked:
    """What came of the stages before one that failed on the live database: it is at a revision, which is said."""
    done = [part.migrated for part in parts if part.migrated]
    stands = done[-1].after.revision if done else migration.found
    told = f"it stopped at {stage}: {fault.message}; the database stands at {', '.join(stands) or 'no revision'}"
    failed = judge_failed_migration(f"{told}; what was done by then stays, and the next run goes on from there")
    kept = _all(parts, len(parts) + 1, seconds)
    return replace(kept, checks=joined((*kept.checks, failed)), stopped=told)


def _done(job: _Job, migration: Migration, stage: Stage, number: int) -> Worked:
    """One stage: kept whole or undone, or beside the application and taken back."""
    if job.workplace is None:
        raise AssertionError("a plan that migrates needs Alembic, and a folder for it")
    if number == 0:
        hold_back(job.target, job.plan)
    opening = alembic(job.equipment.settings, job.workplace) if stage.revisions else nullcontext()
    if stage.apart is None:
        with opening as door:
            if door:
                door.wait_until_ready()
            with job.target.exchanged(job.workplace) as bench:
                return _on(job, migration, bench, door, stage, number)
    there = job.target.standing(stage.apart)
    try:
        with opening as door, job.target.beside(job.workplace) as bench:
            worked = _on(job, migration, bench, door, stage, number)
            return replace(worked, migrated=worked.migrated and replace(worked.migrated, there=there))
    except UpkeepError as fault:
        return _put_back(job.target, stage, stage.apart, there, fault)


def _put_back(target: Database, stage: Stage, apart: Apart, there: tuple[str, ...], fault: UpkeepError) -> Worked:
    """A stage without a transaction that failed: taken back, and ``fault`` is raised; or it stands, and that is told.

    It stands where the revision says so: it was done, and what differs from the rehearsal was seen afterwards. Raises
    Unfinished where it can be neither.
    """
    try:
        target.take_back(Apart(), ())  # of nothing: only that no session of it moves the revision any more
        with target.reading() as reading:
            stands = reading.revision()
        is_done = stage.revisions[-1] in stands
        cleared = Cleared() if is_done else clear(target, stage, apart, there)
    except UpkeepError as left:
        raise Unfinished(f"{fault.message}; {left.message}", left.hint) from None
    if not is_done:
        fault.message = "; ".join([fault.message, *cleared.words])
        raise fault
    told = f"{fault.message}; {stage} cannot be undone, and the database stands at {', '.join(stands)}"
    return Worked(Mended(), (judge_failed_migration(told),), 0.0, stopped=told)


def _on(job: _Job, migration: Migration, bench: Bench, door: Door | None, stage: Stage, number: int) -> Worked:
    begun, plan, promise = time.monotonic(), job.plan, job.promised.promise(number) if job.promised else None
    mended, checks, migrated = Mended(), list[Check](), None
    if number == 0:
        if plan.repairs:
            take_locks(bench, promise)  # before any row is locked: who waits for a lock may hold none (P-84)
        mended = _mended(job, bench)
        checks = [judge_changes(len(mended.changes), plan.rows, mended.beside_the_plan), *_gate(job, migration, bench)]
    if any(check.holds is not True for check in checks[1:]):
        checks.append(judge_failed_migration("it was not begun"))
    elif door is not None:
        is_live = job.promised is not None
        said, migrated = migrate_on(bench, migration, stage, door, promise, is_live=is_live)
        checks += [*said, *(heard(job.target, stage, migrated) if migrated else ())]
    worked = Worked(mended, tuple(checks), _since(begun), migrated)
    job.agree(worked, promise)
    return worked


def _mended(job: _Job, bench: Bench | Database) -> Mended:
    if not job.plan.repairs and not job.plan.tables:
        return Mended()
    policy, models, tell = job.equipment.policy, job.equipment.models, told_in_log()
    with bench.writing() as writing:
        mended = carry_out(writing, job.plan, lambda reading: keys_of(reading, policy, models), tell)
        job.record(mended)
    return mended


def _gate(job: _Job, migration: Migration, bench: Bench) -> tuple[Check, ...]:
    """What has to hold before the first revision is done, here and on a copy."""
    apart = sum(one.apart is not None for one in migration.revisions)
    return (*judge_apart(wrong_in(migration.revisions), apart), *_asked_again(job, bench))


def _asked_again(job: _Job, bench: Bench) -> tuple[Check, ...]:
    """Right before a live migration: is the database as clean as its rehearsal was? Hours may lie between (P-94).

    Not where rows that are locked by now would stay so while whole tables are read; there the engine itself enforces.
    """
    if job.promised is None or not (bench.is_a_copy or not job.plan.repairs):
        return ()
    with bench.reading() as reading:
        findings = tuple(find(reading, key, limit=0) for key in keys_of(reading, job.equipment.policy))
        complaints = reading.complaints() if bench.is_a_copy else ()
    return judge_complaints(complaints), judge_orphans_since(findings, job.plan)


def _since(begun: float) -> float:
    return time.monotonic() - begun
