"""What rows that are put back need themselves: where each points, and which of them can be whole (P-70)."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from upkeep.catalog import ForeignKey
from upkeep.databases import Reading
from upkeep.fixpoint import Spot
from upkeep.origins import Origin, Pointer
from upkeep.policy import Action
from upkeep.provenance import Image, Judgement, image_of
from upkeep.returning import Returning
from upkeep.rulings import Rulings
from upkeep.sightings import Missed, parents_of
from upkeep.values import Row, Value, in_pieces


class Needs:
    """The rows that were found so far, each with what it points at."""

    def __init__(self, now: Reading, keys: Mapping[str, ForeignKey], rulings: Rulings, returning: Returning) -> None:
        self._now = now
        self._keys = keys
        self._rulings = rulings
        self._returning = returning
        self._gone: dict[Spot, list[Missed]] = {}
        self._stands_on: dict[Spot, list[Pointer]] = defaultdict(list)

    def __contains__(self, spot: Spot) -> bool:
        return spot in self._gone

    def enter(self, found: Mapping[Spot, Judgement]) -> Iterator[tuple[str, Missed]]:
        """These rows too; each that they point at and that is gone, after the backup they come out of."""
        for piece in in_pieces(found.items()):
            self._gone.update({spot: [] for spot, _ in piece})
            for name, key in self._keys.items():
                self._enter(name, key, [image_of(judged) for _, judged in piece])
            for spot, judged in piece:
                yield from ((judged.backup, missed) for missed in self._gone[spot])

    def _enter(self, name: str, key: ForeignKey, images: Iterable[Image]) -> None:
        pointing = {image.spot: to for image in images if (to := _pointer(key, image))}
        there = {} if key.parent_missing or not pointing else parents_of(self._now, key, {*pointing.values()})
        for spot, to in pointing.items():
            if to in there:
                self._stands_on[spot].append(Pointer(there[to].spot, name, self._instead(name)))
            else:
                self._gone[spot].append(Missed(name, spot.row, to))

    def complete(
        self, proven: Mapping[Spot, Judgement], judged: Callable[[Missed], Judgement]
    ) -> tuple[dict[Spot, Origin], dict[Spot, str]]:
        """Those rows with what has to come with them, and why others cannot: they would be orphans themselves.

        ``judged`` tells of what they miss whether it is proven.
        """
        found, why_not = dict(proven), {}
        while True:
            origins: dict[Spot, Origin] = {}
            for spot, one in found.items():
                origin = self._origin(spot, one, found, judged)
                if isinstance(origin, Origin):
                    origins[spot] = origin
                else:
                    why_not[spot] = f"its parent would be an orphan itself: {origin}"
            if len(origins) == len(found):
                return origins, why_not
            found = {spot: found[spot] for spot in origins}

    def _origin(
        self, spot: Spot, proof: Judgement, found: Mapping[Spot, Judgement], judged: Callable[[Missed], Judgement]
    ) -> Origin | str:
        """The row as it would be put back; or the key by which it would be an orphan."""
        here, shown = self._now.catalog().tables[spot.table].stored, image_of(proof)
        held = zip(shown.columns, shown.values, strict=True)
        image: dict[str, Value] = {column: value for column, value in held if column in here}
        origin = Origin(spot, tuple(image), tuple(image.values()), proof.backup, proof.reason)
        needs = []
        for missed in self._gone[spot]:
            proven, instead = judged(missed).image, self._instead(missed.key)
            if (
                proven
                and proven.spot in found
                and (proven.spot in self._returning.proven or self._comes_before(missed.key))
            ):
                needs.append(Pointer(proven.spot, missed.key, instead))
            elif instead is not None:
                origin = origin.without(Pointer(spot, missed.key, instead))
            else:
                return missed.key
        stands_on = tuple(self._stands_on.get(spot, ()))
        return replace(origin, needs=tuple(sorted(needs, key=repr)), stands_on=stands_on)

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
