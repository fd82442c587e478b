"""A pending Alembic revision: what it says that it will do, as far as that is known before it runs."""

from dataclasses import dataclass
from typing import Any

from upkeep.catalog import ForeignKey


@dataclass(frozen=True)
class Revision:
    """One revision. ``sql`` is what it would say, ``keys`` the foreign keys that it would declare.

    ``unforeseen`` tells why not all of that is known: most often it asks the database first (P-86). ``loses`` are the
    losses that its author has written down as ``upkeep_loses`` because they are meant.
    """

    name: str
    doc: str = ""
    sql: tuple[str, ...] = ()
    keys: tuple[ForeignKey, ...] = ()
    unforeseen: str | None = None
    loses: tuple[str, ...] = ()


def revision_of(said: dict[str, Any]) -> Revision:
    """A revision as the door to Alembic tells of it."""
    keys = (
        ForeignKey(child, tuple(columns), parent, tuple(named), declared=False)
        for child, columns, parent, named in said["keys"]
    )
    return Revision(
        said["revision"], said["doc"], tuple(said["sql"]), tuple(keys), said["unforeseen"], tuple(said["loses"])
    )


@dataclass(frozen=True)
class Ran:
    """One revision as it ran: its seconds, its statements without their literals, and what it did to tables.

    ``effects`` are pairs of what and which table, as the engine tells them: locked, rewritten.
    """

    revision: str
    seconds: float
    said: tuple[str, ...] = ()
    effects: tuple[tuple[str, str], ...] = ()
