"""The runbook: back up, prove, detect, rehearse, ask, perform, verify, prune, publish; or back up, look, publish."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.asking import Answered, Asking, Perform
from flows.clock import Clock
from flows.ending import state_of, stopped_in_words
from tasks.accounting import (
    Asked,
    attest_approval,
    attest_begin,
    attest_end,
    attest_look,
    attest_performance,
    attest_rehearsal,
    attest_stop,
)
from tasks.backup import back_up, snapshot
from tasks.explaining import explained, taken_for_good
from tasks.linting import lint
from tasks.looking import assure, look_live
from tasks.models import with_models
from tasks.performance import perform as perform_plan
from tasks.preparation import preflight
from tasks.publication import evidence_folder, keep_look, keep_rehearsal, keep_verification, publish
from tasks.recovery import recover_runs
from tasks.rehearsal import Rehearsed, look, rehearse
from tasks.retention import prune
from tasks.verification import verify
from tasks.work import Worked
from upkeep.approval import Approval, refuse_unnamed
from upkeep.assurance import proven_tonight
from upkeep.changes import Refusal
from upkeep.clock import named_by_time, utc_now
from upkeep.databases import Database
from upkeep.detected import Detected
from upkeep.environment import load_settings
from upkeep.equipment import Equipment, equip
from upkeep.errors import Refused, UpkeepError
from upkeep.manifests import Manifest
from upkeep.plan import Migration, Plan
from upkeep.report import RunReport
from upkeep.verdict import Verdict


def name_of_run(errand: str) -> str:
    """As the list of runs shows it. Where the settings are wrong the run itself says so, under a name all the same."""
    try:
        return f"{flow_run.parameters['database'] or load_settings().database}-{errand}"
    except Refused:
        return f"unknown-{errand}"


def _name_of_run() -> str:
    return name_of_run(flow_run.parameters["perform"])


@flow(name="maintain", flow_run_name=_name_of_run, persist_result=False, log_prints=False)
@stopped_in_words
def maintain(
    database: str = "",
    perform: Perform = "never",
    migrate: bool = True,
    only_if_enabled: bool = False,
    wait: bool = True,
    approve: str = "",
    by: str = "",
    reason: str = "",
    requested_by: str = "",
    break_glass: bool = False,
) -> State[Any]:
    """Maintain one database. ``never`` changes nothing in it; ``ask`` waits for an operator's approval of the plan.

    Args:
        database: its short name; empty for the one that is set.
        perform: never, ask, or within_limits (of the policy, without asking).
        migrate: go to the head of the Alembic scripts too.
        only_if_enabled: end at once where AUTO_BACKUP_ENABLED is false; for schedules.
        wait: with ask, wait for the form to be answered; a shell says False and uses approve.
        approve: the digest of the plan that is approved beforehand.
        by: who approves.
        reason: why.
        requested_by: who asks for this run; needed where the policy wants two persons.
        break_glass: approve beforehand what one asked for oneself, against the policy; every report says so.
    """
    equipment = equip(database)
    run = named_by_time(utc_now())
    if only_if_enabled and not equipment.settings.auto_backup_enabled:
        return Completed(message="AUTO_BACKUP_ENABLED is false: nothing was done")
    report = Runbook(equipment, run, Asked(perform, migrate)).go(
        perform, wait, Answered(approve, by, reason, requested_by, break_glass)
    )
    return state_of(report)


class Runbook:
    """One run of the runbook. An undo is another errand on the same way: see ``flows.undoing``."""

    prunes = True
    always_restores = False

    def __init__(self, equipment: Equipment, run: str, asked: Asked) -> None:
        self._equipment = equipment
        self._run = run
        self._asked = asked
        self._has_begun = False
        self._places: list[Path] = []
        self._clock = Clock()
        self._facts: dict[str, Any] = {}
        self._refusals: tuple[Refusal, ...] = ()
        self._is_alone: Callable[[], None]

    def go(self, perform: Perform, wait: bool, answered: Answered) -> RunReport:
        """All of it. A run that began also ends in the ledger, whatever stops it; a killed one the next settles."""
        try:
            return self._go(perform, wait, answered)
        except Exception as fault:
            if self._has_begun:
                with suppress(UpkeepError):  # what went wrong says more; the run stays open in the ledger
                    attest_stop(self._equipment, self._report("stopped"), fault)
            raise

    def _go(self, perform: Perform, wait: bool, answered: Answered) -> RunReport:
        """All of it; each part adds to the facts of the report.

        What may be performed was rehearsed, whatever the policy says of nights without a restore.
        """
        settings, two_persons = self._equipment.settings, self._equipment.policy.approval.two_persons
        asking = Asking(perform, wait, answered, two_persons, settings.approval_hours, self._hindrance)
        if perform != "never":
            refuse_unnamed(asking.duty, asks=perform == "ask")
        with self._alone() as folder:
            manifest, migration, restores = self._back_up(folder, perform)
            rehearsed = self._rehearse(folder, manifest, migration) if restores else None
            if rehearsed is None:
                self._look(folder, manifest, migration)
        if rehearsed is None:
            ended = "looked; the backup was not proven tonight"
        elif rehearsed.plan.is_empty and (rehearsed.verdict.passed or rehearsed.plan.undo is None):
            ended = "nothing to do"
        elif not rehearsed.verdict.passed:
            ended = "the rehearsal did not pass, so nothing was performed" if perform != "never" else "rehearsed"
        elif perform == "never":
            ended = "rehearsed; nothing was changed"
        else:
            ended = self._ask_and_perform(rehearsed, asking)
        return self._publish(ended)

    def _back_up(self, folder: Path, perform: Perform) -> tuple[Manifest, Migration | None, bool]:
        """The backup, the migration that is pending, and whether the backup is to be restored."""
        equipment, clock, facts = self._equipment, self._clock, self._facts
        with clock("recover"):
            facts["recovered"] = recover_runs(equipment)
        with clock("preflight"):
            self._equipment = equipment = with_models(equipment, folder).with_lost_keys()
            self._prepare()
            facts["assurance"] = assurance = assure(equipment)
            performs = perform != "never"
            restores = assurance.is_due or performs or self.always_restores
            identity, migration = preflight(
                equipment, folder, migrate=self._asked.migrate, restores=restores, performs=performs
            )
            attest_begin(equipment, self._run, self._asked, identity, migration, len(facts["recovered"]))
            self._has_begun = True
        with clock("back up"):
            manifest = back_up(equipment, folder, self._run)
            facts["backup"], facts["revision"] = manifest.id, manifest.census.revision
        return manifest, migration, restores

    def _look(self, folder: Path, manifest: Manifest, migration: Migration | None) -> None:
        equipment, clock, facts = self._equipment, self._clock, self._facts
        with clock("detect"):
            looked, facts["look"], facts["told"] = look_live(equipment, folder, facts["assurance"], migration)
            facts["detected"] = looked.detected
        with clock("evidence"):
            keep_look(equipment, self._run, manifest.id, looked, facts["look"], manifest.census)
            attest_look(equipment, self._run, manifest, looked, facts["look"])

    def _rehearse(self, folder: Path, manifest: Manifest, migration: Migration | None) -> Rehearsed:
        equipment, clock, facts = self._equipment, self._clock, self._facts
        with clock("snapshot"):
            scratch, census = snapshot(equipment, folder, self._run, manifest)
            facts["assurance"] = proven_tonight(facts["assurance"], manifest, utc_now())
        with clock("detect"):
            looked = look(equipment, scratch, folder, manifest)
            facts["detected"] = looked.detected
        with clock("rehearse"):
            rehearsed = self._rehearsed(scratch, folder, manifest, looked.detected, migration)
            if migration:
                facts["revisions"] = explained(migration, rehearsed.worked, lint(equipment, migration))
            facts["taken"], facts["lasting"] = taken_for_good(rehearsed.worked), rehearsed.lasting
            facts["plan"], facts["rehearsal"] = rehearsed.plan, rehearsed.verdict
            facts["notes"] = (*facts.get("notes", ()), *rehearsed.notes)
            facts["unmigratable"] = equipment.database.unmigratable if rehearsed.plan.migration else ""
        with clock("evidence"):
            keep_rehearsal(equipment, self._run, manifest.id, looked, rehearsed, census)
            attest_rehearsal(equipment, self._run, manifest, looked.detected, rehearsed)
        return rehearsed

    def _ask_and_perform(self, rehearsed: Rehearsed, asking: Asking) -> str:
        """The line with which the run ends."""
        with self._clock("ask"):
            approval, self._facts["not_taken"] = asking.approval(rehearsed, self._evidence)
        if not approval.given:
            return f"nothing was performed: {approval.reason}"
        self._facts["approved_by"] = str(approval)
        if approval.alone:
            broken = f"the glass was broken: {approval.by} asked for this plan and approved it alone"
            self._facts["notes"] = (*self._facts.get("notes", ()), broken)
        self._perform(rehearsed, approval)
        if self._facts["stopped"]:
            return "performed in part: the migration has stopped"
        return "performed and verified" if self._facts["verification"].passed else "performed, but not as promised"

    def _hindrance(self) -> str:
        """Who else is at work on the database; they may have hours to go, and an approval waits for nobody."""
        try:
            with self._equipment.database.held(f"run {self._run}"):
                return ""
        except UpkeepError as fault:
            return str(fault)

    def _perform(self, rehearsed: Rehearsed, approval: Approval) -> None:
        equipment, clock, facts = self._equipment, self._clock, self._facts
        plan, approved_by, self._refusals = rehearsed.plan, facts["approved_by"], rehearsed.refusals
        with self._alone() as folder:
            facts["backup_before"] = facts["backup"]
            with clock("perform"):
                attest_approval(equipment, self._run, plan, approval)
                worked = perform_plan(
                    equipment, self._run, plan, rehearsed.worked, facts["backup"], approved_by, folder, self._is_alone
                )
                facts["performed"], facts["stopped"] = True, worked.stopped
            with clock("back up again"):
                manifest = back_up(equipment, folder, self._run)
                facts["backup"] = manifest.id
            with clock("snapshot again"):
                restored, _ = snapshot(equipment, folder, self._run, manifest)
                facts["assurance"] = proven_tonight(facts["assurance"], manifest, utc_now())
            with clock("verify"):
                looked = look(equipment, restored, folder)
                facts["left"] = looked.detected
                facts["verification"] = self._verified(restored, manifest, looked.detected, plan, worked)
                keep_verification(equipment, self._run, manifest.id, looked)
                attest_performance(equipment, self._run, manifest, looked.detected, plan, facts["verification"])

    def _prepare(self) -> None:
        """What an errand has to know before the first effect: here nothing."""

    def _rehearsed(
        self, scratch: Database, folder: Path, manifest: Manifest, detected: Detected, migration: Migration | None
    ) -> Rehearsed:
        return rehearse(self._equipment, scratch, folder, manifest, detected, migration)

    def _verified(
        self, restored: Database, manifest: Manifest, detected: Detected, plan: Plan, worked: Worked
    ) -> Verdict:
        return verify(self._equipment, restored, manifest, detected, plan, worked, self._refusals)

    def _publish(self, ended: str) -> RunReport:
        report = self._report(ended)
        if self.prunes and report.passed and not report.unproven:  # only after a verified new backup (P-30)
            with self._clock("prune"):
                self._facts["removed"] = prune(self._equipment, self._run)
        with self._clock("publish"):
            publish(self._equipment, self._report(ended))
            left = sum(place.exists() for place in self._places)
            self._facts["receipt"] = attest_end(self._equipment, self._report(ended), len(self._places), left)
        return self._report(ended)

    def _report(self, ended: str) -> RunReport:
        return RunReport(
            run=self._run,
            database=self._equipment.settings.database,
            ended=ended,
            steps=self._clock.steps,
            evidence=evidence_folder(self._equipment.settings.database, self._run),
            store=self._equipment.store.url,
            recipients=self._equipment.keyring.recipients,
            migrate=self._asked.migrate,
            clean_up=self._asked.clean_up,
            **self._facts,
        )

    @contextmanager
    def _alone(self) -> Iterator[Path]:
        """The lock of the database and a folder of one's own. Nobody holds either while an operator thinks (P-94)."""
        equipment = self._equipment
        held = equipment.database.held(f"run {self._run}")
        with held as self._is_alone, equipment.workplace(self._run) as folder:
            self._places.append(folder)
            yield folder

    @property
    def _evidence(self) -> str:
        return f"{self._equipment.store.url}/{evidence_folder(self._equipment.settings.database, self._run)}"
