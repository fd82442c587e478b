"""What one run of the runbook came to: the facts, from which one file makes text and another Markdown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from upkeep.answers import Answer
from upkeep.assurance import Assurance
from upkeep.baseline import Against
from upkeep.catalog import Catalog, ForeignKey
from upkeep.findings import Cause, Diagnosis, Finding
from upkeep.history import Adopted, History
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


@dataclass(frozen=True)
class Toll:
    """How many orphans (pairs), rows and keys one diagnosis comes to."""

    diagnosis: Diagnosis
    orphans: int
    rows: int
    keys: int


@dataclass(frozen=True)
class Detected:
    """What was found: every key's finding, the hand-written rules' answers, and how much was looked at.

    ``rows_by_cause`` are rows by the diagnosis of their orphans; a row with two reasons stands under both.
    ``history`` is what is new and gone since the last run, where somebody asked for it, ``unremembered`` why that
    cannot be told; ``against`` is the same with a baseline.
    """

    tables: int
    rows: int
    findings: tuple[Finding, ...]
    orphan_rows: int
    rules: tuple[Answer, ...] = ()
    rows_by_cause: Mapping[str, int] = field(default_factory=dict, hash=False)
    history: History | None = None
    unremembered: str = ""
    against: Against | None = None

    @property
    def orphans(self) -> int:
        """Pairs of a row and a key that points at nothing."""
        return sum(finding.orphans or 0 for finding in self.findings)

    @property
    def causes(self) -> tuple["Toll", ...]:
        """Why there are orphans, over all keys, in the order of the diagnoses."""
        tolls = []
        for diagnosis in Diagnosis:
            several = [cause for f in self.findings for cause in f.causes if cause.diagnosis is diagnosis]
            if orphans := sum(cause.orphans for cause in several):
                rows = self.rows_by_cause.get(diagnosis.value, orphans)
                keys = sum(cause.orphans > 0 for cause in several)
                tolls.append(Toll(diagnosis, orphans, rows, keys))
        return tuple(tolls)

    @property
    def troubled(self) -> tuple[Finding, ...]:
        """The findings that a person has to know of."""
        return tuple(f for f in self.findings if f.diagnosis is not Diagnosis.NONE or f.orphans is None)


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
            "findings": [_with_since(f, self.detected) for f in self.detected.troubled] if self.detected else [],
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


def finding_document(finding: Finding) -> dict[str, Any]:
    """One finding as JSON: rows by their primary key or locator only."""
    key = finding.key
    return {
        "child": key.child,
        "columns": list(key.columns),
        "parent": key.parent,
        "parent_columns": list(key.parent_columns),
        "declared": key.declared,
        "orphans": finding.orphans,
        "missing_keys": finding.missing_keys,
        "diagnosis": finding.diagnosis.value,
        "causes": [_cause_document(cause) for cause in finding.causes],
        "adopted": [_adopted_document(one) for one in finding.adopted],
        "meant": _meant_document(key.meant) if key.meant else None,
        "stated_by": key.stated_by or None,
        "fault": key.fault,
        "rows": [[encode(value) for value in row] for row in finding.rows],
    }


def _cause_document(cause: Cause) -> dict[str, Any]:
    """A part of the orphans of one key: a pair of a row and this key is one row."""
    return {
        "diagnosis": cause.diagnosis.value,
        "orphans": cause.orphans,
        "missing_keys": cause.missing_keys,
        "evidence": str(cause),
    }


def _adopted_document(adopted: Adopted) -> dict[str, Any]:
    """A row by its locator, and what shows that its parent is another one."""
    moment = adopted.before
    return {"row": list(adopted.row), "how": adopted.how.value, "run": moment.run, "backup": moment.backup}


def _meant_document(meant: ForeignKey) -> dict[str, Any]:
    return {"parent": meant.parent, "parent_columns": list(meant.parent_columns), "stated_by": meant.stated_by}


def _with_since(finding: Finding, detected: Detected) -> dict[str, Any]:
    """A finding with what earlier runs have seen of its key: the last moment without orphans, and how they grew."""
    history, key = detected.history, str(finding.key)
    seen = history.now.of(key) if history else None
    since = {"since": seen.trail.model_dump(mode="json") if seen else None}
    new = history.new_of(key) if history and history.before else None
    return finding_document(finding) | since | {"new": new}


def detected_document(engine: str, detected: Detected, catalog: Catalog, complaints: tuple[str, ...]) -> dict[str, Any]:
    """What ``upkeep check`` prints with ``--json``."""
    return {
        "engine": engine,
        "tables": detected.tables,
        "rows": detected.rows,
        "foreign_keys": len(detected.findings),
        "orphans": detected.orphans,
        "orphan_rows": detected.orphan_rows,
        "causes": [
            {"diagnosis": one.diagnosis.value, "orphans": one.orphans, "rows": one.rows, "keys": one.keys}
            for one in detected.causes
        ],
        "findings": [_with_since(finding, detected) for finding in detected.findings],
        "history": detected.history.document() if detected.history else None,
        "baseline": detected.against.document() if detected.against else None,
        "complaints": list(complaints),
        "unasked": [{"key": str(f.key), "why": f.unasked} for f in detected.findings if f.orphans is None],
        "schema_digest": catalog.schema_digest,
    }
