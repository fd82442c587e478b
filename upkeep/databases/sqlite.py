"""SQLite: the verbs of a database for a file."""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar

from sqlalchemy.engine import URL

from upkeep.databases import Beside, Identity, Sight, Snapshot
from upkeep.databases.apart_nothing import ApartNothing
from upkeep.databases.copy_bench import CopyBench
from upkeep.databases.enforcing_nothing import EnforcingNothing
from upkeep.databases.linting_nothing import LintingNothing
from upkeep.databases.sqlite_copy import copy_pages
from upkeep.databases.sqlite_exchange import exchange
from upkeep.databases.sqlite_files import place_whole, speaking
from upkeep.databases.sqlite_probe import try_a_violation
from upkeep.databases.sqlite_reading import SqliteReading
from upkeep.databases.sqlite_writing import SqliteWriting
from upkeep.errors import Refused

_CACHE_KIB = 16 * 1024
"""What a reading may keep in memory: with SQLite's own 2 MiB the parents of a large table are read again and again."""
_HEADER = b"SQLite format 3\x00"


@dataclass(frozen=True)
class SqliteDatabase(ApartNothing, EnforcingNothing, LintingNothing):
    """One SQLite file. ``patience`` is how many seconds to wait for a lock of the application's."""

    name: str
    path: Path
    patience: float = 30.0
    is_scratch: bool = False
    engine: ClassVar[str] = "sqlite"
    uncompared: ClassVar[tuple[str, ...]] = ()
    copies: ClassVar[int] = 3
    """Snapshot, scratch and the pages that a migration's exchange keeps (P-09)."""
    copies_to_observe: ClassVar[int] = 1
    unmigratable: ClassVar[str] = ""
    while_migrating: ClassVar[str] = "writers wait from the beginning to the end, and at the end readers too"
    unmakeable: ClassVar[str] = ""
    drops_keys: ClassVar[bool] = False
    unenforceable: ClassVar[str] = "SQLite adds a foreign key only by making its table anew: that is for a migration"

    @classmethod
    def from_url(cls, name: str, url: URL, patience: float = 30.0) -> "SqliteDatabase":
        """The database behind ``sqlite:////folder/file.db``; raises Refused for one in memory."""
        if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
            raise Refused(f"database {name} is not a file", "write DATABASE_URL as sqlite:////folder/file.db")
        return cls(name, Path(url.database).absolute(), patience)

    def room_to_migrate(self) -> tuple[Path, int]:
        """Beside the file all pages that it had are kept until those that it will have are whole (P-09)."""
        return self.path.parent, 2 * self.identity().size

    def identity(self) -> Identity:
        """Which file this is. An absent or empty file is refused: SQLite itself would quietly make one (P-05)."""
        try:
            size = self.path.stat().st_size
            with self.path.open("rb") as file:
                header = file.read(len(_HEADER))
        except FileNotFoundError:
            raise Refused(
                f"there is no database file {self.path}",
                "correct DATABASE_URL, or run `upkeep restore latest --to URL`",
            ) from None
        except OSError as fault:
            raise Refused(
                f"the database file {self.path} cannot be read: {fault.strerror}", "correct its owner or mode"
            ) from None
        if size == 0:
            raise Refused(
                f"the database file {self.path} is empty", "restore a backup to it, or remove it and run the migrations"
            )
        with speaking(self.path):
            if header != _HEADER:
                raise sqlite3.DatabaseError("file is not a database")
        return Identity(self.engine, sqlite3.sqlite_version, str(self.path), size)

    def is_empty(self) -> bool:
        """Is there no file, and no log of one whose database is elsewhere (P-03)?"""
        files = [self.path.with_name(self.path.name + end) for end in ("", "-wal", "-journal")]
        return not any(file.exists() and file.stat().st_size for file in files)

    @contextmanager
    def reading(self) -> Iterator[SqliteReading]:
        """A read transaction on a connection that cannot write."""
        self.identity()
        with speaking(self.path), closing(self._connect("ro")) as connection:
            _settle(connection, self)
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            connection.execute("BEGIN")
            yield SqliteReading(connection)

    @contextmanager
    def writing(self) -> Iterator[SqliteWriting]:
        """One BEGIN IMMEDIATE transaction, foreign keys not enforced.

        Enforcement would let the engine's own cascades act silently (P-58); the plan names every row instead, and
        ``mend`` proves that nothing is left behind. The pragma is a no-op inside a transaction, so it is set before
        and read back (P-54).
        """
        self.identity()
        with speaking(self.path), closing(self._connect("rw")) as connection:
            connection.execute("PRAGMA foreign_keys = OFF")
            if connection.execute("PRAGMA foreign_keys").fetchone() != (0,):
                raise Refused("SQLite does not let foreign keys be switched off here", "use a stock build of SQLite")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield SqliteWriting(connection)
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    @contextmanager
    def snapshot(self, workplace: Path) -> Iterator[Snapshot]:
        """A copy by the backup API, whole in WAL mode too (P-01); it is read-locked only while it is made (P-10)."""
        self.identity()
        copy = workplace / "snapshot.db"
        with speaking(self.path), closing(self._connect("ro")) as connection:
            _settle(connection, self)
            copy_pages(connection, copy, self.patience)
        try:
            yield SqliteSnapshot(copy)
        finally:
            copy.unlink()

    def replica(self, url: str) -> "SqliteDatabase":
        """No: what follows a file from afar is another file, and nothing in it says of which one it is a copy."""
        del url
        raise Refused(
            f"database {self.name} is a SQLite file, which has no replica",
            "remove UPKEEP_REPLICA_URL: the file is looked at in a copy that keeps no writer waiting",
        )

    @contextmanager
    def observed(self, workplace: Path, seconds: float) -> Iterator[Sight]:
        """A copy by the backup API: a long look at the file itself would keep its writers waiting (P-10).

        Nobody else uses the copy, so nobody waits for a question that takes longer than ``seconds``.
        """
        del seconds
        self.identity()
        copy = SqliteDatabase(f"{self.name}-observed", workplace / "observed.db", self.patience, is_scratch=True)
        copy.discard()  # of an earlier try
        try:
            with speaking(self.path), closing(self._connect("ro")) as connection:
                _settle(connection, self)
                copy_pages(connection, copy.path, self.patience)
            with copy.reading() as reading:
                yield Sight(reading, copy.alembic_url(), told="a copy of the live file, made beside its writers")
        finally:
            copy.discard()

    def restore(self, dump: BinaryIO) -> tuple[str, ...]:
        """Write the dump beside the target under another name, then move it there: whole or not at all (P-03)."""
        place_whole(dump, self.path)
        return ()

    def probe_scratch(self) -> None:
        """A scratch is a file in the workplace of the run, which is there."""

    def scratch(self, workplace: Path) -> "SqliteDatabase":
        """A file of its own in ``workplace``."""
        return SqliteDatabase(f"{self.name}-scratch", workplace / "scratch.db", self.patience, is_scratch=True)

    def discard(self) -> None:
        """Remove the file and what SQLite keeps beside it."""
        if not self.is_scratch:
            raise Refused(f"{self.path} is not a scratch database", "Upkeep never removes a database")
        for end in ("", "-wal", "-shm", "-journal"):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)

    def sweep(self) -> tuple[str, ...]:
        """Nothing: a scratch is a file of its workplace."""
        return ()

    @contextmanager
    def exchanged(self, workplace: Path) -> Iterator[CopyBench]:
        """See ``sqlite_exchange``: writers wait from before the copy is made until it has taken its place."""
        self.identity()
        copy = SqliteDatabase(f"{self.name}-copy", workplace / "exchange.db", self.patience)
        with (
            speaking(self.path),
            closing(self._connect("rw")) as connection,
            exchange(connection, copy.path, self.patience),
        ):
            yield CopyBench(copy)

    @contextmanager
    def held(self, by: str) -> Iterator[Callable[[], None]]:
        """A lock on a file beside the database: it ends with the process, also when that is killed."""
        self.identity()
        beside = self.path.with_name(f".{self.path.name}.upkeep-lock")
        try:
            file = beside.open("a+")
        except OSError as fault:
            raise Refused(
                f"the lock {beside} cannot be made: {fault.strerror}", "let Upkeep write in that folder"
            ) from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise Refused(
                    f"another Upkeep is at work on {self.name}: {file.read().strip() or 'unknown'}",
                    "wait until it has ended",
                ) from None
            file.truncate(0)
            file.write(f"{by} (process {os.getpid()})\n")
            file.flush()
            yield lambda: None  # this process has it for as long as it lives

    def alembic_url(self) -> str:
        """The file as SQLAlchemy writes it."""
        return f"sqlite:///{self.path}"

    def fingerprint(self) -> tuple[str, str]:
        """The file that a connection's main database is."""
        return "SELECT file FROM pragma_database_list WHERE name = 'main'", str(self.path.resolve())

    def refuses_orphans(self) -> tuple[bool, str]:
        """Try it with enforcement on. SQLite enforces per connection: the application must set the pragma itself."""
        if not self.is_scratch:
            raise Refused(f"{self.path} is not a scratch database", "a violation is tried on a copy only")
        with self.reading() as reading:
            keys = reading.catalog().keys
        with speaking(self.path), closing(self._connect("rw")) as connection:
            return try_a_violation(connection, keys)

    def _connect(self, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self.path.as_uri()}?mode={mode}",
            uri=True,
            timeout=self.patience,
            isolation_level=None,
            check_same_thread=False,
        )


