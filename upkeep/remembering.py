"""Remembering what was seen: the record of a look, and the newest one in the store."""

from collections.abc import Mapping, Set
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from upkeep.adopting import NOT_LOOKED_BACK, LookedBack, adopted_of
from upkeep.births import newest_rows
from upkeep.catalog import ForeignKey
from upkeep.databases import Reading
from upkeep.errors import Damaged, Refused
from upkeep.findings import Finding
from upkeep.history import LISTED, Adopted, History, Record, SeenKey, SeenRow, Trail
from upkeep.orphans import condition, pointing
from upkeep.stores import Store
from upkeep.values import Row, encode
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


def runs_that_looked(store: Store, database: str) -> frozenset[str]:
    """The runs that have left what they found."""
    names = (entry.name.split("/") for entry in store.list(f"{database}/evidence/"))
    return frozenset(run for _, _, run, *rest in names if rest in ([_DURING], [_AFTER]))


def read_baseline(path: Path) -> Record:
    """The record in a file; raises Refused where it is none."""
    instead = "write one with `upkeep check --write-baseline FILE`"
    try:
        return Record.model_validate_json(path.read_bytes())
    except OSError as fault:
        raise Refused(f"the baseline {path} cannot be read: {fault.strerror}", instead) from None
    except ValidationError:
        raise Refused(f"{path} is no baseline", instead) from None


def remember(
    reading: Reading,
    findings: tuple[Finding, ...],
    store: Store,
    database: str,
    secret: str,
    back: LookedBack = NOT_LOOKED_BACK,
) -> History:
    """What is seen now beside what the newest run saw, and beside what older backups told."""
    before = latest_record(store, database)
    now = record_of(reading, database, findings, before, secret)
    repaired: Mapping[str, Set[Row]] = {}
    if before and before.moment:
        repaired = repaired_since(store, database, before.moment.run, is_after=before.is_after)
    history = history_of(reading, findings, now, before, secret, repaired)
    keys = {str(finding.key): finding.key for finding in findings}
    adopted = adopted_of(reading, keys, history, back, Secret.like(before, secret), repaired)
    now = _with_adopted(now, adopted, back)
    return replace(history, now=now, found_back=_new(back, before), silent=back.silent, waiting=back.waiting)


def _with_adopted(now: Record, adopted: Mapping[str, tuple[Adopted, ...]], back: LookedBack) -> Record:
    seen = tuple(key.model_copy(update={"adopted": adopted.get(key.key, ())}) for key in now.seen)
    return now.model_copy(update={"seen": seen, "examined": (*now.examined, *back.examined)})


def _new(back: LookedBack, before: Record | None) -> dict[str, int]:
    """How many rows of each key the backup of the last run tells of: what is older is a finding and no alarm."""
    new: dict[str, int] = {}
    if before is None or before.moment is None:
        return new
    for key, rows in back.adopted.items():
        seen, last = before.of(key), before.moment.backup
        known = {repr(one.row) for one in (seen.adopted if seen else ())}
        new[key] = sum(one.before.backup == last and repr(one.row) not in known for one in rows)
    return {key: number for key, number in new.items() if number}


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
        newest=newest_rows(reading, (finding.key for finding in findings), key),
        examined=before.examined if before else (),
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
        f"SELECT {columns} FROM {pointing(key, dialect)} AS c WHERE {condition(key, dialect)} ORDER BY {order}"
    )
    width = len(locator)
    if key.elements:  # the place of an element moves when another is taken out; the element stays
        named = ((tuple(map(encode, row[:width])), secret.digest(map(encode, row[width:]))) for row in found)
        return tuple(SeenRow(row=(*row, element), pointing=element) for row, element in named)
    return tuple(
        SeenRow(row=tuple(map(encode, row[:width])), pointing=secret.digest(map(encode, row[width:]))) for row in found
    )
