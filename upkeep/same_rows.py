"""Which rows of an older state are the same rows today, and not others that were given their numbers (P-53, P-110)."""

import re
from collections.abc import Callable, Collection, Mapping
from functools import cache

from upkeep.births import born
from upkeep.catalog import Table
from upkeep.databases import Reading
from upkeep.fixpoint import Spot
from upkeep.provenance import Judgement, agree, image_of
from upkeep.rows import images_of
from upkeep.values import Row, Value, row_digest

_NEWEST = 5000
_AT_ONCE = 250
_WHOLE = re.compile(r"(?i)\b(tiny|small|medium|big)?int(eger)?\b")
_Named = dict[str, Value]


class SameRows:
    """One older state held against that of today.

    A generator gives again only what is above all that there is, as SQLite does, or nothing at all. So below a row
    that stands today as it stood then nobody is another. Rows that runs have ``touched`` since do not speak for it:
    while one was gone its number could be given, and one that was set may look by that as another had looked; so the
    second run knows no more than the first. Each is told with the digest that it had before, '' where it was gone;
    with that digest again it is as if no run had been. ``coming`` are rows that are put back now, as they will be.
    """

    def __init__(
        self,
        older: Reading,
        now: Reading,
        touched: Callable[[], Mapping[Spot, str]],
        coming: Mapping[Spot, Judgement],
    ) -> None:
        self._older, self._now, self._touched, self._coming = older, now, touched, coming
        self._highest = cache(self._highest_kept)

    def kept(self, spot: Spot) -> bool | None:
        """Can nobody have been given the row's number since? None where it is no number that a generator gives."""
        if not _is_numbered(self._older.catalog().tables[spot.table]):
            return None
        return _is_below(spot.row, self._highest(spot.table))

    def among(self, name: str, rows: Collection[Row]) -> set[Row]:
        """Those of ``rows`` that stood there then and are no others today.

        One above all that is kept is the same where it was made at the same moment, or is as it was.
        """
        if not (rows and _is_numbered(self._older.catalog().tables[name])):
            return set(rows)
        highest = self._highest(name)
        doubtful = [row for row in rows if not _is_below(row, highest)]
        then, today = self._named(self._older, name, doubtful), self._named(self._now, name, doubtful)
        coming = (row for row in doubtful if Spot(name, row) in self._coming)
        today |= {row: image_of(self._coming[Spot(name, row)]).named for row in coming}
        made = born(self._now.catalog().tables[name])
        others = {
            row
            for row in doubtful
            if row in today and not self._is_one(Spot(name, row), then.get(row, {}), today[row], made)
        }
        return set(rows) - others

    def _highest_kept(self, name: str) -> int | None:
        """The highest number of all rows that stand today as they stood then."""
        older, here = self._older, self._now.catalog().tables.get(name)
        table = older.catalog().tables[name]
        if here is None or here.locator != table.locator:
            return None
        column = f"c.{older.dialect.quote(table.locator[0])}"
        newest = (
            f"SELECT {column} FROM {older.dialect.source(name)} AS c ORDER BY {column} DESC LIMIT {_AT_ONCE} OFFSET "
        )
        for passed in range(0, _NEWEST, _AT_ONCE):
            rows = list(older.rows(f"{newest}{passed}"))
            then, today = self._named(older, name, rows), self._named(self._now, name, rows)
            standing = (
                row for row in then.keys() & today.keys() if self._stands(Spot(name, row), then[row], today[row])
            )
            agreeing = map(_number, standing)
            if (highest := max((number for number in agreeing if number is not None), default=None)) is not None:
                return highest
        return None

    def _is_one(self, spot: Spot, then: _Named, today: _Named, made: str | None) -> bool:
        if made and then.get(made) is not None and today[made] is not None:
            return then[made] == today[made]
        return self._stands(spot, then, today)

    def _stands(self, spot: Spot, then: _Named, today: _Named) -> bool:
        """Is it as it was, and not only because a run has made it so?"""
        before = self._touched().get(spot) if agree(then, today) else ""
        return before is None or before == row_digest(tuple(today.values()))

    def _named(self, reading: Reading, name: str, rows: Collection[Row]) -> dict[Row, _Named]:
        table = reading.catalog().tables[name]
        images = images_of(reading, table, rows)
        return {row: dict(zip(table.stored, image, strict=True)) for row, image in images.items()}


def _is_numbered(table: Table) -> bool:
    column = table.column(table.locator[0]) if len(table.locator) == 1 else None
    return column is not None and _WHOLE.search(column.kind or column.type) is not None


def _number(row: Row) -> int | None:
    said = str(row[0])
    return int(said) if said.removeprefix("-").isdecimal() else None


def _is_below(row: Row, highest: int | None) -> bool:
    number = _number(row)
    return number is not None and highest is not None and number < highest
