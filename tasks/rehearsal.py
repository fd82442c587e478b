"""Drawing up the plan on the scratch and doing there exactly what would be done to the live database."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tasks.detection import Looked, detect
from tasks.enforcement import with_enforcement
from tasks.foresight import foresee_undo
from tasks.lookback import look_back
from tasks.origins import older_than, origins_for
from tasks.preparation import orphans_to_plan, told_if_narrow
from tasks.progress import told_in_log
from tasks.step import step
from tasks.trials import there_and_back
from tasks.work import Worked, with_keys_validated, work_on
from upkeep.adopting import NOT_LOOKED_BACK
from upkeep.changes import Refusal, RowsRefused
from upkeep.databases import Database
from upkeep.detected import Detected
from upkeep.encryption import CANNOT_READ
from upkeep.equipment import Equipment
from upkeep.errors import Refused
from upkeep.finding import keys_of, with_tables_back
from upkeep.lasting import Lasting
from upkeep.losses import beyond_limits
from upkeep.manifests import Manifest
from upkeep.numbers import several
from upkeep.origins import Origins, backup_of
from upkeep.plan import Migration, Plan, beyond
from upkeep.planning import Planner
from upkeep.proofs import receipt_of
from upkeep.remaking import as_if_made
from upkeep.verdict import (
    Check,
    Verdict,
    judge_backup,
    judge_business_rules,
    judge_enforcement,
    judge_history,
    judge_keys_asked,
    judge_limits,
    judge_orphans_left,
)

ATTEMPTS = 20
"""So often a plan is drawn up anew for rows that refused; each time it has fewer repairs."""


@dataclass(frozen=True)
class Rehearsed:
    """The plan, what it did on the scratch, the verdict over all of it, and what else a person should know.

    ``refusals`` met the plans before this one. ``unrecorded`` is what comes back from backups that no receipt names.
    ``lasting`` are rows that no undo could put back once the plan's migration is done.
    """

    plan: Plan
    worked: Worked
    verdict: Verdict
    notes: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    unrecorded: tuple[str, ...] = ()
    lasting: tuple[Lasting, ...] = ()


@step("detect")
def look(equipment: Equipment, scratch: Database, workplace: Path, manifest: Manifest | None = None) -> Looked:
    """Ask every foreign key and every rule of the scratch; the live database is left in peace.

    Where the scratch is of the backup ``manifest``, and the run has not looked back already, older ones tell too.
    """
    back = look_back(equipment, scratch, manifest) if manifest else NOT_LOOKED_BACK
    return detect(equipment, scratch, docs=workplace / "data-docs", back=back)


@step("rehearse")
def rehearse(
    equipment: Equipment,
    scratch: Database,
    workplace: Path,
    manifest: Manifest,
    detected: Detected,
    migration: Migration | None,
) -> Rehearsed:
    """Draw up the plan, do it on the scratch, measure again and judge."""
    narrow = told_if_narrow(equipment, orphans_to_plan(equipment.policy, detected))
    origins = origins_for(equipment, scratch, manifest)
    plan, worked, refusals = _worked_plan(equipment, scratch, workplace, detected, migration, origins)
    after = detect(equipment, scratch).detected
    foreseen = foresee_undo(equipment, scratch, plan, worked, ATTEMPTS)  # before the way back is tried: that loses rows
    rows_of = {table: count.rows for table, count in manifest.census.tables.items()}
    checks = [
        judge_backup((), len(rows_of), manifest.census.rows),
        judge_keys_asked(detected.findings, tables=detected.tables),
        *judge_history(detected.history),
        judge_limits(
            _beyond(equipment, plan, worked, rows_of), plan, worked.migrated.losses if worked.migrated else ()
        ),
        *worked.checks,
        *measured(scratch, after, plan),
        *(there_and_back(equipment, scratch, workplace, plan) if worked.migrated else ()),
    ]
    unrecorded = _unrecorded(equipment, manifest, plan)
    verdict = Verdict(checks=tuple(checks), left_out=(*_unread(origins), *unrecorded, *foreseen.untold))
    return Rehearsed(plan, worked, verdict, narrow, refusals, unrecorded, foreseen.lasting)


def _unread(origins: Origins) -> tuple[str, ...]:
    """What nobody could look for: who approves should know that a rule fell to its next action only for that."""
    blind = sum(orphans for why, orphans in origins.fates.why_not() if CANNOT_READ in why)
    return (f"the parents of {several(blind, 'orphan')} were not looked for: {CANNOT_READ}",) if blind else ()


def _unrecorded(equipment: Equipment, manifest: Manifest, plan: Plan) -> tuple[str, ...]:
    """What comes back out of backups that the ledger does not know: whether it ever was ours a person has to say."""
    rows_from: Counter[str] = Counter()
    for source, rows in plan.errands.sources.items():
        rows_from[backup_of(source)] += rows
    older = older_than(equipment, manifest) if rows_from else []
    return tuple(
        f"whether backup {one.id} is one of ours: no receipt vouches for it (its run was killed, or somebody else put"
        f" it there), and {several(rows_from[one.id], 'row')} would come back from it; `upkeep verify {one.id}` puts"
        " it on record"
        for one in older
        if one.id in rows_from and receipt_of(equipment.store, one) is None
    )


def _beyond(equipment: Equipment, plan: Plan, worked: Worked, rows_of: dict[str, int]) -> tuple[str, ...]:
    """Rows count against the limits, whether a rule deletes them or a revision."""
    limits, losses = equipment.policy.limits, worked.migrated.losses if worked.migrated else ()
    return beyond(plan, limits, rows_of) + beyond_limits(losses, limits, rows_of)


def measured(target: Database, after: Detected, plan: Plan) -> tuple[Check, ...]:
    """The claims about a database on which the plan was done."""
    return (
        judge_orphans_left(after.findings, plan),
        *judge_business_rules(after.rules),
        judge_enforcement(*target.refuses_orphans()),
    )


def drawn_up(
    equipment: Equipment,
    target: Database,
    detected: Detected,
    migration: Migration | None,
    origins: Origins,
    refusals: tuple[Refusal, ...] = (),
) -> Plan:
    """The plan for what was found in ``target``, with what older backups give back."""
    with as_if_made(target, origins.tables) as reading:
        keys = keys_of(reading, equipment.policy, equipment.models)
        planner = Planner(reading, keys, equipment.policy, refusals, origins, told_in_log())
        findings = with_tables_back(reading, keys, detected.findings, {one.table for one in origins.tables})
        plan = planner.plan(equipment.settings.database, findings, migration)
    return with_enforcement(equipment, plan, detected.findings)


def _worked_plan(
    equipment: Equipment,
    scratch: Database,
    workplace: Path,
    detected: Detected,
    migration: Migration | None,
    origins: Origins,
) -> tuple[Plan, Worked, tuple[Refusal, ...]]:
    """The plan that no row refuses: each refusal is a finding and draws the plan up anew (P-119)."""
    refusals: tuple[Refusal, ...] = ()
    held_back: set[str] = set()
    for _ in range(ATTEMPTS):
        plan = drawn_up(equipment, scratch, detected, migration, origins, refusals)
        _refuse_a_key_too_many(plan, held_back)
        try:
            worked = work_on(equipment, scratch, plan, lambda _: None, lambda *_: None, workplace)
            return plan, with_keys_validated(scratch, plan, worked), refusals
        except RowsRefused as fault:
            refusals += fault.refusals
            held_back |= {str(one.key) for one in plan.enforced}
    raise Refused(f"after {ATTEMPTS} plans there are still rows that refuse", "change the rule for their table to keep")


def _refuse_a_key_too_many(plan: Plan, held_back: set[str]) -> None:
    """Where rows that refuse keep a key from being enforced, the copy has it by now and the live database would not.

    Only a migration is compared with what it came to on the copy, schema and all.
    """
    too_many = sorted(held_back - {str(one.key) for one in plan.enforced})
    if too_many and plan.migration:
        raise Refused(
            f"rows refuse to change, so that {too_many[0]} cannot be enforced by a run that migrates",
            "use --no-migrate, or take `enforce` out of its rule; nothing was changed",
        )
