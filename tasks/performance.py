"""Doing the approved plan to the live database: on record before the first byte, all or nothing."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from tasks.gate import refuse_old_backup
from tasks.outcome import Found
from tasks.quiet import quiesced
from tasks.recovery import settle
from tasks.stage import Migrated
from tasks.step import step
from tasks.work import Attempt, Worked, with_keys_validated, work_on
from upkeep.changes import Mended, put_changes
from upkeep.clock import utc_now
from upkeep.documents import put_document
from upkeep.equipment import Equipment
from upkeep.errors import Busy, Escaped, Refused, Unfinished, UpkeepError
from upkeep.journal import Intention, write_intention
from upkeep.losses import beyond_limits
from upkeep.marks import put_marks
from upkeep.plan import Plan
from upkeep.stages import Stage, stages_of
from upkeep.verdict import judge_likeness, judge_limits

_TRIES = 3


def changes_name(database: str, run: str, *, as_performed: bool = False) -> str:
    """Where the changes of a run stand in the store."""
    return f"{database}/repairs/{run}/changes{'-as-performed' if as_performed else ''}.jsonl.zst"


def marks_name(database: str, run: str) -> str:
    """Where it stands, without any value, how the rows of a run were and were to be."""
    return f"{database}/repairs/{run}/marks.jsonl.zst"


def as_performed_name(database: str, run: str) -> str:
    """Where the record of the changes as they were performed stands, if that was not as they were rehearsed."""
    return f"{database}/repairs/{run}/changes-as-performed.json"


@step("perform")
def perform(
    equipment: Equipment,
    run: str,
    plan: Plan,
    rehearsed: Worked,
    backup: str,
    approved_by: str,
    workplace: Path,
    is_alone: Callable[[], None],
) -> Worked:
    """Do to the live database what the rehearsal did to the scratch; ``is_alone`` raises where the lock is lost.

    With a migration too the whole of it is kept or none, by the engine's own way; where it leaves its transaction, each
    of its stages, and what the answer says where one stopped. What differs from the rehearsal is not kept, but for
    foreign keys that came into force before the rows: a key that is NOT VALID is safe.
    """
    name = equipment.settings.database
    stages = _rehearsed_stages(plan, rehearsed)
    if plan.migration:
        refuse_old_backup(equipment, backup)
    record = put_changes(equipment.store, changes_name(name, run), rehearsed.mended.changes, equipment.keyring)
    marks = None
    if record.sealed:  # the next run may have no key that reads them, and has to find out what became of this one
        changes = rehearsed.mended.changes
        marks = put_marks(equipment.store, marks_name(name, run), changes, equipment.new_secret())
    intention = Intention(
        run=run,
        database=name,
        plan=plan.digest,
        changes=record,
        migration=plan.migration.head if plan.migration else None,
        backup=backup,
        approved_by=approved_by,
        begun=utc_now(),
        enforced=tuple(str(one.key) for one in plan.enforced),
        marks=marks,
        stages=stages,
        found=plan.migration.found if plan.migration and stages else (),
        there=tuple(one for stage in stages if stage.apart for one in equipment.database.standing(stage.apart)),
    )
    is_alone()  # what was put into the store may have taken long
    write_intention(equipment.store, intention)
    try:
        worked = _quietly(equipment, run, plan, rehearsed, workplace)
    except (Escaped, Unfinished):
        raise  # what has become of it the next run finds out
    except UpkeepError as fault:
        # Ours come before the commit, and the rows cannot say it: one that is refused because it is gone looks as if
        # it had been deleted here. Any other error may come after the commit: then the next run finds out.
        settle(equipment, intention, Found.UNTOUCHED, by_recovery=False)
        if plan.enforced:
            fault.message += "; of the rows all is as before, foreign keys that are in force by now stay so"
        raise
    worked = with_keys_validated(equipment.database, plan, worked)
    settle(equipment, intention, Found.IN_PART if worked.stopped else Found.PERFORMED, by_recovery=False)
    return worked


def _rehearsed_stages(plan: Plan, rehearsed: Worked) -> tuple[Stage, ...]:
    """The stages of a migration that leaves its transaction, each with where it arrives; () where it does not.

    Raises Refused unless every one of them was rehearsed: what cannot be undone is not begun to see how far it gets.
    """
    stages = stages_of(plan)
    if not any(stage.apart for stage in stages):
        return ()
    if not rehearsed.migrated or any(check.holds is not True for check in rehearsed.checks):
        raise Refused(
            "a migration that leaves its transaction is begun only where its rehearsal came to its end",
            "see what does not hold in the rehearsal; nothing was changed",
        )
    found: tuple[str, ...] = plan.migration.found if plan.migration else ()
    reached = []
    for number, stage in enumerate(stages):
        promise = rehearsed.promise(number)
        found = promise.after.revision if promise else found
        reached.append(replace(stage, arrives=found, there=promise.there if promise else ()))
    return tuple(reached)


def _quietly(equipment: Equipment, run: str, plan: Plan, rehearsed: Worked, workplace: Path) -> Worked:
    """Do it; for a migration the application is kept quiet meanwhile, where the settings say how."""
    if plan.migration is None:
        return _do(equipment, run, plan, rehearsed, workplace)
    with quiesced(equipment.settings) as awake:
        worked = _do(equipment, run, plan, rehearsed, workplace)
    return replace(worked, checks=(*worked.checks, *awake))


def _when_it_is_free(equipment: Equipment, work: Attempt) -> Worked:
    """Try again, a few times with a pause, where others hold what is needed.

    Only after Busy: by that the engine says that it undid the whole transaction, or that what was done in none was
    taken back. Where a connection was lost nobody knows whether the lock against a second Upkeep still holds. Each try
    checks every row again. A migration that comes to nothing so has held others up for as long as it ran by then, and
    lets them go on in the pause.
    """
    for number in range(1, _TRIES):
        with suppress(Busy):
            return work()
        time.sleep(min(equipment.settings.lock_seconds, 2.0**number))
    return work()


def _keep_what_differs(equipment: Equipment, run: str, mended: Mended, promised: Mended) -> None:
    """Put the rows on record as they have become, if that is not what the rehearsal made of them."""
    store, name = equipment.store, equipment.settings.database
    if mended.digest != promised.digest:  # a trigger wrote the time of day, say
        record = put_changes(store, changes_name(name, run, as_performed=True), mended.changes, equipment.keyring)
        put_document(store, as_performed_name(name, run), record.model_dump())
    elif store.exists(as_performed_name(name, run)):  # of a try before this one, which was undone
        store.delete(as_performed_name(name, run))


def _do(equipment: Equipment, run: str, plan: Plan, rehearsed: Worked, workplace: Path) -> Worked:
    def record(mended: Mended) -> None:
        promised = rehearsed.mended
        if mended.changed_in_all != promised.changed_in_all:
            raise Refused(
                f"{mended.changed_in_all} rows changed where the rehearsal changed {promised.changed_in_all}",
                "nothing was kept; run it again for a new plan",
            )
        _keep_what_differs(equipment, run, mended, promised)

    def agree(worked: Worked, promise: Migrated | None) -> None:
        checks = [*worked.checks]
        if worked.migrated and promise:
            checks.append(judge_likeness(promise.after, worked.migrated.after))
            rows_of = {name: tally.rows for name, tally in promise.before.tables.items()}
            beyond = beyond_limits(worked.migrated.losses, equipment.policy.limits, rows_of)
            checks.append(judge_limits(beyond, plan))
        wrong = [f"{check.claim}: {check.seen}" for check in checks if check.holds is not True]
        if wrong:
            raise Refused(
                f"the live run differs from the rehearsal: {'; '.join(wrong)}", "nothing was kept; run it again"
            )

    patiently = partial(_when_it_is_free, equipment)
    return work_on(equipment, equipment.database, plan, record, agree, workplace, rehearsed, patiently)
