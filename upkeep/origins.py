"""Where missing parents come from: the row as a backup holds it and its proof, or why there is none."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from upkeep.fates import Fates
from upkeep.fixpoint import SPOTS, Orphan, Spot
from upkeep.making import Comeback
from upkeep.provenance import Image
from upkeep.spilled import Form, Plain
from upkeep.spilled_mapping import TEXTS, SpilledMapping
from upkeep.values import Row, Value

NOT_ASKED = "no backup was asked for its parent, which goes by this very plan"


Pointing = tuple[str, tuple[str, ...], Row]
"""A child, columns of it, and the values in them."""
POINTINGS: Form[Pointing] = Form(lambda at: at, lambda plain: plain)


@dataclass(frozen=True)
class Lost:
    """A table that is gone, as an older backup has it: how it is made, all its rows, and which of them children miss.

    Its rows are no more than a plan may change, on disk nevertheless.
    """

    comeback: Comeback
    images: Sequence[Image]
    pointed: Mapping[Pointing, Spot]


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where a row that is put back points, and by which foreign key.

    ``instead``: what the policy sets its columns to where that row cannot be there; None: then this one cannot come.
    """

    to: Spot
    key: str
    instead: tuple[tuple[str, Value], ...] | None = None

    def plain(self) -> Plain:
        """As plain values, to keep it on disk."""
        return self.to.table, self.to.row, self.key, self.instead

    @classmethod
    def made(cls, plain: Plain) -> "Pointer":
        """The pointer that was ``plain``."""
        table, row, *others = plain
        return cls(Spot(table, row), *others)


def backup_of(source: str) -> str:
    """The backup that the ``source`` of an origin names."""
    return source.removeprefix("backup ").partition(":")[0]


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

    def plain(self) -> Plain:
        """As plain values, to keep it on disk."""
        pointers = (tuple(one.plain() for one in several) for several in (self.needs, self.stands_on))
        return *SPOTS.plain(self.spot), self.columns, self.values, self.backup, self.proof, *pointers

    @classmethod
    def made(cls, plain: Plain) -> "Origin":
        """The origin that was ``plain``."""
        table, row, columns, values, backup, proof, *pointers = plain
        needs, stands_on = (tuple(map(Pointer.made, several)) for several in pointers)
        return cls(Spot(table, row), columns, values, backup, proof, needs, stands_on)

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


ORIGINS = Form(Origin.plain, Origin.made)


class Reached(NamedTuple):
    """How far a row that is put back is from the first that miss one, and by which foreign key it is needed."""

    wave: int
    key: str | None


_REACHED: Form[Reached] = Form(tuple, lambda plain: Reached(*plain))


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

    def of_whole_tables(self) -> Iterator[Spot]:
        """The rows that come because their table does."""
        names = {one.table for one in self.tables}
        return (spot for spot in self.found if spot.table in names) if names else iter(())

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

    def with_needs(self, spots: Iterable[Spot]) -> Mapping[Spot, Reached]:
        """These rows and all that have to come with them."""
        reached = SpilledMapping(SPOTS, _REACHED, ((spot, Reached(0, None)) for spot in spots))
        frontier: Iterable[Spot] = reached
        wave = 0
        while further := self._needed_by(frontier, reached):
            wave += 1
            reached.put((spot, Reached(wave, key)) for spot, key in further.items())
            frontier = further
        return reached

    def _needed_by(self, spots: Iterable[Spot], reached: Mapping[Spot, Reached]) -> Mapping[Spot, str]:
        """What these rows need that is not reached yet, each with the least of the keys by which it is needed."""
        further = SpilledMapping(SPOTS, TEXTS)
        for spot in spots:
            for one in self.found[spot].needs:
                if one.to not in reached:
                    further[one.to] = min(one.key, further.get(one.to, one.key))
        return further

    def without(self, refused: Mapping[Spot, str]) -> "Origins":
        """What is left where some rows cannot be put back for the reasons given, nor those that need them."""
        found = self.found
        reasons = SpilledMapping(SPOTS, TEXTS, ((spot, said) for spot, said in refused.items() if spot in found))
        further: Mapping[Spot, str] = reasons
        while further:
            found, further = _without(found, reasons)
            reasons.put(further.items())
        return replace(self, found=found, fates=self.fates.without(reasons)) if reasons else self


def _without(
    found: Mapping[Spot, Origin], refused: Mapping[Spot, str]
) -> tuple[Mapping[Spot, Origin], Mapping[Spot, str]]:
    """The other rows without what they need of the refused, and which of them cannot come without it."""
    left, further = SpilledMapping(SPOTS, ORIGINS), SpilledMapping(SPOTS, TEXTS)
    for spot, origin in found.items():
        if spot in refused:
            continue
        for pointer in origin.needs:
            if pointer.to not in refused:
                continue
            if pointer.instead is None:
                further[spot] = f"a row of {pointer.to.table} that it needs is not put back"
            elif pointer in origin.needs:
                origin = origin.without(pointer)
        left[spot] = origin
    return left, further
