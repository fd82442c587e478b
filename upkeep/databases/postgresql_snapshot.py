"""The state of a PostgreSQL database that one transaction holds still, for a census and for pg_dump."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar

from upkeep.databases import Beside
from upkeep.databases.postgresql_dump import dumped
from upkeep.databases.postgresql_globals import HOLDS, NAME, globals_of
from upkeep.databases.postgresql_place import Connection
from upkeep.databases.postgresql_reading import PostgresqlReading
from upkeep.databases.postgresql_tools import find_program


@dataclass(frozen=True)
class PostgresqlSnapshot:
    """A transaction that sees one state, which pg_dump can be made to see too."""

    connection: Connection
    look: PostgresqlReading
    size: int
    programs: Path | None
    patience: float
    dump_is_the_content: ClassVar[bool] = False

    @contextmanager
    def reading(self) -> Iterator[PostgresqlReading]:
        """Look at the state, in the transaction that holds it."""
        yield self.look

    @contextmanager
    def dump(self) -> Iterator[BinaryIO]:
        """What pg_dump writes of that state; Refused where the programs that are here do not fit the server (P-12)."""
        program = find_program("pg_dump", self.connection.info.server_version // 10000, self.programs)
        find_program("pg_restore", program.major, self.programs)  # what cannot be restored need not be dumped
        row = self.connection.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None  # noqa: S101  # a SELECT without FROM has one row
        with dumped(self.connection, row[0], program, self.patience) as dump:
            yield dump

    def companions(self) -> Iterator[Beside]:
        """What belongs to the whole server, of which roles may not see all (P-17)."""
        with globals_of(self.connection, self.programs) as (content, missing):
            yield Beside(NAME, HOLDS, content, missing)
