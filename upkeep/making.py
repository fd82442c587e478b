"""A table that comes back as a whole: the statements that make it, and what a plan says of it (P-109)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Bond:
    """A foreign key of the columns of ``child`` that points at a table, and that an engine drops together with it.

    ``add`` declares it again without a look at the rows that are there, ``drop`` takes it away. ``was_believed``: the
    engine held that all rows keep it.
    """

    child: str
    columns: tuple[str, ...]
    add: tuple[str, ...]
    drop: tuple[str, ...]
    was_believed: bool = True

    def document(self) -> list[Any]:
        """As JSON, exact both ways."""
        return [self.child, list(self.columns), list(self.add), list(self.drop), self.was_believed]


@dataclass(frozen=True)
class Making:
    """How an engine makes a table and takes it away, in its own statements; they hold no row.

    ``make`` makes it empty, with its keys and indexes, and ``counters`` lets its generator of numbers go on from where
    it was; ``finish`` adds what fires by its rows, once they are there: they were inserted long ago, and no trigger has
    to hear of it again. ``loosen`` takes that away before its rows go, ``drop`` the empty table.
    Where the engine lets no foreign key point at nothing, ``tie`` declares its own, ``bonds`` are those of others that
    went with it. ``lacks`` says in words what does not come back.
    """

    make: tuple[str, ...]
    counters: tuple[str, ...] = ()
    finish: tuple[str, ...] = ()
    loosen: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    tie: tuple[str, ...] = ()
    bonds: tuple[Bond, ...] = ()
    lacks: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """As JSON, exact both ways; what an engine has not is left out, so that digests of before stay what they were.

        ``lacks`` is what a person is told, and no part of what is done.
        """
        return {
            "make": list(self.make),
            "counters": list(self.counters),
            "finish": list(self.finish),
            "loosen": list(self.loosen),
            "drop": list(self.drop),
            **({"tie": list(self.tie)} if self.tie else {}),
            **({"bonds": [bond.document() for bond in self.bonds]} if self.bonds else {}),
        }

    @property
    def binding(self) -> tuple[str, ...]:
        """What ties it to other tables, once all are there that come back with it."""
        return (*self.tie, *(statement for bond in self.bonds for statement in bond.add))

    @property
    def loosening(self) -> tuple[str, ...]:
        """What frees it from them, and from what fires by its rows."""
        return (*(statement for bond in self.bonds for statement in bond.drop), *self.loosen)

    def is_like(self, other: "Making") -> bool:
        """Do both make the same table? How far its numbers were, and who points at it, is no part of it."""
        return (self.make, self.tie, self.finish) == (other.make, other.tie, other.finish)


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
    statements = {name: tuple(several) for name, several in said["making"].items() if name != "bonds"}
    bonds = tuple(
        Bond(child, tuple(columns), tuple(add), tuple(drop), was_believed)
        for child, columns, add, drop, was_believed in said["making"].get("bonds", ())
    )
    return Comeback(said["table"], said["backup"], Making(**statements, bonds=bonds), said["goes"])
