"""Which rows an undo leaves pointing at nothing, as they did before the run: known beforehand, counted afterwards."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from upkeep.catalog import ForeignKey, tables_below
from upkeep.databases import Reading
from upkeep.errors import Refused
from upkeep.gathered import Gathered, comparable
from upkeep.orphans import bereaved
from upkeep.plan import Plan
from upkeep.pointers import dangling, pointers
from upkeep.policy import Action
from upkeep.rows import images_of, orphans_among
from upkeep.values import Row, in_pieces


@dataclass(frozen=True)
class Astray:
    """Rows, by key, that may be orphans of it when the plan is done, and the keys by which some are known to be."""

    keys: Mapping[str, ForeignKey]
    rows: Mapping[str, Collection[Row]]
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
    looking = _Look(reading, plan, keys)
    rows = Gathered((name, row) for name, key in looking.keys.items() for row in looking.astray(name, key))
    return Astray(looking.keys, rows, frozenset(looking.certain))


class _Look:
    """One look before anything is done; ``certain`` are the keys that it has found to be violated."""

    def __init__(self, reading: Reading, plan: Plan, keys: tuple[ForeignKey, ...]) -> None:
        self._reading, self._errands = reading, plan.errands
        self._tables = reading.catalog().tables
        self._going = Gathered((one.table, one.row) for one in plan.errands.of_rows if one.goes)
        self._coming = _Coming(plan, keys)
        self.keys = {str(key): key for key in keys if key.askable and key.child in self._tables}
        self.certain: set[str] = set()

    def astray(self, name: str, key: ForeignKey) -> Iterator[Row]:
        """The rows that may be orphans of one key afterwards."""
        child = self._tables[key.child]
        for piece in in_pieces(self._errands.of_table(key.child)):
            pointing = pointers(key, child, piece, partial(images_of, self._reading, child))
            if pointing and name not in self.certain and self._is_violated(key, pointing):
                self.certain.add(name)
            yield from pointing
        for row in self._left_behind(key):
            self.certain.add(name)
            yield row

    def _is_violated(self, key: ForeignKey, pointing: Mapping[Row, Row]) -> bool:
        """Does one of the rows point at nothing that is there or has come before it?"""
        return any(
            comparable(pointing[row]) not in self._coming.of(key) for row in dangling(self._reading, key, pointing)
        )

    def _left_behind(self, key: ForeignKey) -> Iterator[Row]:
        """Rows that stay and whose parents by ``key`` all go."""
        reading, going = self._reading, self._going.get(key.parent)
        if not going:
            return
        below, above = self._tables[key.child].locator, self._tables[key.parent].locator
        with reading.chosen(key.parent, above, going) as relation:
            for row in reading.rows(bereaved(key, below, above, relation, reading.dialect)):
                if not below:
                    raise _not_told_apart(key)
                if not self._going.holds(key.child, row[: len(below)]):
                    yield row[: len(below)]


def _not_told_apart(key: ForeignKey) -> Refused:
    return Refused(
        f"rows of {key.child}, which cannot be told apart, point at a row of {key.parent} that would go",
        "nothing was done; mend these rows by hand, then run it again",
    )


class _Coming:
    """The rows that a plan inserts, as those that come after them point at them."""

    def __init__(self, plan: Plan, keys: tuple[ForeignKey, ...]) -> None:
        self._errands = plan.errands
        tables = {table for table, action in plan.errands.by_table if action is Action.RESTORE}
        self._below = tables_below(tables, keys)
        self._known: dict[tuple[str, tuple[str, ...]], Collection[Row]] = {}

    def of(self, key: ForeignKey) -> Collection[Row]:
        """What the parents that ``key`` may find have in its columns; nothing where the two tables are in a circle.

        Parents come first, but in a circle of tables nobody does.
        """
        if key.child != key.parent and key.parent in self._below.get(key.child, ()):
            return ()
        side = key.parent, key.parent_columns
        if side not in self._known:
            self._known[side] = Gathered((key.parent, row) for row in self._held(*side)).get(key.parent, ())
        return self._known[side]

    def _held(self, table: str, columns: tuple[str, ...]) -> Iterator[Row]:
        for one in self._errands.of_table(table):
            values = dict(zip(one.columns, one.values, strict=True))
            if one.action is Action.RESTORE and values.keys() >= {*columns}:
                yield comparable(tuple(values[name] for name in columns))


def as_foreseen(plan: Plan, counted: tuple[tuple[str, int], ...]) -> None:
    """Refused unless as many rows point at nothing as the plan says; a rehearsal's first look says nothing yet."""
    if plan.undo and plan.undo.astray not in (None, counted):
        told = ", ".join(f"{rows} by {name}" for name, rows in counted) or "none"
        raise Refused(
            f"other rows would point at nothing than in the rehearsal: {told}",
            "nothing was done; run it again for a new plan",
        )