@dataclass(frozen=True)
class SqliteSnapshot:
    """A file that nobody else writes to."""

    path: Path
    dump_is_the_content: ClassVar[bool] = True

    @contextmanager
    def reading(self) -> Iterator[SqliteReading]:
        """Immutable, so that a copy of a WAL database is read without making files beside it."""
        uri = f"{self.path.as_uri()}?immutable=1"
        with speaking(self.path), closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            yield SqliteReading(connection)

    @contextmanager
    def dump(self) -> Iterator[BinaryIO]:
        """The file itself: it keeps user_version and application_id, and text with NUL bytes (P-06, P-120)."""
        with self.path.open("rb") as file:
            yield file

    def companions(self) -> Iterator[Beside]:
        """None: all that the database is stands in its file."""
        yield from ()

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.path.stat().st_size


def _settle(connection: sqlite3.Connection, database: SqliteDatabase) -> None:
    """Let SQLite roll back what a killed writer left: a read-only connection may not, and would be refused."""
    try:
        connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as fault:
        if fault.sqlite_errorname not in (
            "SQLITE_READONLY_ROLLBACK",
            "SQLITE_READONLY_RECOVERY",
            "SQLITE_READONLY_CANTINIT",
        ):
            raise
        with closing(database._connect("rw")) as writer:
            writer.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
