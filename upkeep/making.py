"""A table that comes back as a whole: the statements that make it, and what a plan says of it (P-109)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Making:
    """How an engine makes a table and takes it away, in its own statements; they hold no row.

    ``make`` makes it empty, with its keys and indexes, and ``counters`` lets its generator of numbers go on from where
    it was; ``finish`` adds what fires by its rows, once they are there: they were inserted long ago, and no trigger has
    to hear of it again. ``loosen`` takes that away before its rows go, ``drop`` the empty table.
    """

    make: tuple[str, ...]
    counters: tuple[str, ...] = ()
    finish: tuple[str, ...] = ()
    loosen: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """As JSON, exact both ways."""
        return {
            "make": list(self.make),
            "counters": list(self.counters),
            "finish": list(self.finish),
            "loosen": list(self.loosen),
            "drop": list(self.drop),
        }


@dataclass(frozen=True)
class Comeback:
    """A table that a plan brings back as ``backup`` has it; with ``goes`` an undo takes it away again.

    Its rows are repairs of the plan like any others.
    """

    table: str
    backup: str
    making: Making
    goes: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON, exact both ways."""
        return {"table": self.table, "backup": self.backup, "goes": self.goes, "making": self.making.document()}

    @property
    def reversed(self) -> "Comeback":
        """What takes this back."""
        return Comeback(self.table, self.backup, self.making, not self.goes)


def comeback_of(said: Mapping[str, Any]) -> Comeback:
    """The value that ``Comeback.document`` has written."""
    making = Making(**{name: tuple(statements) for name, statements in said["making"].items()})
    return Comeback(said["table"], said["backup"], making, said["goes"])
