"""Remembering what was seen: the record of a look, and the newest one in the store."""

from pathlib import Path

from pydantic import ValidationError

from upkeep.catalog import ForeignKey
from upkeep.databases import Reading
from upkeep.errors import Damaged, Refused
from upkeep.findings import Finding
from upkeep.history import LISTED, History, Record, SeenKey, SeenRow, Trail
from upkeep.orphans import condition
from upkeep.stores import Store
from upkeep.values import encode
from upkeep.vanishing import Secret, history_of, repaired_since

_DURING, _AFTER = "findings.json", "findings-after.json"


def record_name(database: str, run: str, *, is_after: bool = False) -> str:
    """Where the record of a run stands in the store; ``is_after`` for what it saw after its performance."""
    return f"{database}/evidence/{run}/{_AFTER if is_after else _DURING}"


def latest_record(store: Store, database: str) -> Record | None:
    """What the newest run saw last; None where no run has left a record. Raises Damaged for one that cannot be read."""
    newest: dict[str, str] = {}
    for entry in store.list(f"{database}/evidence/"):
        _, _, run, *rest = entry.name.split("/")
        if rest in ([_DURING], [_AFTER]):
            newest = {run: max(entry.name, newest.get(run, ""), key=lambda name: name.endswith(_AFTER))}
    if not newest:
        return None
    (name,) = newest.values()
    with store.get(name) as file:
        content = file.read()
    try:
        return Record.model_validate_json(content)
    except ValidationError:
        raise Damaged(f"{name} is no record of findings", "run `upkeep ledger verify`: who has changed it?") from None


def read_baseline(path: Path) -> Record:
    """The record in a file; raises Refused where it is none."""
    instead = "write one with `upkeep check --write-baseline FILE`"
    try:
        return Record.model_validate_json(path.read_bytes())
    except OSError as fault:
        raise Refused(f"the baseline {path} cannot be read: {fault.strerror}", instead) from None
    except ValidationError:
        raise Refused(f"{path} is no baseline", instead) from None


def remember(reading: Reading, findings: tuple[Finding, ...], store: Store, database: str, secret: str) -> History:
    """What is seen now beside what the newest run saw."""
    before = latest_record(store, database)
    now = record_of(reading, database, findings, before, secret)
    repaired = {}
    if before and before.moment:
        repaired = repaired_since(store, database, before.moment.run, is_after=before.is_after)
    return history_of(reading, findings, now, before, secret, repaired)


def record_of(
    reading: Reading, database: str, findings: tuple[Finding, ...], before: Record | None, secret: str
) -> Record:
    """What was seen, with the trails of ``before``; every orphan by its row and the digest of what it points with."""
    key = Secret.like(before, secret)
    return Record(
        database=database,
        salt=key.salt,
        mark=key.mark,
        seen=tuple(_seen(reading, f, before, key) for f in findings if f.orphans is not None),
        unasked=tuple(str(f.key) for f in findings if f.orphans is None),
    )


def _seen(reading: Reading, finding: Finding, before: Record | None, secret: Secret) -> SeenKey:
    name, orphans = str(finding.key), finding.orphans or 0
    known = before.of(name) if before else None
    return SeenKey(
        key=name,
        child=finding.key.child,
        columns=finding.key.columns,
        orphans=orphans,
        missing_keys=finding.missing_keys or 0,
        diagnosis=finding.diagnosis.value,
        rows=_rows(reading, finding.key, orphans, secret),
        trail=known.trail if known else Trail(),
    )


def _rows(reading: Reading, key: ForeignKey, orphans: int, secret: Secret) -> tuple[SeenRow, ...] | None:
    locator = reading.catalog().tables[key.child].locator
    if not orphans:
        return ()
    if not locator or orphans > LISTED:
        return None
    dialect = reading.dialect
    columns = ", ".join(f"c.{dialect.quote(column)}" for column in (*locator, *key.columns))
    order = ", ".join(f"c.{dialect.quote(column)}" for column in locator)
    found = reading.rows(
        f"SELECT {columns} FROM {dialect.source(key.child)} AS c WHERE {condition(key, dialect)} ORDER BY {order}"
    )
    width = len(locator)
    return tuple(
        SeenRow(row=tuple(map(encode, row[:width])), pointing=secret.digest(map(encode, row[width:]))) for row in found
    )
