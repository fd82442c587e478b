"""What of a plan no undo could put back once its migration is done: rows by table, and why."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from upkeep.catalog import Table
from upkeep.numbers import several
from upkeep.undo import Conflict


@dataclass(frozen=True)
class Lasting:
    """Rows of one table whose change would last, how many, and why, in the words of the undo that would meet them."""

    table: str
    rows: int
    why: str

    def __str__(self) -> str:
        return f"{several(self.rows, 'row')} of {self.table}: {self.why}"

    def document(self) -> dict[str, Any]:
        """As JSON; it holds no row."""
        return {"table": self.table, "rows": self.rows, "why": self.why}


def lasting_of(conflicts: Iterable[Conflict]) -> tuple[Lasting, ...]:
    """The conflicts of an undo, counted by table and reason, the most rows first."""
    counted = Counter((one.table, one.why) for one in conflicts)
    most_first = sorted(counted.items(), key=lambda one: (-one[1], one[0]))
    return tuple(Lasting(table, rows, why) for (table, why), rows in most_first)


def left_without_value(table: Table, given: Collection[str]) -> tuple[str, ...]:
    """Columns that must have a value and would have none in a row that comes with those which are ``given`` alone."""
    return tuple(
        column.name
        for column in table.columns
        if column.name not in given and not (column.nullable or column.generated or column.default is not None)
    )
