"""What all comes to that older backups showed: which of their rows are proven to be the parents that are missed."""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from upkeep.databases import Reading
from upkeep.fixpoint import SPOTS, Spot
from upkeep.provenance import NOT_TOLD_APART, NOWHERE, Judgement, judge, newest_of, strongest
from upkeep.returning import Returning
from upkeep.rulings import Rulings
from upkeep.sightings import Missed
from upkeep.sought import Line, Sought, Told
from upkeep.spilled import Form, Plain, arranged

_MOST = 10_000
_Tie = tuple[Spot, Told]


class Judgements:
    """They are judged as they stand now: there may be more to tell when the next backup was looked into."""

    def __init__(self, now: Reading, sought: Sought, rulings: Rulings, returning: Returning) -> None:
        self._now = now
        self._sought = sought
        self._rulings = rulings
        self._returning = returning
        self._known: dict[Told, Judgement] = {}

    def of(self, missed: Missed, line: Line | None) -> Judgement:
        """The parent of what is missed, by its line; that of what is not sought is nowhere."""
        key = self._rulings.keys[missed.key]
        if key.parent in self._returning:
            return self._returning.judged(key, missed)
        return self._by(line.told) if line else Judgement(NOWHERE)

    def _by(self, told: Told) -> Judgement:
        if told not in self._known:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[told] = self._judge(told)
        return self._known[told]

    def _judge(self, told: Told) -> Judgement:
        glimpses = list(self._sought.glimpses(told.story))
        table = self._now.catalog().tables[self._rulings.keys[told.key].child]
        told_apart = bool(table.locator) and {*table.locator} <= {*table.stored}
        judged = judge(glimpses) if told_apart or told.comes_back else Judgement(NOT_TOLD_APART)
        without = judged.image is None and self._rulings.needs_no_proof(told.key)
        return newest_of(glimpses) if without else judged

    def proven(self) -> Iterator[tuple[Spot, Judgement]]:
        """Rows that are proven to be the parent of some orphans, or of rows put back, and of others not disproven."""
        yield from self._returning.proven.items()
        ties = ((spot, told) for told, spots in self._sought.told() for spot in spots)
        for spot, several in groupby(arranged(ties, lambda tie: (repr(tie[0]),), 1, _TIES), itemgetter(0)):
            if spot not in self._returning.proven and (proof := self._proof(spot, [told for _, told in several])):
                yield spot, proof

    def _proof(self, spot: Spot, several: list[Told]) -> Judgement | None:
        """By all that may point at a row."""
        judged = [(self._by(told), told.comes_back) for told in several]
        good = [one for one, _ in judged if one.image and one.image.spot == spot]
        alike = len({one.image.values for one in good if one.image}) == 1
        # One that came when the parent was gone already proves nothing. It speaks for no other parent either, where
        # none can have come and gone under the same number since.
        lone = any(one.image and one.image.is_kept is not False for one in good)
        fits = alike and all(
            one in good or comes_back or (lone and one.reason == NOWHERE) for one, comes_back in judged
        )
        return strongest(good) if fits else None


def _plain(tie: _Tie) -> Plain:
    spot, told = tie
    return SPOTS.plain(spot), tuple(told)


def _made(plain: Plain) -> _Tie:
    spot, told = plain
    return SPOTS.made(spot), Told(*told)


_TIES = Form(_plain, _made)
