"""Bringing foreign keys into force around a clean-up: no new orphan from before it on, the old rows looked at after."""

from dataclasses import replace

from upkeep.databases import Database
from upkeep.enforcement import Enforced, How
from upkeep.enforcing import judge_enforcing, wanted_keys
from upkeep.equipment import Equipment
from upkeep.errors import Refused, UpkeepError
from upkeep.finding import keys_of
from upkeep.findings import Finding
from upkeep.orphans import counting
from upkeep.plan import Plan
from upkeep.verdict import Check, judge_enforced


def with_enforcement(equipment: Equipment, plan: Plan, findings: tuple[Finding, ...]) -> Plan:
    """The plan with the keys that the policy wants enforced, as the live database has them now.

    The copy does not show that: in it a key that rows violate is NOT VALID, and none is switched off.
    """
    policy, live = equipment.policy, equipment.database
    if not any(rule.enforce for rule in policy.rule):
        return plan
    with live.reading() as reading:
        wanted = wanted_keys(policy, keys_of(reading, policy, equipment.models))
    lapses = live.lapses([key for key, _ in wanted.keys])
    enforced, unenforced = judge_enforcing(wanted, lapses, findings, plan.kept)
    return replace(plan, enforced=enforced, unenforced=unenforced)


def hold_back(target: Database, plan: Plan) -> None:
    """Bring the keys of the plan into force; from then on their orphans can only become fewer (P-65).

    Raises Refused where more have come since the plan was drawn up: they would be left, and the key not be valid.
    """
    if not plan.enforced:
        return
    target.hold_back(plan.enforced)
    with target.reading() as reading:
        for one in plan.enforced:
            orphans, _ = reading.numbers(counting(one.key, reading.dialect))
            if orphans > one.orphans:
                raise Refused(
                    f"{orphans - one.orphans} new orphans of {one.key} came before it was in force",
                    "no row was changed and no more can come: run it again for a plan that has them all",
                )


def validated(target: Database, plan: Plan) -> tuple[Check, ...]:
    """Have the old rows looked at, when the clean-up is kept; the claim about it, () where the plan enforces nothing.

    What keeps that from being done takes nothing back: the key is NOT VALID then, and the next plan validates it.
    """
    keys = plan.enforced
    try:
        keys += _come_back(target, plan)
        if not keys:
            return ()
        target.validate(keys)
        lapses = target.lapses([one.key for one in keys])
    except UpkeepError as fault:
        return judge_enforced(keys, {}, silence=f"they may be NOT VALID: {fault.message}")
    return judge_enforced(keys, lapses)


def _come_back(target: Database, plan: Plan) -> tuple[Enforced, ...]:
    """The foreign keys that were believed, went with a table and are back with it, and of which no orphan is left."""
    bonds = {
        (bond.child, bond.columns, one.table)
        for one in plan.tables
        for bond in one.making.bonds
        if bond.was_believed and not one.goes
    }
    if not bonds:
        return ()
    with target.reading() as reading:
        keys = [key for key in reading.catalog().keys if (key.child, key.columns, key.parent) in bonds]
        kept = [key for key in keys if not reading.numbers(counting(key, reading.dialect))[0]]
    return tuple(Enforced(key, How.VALIDATE, ", ".join(key.names), "", 0) for key in kept)
