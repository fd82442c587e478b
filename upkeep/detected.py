"""What was found in one database: every key's finding and the rules' answers; as numbers and as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from upkeep.answers import Answer
from upkeep.baseline import Against
from upkeep.catalog import Catalog, ForeignKey
from upkeep.findings import Cause, Diagnosis, Finding
from upkeep.history import Adopted, History
from upkeep.values import encode


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


def finding_with_since(finding: Finding, detected: Detected) -> dict[str, Any]:
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
        "findings": [finding_with_since(finding, detected) for finding in detected.findings],
        "history": detected.history.document() if detected.history else None,
        "baseline": detected.against.document() if detected.against else None,
        "complaints": list(complaints),
        "unasked": [{"key": str(f.key), "why": f.unasked} for f in detected.findings if f.orphans is None],
        "schema_digest": catalog.schema_digest,
    }
