"""What rows that are put back need themselves: where each points, and which of them can be whole (P-70)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import replace
from typing import NamedTuple

from upkeep.catalog import ForeignKey
from upkeep.databases import Reading
from upkeep.fixpoint import SPOTS, Spot
from upkeep.origins import ORIGINS, Origin, Pointer
from upkeep.policy import Action
from upkeep.provenance import Image, Judgement, image_of
from upkeep.returning import Returning
from upkeep.rulings import Rulings
from upkeep.sightings import Missed, parents_of
from upkeep.spilled import Form, Plain
from upkeep.spilled_mapping import TEXTS, SpilledMapping
from upkeep.values import Row, Value, in_pieces


class _Points(NamedTuple):
    """What a row points at: what is gone, and where it finds a row."""

    gone: tuple[Missed, ...]
    there: tuple[Pointer, ...]

    def plain(self) -> Plain:
        return tuple(map(tuple, self.gone)), tuple(one.plain() for one in self.there)

    @classmethod
    def made(cls, plain: Plain) -> "_Points":
        gone, there = plain
        return cls(tuple(Missed(*one) for one in gone), tuple(map(Pointer.made, there)))


_POINTS = Form(_Points.plain, _Points.made)


class Needs:
    """The rows that were found so far, each with what it points at; on disk, for they may be many."""

    def __init__(self, now: Reading, keys: Mapping[str, ForeignKey], rulings: Rulings, returning: Returning) -> None:
        self._now = now
        self._keys = keys
        self._rulings = rulings
        self._returning = returning
        self._points = SpilledMapping(SPOTS, _POINTS)

    def __contains__(self, spot: Spot) -> bool:
        return spot in self._points

    def __len__(self) -> int:
        return len(self._points)

    def enter(self, found: Iterable[tuple[Spot, Judgement]]) -> Iterator[tuple[str, Missed]]:
        """These rows too; each that they point at and that is gone, after the backup they come out of."""
        for piece in in_pieces(found):
            points: dict[Spot, _Points] = {spot: _Points((), ()) for spot, _ in piece}
            for name, key in self._keys.items():
                self._enter(name, key, [image_of(judged) for _, judged in piece], points)
            self._points.put(points.items())
            for spot, judged in piece:
                yield from ((judged.backup, missed) for missed in points[spot].gone)

    def _enter(self, name: str, key: ForeignKey, images: Iterable[Image], points: dict[Spot, _Points]) -> None:
        pointing = {image.spot: to for image in images if (to := _pointer(key, image))}
        held = {} if key.parent_missing or not pointing else parents_of(self._now, key, {*pointing.values()})
        for spot, to in pointing.items():
            gone, there = points[spot]
            if to in held:
                points[spot] = _Points(gone, (*there, Pointer(held[to].spot, name, self._instead(name))))
            else:
                points[spot] = _Points((*gone, Missed(name, spot.row, to)), there)

    def complete(
        self,
        proven: Mapping[Spot, Judgement],
        impossible: MutableMapping[Spot, str],
        judged: Callable[[Missed], Judgement],
    ) -> Mapping[Spot, Origin]:
        """Those rows with what has to come with them, but the ``impossible``.

        To these is added why others cannot: they would be orphans themselves. ``judged`` tells of what they miss
        whether it is proven.
        """

        def comes(spot: Spot) -> bool:
            return spot in proven and spot not in impossible

        while True:
            origins, lost = SpilledMapping(SPOTS, ORIGINS), SpilledMapping(SPOTS, TEXTS)
            for spot, one in proven.items():
                if not comes(spot):
                    continue
                origin = self._origin(spot, one, comes, judged)
                if isinstance(origin, Origin):
                    origins[spot] = origin
                else:
                    lost[spot] = f"its parent would be an orphan itself: {origin}"
            if not lost:
                return origins
            impossible.update(lost)

    def _origin(
        self, spot: Spot, proof: Judgement, comes: Callable[[Spot], bool], judged: Callable[[Missed], Judgement]
    ) -> Origin | str:
        """The row as it would be put back; or the key by which it would be an orphan."""
        here, shown = self._now.catalog().tables[spot.table].stored, image_of(proof)
        held = zip(shown.columns, shown.values, strict=True)
        image: dict[str, Value] = {column: value for column, value in held if column in here}
        origin = Origin(spot, tuple(image), tuple(image.values()), proof.backup, proof.reason)
        points, needs = self._points[spot], []
        for missed in points.gone:
            proven, instead = judged(missed).image, self._instead(missed.key)
            if (
                proven
                and comes(proven.spot)
                and (proven.spot in self._returning.proven or self._comes_before(missed.key))
            ):
                needs.append(Pointer(proven.spot, missed.key, instead))
            elif instead is not None:
                origin = origin.without(Pointer(spot, missed.key, instead))
            else:
                return missed.key
        return replace(origin, needs=tuple(sorted(needs, key=repr)), stands_on=points.there)

    def _comes_before(self, name: str) -> bool:
        """Is a parent put back, for a row that is put back itself, before anything else is done about it?"""
        return self._rulings.choices[name][0].action is Action.RESTORE

    def _instead(self, name: str) -> tuple[tuple[str, Value], ...] | None:
        """What a pointer of a row that is put back is set to where its parent cannot be there.

        None: the row cannot come. A row that would have to go again, or be kept as an orphan, is not put back at all.
        """
        choice = next(choice for choice in self._rulings.choices[name] if choice.action is not Action.RESTORE)
        values = choice.values or (None,) * len(choice.columns)
        return tuple(zip(choice.columns, values, strict=True)) if choice.columns else None


def _pointer(key: ForeignKey, image: Image) -> Row | None:
    """Where a row points by a key, if it does."""
    if key.child != image.spot.table:
        return None
    values = dict(zip(image.columns, image.values, strict=True))
    if not values.keys() >= {*key.columns} or (key.when and str(values.get(key.when[0])) != key.when[1]):
        return None
    pointer = tuple(values[column] for column in key.columns)
    return None if None in pointer else pointer
