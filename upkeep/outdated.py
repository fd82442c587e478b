"""Rows of a plan that are no longer what they were, as a refusal tells them: the first by name, then a number."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from upkeep.catalog import ForeignKey
from upkeep.databases import Reading
from upkeep.errors import Refused
from upkeep.rows import orphans_among
from upkeep.values import Row, encode, in_pieces

AGAIN = "nothing was done; run it again for a new plan"
NAMED = 20


class Outdated:
    """What is in the way of a plan: how many rows, and of the first of them what a person is told."""

    def __init__(self) -> None:
        self._rows = 0
        self._named: list[str] = []

    def add(self, said: Iterable[str], rows: int = 1) -> None:
        """So many rows more; of ``said`` no more is asked than is told."""
        self._rows += rows
        self._named += islice(said, NAMED - len(self._named))

    def refuse(self) -> None:
        """Raise Refused with these rows, if there are any."""
        if self._rows == 1:
            raise Refused(self._named[0], AGAIN)
        if self._rows:
            more = self._rows - len(self._named)
            named = "; ".join(self._named) + (f"; and {more:,} more" if more else "")
            raise Refused(f"{self._rows:,} rows are in the way of the plan: {named}", AGAIN)


def told(row: Row) -> str:
    """The locator of a row for a message."""
    return ", ".join(str(encode(value)) for value in row)


def orphans_of(
    reading: Reading, key: ForeignKey, locator: tuple[str, ...], rows: Iterable[Row], *, are: bool
) -> Iterator[Row]:
    """Those of ``rows`` that are orphans of the key, or those that are none; found by halves."""
    for piece in in_pieces(rows):
        left: list[Sequence[Row]] = [piece]
        while left:
            several = left.pop()
            found = orphans_among(reading, key, locator, several)
            # Of an array a row may have several, so that their number does not say that it is all of the rows.
            if not found or len(several) == 1 or (found == len(several) and not key.elements):
                yield from several if (found > 0) is are else ()
            else:
                middle = len(several) // 2
                left += [several[middle:], several[:middle]]
