"""Why an orphan that was seen before is none any more, asked of its row."""

import hashlib
import hmac
import json
import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

from upkeep.catalog import ForeignKey
from upkeep.databases import Reading
from upkeep.documents import read_in_parts
from upkeep.findings import Finding
from upkeep.fixpoint import SPOTS, Spot
from upkeep.gathered import Gathered
from upkeep.history import Change, Gone, History, Record, SeenKey, SeenRow, changes_between
from upkeep.orphans import among, pointing
from upkeep.policy import Action
from upkeep.spilled_mapping import TEXTS, SpilledMapping
from upkeep.stores import Store
from upkeep.values import Row, canonical, decode, encode, in_pieces

ROW_BY_ROW = "repairs", "healed", "undo.conflicts"
"""The parts of a plan that are as long as it is."""


@dataclass(frozen=True)
class Secret:
    """The key of a record's digests: its salt and the application's own secret, which is not in the store."""

    salt: str
    secret: str = ""

    @classmethod
    def like(cls, record: Record | None, secret: str) -> "Secret":
        """The same as that of a record, so that the two can be compared; a new one where there is none."""
        return cls(record.salt if record else secrets.token_hex(16), secret)

    def digest(self, values: Iterable[object]) -> str:
        """A keyed digest of raw values, in 16 hex digits."""
        key = hashlib.sha256(f"{self.salt} {self.secret}".encode()).digest()
        return hmac.new(key, canonical(list(values)), hashlib.sha256).hexdigest()[:16]

    @property
    def mark(self) -> str:
        """By which two equal secrets are known."""
        return self.digest(["upkeep"])


def history_of(
    reading: Reading,
    findings: tuple[Finding, ...],
    now: Record,
    before: Record | None,
    secret: str,
    repaired: Mapping[str, Set[Row]],
) -> History:
    """What is new since ``before`` and what is gone and why. ``repaired`` are rows by table that Upkeep has changed."""
    if before is None:
        return History(now)
    changes = changes_between(before, now)
    keys = {str(finding.key): finding.key for finding in findings}
    same = Secret.like(before, secret) if Secret.like(before, secret).mark == before.mark else None
    why, healed = {}, {}
    for change in (change for change in changes if change.gone):
        seen = before.of(change.key)
        why[change.key], healed[change.key] = _why(reading, seen, keys.get(change.key), change, same, repaired)
    return History(now, before, changes, why, {key: rows for key, rows in healed.items() if rows})


def _why(
    reading: Reading,
    seen: SeenKey | None,
    key: ForeignKey | None,
    change: Change,
    secret: Secret | None,
    repaired: Mapping[str, Set[Row]],
) -> tuple[Mapping[Gone, int], tuple[SeenRow, ...]]:
    """How many are gone for each reason, and the rows whose parent is there again."""
    if seen is None or not change.is_listed:
        return {Gone.UNKNOWN: change.gone}, ()
    rows = {tuple(map(decode, row.row)): row.pointing for row in change.rows}
    ours = repaired.get(seen.child, frozenset())
    others = {row: digest for row, digest in rows.items() if row not in ours}
    counts = Counter({Gone.REPAIRED: len(rows) - len(others)})
    if key and key.elements:
        reasons = _reasons_of_elements(reading, key, others, secret)
    else:
        there = pointers(reading, seen.child, key.columns if key else seen.columns, others)
        reasons = {row: _reason(there.get(row), digest, secret) for row, digest in others.items()}
    counts.update(reasons.values())
    healed = [one for one in change.rows if reasons.get(tuple(map(decode, one.row))) is Gone.HEALED]
    return {reason: number for reason, number in counts.items() if number}, tuple(healed)


def _reason(now: Row | None, before: str, secret: Secret | None) -> Gone:
    if now is None:
        return Gone.DELETED
    if None in now:
        return Gone.EMPTIED
    if secret is None or secret.digest(map(encode, now)) == before:
        return Gone.HEALED
    return Gone.REPOINTED


