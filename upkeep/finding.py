"""Finding orphans in one reading: every key asked once, the first rows of those that have any."""

from collections.abc import Collection
from dataclasses import replace

from upkeep.answers import Answer
from upkeep.catalog import ForeignKey
from upkeep.databases import Reading
from upkeep.detected import Detected
from upkeep.findings import Finding
from upkeep.history import History
from upkeep.inquiry import Inquiry, rows_by_cause
from upkeep.models import SILENT, Models
from upkeep.orphans import counting, counting_and_listing, listing, rows_of_any
from upkeep.policy import SILENCE, Policy
from upkeep.references import known_keys


def keys_of(reading: Reading, policy: Policy, models: Models = SILENT) -> tuple[ForeignKey, ...]:
    """Declared keys and those that the policy or the models state, as the engine sees them."""
    return known_keys(reading, policy, models)


def unasked(key: ForeignKey) -> str | None:
    """Why a key cannot be asked; None if it can."""
    return None if key.askable else key.fault or "it cannot be asked"


def find(reading: Reading, key: ForeignKey, *, limit: int) -> Finding:
    """The orphans of one key, and the locators of the first ``limit`` of them."""
    if not key.askable:
        return Finding(key, None, unasked=unasked(key))
    locator, known = reading.catalog().tables[key.child].locator, reading.known(key)
    if not (locator and limit and reading.dialect.keeps_values):
        orphans, missing = reading.numbers(counting(key, reading.dialect, known), known)
        return with_rows(reading, key, orphans, missing, limit)
    found = reading.few(counting_and_listing(key, locator, limit, reading.dialect, known), known)
    orphans, missing = (int(str(number)) for number in found[0][:2])
    return Finding(key, orphans, missing, tuple(row[2:] for row in found) if orphans else ())


def with_rows(reading: Reading, key: ForeignKey, orphans: int, missing: int, limit: int) -> Finding:
    """The finding for counts that are known, with the locators of its first rows."""
    locator = reading.catalog().tables[key.child].locator
    if not (orphans and locator and limit):
        return Finding(key, orphans, missing)
    known = reading.known(key)
    rows = reading.few(f"{listing(key, locator, reading.dialect, known)} LIMIT {limit}", known)
    return Finding(key, orphans, missing, rows)


def orphan_rows(reading: Reading, findings: tuple[Finding, ...]) -> int:
    """Rows that are an orphan of at least one key: a row can be two orphans (P-114)."""
    by_table: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.orphans:
            by_table.setdefault(finding.key.child, []).append(finding)
    total = 0
    for found in by_table.values():
        if len(found) == 1 and not found[0].key.elements:
            total += found[0].orphans or 0
        else:
            (count,) = reading.numbers(rows_of_any(tuple(one.key for one in found), reading.dialect))
            total += count
    return total


def with_tables_back(
    reading: Reading, keys: tuple[ForeignKey, ...], findings: tuple[Finding, ...], tables: Collection[str]
) -> tuple[Finding, ...]:
    """The findings where ``tables`` are there again, so that the keys that point at them are others than before."""
    if not tables:
        return findings
    known = {str(finding.key): finding for finding in findings}
    return tuple(
        known[str(key)] if str(key) in known and key.parent not in tables else find(reading, key, limit=0)
        for key in keys
    )


def inquiry_into(reading: Reading, policy: Policy) -> Inquiry:
    """An inquiry that knows what the policy says of values that mean none."""
    return Inquiry(reading, policy.diagnosis.sentinels)


def diagnosed(reading: Reading, findings: tuple[Finding, ...], policy: Policy) -> tuple[Finding, ...]:
    """The findings with what their diagnosis is judged by."""
    inquiry = inquiry_into(reading, policy)
    return tuple(inquiry.into(finding) for finding in findings)


def with_adopted(findings: tuple[Finding, ...], history: History) -> tuple[Finding, ...]:
    """The findings with the rows that another parent has adopted, which history alone knows."""
    adopted = {seen.key: seen.adopted for seen in history.now.seen if seen.adopted}
    return tuple(replace(one, adopted=adopted.get(str(one.key), ())) for one in findings)


def detected(
    reading: Reading, findings: tuple[Finding, ...], rules: tuple[Answer, ...] = (), policy: Policy = SILENCE
) -> Detected:
    """The findings together with how much was looked at."""
    tables = reading.catalog().tables
    rows = sum(reading.count(table, digest=False).rows for table in tables)
    by_cause = rows_by_cause(reading, findings, policy.diagnosis.sentinels)
    return Detected(len(tables), rows, findings, orphan_rows(reading, findings), rules, by_cause)
