"""Migrations that hurt are refused or undone, each for the reason that its case states; what is sound passes."""

from pathlib import Path

import pytest

from tests.cases.situation import Situation, cases
from tests.clinics import perform_at, rehearse_at
from tests.engines import ENGINES
from upkeep.equipment import Equipment
from upkeep.errors import Refused
from upkeep.plan import Plan
from upkeep.verdict import Verdict

CASES = [
    pytest.param((name, engine), id=f"{name}-{engine.partition('-')[0]}", marks=() if is_first else pytest.mark.slow)
    for name, engine, is_first in cases()
]
"""Each case on the engine that it is most about; what others say to it takes as long: slow."""


@pytest.fixture
def situation(request: pytest.FixtureRequest, tmp_path: Path) -> Situation:
    name, engine = request.param
    return Situation(name, engine, ENGINES[engine](request).empty(), tmp_path)


@pytest.mark.parametrize("situation", CASES, indirect=True)
def test_a_migration_that_hurts_ends_as_it_should_and_the_database_is_what_it_was(situation: Situation) -> None:
    case, equipment = situation.case, situation.build()
    before, traces = situation.content(equipment), situation.base.traces()
    if case.ends == "refused":
        with pytest.raises(Refused) as refused:
            rehearse_at(equipment, situation.folder / "work")
        assert case.says in refused.value.message
        assert case.hint in refused.value.hint
        assert case.hint
    else:
        night = rehearse_at(equipment, situation.folder / "work")
        assert night.rehearsed.plan.migration, "there is something to migrate"
        assert situation.base.traces() == traces, "a rehearsal leaves no trace (promise 1)"
        ended = told(night.rehearsed.verdict)
        assert night.rehearsed.verdict.passed is (case.ends in ("passes", "refused live")), ended
        assert any(said in ended for said in case.says.split("|")), ended
        assert case.says or night.rehearsed.verdict.passed
        if case.ends == "passes" and not equipment.database.unmigratable:
            perform_at(equipment, situation.folder / "work", night)
            arrived(situation, equipment, night.rehearsed.plan)
            return
        if case.meanwhile:
            situation.base.run(*case.meanwhile)
            before = situation.content(equipment)
        # Even where somebody performs it all the same, it is undone.
        with pytest.raises(Refused) as refused:
            perform_at(equipment, situation.folder / "work", night)
        assert case.live in refused.value.message
    assert situation.content(equipment) == before
    if case.ends == "refused":
        assert situation.base.traces() == traces


def told(verdict: Verdict) -> str:
    """What does not hold; where all does, what was seen."""
    return "\n".join(f"{check.claim}: {check.seen}" for check in verdict.failed or verdict.checks)


def arrived(situation: Situation, equipment: Equipment, plan: Plan) -> None:
    """The database is at the head, and holds what the case says."""
    assert plan.migration is not None
    with equipment.database.reading() as reading:
        assert reading.revision() == (plan.migration.head,)
    for sql, rows in situation.case.after.items():
        assert [list(row) for row in situation.base.ask(sql)] == rows
