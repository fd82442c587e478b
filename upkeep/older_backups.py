"""One older backup: how it is brought back to be looked at, and what is known already of what it lacks."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from upkeep.databases import Reading
from upkeep.errors import Refused
from upkeep.recall import Memory
from upkeep.sightings import Missed


class CannotTell(Refused):
    """An older backup cannot be compared with the database of today, and so none that is older still."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "restore it to another database and compare by hand")


@dataclass(frozen=True)
class Older:
    """One older backup: its id, and how to bring it back and look at it; that may raise CannotTell.

    ``tables`` are the names of those that it has, in small letters; None where only a look tells. ``memory`` is what it
    is known not to have: where that is all that is wanted, it is not opened.
    """

    backup: str
    opened: Callable[[], AbstractContextManager[Reading]]
    tables: frozenset[str] | None = None
    memory: Memory | None = None

    def recalled(self, wanted: Iterable[Missed]) -> set[Missed] | None:
        """Those of ``wanted`` whose child pointed there already, where no parent of any was there; None if unknown."""
        if self.memory is None:
            return None
        points = {missed: self.memory.points(missed) for missed in wanted}
        return None if None in points.values() else {missed for missed, pointed in points.items() if pointed}
