"""What a repair comes to, row by row in plain Python: another way to say it than the planner's."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Values = dict[str, Any]
"""One row: its values by column."""


@dataclass(frozen=True)
class TableShape:
    """What the repair must know of a table: columns that may be NULL, its primary key, can its rows be told apart."""

    nullable: frozenset[str]
    primary_key: tuple[str, ...] = ()
    has_locator: bool = True


@dataclass(frozen=True)
class Reference:
    """A foreign key; ``is_sound`` is False where it is unusable or its parent table is gone."""

    child: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    is_sound: bool = True

    def __str__(self) -> str:
        return f"{self.child}({', '.join(self.columns)}) -> {self.parent}({', '.join(self.parent_columns)})"


@dataclass(frozen=True)
class SomeRule:
    """The actions for a child table, or one column of it, and a parent table, or any of them (None)."""

    child: str
    column: str | None
    parent: str | None
    actions: tuple[str, ...]


@dataclass
class _Row:
    """One row that may go: rows are told apart by what they are, not by what they hold."""

    table: str
    values: Values
    is_gone: bool = False
    is_stuck: bool = False
    would_go: bool = False
    is_back: bool = False


class Past(Protocol):
    """What older states of the database tell; see ``tests.history_model``."""

    def parent_of(self, table: str, values: Values, key: Reference) -> tuple[str, Values] | None:
        """The table and the row that is put back as the parent of this orphan; None where nothing is."""

    def needed_by(self, table: str, values: Values) -> list[tuple[str, Values]]:
        """The rows that have to come with a row that is put back."""

    def let_be(self, table: str, number: Any) -> None:
        """This row cannot be put back after all."""


class Model:
    """A database in memory, its keys and its rules. ``pick`` chooses which of several rows is looked at first."""

    def __init__(
        self,
        tables: dict[str, list[Values]],
        shapes: dict[str, TableShape],
        keys: Sequence[Reference],
        rules: Sequence[SomeRule],
        pick: Callable[[int], int] = lambda _: 0,
        past: Past | None = None,
    ) -> None:
        self.rows = [_Row(table, dict(values)) for table, rows in tables.items() for values in rows]
        self.shapes, self.keys, self.rules, self.pick = shapes, keys, rules, pick
        self.past = past

    def repair(self) -> tuple[dict[str, list[Values]], Counter[str]]:
        """The database when nothing more follows, and how many orphans of each key stay."""
        self._settle()
        while wanted := [
            parent
            for row in self.rows
            for key in ([] if row.is_gone else self._missed(row))
            if self._does(row, key) == "restore" and (parent := self._comes_back(row, key)) is not None
        ]:
            self._put_back(*wanted[self.pick(len(wanted))])
            self._begin_anew()
        if self.past and (lost := self._without_a_parent()):
            self.past.let_be(*lost[self.pick(len(lost))])
            self.rows = [row for row in self.rows if not row.is_back]
            self._begin_anew()
            return self.repair()
        return self._end()

    def _begin_anew(self) -> None:
        for row in self.rows:
            row.is_gone = row.would_go = row.is_stuck = False
        self._settle()

    def _without_a_parent(self) -> list[tuple[str, Any]]:
        """Rows that were put back and point at one that goes, where the rule has nothing to set instead."""
        return [(row.table, row.values["id"]) for row, key in self._back_and_missing() if not self._instead(key)]

    def _back_and_missing(self) -> list[tuple[_Row, Reference]]:
        return [
            (row, key)
            for row in self.rows
            for key in self.keys
            if row.is_back and key.child == row.table and None not in [row.values[column] for column in key.columns]
            if all(parent.is_gone for parent in self._parents(row, key))
        ]

    def _instead(self, key: Reference) -> set[str]:
        rule = next((rule for rule in self.rules if _speaks(rule, key)), None)
        first = next((action for action in (rule.actions if rule else ()) if action != "restore"), "keep")
        return self._free(key) if first == "nullify" else set()

    def _put_back(self, table: str, values: Values) -> None:
        """The row and, one after the other, what it misses itself."""
        row = _Row(table, dict(values), is_back=True)
        missing = self.past.needed_by(table, values) if self.past else []
        self.rows.append(row)
        for parent, image in missing:
            if not any(other.table == parent and other.values == image for other in self.rows):
                self._put_back(parent, image)

    def _comes_back(self, row: _Row, key: Reference) -> tuple[str, Values] | None:
        """The parent that older states prove for a row that was an orphan from the first."""
        if self.past is None or row.is_back or any(not other.is_back for other in self._parents(row, key)):
            return None
        return self.past.parent_of(row.table, row.values, key)

    def _settle(self) -> None:
        self._delete_what_follows()
        for row in self.rows:
            row.would_go = row.is_gone
        while stuck := self._rows_that_someone_needs():
            first = stuck[self.pick(len(stuck))]
            for row in first:
                row.is_stuck = True
            for row in self.rows:
                row.is_gone = False
            self._delete_what_follows()

    def _delete_what_follows(self) -> None:
        while going := [
            row
            for row in self.rows
            if not row.is_gone and any(self._does(row, key) == "delete" for key in self._missed(row))
        ]:
            going[self.pick(len(going))].is_gone = True

    def _end(self) -> tuple[dict[str, list[Values]], Counter[str]]:
        kept: Counter[str] = Counter()
        nulls = []
        for row in self.rows:
            for key in [] if row.is_gone else self._missed(row):
                action = self._does(row, key)
                kept[str(key)] += action == "keep"
                nulls += [(row, column) for column in self._free(key)] if action == "nullify" else []
        nulls += [(row, column) for row, key in self._back_and_missing() for column in self._instead(key)]
        for row, column in nulls:
            row.values[column] = None
        left: dict[str, list[Values]] = {table: [] for table in self.shapes}
        for row in self.rows:
            if not row.is_gone:
                left[row.table].append(row.values)
        return left, +kept

    def _missed(self, row: _Row) -> list[Reference]:
        return [
            key
            for key in self.keys
            if key.child == row.table
            and not row.is_back
            and all(row.values[column] is not None for column in key.columns)
            and all(parent.is_gone for parent in self._parents(row, key))
        ]

    def _parents(self, row: _Row, key: Reference) -> list[_Row]:
        wanted = [row.values[column] for column in key.columns]
        if None in wanted:
            return []
        return [
            other
            for other in self.rows
            if other.table == key.parent and [other.values[column] for column in key.parent_columns] == wanted
        ]

    def _rows_that_someone_needs(self) -> list[list[_Row]]:
        """For each orphan that has to be kept and stays, the rows that it points at, if they would all go."""
        found = []
        for row in self.rows:
            for key in (k for k in self.keys if k.child == row.table and not (row.is_gone or row.is_back)):
                parents = self._parents(row, key)
                free = [parent for parent in parents if not parent.is_stuck]
                if free and all(parent.would_go for parent in parents) and self._does(row, key) == "keep":
                    found.append(free)
        return found

    def _does(self, row: _Row, key: Reference) -> str:
        rule = next((rule for rule in self.rules if _speaks(rule, key)), None)
        is_named = rule is not None and rule.column is not None and rule.parent is not None
        if rule is None or not self.shapes[key.child].has_locator or not (key.is_sound or is_named):
            return "keep"
        for action in rule.actions:
            if action == "restore" and self._comes_back(row, key) is not None:
                return "restore"
            if action == "restore":
                continue
            if action not in ("nullify", "delete"):
                return "keep"
            if not row.is_stuck if action == "delete" else self._free(key):
                return action
        return "keep"

    def _free(self, key: Reference) -> set[str]:
        shape = self.shapes[key.child]
        needed = set(shape.primary_key)
        for other in self.keys:
            needed |= set(other.columns) if other.child == key.child and other != key else set()
            needed |= set(other.parent_columns) if other.parent == key.child else set()
        return (set(key.columns) & shape.nullable) - needed


def _speaks(rule: SomeRule, key: Reference) -> bool:
    return rule.child == key.child and rule.column in (None, *key.columns) and rule.parent in (None, key.parent)
