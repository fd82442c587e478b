"""Undoing a run: its record read and held against the ledger, its rows put back on a scratch, the end verified."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from tasks.detection import detect
from tasks.outcome import Found
from tasks.performance import as_performed_name
from tasks.preparation import told_if_narrow
from tasks.recovery import outcome_name
from tasks.rehearsal import ATTEMPTS, Rehearsed
from tasks.step import step
from tasks.work import Worked, work_on
from upkeep.changes import CHANGES, Change, Record, Refusal, RowsRefused, stored_changes
from upkeep.databases import Database
from upkeep.detected import Detected
from upkeep.equipment import Equipment
from upkeep.errors import Damaged, Refused
from upkeep.finding import keys_of
from upkeep.gathered import Gathered
from upkeep.ledger import ENDS, Receipt
from upkeep.making import comeback_of
from upkeep.manifests import Manifest
from upkeep.plan import Plan
from upkeep.policy import Action
from upkeep.receipts import attested, receipts_since
from upkeep.remaking import as_if_made
from upkeep.spilled import Spilled
from upkeep.stores import Store
from upkeep.undo_verdict import (
    judge_astray,
    judge_conflicts,
    judge_put_back,
    judge_reach,
    judge_rules_told,
    not_taken_back,
)
from upkeep.undoing import Deed, draw_back
from upkeep.values import Row, decode
from upkeep.vanishing import ROW_BY_ROW, planned_by
from upkeep.verdict import Check, Verdict, judge_backup, judge_enforcement, judge_keys_asked


@step("read the record", retried=True)
def read_deed(equipment: Equipment, run: str) -> Deed:
    """What the run ``run`` has done to rows, each piece as the ledger says that it was when the run ended.

    Raises Refused where there is nothing to undo, Damaged where the record is not what was written.
    """
    store, name = equipment.store, equipment.settings.database
    folder = f"{name}/repairs/{run}"
    if "/" in run or not run or not any(True for _ in store.list(f"{folder}/")):
        raise Refused(f"the store knows no run {run} of {name}", "see `upkeep ledger show` for those that changed rows")
    if not store.exists(outcome_name(name, run)):
        raise Refused(f"run {run} changed nothing: it was rehearsed and not performed", "there is nothing to undo")
    since = [link.receipt for link in receipts_since(store, name, run)]
    receipts = [receipt for receipt in since if receipt.run == run]
    _as_the_ledger_says(store, f"{folder}/", run, receipts)
    outcome = _document(store, outcome_name(name, run))
    if outcome["found"] == Found.UNTOUCHED.value:
        raise Refused(f"run {run} changed nothing: it was begun and undone whole", "there is nothing to undo")
    said: dict[str, Any] = {}
    missed = Gathered(_missed(planned_by(store, name, run), said))
    if said["digest"] != outcome["plan"]:
        raise Damaged(f"the plan of run {run} is not the one that was performed", "run `upkeep ledger verify`")
    migration = said["migration"]
    return Deed(
        run,
        _changes(equipment, run, Record.model_validate(outcome["changes"])),
        missed,
        _mended(receipts),
        f"{', '.join(migration[0]) or 'nothing'} -> {migration[1]}" if migration else None,
        tuple(said["triggers"]),
        tuple(key for key, *_ in said.get("enforced", ())),
        tuple(comeback_of(one) for one in said.get("tables", ())),
        tuple(sorted({column for receipt in since for column in _set_anew(receipt, run)})),
    )


def _set_anew(receipt: Receipt, run: str) -> Iterator[tuple[str, str]]:
    """The columns that triggers set where an undo of the run was rehearsed before."""
    plan = receipt.contents["plan"] if receipt.kind == "rehearsed" else {}
    if plan.get("undoes") == run:
        yield from (tuple(one) for one in plan.get("set_anew", ()))


def _document(store: Store, name: str) -> Any:
    with store.get(name) as file:
        return json.loads(file.read())


def _as_the_ledger_says(store: Store, folder: str, run: str, receipts: list[Receipt]) -> None:
    """Whoever can write to the store could otherwise have any rows written into the database."""
    end = next((receipt for receipt in receipts if receipt.kind in ENDS), None)
    if end is None:
        raise Refused(f"the ledger does not say that run {run} has ended", "run `upkeep ledger verify` and look at it")
    named = {evidence.name: evidence for evidence in end.evidence if evidence.name.startswith(folder)}
    there = {entry.name for entry in store.list(folder)}
    wrong = sorted(there ^ named.keys()) or [name for name in named if attested(store, name) != named[name]]
    if wrong:
        raise Damaged(
            f"{wrong[0]} is not what receipt {end.number} says: the record of run {run} was changed",
            "stop; run `upkeep ledger verify` and find out who did it",
        )


def _changes(equipment: Equipment, run: str, promised: Record) -> Sequence[Change]:
    """What came of the rows; where a trigger made it other than the rehearsal did, as it was performed."""
    store, name = equipment.store, as_performed_name(equipment.settings.database, run)
    record = Record.model_validate(_document(store, name)) if store.exists(name) else promised
    return Spilled(stored_changes(store, record, equipment.keyring), CHANGES)


def _missed(plan: Iterable[tuple[str, Any]], others: dict[str, Any]) -> Iterator[tuple[str, Row]]:
    """The rows of a plan that were orphans, by key; what else it says goes to ``others``."""
    for name, said in plan:
        if name == "repairs":
            _, row, action, _, key, _, wave, *_ = said
            if key and wave == 0 and action != Action.RESTORE.value:
                yield key, tuple(decode(value) for value in row)
        elif name not in ROW_BY_ROW:
            others[name] = said


def _mended(receipts: list[Receipt]) -> dict[str, int] | None:
    """How many orphans of each key there were fewer after the run; None of one that died before it counted them."""
    found = {
        receipt.kind: {one["key"]: one["orphans"] or 0 for one in receipt.contents["found"]["findings"]}
        for receipt in receipts
        if receipt.kind in ("rehearsed", "performed")
    }
    if len(found) < 2:
        return None
    before, after = found["rehearsed"], found["performed"]
    # Of a key into a table that was gone it may be known only since the table is back at which columns it points.
    healed = {
        one["key"]: one["orphans"]
        for receipt in receipts
        if receipt.kind == "rehearsed"
        for one in receipt.contents["plan"]["healed"]
        if one["key"] not in before
    }
    return healed | {key: orphans - after.get(key, 0) for key, orphans in before.items()}


@step("rehearse")
def rehearse_undo(
    equipment: Equipment,
    scratch: Database,
    deed: Deed,
    manifest: Manifest,
    detected: Detected,
    *,
    only_possible: bool,
) -> Rehearsed:
    """Draw up the undo, do it on the scratch, measure again and judge."""
    narrow = told_if_narrow(equipment, len(deed.changes))
    plan, worked = _worked_plan(equipment, scratch, deed)
    checks = [
        judge_backup((), len(manifest.census.tables), manifest.census.rows),
        judge_keys_asked(detected.findings, tables=detected.tables),
        *_judged(equipment, scratch, deed, plan, worked, detect(equipment, scratch).detected, only_possible),
    ]
    return Rehearsed(plan, worked, Verdict(checks=tuple(checks), left_out=_left_out(deed, plan)), narrow)


def _worked_plan(equipment: Equipment, scratch: Database, deed: Deed) -> tuple[Plan, Worked]:
    """The undo that no row refuses: each refusal is a conflict and draws it up anew, and then what it leaves astray."""
    refusals: tuple[Refusal, ...] = ()
    for _ in range(ATTEMPTS):
        plan = _drawn_back(equipment, scratch, deed, refusals)
        try:
            worked = work_on(equipment, scratch, plan, lambda _: None, lambda *_: None, None)
        except RowsRefused as fault:
            refusals += fault.refusals
            continue
        assert plan.undo is not None  # noqa: S101  # it was drawn up as one
        return replace(plan, undo=replace(plan.undo, astray=worked.mended.astray)), worked
    raise Refused(f"after {ATTEMPTS} plans there are still rows that refuse", "restore the backup beside the database")


def _drawn_back(equipment: Equipment, target: Database, deed: Deed, refusals: tuple[Refusal, ...] = ()) -> Plan:
    with target.reading() as reading:
        there = reading.catalog().tables
    # One that came and is gone already, or went and is there again, needs nothing more.
    deed = replace(deed, tables=tuple(one for one in deed.tables if one.goes != (one.table in there)))
    with as_if_made(target, [one.reversed for one in deed.tables if one.goes]) as reading:
        keys = keys_of(reading, equipment.policy, equipment.models)
        return draw_back(reading, equipment.settings.database, deed, keys, refusals)


@step("verify")
def verify_undo(
    equipment: Equipment,
    restored: Database,
    deed: Deed,
    manifest: Manifest,
    detected: Detected,
    plan: Plan,
    worked: Worked,
    *,
    only_possible: bool,
) -> Verdict:
    """Judge what came back from a fresh backup of the database."""
    checks = [
        judge_backup((), len(manifest.census.tables), manifest.census.rows),
        judge_keys_asked(detected.findings, tables=detected.tables),
        *_judged(equipment, restored, deed, plan, worked, detected, only_possible),
    ]
    return Verdict(checks=tuple(checks), left_out=_left_out(deed, plan))


def _judged(
    equipment: Equipment,
    target: Database,
    deed: Deed,
    plan: Plan,
    worked: Worked,
    after: Detected,
    only_possible: bool,
) -> tuple[Check, ...]:
    """The claims about a database on which the undo was done."""
    assert plan.undo is not None  # noqa: S101  # it was drawn up as one
    again = _drawn_back(equipment, target, replace(deed, set_anew=plan.undo.set_anew))
    return (
        judge_conflicts(plan.undo, only_possible=only_possible),
        judge_reach(plan, deed),
        *worked.checks,
        judge_put_back(again, deed, plan.undo),
        *([] if deed.mended is None else [judge_astray(plan.undo, deed.mended, only_possible=only_possible)]),
        judge_rules_told(after.rules),
        judge_enforcement(*target.refuses_orphans()),
    )


def _left_out(deed: Deed, plan: Plan) -> tuple[str, ...]:
    assert plan.undo is not None  # noqa: S101  # it was drawn up as one
    unknown = "how many rows had pointed at nothing: the run died before it counted them"
    return (*not_taken_back(deed, plan.undo), *([unknown] if deed.mended is None else []))
