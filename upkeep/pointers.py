"""Where rows will point that are put back, and which of them would point at nothing there."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from upkeep.catalog import ForeignKey, Table
from upkeep.databases import Reading
from upkeep.orphans import condition
from upkeep.policy import Action
from upkeep.values import Row, in_pieces

_NUMBER = "upkeep n"
"""What a query calls the numbers of rows: so a name that nobody gives."""


class Set(Protocol):
    """A row some columns of which are set to values: a repair, or an errand."""

    @property
    def row(self) -> Row:
        """Its locator."""

    @property
    def action(self) -> Action:
        """How."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Those that are set."""

    @property
    def values(self) -> Row:
        """Raw, one for each."""


def pointers(
    key: ForeignKey, child: Table, rows: Iterable[Set], look: Callable[[list[Row]], Mapping[Row, Row]]
) -> dict[Row, Row]:
    """Those of ``rows`` that are put back so that they point anew by ``key``, with the values of its columns.

    ``look`` tells what rows are now: of a key of several columns it may be that only one is set.
    """
    anew = [one for one in rows if one.action is not Action.DELETE and not set(key.columns).isdisjoint(one.columns)]
    in_part = [one.row for one in anew if one.action is Action.REASSIGN and not set(key.columns) <= set(one.columns)]
    images = look(in_part) if in_part else {}
    found: dict[Row, Row] = {}
    for one in anew:
        held = dict(zip(child.stored, images.get(one.row, ()), strict=False))
        held |= dict(zip(one.columns, one.values, strict=True))
        # A column that the row computes is not known before it is there.
        if held.keys() >= set(key.columns):
            found[one.row] = tuple(held[name] for name in key.columns)
    return found


def dangling(reading: Reading, key: ForeignKey, pointing: Mapping[Row, Row]) -> set[Row]:
    """Those rows of the child, by locator, that would be orphans of ``key`` if its columns held these values."""
    dialect = reading.dialect
    number = dialect.quote(_NUMBER)
    held = ", ".join([*(f"k{i} AS {dialect.quote(name)}" for i, name in enumerate(key.columns)), f"n AS {number}"])
    found: set[Row] = set()
    for piece in in_pieces(pointing):
        with reading.chosen(key.child, key.columns, [pointing[row] for row in piece]) as relation:
            given = f"(SELECT {held} FROM {relation}) AS c"
            asked = f"SELECT c.{number} FROM {given} WHERE {condition(key, dialect)}"
            found.update(piece[int(str(n)) - 1] for (n,) in reading.rows(asked))
    return found
