"""A pending Alembic revision: what it says that it will do, as far as that is known before it runs."""

from dataclasses import dataclass
from typing import Any

from upkeep.catalog import ForeignKey

Named = tuple[str, str]
"""A name as the engine keeps it, with its schema before it; '' where none is said."""


@dataclass(frozen=True)
class Apart:
    """What a revision does in no transaction, because the engine can do it in none (P-84).

    ``makes`` are the indexes that it makes, each with its table, ``drops`` those that it drops, ``renews`` indexes, and
    tables whose indexes, it makes anew: what of these is left half done can be told by its name. ``repeats`` says what
    is not taken back when the rest is, but done again the next time. ``wrong`` is why it may not be performed: it does
    what can be neither repeated nor taken back; '' where it may.
    """

    makes: tuple[tuple[Named, Named], ...] = ()
    drops: tuple[Named, ...] = ()
    renews: tuple[Named, ...] = ()
    repeats: tuple[str, ...] = ()
    wrong: str = ""


@dataclass(frozen=True)
class Revision:
    """One revision. ``sql`` is what it would say, ``keys`` the foreign keys that it would declare.

    ``unforeseen`` tells why not all of that is known: most often it asks the database first (P-86). ``loses`` are the
    losses that its author has written down as ``upkeep_loses`` because they are meant. ``apart`` stands where it leaves
    the transaction of the others.
    """

    name: str
    doc: str = ""
    sql: tuple[str, ...] = ()
    keys: tuple[ForeignKey, ...] = ()
    unforeseen: str | None = None
    loses: tuple[str, ...] = ()
    apart: Apart | None = None


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
class Lint:
    """What a linter of the engine's says of SQL before it runs: hints, and never a reason to stop.

    ``unasked`` tells why there is no answer, or not one to all of it; '' where there is.
    """

    hints: tuple[str, ...] = ()
    unasked: str = ""


@dataclass(frozen=True)
class Explained:
    """A pending revision together with what its rehearsal showed; ``ran`` is None where it did not come to that.

    ``gone`` is what is no more because this revision says so; ``lint`` is None where the engine has no linter.
    """

    revision: Revision
    ran: "Ran | None" = None
    gone: tuple[str, ...] = ()
    lint: Lint | None = None

    @property
    def locks(self) -> tuple[str, ...]:
        """Which tables it locks against others, and how."""
        return tuple(f"{table} ({what.removeprefix('locks ')})" for what, table in self._effects("locks "))

    @property
    def writes_anew(self) -> tuple[str, ...]:
        """Tables that it makes, or whose rows it writes to another place."""
        return tuple(dict.fromkeys(table for _, table in self._effects("keeps ")))

    def _effects(self, kind: str) -> tuple[tuple[str, str], ...]:
        return tuple(effect for effect in (self.ran.effects if self.ran else ()) if effect[0].startswith(kind))

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "revision": self.revision.name,
            "says": self.revision.doc,
            "sql": list(self.revision.sql),
            "unforeseen": self.revision.unforeseen,
            "in_a_transaction": self.revision.apart is None,
            "seconds": round(self.ran.seconds, 3) if self.ran else None,
            "locks": list(self.locks),
            "writes_anew": list(self.writes_anew),
            "gone": list(self.gone),
            "lint": {"hints": list(self.lint.hints), "unasked": self.lint.unasked or None} if self.lint else None,
        }


@dataclass(frozen=True)
class Ran:
    """One revision as it ran: its seconds, its statements without their literals, and what it did to tables.

    ``effects`` are pairs of what and which table, as the engine tells them: locked, rewritten.
    """

    revision: str
    seconds: float
    said: tuple[str, ...] = ()
    effects: tuple[tuple[str, str], ...] = ()
