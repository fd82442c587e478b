"""Columns that triggers set whenever a row changes, "updated_at" say: an undo puts the row back all the same.

A run sets columns of foreign keys only. What else it changed in a row that stays, a trigger had changed, and changes
again when the row is put back. What is decided here is which columns may be such.
"""

from collections.abc import Iterable, Iterator

from upkeep.catalog import Catalog, ForeignKey
from upkeep.changes import Refusal
from upkeep.policy import Action

SetAnew = set[tuple[str, str]]
"""Columns, each with its table."""


class Triggered:
    """Tells refusals of rows in which but such columns came out otherwise from all others."""

    def __init__(self, catalog: Catalog, keys: tuple[ForeignKey, ...]) -> None:
        self._catalog, self._keys = catalog, keys
        self._bound: dict[str, frozenset[str]] = {}
        self._met: set[frozenset[tuple[str, str]]] = set()

    def columns(self, refusal: Refusal) -> SetAnew:
        """What triggers set in that row; none where they set more than they may, or it refused for another reason."""
        if refusal.action is not Action.REASSIGN or not refusal.otherwise:
            return set()
        if not self._bound_in(refusal.table).isdisjoint(refusal.otherwise):
            return set()
        return {(refusal.table, name) for name in refusal.otherwise}

    def once(self, refusals: Iterable[Refusal]) -> Iterator[Refusal]:
        """Of rows in which but such columns differ one for each set of columns, ever: there may be millions."""
        for refusal in refusals:
            columns = frozenset(self.columns(refusal))
            if not columns or columns not in self._met:
                self._met.add(columns)
                yield refusal

    def _bound_in(self, table: str) -> frozenset[str]:
        """The columns by which rows of a table point, are pointed at, or are told apart."""
        if table not in self._bound:
            pointing = {name for key in self._keys if key.child == table for name in (*key.read, key.array)}
            pointed_at = {name for key in self._keys if key.parent == table for name in key.parent_columns}
            self._bound[table] = frozenset((*pointing, *pointed_at, *self._catalog.tables[table].locator))
        return self._bound[table]
