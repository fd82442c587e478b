"""What an undo is beside its repairs: the run that it takes back, what stands in its way, what it leaves astray."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from upkeep.spilled import Form, Plain
from upkeep.values import Row, encode


@dataclass(frozen=True)
class Conflict:
    """A row that a run had changed and that cannot be put back, and why (P-67)."""

    table: str
    row: Row
    why: str

    def __str__(self) -> str:
        return f"row {', '.join(str(encode(value)) for value in self.row)} of {self.table}: {self.why}"

    def document(self) -> list[Any]:
        """The conflict as JSON."""
        return [self.table, [encode(value) for value in self.row], self.why]

    def plain(self) -> Plain:
        """All of it as plain values."""
        return self.table, self.row, self.why

    @classmethod
    def made(cls, plain: Plain) -> "Conflict":
        """The conflict that was ``plain``."""
        return cls(*plain)


CONFLICTS = Form(Conflict.plain, Conflict.made)


@dataclass(frozen=True)
class Undo:
    """``run`` is the run that is taken back; its rows in ``conflicts`` stay as they are now.

    Those may be more than fit into memory. ``there`` of its rows are as they were before it already. ``astray`` says of
    each foreign key how many rows point at nothing by it again when all is done, as they did before the run; None until
    a rehearsal has counted them. ``set_anew`` are columns, each with its table, that triggers set whenever such a row
    changes: they had done so with the run and do so again, so that these alone may come out otherwise than they were.
    """

    run: str
    conflicts: Sequence[Conflict] = ()
    there: int = 0
    astray: tuple[tuple[str, int], ...] | None = None
    set_anew: tuple[tuple[str, str], ...] = ()

    def may_differ(self, table: str) -> frozenset[str]:
        """The columns of a table that are set anew."""
        return frozenset(column for name, column in self.set_anew if name == table)

    def document(self) -> dict[str, Any]:
        """The undo as JSON."""
        parts = self.in_parts()
        return parts | {"conflicts": list(parts["conflicts"])}

    def in_parts(self) -> dict[str, Any]:
        """The same, its conflicts one by one as they are asked for."""
        return {
            "run": self.run,
            "conflicts": (conflict.document() for conflict in self.conflicts),
            "there": self.there,
            "astray": [list(one) for one in self.astray or ()],
            "set_anew": [list(one) for one in self.set_anew],
        }
