"""Which rows an undo leaves pointing at nothing, as they did before the run: known beforehand, counted afterwards."""

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass

from upkeep.catalog import ForeignKey, tables_below
from upkeep.databases import Reading
from upkeep.errors import Refused
from upkeep.orphans import bereaved
from upkeep.plan import Plan, Repair
from upkeep.policy import Action
from upkeep.rows import images_of, orphans_among
from upkeep.undoing import dangling, pointers
from upkeep.values import Row


@dataclass(frozen=True)
class Astray:
    """Rows, by key, that may be orphans of it when the plan is done, and the keys by which some are known to be."""

    keys: Mapping[str, ForeignKey]
    rows: Mapping[str, frozenset[Row]]
    certain: frozenset[str]

    @property
    def passed_over(self) -> tuple[ForeignKey, ...]:
        """The declared keys that an engine would refuse such a plan by, if it enforces them."""
        return tuple(key for name, key in self.keys.items() if name in self.certain and key.declared)

    def counted(self, reading: Reading) -> tuple[tuple[str, int], ...]:
        """How many of the rows are orphans now, by key."""
        found = []
        for name in sorted(self.rows):
            key = self.keys[name]
            locator = reading.catalog().tables[key.child].locator
            orphans = orphans_among(reading, key, locator, self.rows[name])
            if orphans:
                found.append((name, orphans))
        return tuple(found)


def foresee(reading: Reading, plan: Plan, keys: tuple[ForeignKey, ...]) -> Astray:
    """Look at every row that comes back with a pointer, and at every row whose parent would go; nothing is changed."""
    tables = reading.catalog().tables
    by_table: dict[str, list[Repair]] = defaultdict(list)
    for repair in plan.repairs:
        by_table[repair.table].append(repair)
    going = {
        name: {repair.row for repair in repairs if repair.action is Action.DELETE} for name, repairs in by_table.items()
    }
    # A key may have several columns of which one is set: then the row itself holds the others.
    images = {
        name: images_of(reading, tables[name], {one.row for one in repairs if one.action is Action.REASSIGN})
        for name, repairs in by_table.items()
        if name in tables
    }
    coming = _Coming(plan, keys)
    by_name = {str(key): key for key in keys if key.askable and key.child in tables}
    rows: dict[str, frozenset[Row]] = {}
    certain = set()
    for name, key in by_name.items():
        pointing = pointers(key, tables[key.child], by_table.get(key.child, ()), images.get(key.child, {}).get)
        left = _left_behind(reading, key, going)
        if found := pointing.keys() | left:
            rows[name] = frozenset(found)
        if left or any(pointing[row] not in coming.of(key) for row in _dangling(reading, key, pointing)):
            certain.add(name)
    return Astray(by_name, rows, frozenset(certain))


class _Coming:
    """The rows that a plan inserts, as those that come after them point at them."""

    def __init__(self, plan: Plan, keys: tuple[ForeignKey, ...]) -> None:
        self._rows = [repair for repair in plan.repairs if repair.action is Action.RESTORE]
        self._below = tables_below({repair.table for repair in self._rows}, keys)
        self._known: dict[tuple[str, tuple[str, ...]], set[Row]] = {}

    def of(self, key: ForeignKey) -> Set[Row]:
        """What the parents that ``key`` may find have in its columns; nothing where the two tables are in a circle.

        Parents come first, but in a circle of tables nobody does.
        """
        if key.child != key.parent and key.parent in self._below.get(key.child, ()):
            return frozenset()
        side = key.parent, key.parent_columns
        if side not in self._known:
            held = (dict(zip(one.columns, one.values, strict=True)) for one in self._rows if one.table == key.parent)
            self._known[side] = {
                tuple(values[name] for name in key.parent_columns)
                for values in held
                if values.keys() >= set(key.parent_columns)
            }
        return self._known[side]


def _dangling(reading: Reading, key: ForeignKey, pointing: Mapping[Row, Row]) -> set[Row]:
    return dangling(reading, key, pointing) if pointing else set()


def _left_behind(reading: Reading, key: ForeignKey, going: Mapping[str, set[Row]]) -> set[Row]:
    """Rows that stay and whose parents by ``key`` all go."""
    if not going.get(key.parent):
        return set()
    tables = reading.catalog().tables
    below, above = tables[key.child].locator, tables[key.parent].locator
    with reading.chosen(key.parent, above, going[key.parent]) as relation:
        found = list(reading.rows(bereaved(key, below, above, relation, reading.dialect)))
    if found and not below:
        raise Refused(
            f"rows of {key.child}, which cannot be told apart, point at a row of {key.parent} that would go",
            "nothing was done; mend these rows by hand, then run it again",
        )
    return {row[: len(below)] for row in found} - going.get(key.child, set())


def as_foreseen(plan: Plan, counted: tuple[tuple[str, int], ...]) -> None:
    """Refused unless as many rows point at nothing as the plan says; a rehearsal's first look says nothing yet."""
    if plan.undo and plan.undo.astray not in (None, counted):
        told = ", ".join(f"{rows} by {name}" for name, rows in counted) or "none"
        raise Refused(
            f"other rows would point at nothing than in the rehearsal: {told}",
            "nothing was done; run it again for a new plan",
        )
