"""Rows as pandas frames: the one place where they are counted together, put in order and written as CSV."""

from collections.abc import Sequence
from typing import Any

import pandas

from upkeep.pages.page import Column, Table

Row = dict[str, Any]
RECEIPTS = "receipts"
DATES = ("day", "when", "since")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table(name: str, columns: Sequence[Column], rows: Sequence[Row]) -> Table:
    """Rows as they come, with the columns that are wanted."""
    return _table(name, columns, _frame(rows))


def counted(name: str, columns: Sequence[Column], rows: Sequence[Row], *, by: Sequence[str], adding: str = "") -> Table:
    """One row for all that are equal in ``by``, in the order of their first: how many ``times``, first and last day.

    ``adding`` is the column whose numbers are added up; the receipts are those of all of them.
    """
    if not rows:
        return Table(name, tuple(columns), ())
    groups = _frame(rows).groupby(list(by), sort=False, dropna=False)
    found = groups.agg(times=("day", "size"), first=("day", "min"), last=("day", "max"), receipts=(RECEIPTS, _together))
    if adding:
        found[adding] = groups[adding].agg(_sum)
    return _table(name, columns, found.reset_index())


def most_first(rows: Table, field: str) -> Table:
    """The same table, the greatest number first."""
    place = [column.field for column in rows.columns].index(field)
    return Table(rows.name, rows.columns, tuple(sorted(rows.rows, key=lambda row: -(row[place] or 0))))


def csv_of(rows: Table) -> str:
    """A table as CSV: names of values in the first line, receipts by their numbers, and no value that is a formula."""
    frame = pandas.DataFrame(
        [[_written(value) for value in row] for row in rows.rows],
        columns=[column.field for column in rows.columns],
        dtype=object,
    )
    written: str = frame.to_csv(index=False, lineterminator="\r\n")
    return written


def _frame(rows: Sequence[Row]) -> pandas.DataFrame:
    """Values stay what they are: pandas would make fractions of whole numbers where one is missing."""
    return pandas.DataFrame(list(rows), dtype=object)


def _table(name: str, columns: Sequence[Column], frame: pandas.DataFrame) -> Table:
    wanted = frame.reindex(columns=[column.field for column in columns])
    return Table(name, tuple(columns), tuple(tuple(map(_plain, row)) for row in wanted.itertuples(index=False)))


def _plain(value: Any) -> Any:
    """A value of Python's own: numpy's are no numbers for a template."""
    if isinstance(value, tuple | str | bool) or value is None:
        return value
    return None if pandas.isna(value) else int(value)


def _sum(values: "pandas.Series[Any]") -> int:
    return sum(value for value in values if value is not None and not pandas.isna(value))


def _together(several: "pandas.Series[Any]") -> tuple[int, ...]:
    return tuple(dict.fromkeys(number for numbers in several for number in numbers))


def _written(value: Any) -> Any:
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
