"""Migrating without a clean-up: the same way as the runbook's, refused while orphans are there."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from flows.asking import Answered, Perform
from flows.ending import state_of, stopped_in_words
from flows.maintenance import Runbook, name_of_run
from tasks.accounting import Asked
from tasks.gate import refuse_orphans
from tasks.rehearsal import Rehearsed, rehearse
from tasks.trials import find_drift
from tasks.verification import verify
from tasks.work import Worked
from upkeep.clock import named_by_time, utc_now
from upkeep.databases import Database
from upkeep.detected import Detected
from upkeep.equipment import Equipment, equip
from upkeep.manifests import Manifest
from upkeep.plan import Migration, Plan
from upkeep.verdict import Verdict


def _name_of_run() -> str:
    return name_of_run(f"migrate-{flow_run.parameters['perform']}")


@flow(name="migrate", flow_run_name=_name_of_run, persist_result=False, log_prints=False)
@stopped_in_words
def migrate(
    database: str = "",
    perform: Perform = "never",
    wait: bool = True,
    approve: str = "",
    by: str = "",
    reason: str = "",
    requested_by: str = "",
    break_glass: bool = False,
) -> State[Any]:
    """Go to the head of the Alembic scripts and repair nothing: rehearsed on a copy, asked for, performed, verified.

    Args:
        database: its short name; empty for the one that is set.
        perform: never, ask, or within_limits (of the policy, without asking).
        wait: with ask, wait for the form to be answered; a shell says False and uses approve.
        approve: the digest of the plan that is approved beforehand.
        by: who approves.
        reason: why.
        requested_by: who asks for it; needed where the policy wants two persons.
        break_glass: approve beforehand what one asked for oneself, against the policy; every report says so.
    """
    errand = Migrating(equip(database), named_by_time(utc_now()), perform)
    return state_of(errand.go(perform, wait, Answered(approve, by, reason, requested_by, break_glass)))


class Migrating(Runbook):
    """One migration; what is not rehearsed tells nothing of it, so it always restores."""

    always_restores = True

    def __init__(self, equipment: Equipment, run: str, perform: Perform) -> None:
        super().__init__(equipment, run, Asked(perform, migrate=True, clean_up=False))

    def _rehearsed(
        self, scratch: Database, folder: Path, manifest: Manifest, detected: Detected, migration: Migration | None
    ) -> Rehearsed:
        if migration:
            refuse_orphans(self._equipment.policy, detected)
        rehearsed = rehearse(self._repairing_nothing, scratch, folder, manifest, detected, migration)
        if migration and rehearsed.verdict.passed:
            self._facts["notes"] = find_drift(self._equipment, scratch, folder)
        return rehearsed

    def _verified(
        self, restored: Database, manifest: Manifest, detected: Detected, plan: Plan, worked: Worked
    ) -> Verdict:
        return verify(self._repairing_nothing, restored, manifest, detected, plan, worked)

    @property
    def _repairing_nothing(self) -> Equipment:
        return replace(self._equipment, policy=self._equipment.policy.silent)
