"""The rows of parent tables that come back whole: which of them an orphan points at."""

from collections.abc import Iterable, Mapping, Sequence

from upkeep.catalog import ForeignKey
from upkeep.fixpoint import SPOTS, Spot
from upkeep.gathered import comparable
from upkeep.making import Comeback
from upkeep.origins import POINTINGS, Lost
from upkeep.provenance import JUDGEMENTS, NOT_IN_THE_TABLE, WHOLE_TABLE, Image, Judgement
from upkeep.sightings import Missed
from upkeep.spilled import Form, Plain
from upkeep.spilled_mapping import SpilledMapping
from upkeep.values import Value

_Side = tuple[str, tuple[str, ...], tuple[str, ...]]
_SIDES: Form[_Side] = Form(lambda at: at, lambda plain: plain)


def _plain_or_not(spot: Spot | None) -> Plain:
    return SPOTS.plain(spot) if spot else ()


_PERHAPS: Form[Spot | None] = Form(_plain_or_not, lambda plain: SPOTS.made(plain) if plain else None)


class ByText:
    """Rows by what foreign keys point at in them, values as text; such as look alike are none."""

    def __init__(self) -> None:
        self._held = SpilledMapping(_SIDES, _PERHAPS)

    def add(self, key: ForeignKey, image: Image) -> None:
        """A row of the parent table of ``key``, if it has the columns for that."""
        values = dict(zip(image.columns, image.values, strict=True))
        if values.keys() >= {*key.parent_columns}:
            at = _side(key, [values[column] for column in key.parent_columns])
            self._held[at] = image.spot if self._held.get(at, image.spot) == image.spot else None

    def __bool__(self) -> bool:
        return bool(self._held)

    def row(self, key: ForeignKey, values: Iterable[Value]) -> Spot | None:
        """The one that ``key`` points at by ``values``."""
        return self._held.get(_side(key, values))


def _side(key: ForeignKey, values: Iterable[Value]) -> _Side:
    return key.parent, key.parent_columns, tuple(map(str, comparable(tuple(values))))


class Returning:
    """Tables that come back, with all their rows, out of one backup each."""

    def __init__(self, lost: Sequence[Lost]) -> None:
        self._lost = {one.comeback.table: one for one in lost}
        pointed = (pair for one in lost for pair in one.pointed.items())
        self._pointed = SpilledMapping(POINTINGS, SPOTS, pointed)
        self._held: dict[tuple[str, tuple[str, ...]], ByText] = {}
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
        return exactly or self._by_text(key).row(key, missed.values)

    def _by_text(self, key: ForeignKey) -> ByText:
        what = key.parent, key.parent_columns
        if what not in self._held:
            held = self._held[what] = ByText()
            for image in self._lost[key.parent].images:
                held.add(key, image)
        return self._held[what]
