"""A foreign key that the policy wants enforced and the database does not enforce: what is lacking, what is done."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from upkeep.catalog import ForeignKey


class How(StrEnum):
    """What it takes: to declare the key, to switch it on again, or only to let the server look at the old rows."""

    ADD = "add"
    ENABLE = "enable"
    VALIDATE = "validate"


@dataclass(frozen=True)
class Lapse:
    """What a database lacks of one key. ``constraint`` is its name there, or the one that it would get.

    ``why_not`` says why that cannot be mended while the application works; '' where it can.
    """

    how: How
    constraint: str
    why_not: str = ""


@dataclass(frozen=True)
class Enforced:
    """A key that a plan brings into force before its clean-up and has validated after it.

    ``ondelete`` is what it says on delete where it is added, '' else. ``orphans`` had it when the plan was drawn up.
    """

    key: ForeignKey
    how: How
    constraint: str
    ondelete: str
    orphans: int

    def document(self) -> list[Any]:
        """As JSON."""
        return [str(self.key), self.constraint, self.how.value, self.ondelete, self.orphans]


@dataclass(frozen=True, order=True)
class Unenforced:
    """A key that the policy wants enforced and that a plan leaves as it is, and why."""

    key: str
    reason: str
