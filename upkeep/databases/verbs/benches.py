"""Where rows are cleaned up and migrated, and what an engine lends to the migration's process."""

from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from upkeep.databases.verbs.changing import Writing
from upkeep.databases.verbs.looks import Reading


@dataclass(frozen=True)
class Tally:
    """Rows of a table, and where they are kept: another place when it is replaced, rewritten or emptied at once."""

    rows: int
    storage: str = ""


@dataclass(frozen=True)
class Lent:
    """For a migration's process: a URL, which is secret, and a query with its answer to know the place by (P-87).

    ``watch`` is a query that gives pairs, what and of which table, of what the process keeps others from or has
    written anew so far; '' where there is nothing of the kind. ``first`` is said on each of its connections, and kept,
    before anything else is.
    """

    url: str = field(repr=False)
    query: str
    answer: str
    watch: str = ""
    first: tuple[str, ...] = ()


class Bench(Protocol):
    """Where rows are cleaned up and then migrated, so that both are kept or neither is."""

    @property
    def is_a_copy(self) -> bool:
        """Is it a copy, of which every table is counted anyway? Where it is not, others use what we would read."""

    def reading(self) -> AbstractContextManager[Reading]:
        """Look at what has become of it so far."""

    def writing(self) -> AbstractContextManager[Writing]:
        """Change rows; undone by itself if it fails."""

    def take_locks(self, seen: Collection[tuple[str, str]]) -> None:
        """Have at once, or not at all, the locks that a rehearsal was seen to take: pairs as ``Lent.watch`` gives them.

        Called while nothing else is held. Nobody is held up while it waits; afterwards nobody is waited for but for a
        moment. Once they are had it does nothing. Raises Busy where the locks are not to be had in time.
        """

    def lent(self) -> AbstractContextManager[Lent]:
        """Let another process migrate it. Where it can be, what that did is undone if the context fails.

        Raises Escaped if it has done what cannot be undone.
        """

    def may_pass(self, state: str) -> bool:
        """Is an error of this SQLSTATE one that may not come again, because somebody else was in the way?"""

    def advice(self, state: str) -> str:
        """What to do about an error of this SQLSTATE, where the revision is sound and cannot be run here; '' else."""

    def tallies(self, counted: Collection[str] | None) -> dict[str, Tally]:
        """How many rows each table has, so that two tallies tell what was lost between them.

        Where others wait for the bench only the tables ``counted`` are counted (all if it is None), and of the others
        it is told what the transaction has put in and taken out.
        """
