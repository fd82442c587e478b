"""Drawing up an undo: what puts every row of a run back, and which rows cannot be put back (P-67).

What is decided here:

- A row is put back only if it is still what the run made of it. One that was changed since, is gone since, or whose
  key is another row's now, is a conflict: somebody has worked on with it.
- A row that missed its parent before the run is no conflict because it misses it again; it is one where that parent is
  there now: it would be taken for the child of a stranger (P-53).
- A row whose own parent the run had removed, and that cannot come back, cannot come back either.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from upkeep.catalog import Catalog, ForeignKey, Table
from upkeep.changes import Change, Refusal
from upkeep.databases import Reading
from upkeep.fixpoint import Spot
from upkeep.making import Comeback
from upkeep.orphans import condition
from upkeep.plan import Plan, Repair
from upkeep.planning import triggers_fired
from upkeep.policy import Action
from upkeep.rows import images_of
from upkeep.undo import Conflict, Undo
from upkeep.values import Row, Value, in_pieces, row_digest

_LOCATOR = "upkeep l"
"""What a query calls the columns of a locator: so a name that nobody gives."""


@dataclass(frozen=True)
class Deed:
    """What a run did to rows. ``missed`` says of rows that were orphans which keys they were known to be orphans of.

    ``mended`` counts by key the orphans that the run took away, None where nobody knows; ``migration`` is the way that
    it went, if any; ``triggers`` are those that its statements may have fired, ``enforced`` the foreign keys that it
    brought into force, ``tables`` those that came back as a whole, or went again.
    """

    run: str
    changes: tuple[Change, ...]
    missed: Mapping[Spot, frozenset[str]] = field(default_factory=dict)
    mended: Mapping[str, int] | None = None
    migration: str | None = None
    triggers: tuple[str, ...] = ()
    enforced: tuple[str, ...] = ()
    tables: tuple[Comeback, ...] = ()


def draw_back(
    reading: Reading,
    database: str,
    deed: Deed,
    keys: tuple[ForeignKey, ...],
    refusals: tuple[Refusal, ...] = (),
) -> Plan:
    """The plan that puts the rows of ``deed`` back; ``refusals`` are those that a rehearsal met."""
    catalog = reading.catalog()
    refused = {Spot(one.table, one.row): f"the database refuses it: {one.said}" for one in refusals}
    images = _images(reading, catalog, deed.changes)
    repairs: dict[Spot, Repair] = {}
    conflicts: dict[Spot, str] = {}
    for change in deed.changes:
        spot = Spot(change.table, change.row)
        way = way_back(change, images.get(spot), catalog.tables.get(change.table))
        if isinstance(way, Repair):
            repairs[spot] = way
        elif way:
            conflicts[spot] = way
    there = len(deed.changes) - len(repairs) - len(conflicts)
    conflicts |= {spot: why for spot, why in refused.items() if spot in repairs}
    pointing = _pointing(catalog, keys, repairs, images)
    conflicts |= _adopted(reading, deed, pointing)
    conflicts |= _without_parents(deed, pointing, conflicts, images)
    tables, staying = _tables_back(reading, deed, repairs.keys() - conflicts.keys())
    conflicts |= staying
    left = [repair for spot, repair in repairs.items() if spot not in conflicts]
    return Plan(
        database,
        tuple(sorted(left, key=lambda one: (one.action is Action.DELETE, one.table, repr(one.row)))),
        triggers=triggers_fired(catalog, [one for one in left if one.table not in {two.table for two in tables}]),
        tables=tables,
        undo=Undo(deed.run, tuple(Conflict(*spot, why) for spot, why in sorted(conflicts.items(), key=repr)), there),
    )


def way_back(change: Change, image: Row | None, table: Table | None) -> Repair | str | None:
    """What puts one row back that is now ``image``; why that cannot be; None where it is as before the run already."""
    if table is None:
        return None if change.before is None else f"the table {change.table} is gone"
    if not set(change.columns) <= set(table.stored):
        return f"{change.table} has not all columns any more that it had"
    now = _as_it_was_read(image, table, change.columns)
    if _alike(now, change.before):
        return None
    if not _alike(now, change.after):
        return _what_came_since(change, image)
    if change.before is None:
        return _repair(change, Action.DELETE, (), image)
    if image is None or now is None:
        return _repair(change, Action.RESTORE, change.columns, None, change.before)
    differing = [i for i, (was, is_) in enumerate(zip(change.before, now, strict=True)) if not _alike((was,), (is_,))]
    columns, values = tuple(change.columns[i] for i in differing), tuple(change.before[i] for i in differing)
    return _repair(change, Action.REASSIGN, columns, image, values)


def _tables_back(
    reading: Reading, deed: Deed, repaired: Collection[Spot]
) -> tuple[tuple[Comeback, ...], dict[Spot, str]]:
    """The tables that go again, or come back once more; and rows of those that must stay, for others are in them.

    ``reading`` shows those that come back as if they were there, empty.
    """
    found: list[Comeback] = []
    conflicts: dict[Spot, str] = {}
    for one in (comeback.reversed for comeback in deed.tables):
        if one.table not in reading.catalog().tables:
            continue  # it is gone already
        going = [spot for spot in repaired if spot.table == one.table]
        if not one.goes or (is_as_made(reading, one) and reading.count(one.table, digest=False).rows == len(going)):
            found.append(one)
        else:
            why = f"the table {one.table}, which would go with it, has other rows or another schema since"
            conflicts |= dict.fromkeys(going, why)
    return tuple(found), conflicts


def is_as_made(reading: Reading, one: Comeback) -> bool:
    """Does the table stand there with the schema with which it came back? Its generator may have given numbers."""
    return reading.making(one.table).is_like(one.making)


def _as_it_was_read(image: Row | None, table: Table, columns: tuple[str, ...]) -> Row | None:
    """The columns of a row that the run knew: a migration may have added others, or put them in another order."""
    if image is None:
        return None
    held = dict(zip(table.stored, image, strict=True))
    return tuple(held[name] for name in columns)


def _repair(change: Change, action: Action, columns: tuple[str, ...], image: Row | None, values: Row = ()) -> Repair:
    # Wave 1: none of these rows is dealt with because it is an orphan.
    before = "" if image is None else row_digest(image)
    return Repair(change.table, change.row, action, columns, "", 0, 1, before, values)


def _what_came_since(change: Change, image: Row | None) -> str:
    if image is None:
        return "it is gone since"
    return "its key is another row's now" if change.after is None else "it was changed since"


def _alike(one: Row | None, other: Row | None) -> bool:
    """Are two rows the same, types and bits too? To Python 1, 1.0 and True are equal and no NaN equals itself."""
    if one is None or other is None:
        return one is other
    return row_digest(one) == row_digest(other)


def _images(reading: Reading, catalog: Catalog, changes: Iterable[Change]) -> dict[Spot, Row]:
    """What stands now where the run has changed something."""
    rows: dict[str, list[Row]] = defaultdict(list)
    for change in changes:
        table = catalog.tables.get(change.table)
        if table and table.locator and len(table.locator) == len(change.row):
            rows[change.table].append(change.row)
    return {
        Spot(name, row): image
        for name, several in rows.items()
        for row, image in images_of(reading, catalog.tables[name], several).items()
    }


Pointing = Mapping[ForeignKey, Mapping[Row, Row]]
"""By key the rows of its child that come to point by it, each with what it will point with."""


def _pointing(
    catalog: Catalog, keys: Iterable[ForeignKey], repairs: Mapping[Spot, Repair], images: Mapping[Spot, Row]
) -> Pointing:
    by_table: dict[str, list[Repair]] = defaultdict(list)
    for repair in repairs.values():
        by_table[repair.table].append(repair)
    by_row: dict[str, dict[Row, Row]] = defaultdict(dict)
    for spot, image in images.items():
        by_row[spot.table][spot.row] = image
    return {
        key: pointers(key, catalog.tables[key.child], by_table[key.child], by_row[key.child].get)
        for key in {str(key): key for key in keys if key.askable}.values()
        if key.child in by_table
    }


def pointers(
    key: ForeignKey, child: Table, repairs: Iterable[Repair], image: Callable[[Row], Row | None]
) -> dict[Row, Row]:
    """Those rows of ``repairs`` that are put back so that they point anew by ``key``, with the values of its columns.

    ``image`` tells what a row is now: of a key of several columns it may be that only one is set.
    """
    found: dict[Row, Row] = {}
    for repair in repairs:
        if repair.action is not Action.DELETE and not set(key.columns).isdisjoint(repair.columns):
            held = dict(zip(child.stored, image(repair.row) or (), strict=False))
            held |= dict(zip(repair.columns, repair.values, strict=True))
            # A column that the row computes is not known before it is there.
            if held.keys() >= set(key.columns):
                found[repair.row] = tuple(held[name] for name in key.columns)
    return found


def _adopted(reading: Reading, deed: Deed, pointing: Pointing) -> dict[Spot, str]:
    """Rows that missed a parent before the run, and whose missing parent is there now.

    One that the run has brought itself is no stranger, and goes again.
    """
    found: dict[Spot, str] = {}
    for key, rows in pointing.items():
        missed = {row: at for row, at in rows.items() if str(key) in deed.missed.get(Spot(key.child, row), ())}
        if missed:
            astray, brought = dangling(reading, key, missed), _brought(deed, key)
            why = f"a row is there now that it would point at by {key}, where there was none"
            strangers = (row for row, at in missed.items() if row not in astray and at not in brought)
            found |= {Spot(key.child, row): why for row in strangers}
    return found


def _brought(deed: Deed, key: ForeignKey) -> set[Row]:
    """What the parents that the run inserted have in the columns that ``key`` points at."""
    held = (
        dict(zip(change.columns, change.after, strict=True))
        for change in deed.changes
        if change.table == key.parent and change.before is None and change.after is not None
    )
    return {tuple(row[name] for name in key.parent_columns) for row in held if row.keys() >= set(key.parent_columns)}


def dangling(reading: Reading, key: ForeignKey, pointing: Mapping[Row, Row]) -> set[Row]:
    """Those rows of the child, by locator, that would be orphans of ``key`` if its columns held these values."""
    dialect = reading.dialect
    locator = reading.catalog().tables[key.child].locator
    width = len(key.columns)
    told = [dialect.quote(f"{_LOCATOR}{i}") for i in range(len(locator))]
    held = [f"k{i} AS {dialect.quote(name)}" for i, name in enumerate(key.columns)]
    held += [f"k{width + i} AS {name}" for i, name in enumerate(told)]
    found: set[Row] = set()
    for piece in in_pieces(list(pointing)):
        with reading.chosen(key.child, (*key.columns, *locator), [(*pointing[row], *row) for row in piece]) as relation:
            given = f"(SELECT {', '.join(held)} FROM {relation}) AS c"
            columns = ", ".join(f"c.{name}" for name in told)
            found.update(reading.rows(f"SELECT {columns} FROM {given} WHERE {condition(key, dialect)}"))
    return found


def _without_parents(
    deed: Deed, pointing: Pointing, conflicts: Mapping[Spot, str], images: Mapping[Spot, Row]
) -> dict[Spot, str]:
    """Rows whose parent the run had removed and that cannot come back; those that point at these in turn, to the end.

    Values are compared as they are: what an engine takes for the same by a conversion is found when it is done.
    """
    children: dict[tuple[str, tuple[str, ...], Row], list[tuple[Spot, str]]] = defaultdict(list)
    for key, rows in pointing.items():
        for row, values in rows.items():
            if None not in values:
                children[key.parent, key.parent_columns, values].append((Spot(key.child, row), str(key)))
    sides = {(key.parent, key.parent_columns) for key in pointing}
    changes = {Spot(change.table, change.row): change for change in deed.changes}
    found: dict[Spot, str] = {}
    waiting = list(conflicts)
    while waiting:
        spot = waiting.pop()
        change = changes[spot]
        if change.before is None or (change.after is not None and spot in images):
            continue  # it never was a parent of theirs, or it still is
        held: dict[str, Value] = dict(zip(change.columns, change.before, strict=True))
        for table, columns in sides:
            if table == spot.table and held.keys() >= set(columns):
                for child, name in children[table, columns, tuple(held[column] for column in columns)]:
                    if child not in conflicts and child not in found:
                        found[child] = f"what it points at by {name} cannot be put back"
                        waiting.append(child)
    return found
