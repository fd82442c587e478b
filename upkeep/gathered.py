"""Sets of rows by name, kept on disk: what a dict of sets holds of a plan, whatever its size."""

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import TypeVar

from upkeep.spilled import Form, Spill, flat, raised
from upkeep.values import Row

T = TypeVar("T")
_KILOBYTES = 2000
ROWS: Form[Row] = Form(lambda row: row, lambda plain: plain)


class RowsOf(Set[Row]):
    """The rows that a ``Gathered`` holds under one name, in an order that is always the same."""

    def __init__(self, spill: Spill, number: int) -> None:
        self._spill, self._number = spill, number
        self._length = spill.number("SELECT COUNT(*) FROM gathered WHERE name = ?", (number,))

    @classmethod
    def _from_iterable(cls, rows: Iterable[T]) -> frozenset[T]:
        return frozenset(rows)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Row]:
        found = self._spill.rows("SELECT row FROM gathered WHERE name = ? ORDER BY row", (self._number,))
        return (raised(raw) for (raw,) in found)

    def __contains__(self, row: object) -> bool:
        asked = "SELECT COUNT(*) FROM gathered WHERE name = ? AND row = ?"
        return isinstance(row, tuple) and self._spill.number(asked, (self._number, flat(row))) > 0


class Gathered(Mapping[str, RowsOf]):
    """Rows by name, of a table or a key say, each once: what a dict of sets holds, on disk. Names are few."""

    def __init__(self, pairs: Iterable[tuple[str, Row]] = ()) -> None:
        table = "CREATE TABLE gathered (name INTEGER, row BLOB, PRIMARY KEY (name, row)) WITHOUT ROWID"
        self._spill = Spill(table, kilobytes=_KILOBYTES)
        self._numbers: dict[str, int] = {}
        self._rows: dict[str, RowsOf] = {}
        numbered = ((self._numbers.setdefault(name, len(self._numbers)), flat(row)) for name, row in pairs)
        self._spill.run_for_each("INSERT OR IGNORE INTO gathered VALUES (?, ?)", numbered)

    def __getitem__(self, name: str) -> RowsOf:
        if name not in self._rows:
            self._rows[name] = RowsOf(self._spill, self._numbers[name])
        return self._rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def rows(self) -> int:
        """All of them, whatever their name."""
        return sum(map(len, self.values()))

    def holds(self, name: str, row: Row) -> bool:
        """Is the row there under this name?"""
        return name in self._numbers and row in self[name]


def comparable(row: Row) -> Row:
    """Values of different columns so that those which Python takes for equal, 1 and 1.0, are the same."""
    return tuple(int(value) if isinstance(value, float) and value.is_integer() else value for value in row)
