"""The rows of parent tables that come back whole: which of them an orphan points at."""

from collections.abc import Iterable, Mapping, Sequence

from upkeep.catalog import ForeignKey
from upkeep.fixpoint import SPOTS, Spot
from upkeep.making import Comeback
from upkeep.origins import Lost, Pointing
from upkeep.provenance import JUDGEMENTS, NOT_IN_THE_TABLE, WHOLE_TABLE, Image, Judgement
from upkeep.sightings import Missed
from upkeep.spilled import Form, Plain
from upkeep.spilled_mapping import SpilledMapping
from upkeep.values import Value

Side = tuple[str, tuple[str, ...], tuple[str, ...]]
"""A table, columns of it that are pointed at, and values there as text."""
_SIDES: Form[Side] = Form(lambda at: at, lambda plain: plain)
_POINTINGS: Form[Pointing] = Form(lambda at: at, lambda plain: plain)


def side(key: ForeignKey, values: Iterable[Value]) -> Side:
    """What ``key`` points at by ``values``."""
    return key.parent, key.parent_columns, tuple(map(str, values))


def _plain_or_not(spot: Spot | None) -> Plain:
    return SPOTS.plain(spot) if spot else ()


_PERHAPS: Form[Spot | None] = Form(_plain_or_not, lambda plain: SPOTS.made(plain) if plain else None)


def by_side(pointed: Iterable[tuple[ForeignKey, Image]]) -> Mapping[Side, Spot | None]:
    """Rows by what each one's key points at, but those that lack a column for that; None where several look alike."""
    held = SpilledMapping(_SIDES, _PERHAPS)
    for key, image in pointed:
        values = dict(zip(image.columns, image.values, strict=True))
        if values.keys() >= {*key.parent_columns}:
            at = side(key, [values[column] for column in key.parent_columns])
            held[at] = image.spot if held.get(at, image.spot) == image.spot else None
    return held


class Returning:
    """Tables that come back, with all their rows, out of one backup each."""

    def __init__(self, lost: Sequence[Lost]) -> None:
        self._lost = {one.comeback.table: one for one in lost}
        pointed = (pair for one in lost for pair in one.pointed.items())
        self._pointed = SpilledMapping(_POINTINGS, SPOTS, pointed)
        self._held: dict[tuple[str, tuple[str, ...]], Mapping[Side, Spot | None]] = {}
        proven = ((image, one.comeback.backup) for one in lost for image in one.images)
        self.proven: Mapping[Spot, Judgement] = SpilledMapping(
            SPOTS, JUDGEMENTS, ((image.spot, Judgement(WHOLE_TABLE, image, backup)) for image, backup in proven)
        )
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

    def _by_text(self, key: ForeignKey) -> Mapping[Side, Spot | None]:
        what = key.parent, key.parent_columns
        if what not in self._held:
            self._held[what] = by_side((key, image) for image in self._lost[key.parent].images)
        return self._held[what]
