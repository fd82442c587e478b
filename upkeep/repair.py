"""What a plan says of one row: the action on it, or that it finds its parent again."""

from typing import Any, NamedTuple

from upkeep.policy import Action
from upkeep.spilled import Form, Plain
from upkeep.values import Row, encode, row_digest

ACTIONS = {action.value: action for action in Action}


class Repair(NamedTuple):
    """One action on one row.

    ``row`` are the values of the table's locator; ``columns`` those that are set: to ``values``, raw, or to NULL where
    there are none. A row that is restored has all stored columns there that its backup has. ``before`` is the digest of
    the whole row as it was found, '' where there was none; ``key`` and ``rule`` say why, ``source`` where the values
    come from and what proves them. ``wave`` is 0 for a row that was an orphan, n for one whose parent goes in wave n-1;
    of restored rows 0 is for the parent of an orphan, n for the parent of one that comes in wave n-1.
    """

    table: str
    row: Row
    action: Action
    columns: tuple[str, ...]
    key: str
    rule: int
    wave: int
    before: str
    values: Row = ()
    source: str = ""

    def document(self) -> list[Any]:
        """The repair as JSON. Of values there is only the digest: a plan is shown to people."""
        row = [encode(value) for value in self.row]
        set_to = [row_digest(self.values), *([self.source] if self.source else [])] if self.values else []
        said = [self.table, row, self.action.value, list(self.columns), self.key, self.rule, self.wave, self.before]
        return said + set_to

    def plain(self) -> Plain:
        """All of it as plain values."""
        return (*self[:2], self.action.value, *self[3:])

    @classmethod
    def made(cls, plain: Plain) -> "Repair":
        """The repair that was ``plain``."""
        table, row, action, *others = plain
        return cls(table, row, ACTIONS[action], *others)


class Healed(NamedTuple):
    """An orphan, by its key, table and row, that is none any more when ``parent`` is there, by table and locator."""

    key: str
    table: str
    row: Row
    parent: tuple[str, Row]

    def document(self) -> list[Any]:
        """As JSON."""
        table, row = self.parent
        return [self.key, self.table, list(map(encode, self.row)), table, list(map(encode, row))]

    def plain(self) -> Plain:
        """All of it as plain values."""
        return self.key, self.table, self.row, tuple(self.parent)

    @classmethod
    def made(cls, plain: Plain) -> "Healed":
        """The orphan that was ``plain``."""
        return cls(*plain)


REPAIRS = Form(Repair.plain, Repair.made)
HEALED = Form(Healed.plain, Healed.made)
