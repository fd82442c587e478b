"""A copy of a database as the bench on which it is cleaned up and migrated: nobody minds what becomes of it."""

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from upkeep.databases import Database, Lent, Reading, Tally, Writing


@dataclass(frozen=True)
class CopyBench:
    """A whole database for oneself. What fails on it is not undone: the copy is thrown away."""

    copy: Database
    is_a_copy: ClassVar[bool] = True

    def reading(self) -> AbstractContextManager[Reading]:
        """Look at the copy."""
        return self.copy.reading()

    def writing(self) -> AbstractContextManager[Writing]:
        """Change its rows."""
        return self.copy.writing()

    def take_locks(self, seen: Collection[tuple[str, str]]) -> None:
        """None are needed: nobody else is on the copy."""
        del seen

    @contextmanager
    def lent(self) -> Iterator[Lent]:
        """The copy as it is."""
        yield Lent(self.copy.alembic_url(), *self.copy.fingerprint())

    def may_pass(self, state: str) -> bool:
        """No: nobody else is on the copy."""
        del state
        return False

    def advice(self, state: str) -> str:
        """None: what runs on a copy runs as it does anywhere."""
        del state
        return ""

    def tallies(self, counted: Collection[str] | None) -> dict[str, Tally]:
        """The rows of every table are counted: nobody waits for it."""
        del counted
        with self.copy.reading() as reading:
            return {name: Tally(reading.count(name, digest=False).rows) for name in reading.catalog().tables}