def _reasons_of_elements(
    reading: Reading, key: ForeignKey, rows: Collection[Row], secret: Secret | None
) -> dict[Row, Gone]:
    """The same of elements: each is told by its row and its digest, for no value of it is remembered."""
    dialect, locator = reading.dialect, reading.catalog().tables[key.child].locator
    width = len(locator)
    asked = ", ".join(f"c.{dialect.quote(column)}" for column in (*locator, *key.columns))
    standing: set[Row] = set()
    for piece in in_pieces({row[:width] for row in rows}):
        with reading.chosen(key.child, locator, piece) as relation:
            which = among("c", locator, relation, dialect)
            for row in reading.rows(f"SELECT {asked} FROM {pointing(key, dialect)} AS c WHERE {which}"):
                standing.add((*row[:width], secret.digest(map(encode, row[width:])) if secret else None))
    if secret is None:
        return dict.fromkeys(rows, Gone.UNKNOWN)
    return {row: Gone.HEALED if row in standing else Gone.EMPTIED for row in rows}


def pointers(reading: Reading, child: str, columns: tuple[str, ...], rows: Collection[Row]) -> dict[Row, Row]:
    """What those of the rows point with that are there still."""
    table = reading.catalog().tables.get(child)
    if table is None or any(table.column(column) is None for column in columns):
        return {}
    dialect, width = reading.dialect, len(table.locator)
    asked = ", ".join(f"c.{dialect.quote(column)}" for column in (*table.locator, *columns))
    found: dict[Row, Row] = {}
    for piece in in_pieces([row for row in rows if len(row) == width]):
        with reading.chosen(table.name, table.locator, piece) as relation:
            which = among("c", table.locator, relation, dialect)
            sql = f"SELECT {asked} FROM {dialect.source(table.name)} AS c WHERE {which}"
            found.update((row[:width], row[width:]) for row in reading.rows(sql))
    return found


def repaired_since(store: Store, database: str, run: str, *, is_after: bool) -> Mapping[str, Set[Row]]:
    """Rows by table that runs from ``run`` on have changed or healed, by their plans: of those that performed.

    ``is_after``: what ``run`` itself has changed was changed before it looked.
    """
    since = (by for by in _performed(store, database) if by > run or (by == run and not is_after))
    return Gathered(changed for by in since for changed in _changed_by(store, database, by))


def _changed_by(store: Store, database: str, run: str) -> Iterator[tuple[str, Row]]:
    for name, said in planned_by(store, database, run):
        if name in ("repairs", "healed"):
            table, row = said[:2] if name == "repairs" else said[1:3]
            yield table, tuple(map(decode, row))


def rows_touched(store: Store, database: str) -> Mapping[Spot, str]:
    """Rows that runs which performed have set or inserted again, each with the digest that it had before the first.

    '' for one that was gone, undone or not: meanwhile its number could be given. One that a run has set, and that has
    that digest again, is as if no run had been.
    """
    found, runs = SpilledMapping(SPOTS, TEXTS), list(_performed(store, database))
    for run in reversed(runs):
        found.put(_touched_by(store, database, run))
    for run in runs:
        found.put((spot, before) for spot, before in _touched_by(store, database, run) if not before)
    return found


def _touched_by(store: Store, database: str, run: str) -> Iterator[tuple[Spot, str]]:
    for name, said in planned_by(store, database, run):
        if name == "repairs" and said[2] != Action.DELETE.value:
            yield Spot(said[0], tuple(map(decode, said[1]))), said[7]


def planned_by(store: Store, database: str, run: str) -> Iterator[tuple[str, Any]]:
    """The plan of a run as it stands in the store, by the names of its parts; those ``ROW_BY_ROW`` item by item."""
    name = f"{database}/repairs/{run}/plan.json"
    with store.get(name) as file:
        yield from read_in_parts(file, ROW_BY_ROW, name)


def _performed(store: Store, database: str) -> Iterator[str]:
    for entry in list(store.list(f"{database}/repairs/")):
        _, _, run, *rest = entry.name.split("/")
        if rest == ["outcome.json"]:
            with store.get(entry.name) as file:
                if json.loads(file.read())["found"] == "performed":
                    yield run
