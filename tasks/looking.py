"""A night without a restore: what can be claimed of a database that was only looked at, and what cannot."""

from pathlib import Path

from tasks.detection import Looked, detect_in
from tasks.step import step
from upkeep.adopting import NOT_LOOKED_BACK
from upkeep.assurance import Assurance, find_assurance, judge_assurance
from upkeep.clock import utc_now
from upkeep.equipment import Equipment
from upkeep.plan import Migration
from upkeep.verdict import (
    Verdict,
    judge_business_rules,
    judge_complaints,
    judge_freshness,
    judge_history,
    judge_keys_asked,
)

_DAY = 86400.0


@step("find the last proof", retried=True)
def assure(equipment: Equipment) -> Assurance:
    """What the store says of the last proven backup, before this run takes one."""
    name, wanted = equipment.settings.database, equipment.policy.run.snapshot
    return find_assurance(equipment.store, name, wanted=wanted, now=utc_now())


@step("detect", retried=True)
def look_live(
    equipment: Equipment, workplace: Path, assurance: Assurance, migration: Migration | None
) -> tuple[Looked, Verdict, str]:
    """Ask every key and every rule of the live database, or of its replica; the verdict, and what was looked at.

    Raises Unreachable where the state that is looked at could not be kept to the end.
    """
    seconds = equipment.settings.look_seconds
    with equipment.observable.observed(workplace, seconds) as sight:
        looked = detect_in(equipment, sight, docs=workplace / "data-docs", back=NOT_LOOKED_BACK)
        found = looked.detected
        checks = (
            judge_assurance(assurance),
            *judge_freshness(sight.behind, _DAY),
            judge_complaints(sight.reading.complaints()),
            judge_keys_asked(found.findings, tables=found.tables),
            *judge_history(found.history),
            *judge_business_rules(found.rules),
        )
    return looked, Verdict(checks=checks, left_out=_left_out(assurance, migration)), sight.told


def _left_out(assurance: Assurance, migration: Migration | None) -> tuple[str, ...]:
    """What only a restored copy can answer. Not a word of it stands among the claims (P-96)."""
    told = [
        str(assurance),
        "no repair was rehearsed and no plan drawn up, so nothing can be approved",
        "nobody tried whether foreign keys can be enforced",
    ]
    return (*told, f"the migration {migration} was not rehearsed") if migration else tuple(told)
