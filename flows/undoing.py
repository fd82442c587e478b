"""Undoing a run: the same way as the runbook's, with the rows of that run in place of what a policy says."""

from pathlib import Path
from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from flows.asking import Answered
from flows.ending import state_of, stopped_in_words
from flows.maintenance import Runbook
from tasks.accounting import Asked
from tasks.rehearsal import Rehearsed
from tasks.undoing import read_deed, rehearse_undo, verify_undo
from tasks.work import Worked
from upkeep.clock import named_by_time, utc_now
from upkeep.databases import Database
from upkeep.detected import Detected
from upkeep.equipment import Equipment, equip
from upkeep.manifests import Manifest
from upkeep.plan import Migration, Plan
from upkeep.undoing import Deed
from upkeep.verdict import Verdict


def _name_of_run() -> str:
    return f"undo-{flow_run.parameters['run']}"


@flow(name="undo", flow_run_name=_name_of_run, persist_result=False, log_prints=False)
@stopped_in_words
def undo(
    run: str,
    database: str = "",
    perform: Literal["never", "ask"] = "ask",
    only_possible: bool = False,
    wait: bool = True,
    approve: str = "",
    by: str = "",
    reason: str = "",
    requested_by: str = "",
    break_glass: bool = False,
) -> State[Any]:
    """Put back every row that a run changed: rehearsed on a copy, asked for, performed, verified.

    Args:
        run: the run to undo; an undo is a run too, and its undo is what the first one had made.
        database: the short name of the database; empty for the one that is set.
        perform: never shows what would be done; ask waits for an operator's approval.
        only_possible: leave rows that cannot be put back as they are now, in place of doing nothing.
        wait: with ask, wait for the form to be answered; a shell says False and uses approve.
        approve: the digest of the plan that is approved beforehand.
        by: who approves.
        reason: why.
        requested_by: who asks for it; needed where the policy wants two persons.
        break_glass: approve beforehand what one asked for oneself, against the policy; every report says so.
    """
    equipment = equip(database)
    named = named_by_time(utc_now())
    errand = Undoing(equipment, named, Asked(perform, migrate=False, undoes=run), only_possible)
    return state_of(errand.go(perform, wait, Answered(approve, by, reason, requested_by, break_glass)))


class Undoing(Runbook):
    """One undo. It removes no old backups: who takes something back may need them."""

    prunes = False
    always_restores = True

    def __init__(self, equipment: Equipment, run: str, asked: Asked, only_possible: bool) -> None:
        super().__init__(equipment, run, asked)
        self._facts |= {"undoes": asked.undoes, "only_possible": only_possible}
        self._only_possible = only_possible
        self._deed = Deed(asked.undoes, ())

    def _prepare(self) -> None:
        self._deed = read_deed(self._equipment, self._asked.undoes)

    def _rehearsed(
        self, scratch: Database, folder: Path, manifest: Manifest, detected: Detected, migration: Migration | None
    ) -> Rehearsed:
        del folder, migration
        return rehearse_undo(
            self._equipment, scratch, self._deed, manifest, detected, only_possible=self._only_possible
        )

    def _verified(
        self, restored: Database, manifest: Manifest, detected: Detected, plan: Plan, worked: Worked
    ) -> Verdict:
        return verify_undo(
            self._equipment,
            restored,
            self._deed,
            manifest,
            detected,
            plan,
            worked,
            only_possible=self._only_possible,
        )
