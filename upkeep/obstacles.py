"""What keeps rows of a run from being put back although nobody has touched them: their parents (P-53, P-67)."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping, Sequence

from upkeep.catalog import Catalog, ForeignKey
from upkeep.changes import Change
from upkeep.databases import Reading
from upkeep.fixpoint import SPOTS, Spot
from upkeep.gathered import Gathered, comparable
from upkeep.pointers import dangling
from upkeep.rows import images_of
from upkeep.spilled import Spill, Spilled, flat, raised
from upkeep.spilled_mapping import TEXTS, SpilledMapping
from upkeep.values import Row, Value, in_pieces

Pointing = Mapping[ForeignKey, Iterable[Mapping[Row, Row]]]
"""By key the rows of its child that come to point by it, piece by piece, each with what it will point with."""


def adopted(
    reading: Reading, changes: Sequence[Change], missed: Mapping[str, Collection[Row]], pointing: Pointing
) -> Iterator[tuple[Spot, str]]:
    """Rows that missed a parent before the run, and whose missing parent is there now, each with these words.

    One that the run has brought itself is no stranger, and goes again.
    """
    for key, pieces in pointing.items():
        orphans, brought = missed.get(str(key), ()), None
        for piece in pieces if orphans else ():
            of_orphans = {row: at for row, at in piece.items() if row in orphans}
            astray = dangling(reading, key, of_orphans)
            there = [row for row in of_orphans if row not in astray]
            if there and brought is None:
                brought = _brought(changes, key)
            why = f"a row is there now that it would point at by {key}, where there was none"
            strangers = (row for row in there if comparable(of_orphans[row]) not in (brought or ()))
            yield from ((Spot(key.child, row), why) for row in strangers)


def _brought(changes: Iterable[Change], key: ForeignKey) -> Collection[Row]:
    """What the parents that the run inserted have in the columns that ``key`` points at."""
    held = (
        dict(zip(change.columns, change.after, strict=True))
        for change in changes
        if change.table == key.parent and change.before is None and change.after is not None
    )
    whole = (row for row in held if row.keys() >= set(key.parent_columns))
    return Gathered((key.parent, comparable(tuple(row[name] for name in key.parent_columns))) for row in whole).get(
        key.parent, ()
    )


def without_parents(
    reading: Reading, changes: Sequence[Change], pointing: Pointing, conflicts: Mapping[Spot, str]
) -> Mapping[Spot, str]:
    """Rows whose parent the run had removed and that cannot come back; those that point at these in turn, to the end.

    Values are compared as they are: what an engine takes for the same by a conversion is found when it is done.
    """
    found = SpilledMapping(SPOTS, TEXTS)
    below = _Below(changes, pointing) if conflicts else None
    level: Collection[Spot] = conflicts
    while below and level:
        level = Spilled(_bereft(reading, below, level, conflicts, found), SPOTS)
    return found


def _bereft(
    reading: Reading,
    below: "_Below",
    staying: Iterable[Spot],
    conflicts: Mapping[Spot, str],
    found: MutableMapping[Spot, str],
) -> Iterator[Spot]:
    """Rows that point at those that stay as they are and were not known to stay themselves; told to ``found``."""
    for piece in in_pieces(staying):
        there = _there(reading, piece)
        for spot in piece:
            change = below.change(spot)
            if change.before is None or (change.after is not None and spot in there):
                continue  # it never was a parent of theirs, or it still is
            for child, name in below.children(spot.table, dict(zip(change.columns, change.before, strict=True))):
                if child not in conflicts and child not in found:
                    found[child] = f"what it points at by {name} cannot be put back"
                    yield child


def _there(reading: Reading, spots: Iterable[Spot]) -> set[Spot]:
    """Those rows that stand there now."""
    rows: dict[str, list[Row]] = defaultdict(list)
    for spot in spots:
        if can_be_asked(reading.catalog(), spot):
            rows[spot.table].append(spot.row)
    tables = reading.catalog().tables
    return {Spot(name, row) for name, several in rows.items() for row in images_of(reading, tables[name], several)}


def can_be_asked(catalog: Catalog, spot: Spot) -> bool:
    """Can the row be looked up by its locator?"""
    table = catalog.tables.get(spot.table)
    return bool(table and table.locator and len(table.locator) == len(spot.row))


class _Below:
    """Who will point at which values, and which change is of which row; on disk, for it is all of a run."""

    def __init__(self, changes: Sequence[Change], pointing: Pointing) -> None:
        self._changes = changes
        self._spill = Spill(
            "CREATE TABLE changes (name TEXT, row BLOB, n INTEGER, PRIMARY KEY (name, row)) WITHOUT ROWID",
            "CREATE TABLE pointing (side INTEGER, at BLOB, row BLOB, key INTEGER)",
        )
        numbered = ((one.table, flat(one.row), n) for n, one in enumerate(changes))
        self._spill.run_for_each("INSERT OR REPLACE INTO changes VALUES (?, ?, ?)", numbered)
        self._keys = list(pointing)
        self._sides = list(dict.fromkeys((key.parent, key.parent_columns) for key in self._keys))
        for number, key in enumerate(self._keys):
            side = self._sides.index((key.parent, key.parent_columns))
            for piece in pointing[key]:
                told = ((side, flat(comparable(at)), flat(row), number) for row, at in piece.items() if None not in at)
                self._spill.run_for_each("INSERT INTO pointing VALUES (?, ?, ?, ?)", told)
        self._spill.run("CREATE INDEX by_side ON pointing (side, at)")

    def change(self, spot: Spot) -> Change:
        """What the run did to a row."""
        asked = "SELECT n FROM changes WHERE name = ? AND row = ?"
        return self._changes[self._spill.number(asked, (spot.table, flat(spot.row)))]

    def children(self, table: str, held: Mapping[str, Value]) -> Iterator[tuple[Spot, str]]:
        """Rows that will point at a row of ``table`` with these values, each with the key by which it does."""
        for side, (parent, columns) in enumerate(self._sides):
            if parent == table and held.keys() >= set(columns):
                at = flat(comparable(tuple(held[column] for column in columns)))
                asked = "SELECT row, key FROM pointing WHERE side = ? AND at = ? ORDER BY rowid"
                for row, number in self._spill.rows(asked, (side, at)):
                    yield Spot(self._keys[number].child, raised(row)), str(self._keys[number])
