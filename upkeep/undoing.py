"""Drawing up an undo: what puts every row of a run back, and which rows cannot be put back (P-67).

What is decided here:

- A row is put back only if it is still what the run made of it. One that was changed since, is gone since, or whose
  key is another row's now, is a conflict: somebody has worked on with it.
- A row that missed its parent before the run is no conflict because it misses it again; it is one where that parent is
  there now: it would be taken for the child of a stranger (P-53).
- A row whose own parent the run had removed, and that cannot come back, cannot come back either.
- A column that a trigger sets whenever the row changes is no reason to leave the row: the trigger had set it with the
  run. It comes out otherwise than before, and the undo says so.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from upkeep.catalog import Catalog, ForeignKey, Table
from upkeep.changes import Change, Refusal
from upkeep.databases import Reading
from upkeep.fixpoint import SPOTS, Spot
from upkeep.gathered import Gathered
from upkeep.making import Comeback
from upkeep.obstacles import adopted, can_be_asked, without_parents
from upkeep.plan import Plan, Repair
from upkeep.planning import triggers_fired
from upkeep.pointers import pointers
from upkeep.policy import Action
from upkeep.repair import REPAIRS
from upkeep.rows import images_of
from upkeep.set_anew import Triggered
from upkeep.spilled import Spilled, arranged
from upkeep.spilled_mapping import TEXTS, SpilledMapping
from upkeep.undo import CONFLICTS, Conflict, Undo
from upkeep.values import Row, in_pieces, row_digest


@dataclass(frozen=True)
class Deed:
    """What a run did to rows, which may be more than fit into memory.

    ``missed`` are by key the rows that were known to be orphans of it.

    ``mended`` counts by key the orphans that the run took away, None where nobody knows; ``migration`` is the way that
    it went, if any; ``triggers`` are those that its statements may have fired, ``enforced`` the foreign keys that it
    brought into force, ``tables`` those that came back as a whole, or went again. ``set_anew`` are the columns, each
    with its table, that triggers set anew when it was taken back before.
    """

    run: str
    changes: Sequence[Change]
    missed: Mapping[str, Collection[Row]] = field(default_factory=dict)
    mended: Mapping[str, int] | None = None
    migration: str | None = None
    triggers: tuple[str, ...] = ()
    enforced: tuple[str, ...] = ()
    tables: tuple[Comeback, ...] = ()
    set_anew: tuple[tuple[str, str], ...] = ()


def draw_back(
    reading: Reading,
    database: str,
    deed: Deed,
    keys: tuple[ForeignKey, ...],
    refusals: Sequence[Refusal] = (),
) -> Plan:
    """The plan that puts the rows of ``deed`` back; ``refusals`` are those that a rehearsal met."""
    catalog = reading.catalog()
    conflicts: SpilledMapping[Spot, str] = SpilledMapping(SPOTS, TEXTS)
    triggered = Triggered(catalog, keys)
    set_anew = {*deed.set_anew, *(column for one in refusals for column in triggered.columns(one))}
    undo = Undo(deed.run, set_anew=tuple(sorted(set_anew)))
    ways = _Ways(reading, deed.changes, conflicts, undo)
    there = len(deed.changes) - len(ways.back) - len(conflicts)
    conflicts.put(ways.refused(refusals, triggered))
    pointing = {key: ways.pointing(key) for key in {str(key): key for key in keys if key.askable}.values()}
    conflicts.put(adopted(reading, deed.changes, deed.missed, pointing))
    conflicts.put(without_parents(reading, deed.changes, pointing, conflicts).items())
    tables, staying = _tables_back(reading, deed, ways, conflicts)
    conflicts.put(staying.items())
    left = Spilled(ways.but_for(conflicts), REPAIRS) if conflicts else ways.back
    whole = {one.table for one in tables}
    return Plan(
        database,
        left,
        triggers=triggers_fired(catalog, {(one.table, one.action) for one in left if one.table not in whole}),
        tables=tables,
        undo=replace(undo, conflicts=_in_order(conflicts), there=there),
    )


def _in_order(conflicts: Mapping[Spot, str]) -> Sequence[Conflict]:
    told = (Conflict(*spot, why) for spot, why in conflicts.items())
    return Spilled(arranged(told, lambda one: (repr((Spot(one.table, one.row), one.why)),), 1, CONFLICTS), CONFLICTS)


class _Ways:
    """What puts the rows of a run back, in the order of the plan; rows that cannot be are told to ``conflicts``."""

    def __init__(
        self, reading: Reading, changes: Iterable[Change], conflicts: MutableMapping[Spot, str], undo: Undo
    ) -> None:
        self._reading, self._undo = reading, undo
        self._catalog = reading.catalog()
        self._coming: Counter[str] = Counter()  # by table, those that do not go; they stand first
        order = arranged(self._found(changes, conflicts), _order, 3, REPAIRS)
        self.back: Sequence[Repair] = Spilled(order, REPAIRS)

    def _found(self, changes: Iterable[Change], conflicts: MutableMapping[Spot, str]) -> Iterator[Repair]:
        for piece in in_pieces(changes):
            images = _images(self._reading, self._catalog, piece)
            for change in piece:
                spot = Spot(change.table, change.row)
                may_differ = self._undo.may_differ(change.table)
                way = way_back(change, images.get(spot), self._catalog.tables.get(change.table), may_differ)
                if isinstance(way, Repair):
                    self._coming[way.table] += way.action is not Action.DELETE
                    yield way
                elif way:
                    conflicts[spot] = way

    def refused(self, refusals: Sequence[Refusal], triggered: Triggered) -> Iterator[tuple[Spot, str]]:
        """Those that a rehearsal met, each with what the database said, but for what triggers set."""
        asked = Gathered((one.table, one.row) for one in self.back) if refusals else Gathered()
        told = (one for one in refusals if asked.holds(one.table, one.row) and not triggered.columns(one))
        return ((Spot(one.table, one.row), f"the database refuses it: {one.said}") for one in told)

    def pointing(self, key: ForeignKey) -> "_PiecesOf":
        """The rows that come to point by a key, piece by piece, however often they are asked for."""
        before = sum(rows for table, rows in self._coming.items() if table < key.child)
        return _PiecesOf(self._reading, key, self.back[before : before + self._coming[key.child]])

    def but_for(self, conflicts: Collection[Spot]) -> Iterator[Repair]:
        """Without those that cannot be put back."""
        return (one for one in self.back if Spot(one.table, one.row) not in conflicts)


@dataclass(frozen=True)
class _PiecesOf:
    """Rows of one table that come to point by a key, each with what it will point with."""

    reading: Reading
    key: ForeignKey
    repairs: Sequence[Repair]

    def __iter__(self) -> Iterator[dict[Row, Row]]:
        for piece in in_pieces(self.repairs):
            child = self.reading.catalog().tables[self.key.child]
            yield pointers(self.key, child, piece, partial(images_of, self.reading, child))


def _order(repair: Repair) -> tuple[int, str, str]:
    return repair.action is Action.DELETE, repair.table, repr(repair.row)


def way_back(
    change: Change, image: Row | None, table: Table | None, may_differ: frozenset[str] = frozenset()
) -> Repair | str | None:
    """What puts one row back that is now ``image``; why that cannot be; None where it is as before the run already."""
    if table is None:
        return None if change.before is None else f"the table {change.table} is gone"
    if not set(change.columns) <= set(table.stored):
        return f"{change.table} has not all columns any more that it had"
    now = _as_it_was_read(image, table, change.columns)
    if _alike(_but_for(may_differ, change, now), change.before):
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
    reading: Reading, deed: Deed, ways: _Ways, conflicts: Collection[Spot]
) -> tuple[tuple[Comeback, ...], Mapping[Spot, str]]:
    """The tables that go again, or come back once more; and rows of those that must stay, for others are in them.

    ``reading`` shows those that come back as if they were there, empty.
    """
    found: list[Comeback] = []
    staying: SpilledMapping[Spot, str] = SpilledMapping(SPOTS, TEXTS)
    for one in (comeback.reversed for comeback in deed.tables):
        if one.table not in reading.catalog().tables:
            continue  # it is gone already
        going = Spilled((Spot(*way[:2]) for way in ways.but_for(conflicts) if way.table == one.table), SPOTS)
        if not one.goes or (is_as_made(reading, one) and reading.count(one.table, digest=False).rows == len(going)):
            found.append(one)
        else:
            why = f"the table {one.table}, which would go with it, has other rows or another schema since"
            staying.put((spot, why) for spot in going)
    return tuple(found), staying


def is_as_made(reading: Reading, one: Comeback) -> bool:
    """Does the table stand there with the schema with which it came back? Its generator may have given numbers."""
    return reading.making(one.table).is_like(one.making)


def _as_it_was_read(image: Row | None, table: Table, columns: tuple[str, ...]) -> Row | None:
    """The columns of a row that the run knew: a migration may have added others, or put them in another order."""
    if image is None:
        return None
    held = dict(zip(table.stored, image, strict=True))
    return tuple(held[name] for name in columns)


def _but_for(may_differ: frozenset[str], change: Change, now: Row | None) -> Row | None:
    """The row with what it held before the run in those columns, if the run had left it where it is."""
    if now is None or change.before is None or change.after is None or not may_differ:
        return now
    told = zip(change.columns, now, change.before, strict=True)
    return tuple(was if name in may_differ else is_ for name, is_, was in told)


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
        if can_be_asked(catalog, Spot(change.table, change.row)):
            rows[change.table].append(change.row)
    return {
        Spot(name, row): image
        for name, several in rows.items()
        for row, image in images_of(reading, catalog.tables[name], several).items()
    }
