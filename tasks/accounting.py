"""What a run writes into the ledger as it goes: each receipt when what it says is done, or just about to be."""

from dataclasses import dataclass
from typing import Any

from tasks.closing import backup_and_proof, close
from tasks.detection import Looked
from tasks.rehearsal import Rehearsed
from tasks.step import step
from upkeep import attestations
from upkeep.approval import Approval
from upkeep.databases import Identity
from upkeep.detected import Detected
from upkeep.equipment import Equipment
from upkeep.journal import intentions
from upkeep.ledger import Kind, Link
from upkeep.manifests import Manifest
from upkeep.plan import Migration, Plan
from upkeep.proofs import manifest_evidence, untold
from upkeep.receipts import evidence_of
from upkeep.report import RunReport
from upkeep.values import digest
from upkeep.verdict import Verdict


@dataclass(frozen=True)
class Asked:
    """What a run was started to do; ``undoes`` is the run that it takes back, if it is an undo."""

    perform: str
    migrate: bool
    undoes: str = ""
    clean_up: bool = True


@step("receipt")
def attest_begin(
    equipment: Equipment, run: str, asked: Asked, identity: Identity, migration: Migration | None, recovered: int
) -> None:
    """The run has the database's lock and will now begin."""
    contents = attestations.scope(identity, equipment.store.url) | {
        "perform": asked.perform,
        "migrate": asked.migrate,
        "migration": str(migration) if migration else None,
        "policy_sha256": digest(equipment.policy.model_dump(mode="json", by_alias=True)),
        "retention_days": equipment.settings.backup_retention_days,
        "runs_recovered": recovered,
        **({"undoes": asked.undoes} if asked.undoes else {}),
    }
    equipment.attest("begun", run, contents)


@step("receipt")
def attest_rehearsal(
    equipment: Equipment, run: str, manifest: Manifest, detected: Detected, rehearsed: Rehearsed
) -> None:
    """The backup is proven, the plan drawn up and rehearsed; the lock is about to be given back."""
    contents = backup_and_proof(equipment, manifest) | {
        "found": attestations.found(detected, equipment.policy),
        "plan": attestations.planned(rehearsed.plan, manifest.census, equipment.policy),
        **attestations.lasting(rehearsed.lasting),
        "rehearsal": attestations.judged(rehearsed.verdict),
    }
    _attest_with_evidence(equipment, "rehearsed", run, manifest, contents)


@step("receipt")
def attest_look(equipment: Equipment, run: str, manifest: Manifest, looked: Looked, verdict: Verdict) -> None:
    """The database was looked at and its backup was not proven."""
    contents = backup_and_proof(equipment, manifest) | {
        "found": attestations.found(looked.detected, equipment.policy),
        "look": attestations.judged(verdict),
    }
    _attest_with_evidence(equipment, "looked", run, manifest, contents)


@step("receipt")
def attest_approval(equipment: Equipment, run: str, plan: Plan, approval: Approval) -> None:
    """The plan was approved, and the run that has the lock again is about to perform it."""
    contents: dict[str, Any] = {
        "plan_sha256": plan.digest,
        "approved_by": approval.by,
        "reason": approval.reason,
    }
    contents |= attestations.enforced(plan)
    if approval.requested_by:
        contents |= {"requested_by": approval.requested_by, "alone": approval.alone}
    equipment.attest("performing", run, contents)


@step("receipt")
def attest_performance(
    equipment: Equipment, run: str, manifest: Manifest, detected: Detected, plan: Plan, verdict: Verdict
) -> None:
    """It was performed, and judged by a new backup that was brought back."""
    contents = backup_and_proof(equipment, manifest) | {
        "plan_sha256": plan.digest,
        "found": attestations.found(detected, equipment.policy),
        "tables": attestations.tables_after(plan, manifest.census),
        **attestations.enforced(plan),
        "verification": attestations.judged(verdict),
    }
    _attest_with_evidence(equipment, "performed", run, manifest, contents)


@step("receipt")
def attest_end(equipment: Equipment, report: RunReport, scratches: int, left: int) -> Link:
    """All of it is done and published: the receipt names everything that the run has left in the store."""
    contents = {
        "how": report.ended,
        "passed": report.passed,
        "performed": report.performed,
        **_not_taken(report),
        "backups_removed": len(report.removed),
        "scratches": {"made": scratches, "left": left},
        "steps": attestations.timed(report.steps),
    }
    return close(equipment, "ended", report.run, contents)


@step("receipt")
def attest_stop(equipment: Equipment, report: RunReport, fault: Exception) -> None:
    """An error has stopped the run. Its words may hold what a trigger said, so only its kind and its step are told.

    A run that is still in the journal has not ended: what became of it the next one finds out.
    """
    store, name = equipment.store, report.database
    if any(intention.run == report.run for intention in intentions(store, name)):
        return
    contents = {
        "how": f"stopped: {type(fault).__name__}",
        "step": report.steps[-1].name if report.steps else None,
        "passed": False,
        "performed": report.performed,
        **_not_taken(report),
        "steps": attestations.timed(report.steps),
    }
    known = (report.backup, report.backup_before)
    taken = tuple(one for one in untold(store, name, report.run) if one.id in known)
    close(equipment, "ended", report.run, contents, taken)


def _not_taken(report: RunReport) -> attestations.Contents:
    return {"answers_not_taken": list(report.not_taken)} if report.not_taken else {}


def _attest_with_evidence(
    equipment: Equipment, kind: Kind, run: str, manifest: Manifest, contents: attestations.Contents
) -> None:
    store, name = equipment.store, equipment.settings.database
    equipment.attest(kind, run, contents, (*evidence_of(store, name, run), manifest_evidence(store, manifest)))
