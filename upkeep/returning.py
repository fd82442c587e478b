"""The rows of parent tables that come back whole: which of them an orphan points at."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from upkeep.catalog import ForeignKey
from upkeep.fixpoint import Spot
from upkeep.making import Comeback
from upkeep.origins import Lost, Pointing
from upkeep.provenance import NOT_IN_THE_TABLE, WHOLE_TABLE, Image, Judgement
from upkeep.sightings import Missed
from upkeep.values import Value

Side = tuple[str, tuple[str, ...], tuple[str, ...]]
"""A table, columns of it that are pointed at, and values there as text."""


def side(key: ForeignKey, values: Iterable[Value]) -> Side:
    """What ``key`` points at by ``values``."""
    return key.parent, key.parent_columns, tuple(map(str, values))


def by_side(pointed: Iterable[tuple[ForeignKey, Image]]) -> dict[Side, Spot]:
    """Rows by what each one's key points at; without those that look alike, or lack a column for that."""
    held: dict[Side, set[Spot]] = defaultdict(set)
    for key, image in pointed:
        values = dict(zip(image.columns, image.values, strict=True))
        if values.keys() >= {*key.parent_columns}:
            held[side(key, [values[column] for column in key.parent_columns])].add(image.spot)
    return {at: min(spots) for at, spots in held.items() if len(spots) == 1}


class Returning:
    """Tables that come back, with all their rows, out of one backup each."""

    def __init__(self, lost: Sequence[Lost]) -> None:
        self._lost = {one.comeback.table: one for one in lost}
        self._pointed: dict[Pointing, Spot] = {at: spot for one in lost for at, spot in one.pointed.items()}
        self._held: dict[tuple[str, tuple[str, ...]], dict[Side, Spot]] = {}
        self.proven = {
            image.spot: Judgement(WHOLE_TABLE, image, one.comeback.backup) for one in lost for image in one.images
        }
        """Each row, which needs no other proof."""

    def __contains__(self, table: str) -> bool:
        return table in self._lost

    @property
    def comebacks(self) -> tuple[Comeback, ...]:
        """How each table is made."""
        return tuple(one.comeback for one in self._lost.values())

    def judged(self, key: ForeignKey, missed: Missed) -> Judgement:
        """The row of the table that an orphan points at, or that there is none."""
        spot = self.row(key, missed)
        return self.proven[spot] if spot else Judgement(NOT_IN_THE_TABLE)

    def row(self, key: ForeignKey, missed: Missed) -> Spot | None:
        """Where it points, as the engine compares; for who comes back together with the table, as text."""
        exactly = self._pointed.get((key.child, key.columns, missed.values))
        return exactly or self._by_text(key).get(side(key, missed.values))

    def _by_text(self, key: ForeignKey) -> dict[Side, Spot]:
        what = key.parent, key.parent_columns
        if what not in self._held:
            self._held[what] = by_side((key, image) for image in self._lost[key.parent].images)
        return self._held[what]
