"""Which foreign keys a plan may bring into force: those that the policy names and that no orphan is left of."""

from collections.abc import Mapping
from dataclasses import dataclass

from upkeep.catalog import ForeignKey
from upkeep.enforcement import Enforced, How, Lapse, Unenforced
from upkeep.findings import Finding
from upkeep.plan import Kept
from upkeep.policy import Policy, Rule

_STATE_IT = "no key is called so: state it as a [[reference]], or correct the names in the rule"


@dataclass(frozen=True)
class Wanted:
    """The keys that rules with ``enforce`` name, each with its rule, and the rules that come to none."""

    keys: tuple[tuple[ForeignKey, Rule], ...]
    amiss: tuple[Unenforced, ...]


def wanted_keys(policy: Policy, keys: tuple[ForeignKey, ...]) -> Wanted:
    """What the policy wants enforced. A rule that another one stands before does not count: the first decides."""
    found: list[tuple[ForeignKey, Rule]] = []
    amiss: list[Unenforced] = []
    for number, rule in enumerate(policy.rule, start=1):
        if not rule.enforce:
            continue
        named = [key for key in keys if rule.names(key)]
        if not named:
            amiss.append(Unenforced(f"{rule.child} -> {rule.parent}", f"rule {number}: {_STATE_IT}"))
        for key in named:
            first, _ = policy.rule_for(key)
            if first == number:
                found.append((key, rule))
            else:
                amiss.append(Unenforced(str(key), f"rule {first} stands before rule {number}: put the exception first"))
    return Wanted(tuple(found), tuple(amiss))


def judge_enforcing(
    wanted: Wanted, lapses: Mapping[str, Lapse], findings: tuple[Finding, ...], kept: tuple[Kept, ...]
) -> tuple[tuple[Enforced, ...], tuple[Unenforced, ...]]:
    """What a plan brings into force, and what it cannot; a key without a lapse is in force already and in neither.

    ``findings`` are of before the plan, ``kept`` the orphans that it leaves.
    """
    counted = {str(finding.key): finding.orphans for finding in findings}
    enforced, unenforced = [], [*wanted.amiss]
    for key, rule in wanted.keys:
        if key.when or key.deleted or key.elements:
            unenforced.append(Unenforced(str(key), "no foreign key of a database has a condition"))
            continue
        lapse = lapses.get(str(key))
        if lapse is None:
            continue
        orphans = counted.get(str(key))
        if why_not := _why_not(key, lapse, orphans, kept):
            unenforced.append(Unenforced(str(key), why_not))
            continue
        ondelete = rule.ondelete or "NO ACTION" if lapse.how is How.ADD else ""
        enforced.append(Enforced(key, lapse.how, lapse.constraint, ondelete, orphans or 0))
    return tuple(sorted(enforced, key=lambda one: str(one.key))), tuple(sorted(unenforced))


def _why_not(key: ForeignKey, lapse: Lapse, orphans: int | None, kept: tuple[Kept, ...]) -> str:
    if orphans is None:
        return key.fault or "it could not be asked for orphans"
    if key.fault or key.parent_missing:
        return key.fault or f"the table {key.parent} is gone"
    left = sum(one.rows for one in kept if one.key == str(key))
    return lapse.why_not or (f"{left:,} of its orphans stay" if left else "")
