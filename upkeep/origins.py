"""Where missing parents come from: the row as a backup holds it and its proof, or why there is none."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from upkeep.fates import Fates
from upkeep.fixpoint import Orphan, Spot
from upkeep.making import Comeback
from upkeep.provenance import Image
from upkeep.values import Row, Value

NOT_ASKED = "no backup was asked for its parent, which goes by this very plan"


Pointing = tuple[str, tuple[str, ...], Row]
"""A child, columns of it, and the values in them."""


@dataclass(frozen=True)
class Lost:
    """A table that is gone, as an older backup has it: how it is made, all its rows, and which of them children miss.

    Its rows are no more than a plan may change.
    """

    comeback: Comeback
    images: tuple[Image, ...]
    pointed: Mapping[Pointing, Spot]


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where a row that is put back points, and by which foreign key.

    ``instead``: what the policy sets its columns to where that row cannot be there; None: then this one cannot come.
    """

    to: Spot
    key: str
    instead: tuple[tuple[str, Value], ...] | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """A row that is gone, as it would be put back, and out of which backup.

    ``needs`` are other rows that are gone and have to come with it (P-70); ``stands_on`` those that are there.
    """

    spot: Spot
    columns: tuple[str, ...]
    values: Row
    backup: str
    proof: str
    needs: tuple[Pointer, ...] = ()
    stands_on: tuple[Pointer, ...] = ()

    @property
    def source(self) -> str:
        """Where it comes from and what proves it, in words."""
        return f"backup {self.backup}: {self.proof}"

    def without(self, pointer: Pointer) -> "Origin":
        """The row with what the policy sets in place of one of its pointers."""
        instead = dict(pointer.instead or ())
        values = tuple(instead.get(column, value) for column, value in zip(self.columns, self.values, strict=True))
        return replace(
            self,
            values=values,
            proof=f"{self.proof}; {', '.join(instead)} set anew",
            needs=tuple(one for one in self.needs if one != pointer),
            stands_on=tuple(one for one in self.stands_on if one != pointer),
        )


@dataclass(frozen=True)
class Origins:
    """All that older backups give back, and what that comes to for each orphan, its ``fates``.

    For orphans whose fate has a reason nothing is put back; what is put back for others they find all the same.
    ``tables`` come back as a whole, with those of the rows ``found`` that are theirs, whoever misses them; ``gone``
    says of other tables why they do not.
    """

    found: Mapping[Spot, Origin] = field(default_factory=dict)
    fates: Fates = field(default_factory=Fates)
    tables: tuple[Comeback, ...] = ()
    gone: Mapping[str, str] = field(default_factory=dict)

    @property
    def of_whole_tables(self) -> frozenset[Spot]:
        """The rows that come because their table does."""
        names = {one.table for one in self.tables}
        return frozenset(spot for spot in self.found if spot.table in names)

    def parent_of(self, orphan: Orphan) -> Spot:
        """The row that is put back for the sake of an orphan to which nothing speaks against it."""
        fate = self.fates.of(orphan)
        if fate is None or fate.parent is None:
            raise AssertionError(f"{orphan.key} comes to restore, and there is no parent")
        return fate.parent

    def why_not_for(self, orphan: Orphan) -> str | None:
        """Why the parent of an orphan is not put back for its sake; None if it may be."""
        fate = self.fates.of(orphan)
        return NOT_ASKED if fate is None else fate.why_not

    def with_needs(self, spots: Collection[Spot]) -> dict[Spot, tuple[int, str | None]]:
        """These rows and all that have to come with them: how far from the first, and by which foreign key."""
        reached: dict[Spot, tuple[int, str | None]] = dict.fromkeys(spots, (0, None))
        frontier = sorted(spots, key=repr)
        while frontier:
            further: dict[Spot, str] = {}
            for spot in frontier:
                for one in self.found[spot].needs:
                    if one.to not in reached:
                        further[one.to] = min(one.key, further.get(one.to, one.key))
            wave = reached[frontier[0]][0] + 1
            reached.update({spot: (wave, key) for spot, key in further.items()})
            frontier = sorted(further, key=repr)
        return reached

    def without(self, refused: Mapping[Spot, str]) -> "Origins":
        """What is left where some rows cannot be put back for the reasons given, nor those that need them."""
        reasons = {spot: said for spot, said in refused.items() if spot in self.found}
        found = dict(self.found)
        while True:
            lost = [
                (o, one) for spot, o in found.items() if spot not in reasons for one in o.needs if one.to in reasons
            ]
            if not lost:
                break
            for origin, pointer in lost:
                if pointer.instead is None:
                    reasons[origin.spot] = f"a row of {pointer.to.table} that it needs is not put back"
                elif pointer in found[origin.spot].needs:
                    found[origin.spot] = found[origin.spot].without(pointer)
        return replace(
            self,
            found={spot: origin for spot, origin in found.items() if spot not in reasons},
            fates=self.fates.without(reasons),
        )
