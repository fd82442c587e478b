"""What was gathered about the orphans of one foreign key before anybody judges why they are there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from upkeep.catalog import ForeignKey
from upkeep.values import Row


class Trait(StrEnum):
    """What one orphan is like. Each has one: the first of these that it has."""

    PARTIAL = "partial"
    SENTINEL = "sentinel"
    ELSEWHERE = "elsewhere"
    NO_NUMBER = "no number"
    MISSING = "missing"


@dataclass(frozen=True)
class Share:
    """A part of a key's orphans: pairs of a row and the key, and the distinct keys that they miss."""

    orphans: int = 0
    missing_keys: int = 0


@dataclass(frozen=True)
class Missed:
    """One key that is missed, as raw values, and by how many rows."""

    key: Row
    orphans: int


@dataclass(frozen=True)
class Resemblance:
    """Another table in which everything is found that the orphans miss.

    ``chance`` is that of finding so many keys there if they meant something else: near 1 where a table holds nearly
    all numbers of its range, as most tables do. ``is_whole``: every value of the column is found there.
    """

    key: ForeignKey
    chance: float
    is_whole: bool = False


@dataclass(frozen=True)
class Facts:
    """The orphans of one key by their traits, the keys that most of them miss, and where else those are found.

    ``frequent`` are the first of each trait, most missed first. ``there`` are the orphans that there would be if the
    key pointed where it is meant to. ``distinct`` are the different values of the column, 0 where nobody asked.
    """

    shares: Mapping[Trait, Share] = field(default_factory=dict, hash=False)
    frequent: Mapping[Trait, tuple[Missed, ...]] = field(default_factory=dict, hash=False)
    there: Share | None = None
    distinct: int = 0
    resembling: tuple[Resemblance, ...] = ()

    def share(self, trait: Trait) -> Share:
        """How many orphans are like this."""
        return self.shares.get(trait, Share())
