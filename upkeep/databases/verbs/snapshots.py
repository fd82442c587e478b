"""The frozen copy of a database that a backup is made of."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from upkeep.databases.verbs.looks import Reading


@dataclass(frozen=True)
class Beside:
    """What belongs to a backup and is not in its dump: its bytes, or why there are none in ``missing``."""

    name: str
    holds: str
    content: BinaryIO | None
    missing: str | None = None


class Snapshot(Protocol):
    """A frozen copy of a database from which a dump and a census are taken in the same state."""

    def reading(self) -> AbstractContextManager[Reading]:
        """Look at the snapshot."""

    def dump(self) -> AbstractContextManager[BinaryIO]:
        """The bytes that bring this snapshot back."""

    def companions(self) -> Iterator[Beside]:
        """What belongs to the backup and is not in the dump; each is to be read before the next one comes."""

    @property
    def size(self) -> int:
        """Bytes that the dump will have, as near as is known."""

    @property
    def dump_is_the_content(self) -> bool:
        """Are the dump's bytes the database itself, so that their digest proves the content?

        Where they are not, the census of the snapshot holds the digest of each table, for the restored one to match.
        """
