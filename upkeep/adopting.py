"""Rows that found another parent under the number of their own: what an earlier state shows that no engine sees."""

from collections.abc import Collection, Iterator, Mapping, Set
from dataclasses import dataclass, field
from itertools import islice

from upkeep.births import born
from upkeep.catalog import ForeignKey
from upkeep.databases import Reading
from upkeep.history import LISTED, Adopted, History, How, Moment, SeenKey
from upkeep.orphans import among, condition, points_at
from upkeep.sightings import as_there, missed_by
from upkeep.values import Row, decode, encode, in_pieces
from upkeep.vanishing import Secret, pointers

Ours = Mapping[str, Set[Row]]
"""Rows by table that Upkeep itself has changed."""


@dataclass(frozen=True)
class LookedBack:
    """What older backups told: by key the rows that another parent has adopted; which were looked into, which not.

    ``waiting`` is how many no run has looked into yet; None where nobody has looked back.
    """

    adopted: Mapping[str, tuple[Adopted, ...]] = field(default_factory=dict)
    examined: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    waiting: int | None = None

    def and_then(self, later: "LookedBack") -> "LookedBack":
        """Both; a row that two backups tell of is told by the first."""
        both = dict(self.adopted)
        for key, rows in later.adopted.items():
            known = {repr(one.row) for one in both.get(key, ())}
            both[key] = (*both.get(key, ()), *(one for one in rows if repr(one.row) not in known))
        return LookedBack(both, (*self.examined, *later.examined), (*self.silent, *later.silent), self.waiting)


NOT_LOOKED_BACK = LookedBack()


@dataclass(frozen=True)
class Then:
    """An earlier state: when it was, by table the numbers that are another's today, and rows that we changed since."""

    reading: Reading
    moment: Moment
    again: Mapping[str, frozenset[Row]]
    ours: Ours


def adopted_since(then: Then, now: Reading, key: ForeignKey, secret: Secret) -> tuple[Adopted, ...]:
    """Rows that pointed at the same ``then`` and found nothing, or a row that was made at another time.

    They count where they find a parent today, and neither they nor their parents were changed by a repair of ours.
    A row that was itself made anew under its number is another one and says nothing. () for more than are listed.
    """
    there = as_there(then.reading, key)
    if there is None or there.parent_missing or key.deleted or key.elements or key.parent_missing or not key.askable:
        return ()
    found: dict[Row, How] = dict.fromkeys(_pointing_at_others(then, there), How.ANOTHER)
    found |= {missed.row: How.MISSED for missed in islice(missed_by(then.reading, there), LISTED + 1)}
    if len(found) > LISTED:
        return ()
    rows = [row for row in found if row not in then.ours.get(key.child, frozenset())]
    return tuple(
        Adopted(
            row=tuple(map(encode, row)),
            pointing=secret.digest(map(encode, pointer)),
            before=then.moment,
            how=found[row],
        )
        for row, pointer in _unchanged(then, now, key, rows)
    )


def _pointing_at_others(then: Then, key: ForeignKey) -> Iterator[Row]:
    """Children of rows whose number is another row's today."""
    reading, dialect = then.reading, then.reading.dialect
    child, parent = (reading.catalog().tables[name] for name in (key.child, key.parent))
    ours = then.ours.get(key.parent, frozenset())
    again = [row for row in then.again.get(key.parent, ()) if row not in ours]
    if not again or not child.locator or parent.locator != parent.primary_key:
        return
    columns = ", ".join(f"c.{dialect.quote(column)}" for column in child.locator)
    with reading.chosen(parent.name, parent.locator, again) as relation:
        found = f"{points_at(key, 'p', dialect)} AND {among('p', parent.locator, relation, dialect)}"
        parents = f"SELECT 1 FROM {dialect.source(key.parent)} AS p WHERE {found}"
        sql = f"SELECT {columns} FROM {dialect.source(key.child)} AS c WHERE EXISTS ({parents})"
        yield from reading.rows(sql)


def _unchanged(then: Then, now: Reading, key: ForeignKey, rows: Collection[Row]) -> Iterator[tuple[Row, Row]]:
    """Those that are the same rows today, point at the same, and find it."""
    table = now.catalog().tables[key.child]
    if not rows or not table.locator or table.locator != then.reading.catalog().tables[key.child].locator:
        return
    made = born(table)
    asked = (*key.columns, *([made] if made else []))
    before, today = (pointers(reading, key.child, asked, rows) for reading in (then.reading, now))
    same = [row for row in rows if row in before and before[row] == today.get(row)]
    orphans = _orphans_among(now, key, same)
    yield from ((row, today[row][: len(key.columns)]) for row in same if row not in orphans)


def _orphans_among(now: Reading, key: ForeignKey, rows: Collection[Row]) -> set[Row]:
    dialect, table = now.dialect, now.catalog().tables[key.child]
    columns = ", ".join(f"c.{dialect.quote(column)}" for column in table.locator)
    found: set[Row] = set()
    for piece in in_pieces(rows):
        with now.chosen(table.name, table.locator, piece) as relation:
            which = among("c", table.locator, relation, dialect)
            sql = f"SELECT {columns} FROM {dialect.source(table.name)} AS c WHERE {which} AND {condition(key, dialect)}"
            found.update(now.rows(sql))
    return found


def still_adopted(
    now: Reading, key: ForeignKey, before: SeenKey | None, secret: Secret, ours: Ours
) -> tuple[Adopted, ...]:
    """Those of an earlier record that point at the same still and find it; what we changed since is settled."""
    known = {tuple(map(decode, one.row)): one for one in (before.adopted if before else ())}
    rows = [row for row in known if row not in ours.get(key.child, frozenset())]
    if not rows or not key.askable or key.parent_missing:
        return ()
    there = pointers(now, key.child, key.columns, rows)
    same = [row for row in rows if row in there and secret.digest(map(encode, there[row])) == known[row].pointing]
    orphans = _orphans_among(now, key, same)
    return tuple(known[row] for row in same if row not in orphans)


def adopted_of(
    now: Reading, keys: Mapping[str, ForeignKey], history: History, back: LookedBack, secret: Secret, ours: Ours
) -> dict[str, tuple[Adopted, ...]]:
    """By key all rows that another parent has adopted: those known before, those healed since, what backups told."""
    before, moment = history.before, history.before.moment if history.before else None
    found = {}
    for name, key in keys.items():
        known = still_adopted(now, key, before.of(name) if before else None, secret, ours)
        healed = (history.healed_rows or {}).get(name, ()) if moment and not key.deleted else ()
        since = [Adopted(row=r.row, pointing=r.pointing, before=moment, how=How.MISSED) for r in healed if moment]
        told = {repr(one.row): one for one in (*back.adopted.get(name, ()), *since, *known)}
        if told:
            found[name] = tuple(told.values())
    return found
