"""What older states of a database prove of missing parents, row by row in plain Python: another way to say it."""

from collections.abc import Sequence
from itertools import pairwise

from tests.repair_model import Model, Reference, SomeRule, TableShape, Values, _speaks

State = dict[str, list[Values]]
"""Every table's rows at one moment."""


class History:
    """Older states, oldest first, and that of today, with the keys and the rules. Rows are told apart by ``id``."""

    def __init__(
        self,
        states: Sequence[State],
        today: State,
        shapes: dict[str, TableShape],
        keys: Sequence[Reference],
        rules: Sequence[SomeRule],
    ) -> None:
        self.states, self.today, self.shapes, self.keys, self.rules = list(states), today, shapes, keys, rules
        self._left: set[tuple[str, object]] = set()

    def let_be(self, table: str, number: object) -> None:
        """This row cannot be put back after all."""
        self._left.add((table, number))

    def parent_of(self, table: str, values: Values, key: Reference) -> tuple[str, Values] | None:
        """The parent that is put back for this orphan's sake."""
        said, image, at = self._judge(table, values, key, len(self.states))
        if said != "proven" or not self._may_come(key.parent, image, at, frozenset()):
            return None
        return key.parent, self._as_it_comes(key.parent, image, at, frozenset())

    def needed_by(self, table: str, values: Values) -> list[tuple[str, Values]]:
        """The rows that have to come with one that is put back."""
        found = []
        for key in self.keys:
            if key.child == table and self._pointer(values, key) and not self._parents(self.today, values, key):
                at = max(n for n, state in enumerate(self.states) if _with_id(state[table], values["id"]))
                _, image, at = self._judge(table, self._raw(table, values, at), key, at)
                found.append((key.parent, self._as_it_comes(key.parent, image, at, frozenset())))
        return found

    def _raw(self, table: str, values: Values, at: int) -> Values:
        (row,) = _with_id(self.states[at][table], values["id"])
        return row

    def _judge(self, table: str, values: Values, key: Reference, until: int) -> tuple[str, Values, int]:
        """Proven, disproven or untold; with the parent as it was at last, and in which state.

        ``until``: the first state in which it is taken for granted that the child stood there.
        """
        alike = [
            next((r for r in state[table] if r["id"] == values["id"] and self._points_alike(r, values, key)), None)
            for state in self.states
        ]
        told = [
            self._judged(
                values,
                key,
                [n >= until or self._stood(table, values, row, n, doubt) for n, row in enumerate(alike)],
            )
            for doubt in (True, False)
        ]
        if told[0][0] != told[1][0] or told[0][1] != told[1][1]:
            return "disproven", {}, 0
        return told[1]

    def _stood(self, table: str, values: Values, row: Values | None, at: int, doubt: bool) -> bool:
        return row is not None and (doubt or self._is_one(table, row, values, at))

    def _judged(self, values: Values, key: Reference, stood: list[bool]) -> tuple[str, Values, int]:
        """The same where it is known in which states the child stood there."""
        first = next((n for n in range(len(stood) + 1) if all(stood[n:])), len(stood))
        parents = [next(iter(self._parents(state, values, key)), None) for state in self.states]
        at_first = parents[first] if first < len(parents) else None
        just_before = parents[first - 1] if first else None
        if at_first is None and just_before is None:
            return ("disproven" if any(parents[first:]) else "untold"), {}, 0
        if at_first is None and not self._is_kept(key.parent, just_before, first - 1):
            return "disproven", {}, 0  # another may have come and gone under that number
        line = [n for n in range(max(first - 1, 0), len(parents)) if parents[n] is not None]
        for older, newer in pairwise(line):
            if parents[older] != parents[newer] and not self._is_kept(key.parent, parents[older], older):
                return "disproven", {}, 0
        newest = parents[line[-1]]
        assert newest is not None
        return "proven", newest, line[-1]

    def _is_one(self, table: str, then: Values, values: Values, at: int) -> bool:
        """Is a row of an older state this one, and no other that had its number?"""
        return then["id"] == values["id"] and (then == values or self._is_kept(table, then, at))

    def _is_kept(self, table: str, row: Values | None, at: int) -> bool:
        """Do rows of higher numbers stand today as they stood then?"""
        return any(
            other["id"] > row["id"] and other in self.today[table]
            for other in self.states[at][table]
            if row is not None
        )

    def _may_come(self, table: str, row: Values, at: int, coming: frozenset[str]) -> bool:
        """Is it disproven for nobody who would find it, is its place free, and has it all parents of its own?"""
        if _with_id(self.today[table], row["id"]) or (table, row["id"]) in self._left:
            return False
        for key in self.keys:
            for child in self.today[key.child] if key.parent == table else []:
                if self._points_to(child, row, key):
                    said, image, _ = self._judge(key.child, child, key, len(self.states))
                    if said == "disproven" or (said == "proven" and image != row):
                        return False
                    if said == "untold" and not self._is_kept(table, row, at):
                        return False  # it may mean another, who came and went under that number
        return self._as_it_comes(table, row, at, coming) is not _IMPOSSIBLE

    def _as_it_comes(self, table: str, row: Values, at: int, coming: frozenset[str]) -> Values:
        came, coming = dict(row), coming | {f"{table} {row['id']}"}
        for key in self.keys:
            if key.child != table or not self._pointer(row, key) or self._parents(self.today, row, key):
                continue
            rule = next((rule for rule in self.rules if _speaks(rule, key)), None)
            for action in (*(rule.actions if rule else ()), "keep"):
                if action == "restore":
                    said, image, then = self._judge(table, row, key, at)
                    here = f"{key.parent} {image.get('id')}"
                    if said == "proven" and (here in coming or self._may_come(key.parent, image, then, coming)):
                        break
                elif action == "nullify":
                    free = Model({}, self.shapes, self.keys, self.rules)._free(key)
                    if free:
                        came |= dict.fromkeys(free)
                        break
                else:
                    return _IMPOSSIBLE
        return came

    def _pointer(self, values: Values, key: Reference) -> bool:
        return all(values[column] is not None for column in key.columns)

    def _points_alike(self, row: Values, values: Values, key: Reference) -> bool:
        return all(row[column] == values[column] for column in key.columns)

    def _points_to(self, child: Values, parent: Values, key: Reference) -> bool:
        pairs = zip(key.columns, key.parent_columns, strict=True)
        return all(child[ours] is not None and child[ours] == parent[theirs] for ours, theirs in pairs)

    def _parents(self, state: State, values: Values, key: Reference) -> list[Values]:
        return [row for row in state[key.parent] if self._points_to(values, row, key)]


_IMPOSSIBLE: Values = {"id": object()}


def _with_id(rows: list[Values], number: object) -> list[Values]:
    return [row for row in rows if row["id"] == number]
