"""What ``upkeep check`` says."""

from upkeep.detected import Detected
from upkeep.findings import Diagnosis, Finding
from upkeep.values import Row, encode
from upkeep.wording.head import head, in_full
from upkeep.wording.lines import TIED, folded, number
from upkeep.wording.past import baseline_said, since_last, trail_of
from upkeep.wording.sentences import encrypted_to, trouble, worst_first

_ADVICE = {
    Diagnosis.MISDECLARED: "these keys are declared to the wrong table: correct the schema, the rows may be right",
    Diagnosis.PARENT_TABLE_MISSING: "the table that these point at is gone: a fault of the schema, not of the rows",
    Diagnosis.UNUSABLE_KEY: "the database itself cannot use these keys: correct the schema",
    Diagnosis.PARENTS_MISSING: "the rows that these point at are gone",
    Diagnosis.MARKED_DELETED: "the rows that these point at are there, and marked as deleted",
    Diagnosis.SUSPECT: "all that these miss stands in another table: find out first which is meant",
    Diagnosis.SENTINEL: "these hold a value that means none: no row is missing",
    Diagnosis.NEVER_A_KEY: "these hold what can be no key: a mistake in writing, no row is missing",
    Diagnosis.PARTIAL_KEY: "only a part of these keys is filled in",
    Diagnosis.REUSED_ID: "the number of a parent was given to another row: these find a parent that is not theirs",
}


def what_was_found(
    name: str,
    engine: str,
    detected: Detected,
    complaints: tuple[str, ...],
    limit: int,
    recipients: tuple[str, ...] = (),
) -> str:
    """How bad it is, since when, why, and what to do next; then each key, with rows by primary key."""
    troubled = worst_first(detected.troubled)
    silent = [finding for finding in troubled if finding.orphans is None]
    lines = head(name, engine, detected, complaints)
    lines += in_full(name, detected, complaints, lines)
    lines += folded("news: ", news) if (news := since_last(detected.history)) else []
    lines += folded("baseline: ", said) if (said := baseline_said(detected)) else []
    lines += folded("backups: ", encrypted_to(recipients))
    for diagnosis, advice in _ADVICE.items():
        alike = [f for f in troubled if f.diagnosis is diagnosis and f not in silent]
        if alike:
            lines += ["", *folded(f"{diagnosis.value}: ", advice), *_keys(alike, detected, limit)]
    if silent:
        lines += ["", "could not be asked, which is not a yes"]
        lines += [line for f in silent for line in folded("  ", f"{f.key}: {f.unasked}")]
    return "\n".join(lines)


def _keys(findings: list[Finding], detected: Detected, limit: int) -> list[str]:
    """Each key with its first rows, and below it what else is to be said of it."""
    numbers = [(number(finding.orphans), number(finding.missing_keys)) for finding in findings]
    one, two = (max(map(len, column)) for column in zip(("orphans", "missed"), *numbers, strict=True))
    room = max(len(str(finding.key)) for finding in findings)
    lines = [f"  {'orphans':>{one}}  {'missed':>{two}}  foreign key".rstrip()]
    for (orphans, missed), finding in zip(numbers, findings, strict=True):
        lines += folded(f"  {orphans:>{one}}  {missed:>{two}}  {finding.key!s:{room}}  ", _first_rows(finding, limit))
        for told in filter(None, (_plain_trouble(finding), trail_of(finding, detected.history))):
            lines += folded(" " * (one + two + 6), told)
    return [line.rstrip() for line in lines]


def _first_rows(finding: Finding, limit: int) -> str:
    if not (finding.rows and limit):
        return ""
    more = " ..." if (finding.orphans or 0) > len(finding.rows) else ""
    return "; ".join(_named(finding, row).replace(" ", TIED) for row in finding.rows) + more


def _plain_trouble(finding: Finding) -> str:
    """What the heading and the numbers do not say already."""
    if finding.diagnosis in (Diagnosis.PARENTS_MISSING, Diagnosis.PARENT_TABLE_MISSING) and len(finding.causes) < 2:
        return "".join(cause.remark for cause in finding.causes)
    return trouble(finding)


def _named(finding: Finding, row: Row) -> str:
    """A row; of an array the element too, by its place in it."""
    return f"{_locator(row[:-1])}[{_locator(row[-1:])}]" if finding.key.elements else _locator(row)


def _locator(row: Row) -> str:
    values = ", ".join(str(encode(value)) for value in row)
    return values if len(row) == 1 else f"({values})"
