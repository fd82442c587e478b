"""What one run of the runbook came to: the facts, from which one file makes text and another Markdown."""

from dataclasses import dataclass, field
from typing import Any

from upkeep.assurance import Assurance
from upkeep.detected import Detected, finding_with_since
from upkeep.lasting import Lasting
from upkeep.ledger import Link
from upkeep.plan import Plan
from upkeep.revisions import Explained
from upkeep.undo import Undo
from upkeep.values import encode
from upkeep.verdict import Verdict

_CONFLICTS_TOLD = 1000
"""So many conflicts of an undo a report names; all of them stand in its plan."""


@dataclass(frozen=True)
class Step:
    """One step of a run and the seconds that it took."""

    name: str
    seconds: float


@dataclass(frozen=True, repr=False)
class RunReport:
    """One run: what it saw, what it would do, what it did, and how it ended in one line.

    ``backup`` is the newest that it took, ``backup_before`` the one from before a performance; ``recipients`` are the
    public keys to which they are encrypted, none where they are not. ``not_taken`` says why answers were no approvals.
    ``look`` is the verdict of a run that restored nothing, ``told`` in words what it looked at. ``migrate``: it was
    asked to migrate, ``clean_up``: and to repair rows; ``revision`` is where it began, ``revisions`` what is pending,
    ``unmigratable``: why the migration of its plan cannot be performed here, ``taken``: what it takes for good,
    ``lasting``: the rows that no undo could put back once it is done,
    ``stopped``: where it has stopped although a part of it was performed.
    ``undoes``: the run that it takes back, if it is an undo, with ``only_possible`` but for the rows that cannot be
    put back. ``left`` is what was found after the performance.
    ``receipt`` is the one that was written when all else was.
    """

    run: str
    database: str
    ended: str
    backup: str | None = None
    backup_before: str | None = None
    not_taken: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    assurance: Assurance | None = None
    told: str | None = None
    migrate: bool = True
    clean_up: bool = True
    revision: tuple[str, ...] = ()
    revisions: tuple[Explained, ...] = ()
    unmigratable: str = ""
    taken: tuple[str, ...] = ()
    lasting: tuple[Lasting, ...] = ()
    stopped: str = ""
    undoes: str = ""
    only_possible: bool = False
    detected: Detected | None = None
    plan: Plan | None = None
    rehearsal: Verdict | None = None
    verification: Verdict | None = None
    look: Verdict | None = None
    performed: bool = False
    approved_by: str | None = None
    recovered: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    evidence: str | None = None
    store: str | None = None
    notes: tuple[str, ...] = field(default=())
    left: Detected | None = None
    receipt: Link | None = None

    @property
    def verdict(self) -> Verdict | None:
        """The last word: the verification's where there was one, else the rehearsal's, else that of the look."""
        return self.verification or self.rehearsal or self.look

    @property
    def verdicts(self) -> tuple[tuple[str, Verdict], ...]:
        """Those that there are, each with its name, in their order."""
        named = (("look", self.look), ("rehearsal", self.rehearsal), ("verification", self.verification))
        return tuple((name, verdict) for name, verdict in named if verdict)

    @property
    def unproven(self) -> str:
        """What has to be said of a backup that this run took and did not prove; '' where there is none."""
        return str(self.assurance) if self.assurance and not self.assurance.tonight else ""

    @property
    def passed(self) -> bool:
        """Did everything that was asked hold?"""
        return self.verdict is not None and self.verdict.passed

    def document(self) -> dict[str, Any]:
        """The report as JSON, without any value of a row but its primary key."""
        verdict = self.verdict
        return {
            "run": self.run,
            "database": self.database,
            "ended": self.ended,
            "backup": self.backup,
            "backup_before": self.backup_before,
            "encrypted_to": list(self.recipients),
            **(self.assurance.document() if self.assurance else {"verified": False, "last_proven": None}),
            "looked_at": self.told,
            "plan": plan_document(self.plan) if self.plan else None,
            "verdict": verdict.document() if verdict else None,
            "performed": self.performed,
            "approved_by": self.approved_by,
            "answers_not_taken": list(self.not_taken),
            "unmigratable": self.unmigratable or None,
            "from": list(self.revision),
            "to": [self.plan.migration.head] if self.plan and self.plan.migration else list(self.revision),
            "taken": list(self.taken),
            "lasting": [one.document() for one in self.lasting],
            "stopped": self.stopped or None,
            "revisions": [one.document() for one in self.revisions],
            "recovered": list(self.recovered),
            "removed": list(self.removed),
            "steps": [{"name": step.name, "seconds": round(step.seconds, 3)} for step in self.steps],
            "evidence": self.evidence,
            "findings": [finding_with_since(f, self.detected) for f in self.detected.troubled] if self.detected else [],
            "history": self.detected.history.document() if self.detected and self.detected.history else None,
            "notes": list(self.notes),
            **({"undoes": self.undoes, "only_possible": self.only_possible} if self.undoes else {}),
            **({"receipt": receipt_document(self.receipt)} if self.receipt else {}),
        }


def receipt_document(link: Link) -> dict[str, Any]:
    """By what a receipt is known; its hash, kept elsewhere, anchors the ledger up to it."""
    return {"number": link.receipt.number, "hash": link.hash, "signed_by": link.receipt.signed_by}


def plan_document(plan: Plan) -> dict[str, Any]:
    """A plan as a person's program wants it: digest, rows, counts; the rows themselves stand in the store."""
    return {
        "digest": plan.digest,
        "rows": plan.rows,
        "by_action": plan.by_action(),
        "by_table": [
            {"table": table, "action": action.value, "rows": rows} for (table, action), rows in plan.by_table().items()
        ],
        "kept": [{"key": kept.key, "rows": kept.rows, "reason": kept.reason} for kept in plan.kept],
        "passed_over": [
            {"key": one.key, "action": one.action.value, "rows": one.rows, "reason": one.reason}
            for one in plan.passed_over
        ],
        "healed": [{"key": key, "rows": said["heal"]} for key, said in plan.by_key().items() if "heal" in said],
        "migration": str(plan.migration) if plan.migration else None,
        "triggers": list(plan.triggers),
        "scans": list(plan.scans),
        "enforced": [
            {"key": str(one.key), "how": one.how.value, "constraint": one.constraint, "orphans": one.orphans}
            for one in plan.enforced
        ],
        "unenforced": [{"key": one.key, "reason": one.reason} for one in plan.unenforced],
        "tables": [
            {"table": one.table, "backup": one.backup, "rows": plan.rows_of(one.table), "goes": one.goes}
            for one in plan.tables
        ],
        **(undo_document(plan.undo) if plan.undo else {}),
    }


def undo_document(undo: Undo) -> dict[str, Any]:
    """What an undo is beside its repairs; rows by their locator, the first of many."""
    return {
        "undoes": undo.run,
        "there_already": undo.there,
        "astray": [{"key": key, "rows": rows} for key, rows in undo.astray or ()],
        "set_anew": [f"{table}.{column}" for table, column in undo.set_anew],
        "conflicts": len(undo.conflicts),
        "conflicting": [
            {"table": one.table, "row": [encode(value) for value in one.row], "why": one.why}
            for one in undo.conflicts[:_CONFLICTS_TOLD]
        ],
    }
