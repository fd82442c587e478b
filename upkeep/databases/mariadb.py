"""MariaDB and MySQL: the verbs of a database for one database of a server."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, ClassVar

import pymysql
from sqlalchemy.engine import URL, make_url

from upkeep.databases import Bench, Identity, Sight, Snapshot
from upkeep.databases.apart_nothing import ApartNothing
from upkeep.databases.copy_bench import CopyBench
from upkeep.databases.enforcing_nothing import EnforcingNothing
from upkeep.databases.linting_nothing import LintingNothing
from upkeep.databases.mariadb_asking import Conversation, quoted
from upkeep.databases.mariadb_dialect import quote
from upkeep.databases.mariadb_errors import refusal_of, speaking
from upkeep.databases.mariadb_locks import begin_work, keeping, lock_name, locked, release, wait_for_work
from upkeep.databases.mariadb_observing import observe
from upkeep.databases.mariadb_place import Place
from upkeep.databases.mariadb_probe import refuse_what_reaches_out, try_a_violation
from upkeep.databases.mariadb_reading import MariadbReading
from upkeep.databases.mariadb_replica import refuse_strangers
from upkeep.databases.mariadb_restore import holds_anything, pour, refuse_what_is_there, settle
from upkeep.databases.mariadb_scratch import (
    Scratches,
    end_connections,
    make_database,
    mark_database,
)
from upkeep.databases.mariadb_shapes import MARK
from upkeep.databases.mariadb_snapshot import LOOK, frozen
from upkeep.databases.mariadb_tools import Program, find_program
from upkeep.databases.mariadb_writing import MariadbWriting
from upkeep.databases.scratches import ThrowingAway
from upkeep.errors import Busy, Refused

_OLDEST = {True: (10, 6), False: (8, 0)}
_STATEMENTS = 20
"""So many times the patience for a lock may one statement of a change take."""
_IDENTITY = """
    SELECT @@hostname, @@port, COALESCE(SUM(DATA_LENGTH + INDEX_LENGTH), 0) FROM information_schema.TABLES
    WHERE TABLE_SCHEMA = DATABASE()
"""
_FINGERPRINT = "SELECT CONCAT(@@hostname, ':', @@port, ':', @@server_id, '/', DATABASE())"
_HOLDER = "SELECT HOST, TIME FROM information_schema.PROCESSLIST WHERE ID = IS_USED_LOCK({lock})"


@dataclass(frozen=True)
class MariadbDatabase(ApartNothing, EnforcingNothing, LintingNothing, ThrowingAway[Scratches, Place]):
    """One database of a server. ``programs`` is the folder of its own programs where the settings name one.

    ``follows`` is the live database where this one is a replica of it.
    """

    name: str
    place: Place
    programs: Path | None = None
    is_scratch: bool = False
    scratches: Scratches | None = field(default=None, repr=False, compare=False)
    follows: Place | None = None
    engine: ClassVar[str] = "mariadb"
    uncompared: ClassVar[tuple[str, ...]] = (
        "who may use the database",
        "where AUTO_INCREMENT and sequences stand",
        "whether events are awake",
        "the digits of a FLOAT after the sixth: mariadb-dump does not write them, so no restore brings them back and "
        "no row that has them is repaired; MODIFY such a column to DOUBLE",
    )
    copies: ClassVar[int] = 0
    copies_to_observe: ClassVar[int] = 0
    while_migrating: ClassVar[str] = "nobody: a migration is only rehearsed here"
    unmigratable: ClassVar[str] = (
        "MariaDB cannot undo a migration that fails half way: each of its steps commits by itself"
    )

    unmakeable: ClassVar[str] = (
        "MariaDB commits when it makes a table, so that nothing could be undone if its rows were refused: bring it "
        "over by hand, `mariadb-dump OTHER TABLE | mariadb THIS`"
    )
    drops_keys: ClassVar[bool] = False
    unenforceable: ClassVar[str] = (
        "MariaDB has no NOT VALID: a foreign key that it adds without looking at the rows claims that they keep it"
    )

    @classmethod
    def from_url(cls, name: str, url: URL, patience: float = 30.0, programs: Path | None = None) -> "MariadbDatabase":
        """The database behind ``mysql+pymysql://user:password@host:port/database``, by whatever driver."""
        place = Place.of(name, url, patience)
        return cls(name, place, programs, scratches=Scratches(place, name))

    def room_to_migrate(self) -> None:
        """The disk is the server's, and cannot be seen from here."""

    def identity(self) -> Identity:
        """Which database this is; Refused where the server is older than Upkeep knows."""
        with self._connected() as conversation:
            if self.follows:
                refuse_strangers(conversation, self.place, self.follows)
            return self._identity(conversation)

    def _identity(self, conversation: Conversation) -> Identity:
        version, oldest = _version(conversation), _OLDEST[conversation.is_mariadb]
        if version < oldest:
            raise Refused(
                f"the server of {self.place} is {conversation.version}",
                f"Upkeep needs {oldest[0]}.{oldest[1]} or newer: upgrade it",
            )
        ((host, port, size),) = conversation.words(_IDENTITY)
        return Identity(self.engine, conversation.version, f"{self.place} of server {host}:{port}", int(size))

    def is_empty(self) -> bool:
        """Is there no table, view, routine or event?"""
        with self._connected() as conversation:
            return not holds_anything(conversation, self.place)

    @contextmanager
    def reading(self) -> Iterator[MariadbReading]:
        """One read-only transaction that sees one state from begin to end; it hinders no writer."""
        with self._connected() as conversation:
            self._identity(conversation)
            conversation.run(LOOK)
            yield MariadbReading(conversation, self.place.database, self.place.connect)

    @contextmanager
    def writing(self) -> Iterator[MariadbWriting]:
        """One transaction that locks row by row what the plan needs (P-65).

        Where the connection is lost in the commit itself nobody knows how it ended, so that is none of the three
        errors: the next run finds out.
        """
        with closing(self.place.connect(statement_seconds=_STATEMENTS * self.place.patience)) as conversation:
            with speaking(str(self.place)):
                self._identity(conversation)
                if self.is_scratch:
                    refuse_what_reaches_out(conversation, self.place.database)
                begin_work(conversation, self._work, str(self.place), self.place.patience)
                conversation.run("START TRANSACTION")
                yield MariadbWriting(conversation, self.place.database, self.place.connect, self.place)
            try:
                conversation.run("COMMIT")
            except pymysql.MySQLError as fault:
                said = refusal_of(fault, str(self.place))
                if isinstance(said, Refused | Busy):  # the server has undone it
                    raise said from None
                raise
            with suppress(pymysql.MySQLError):  # with a connection that is lost the lock is gone, too
                release(conversation, self._work)

    def replica(self, url: str) -> "MariadbDatabase":
        """A server that carries out what the live database's writes to its binary log; see ``mariadb_replica``."""
        parsed = make_url(url)
        if parsed.get_backend_name() not in ("mysql", "mariadb"):
            raise Refused(
                f"the replica of {self.name} is no MariaDB database",
                "write UPKEEP_REPLICA_URL as mysql+pymysql://user:password@host:3306/database",
            )
        place = Place.of("UPKEEP_REPLICA_URL", parsed, self.place.patience)
        return MariadbDatabase(f"{self.name}-replica", place, self.programs, follows=self.place)

    @contextmanager
    def observed(self, workplace: Path, seconds: float) -> Iterator[Sight]:
        """Read-only transactions that began in one moment, one for us and the others for the suites."""
        del workplace
        with observe(self.place, self.follows, seconds, self._identity) as sight:
            yield sight

    @contextmanager
    def snapshot(self, workplace: Path) -> Iterator[Snapshot]:
        """A transaction in which the census is taken, and a dump of the same moment (P-19)."""
        with self._connected() as conversation:
            size = self._identity(conversation).size
            program = self._program("dump", conversation)
            self._program("client", conversation)  # what cannot be restored need not be dumped
        with frozen(self.place, program, workplace, size) as snapshot:
            yield snapshot

    def restore(self, dump: BinaryIO) -> tuple[str, ...]:
        """Fill this database, which is empty or not there; what was made is removed again where that fails.

        No transaction holds more than one table's definition here. So the database bears a mark until it is filled:
        who kills this leaves one that nothing takes for whole, and that is refused as a target until it is dropped.
        """
        if self.is_scratch:
            self._scratches.make(self.place.database)
            self._pour(dump, asleep=True)
            return ()
        with speaking(str(self.place)), closing(self.place.connect(database=False)) as conversation:
            name = self.place.database
            is_there = bool(conversation.fetched(f"SHOW DATABASES WHERE `Database` = {quoted(name)}"))
            if is_there:
                refuse_what_is_there(conversation, self.place)
            else:
                make_database(conversation, self.place, name)
            try:
                mark_database(conversation, name, "a restore by Upkeep that has not ended")
                self._pour(dump, asleep=False)
                conversation.run(f"DROP TABLE {quote(name)}.{quote(MARK)}")
            except BaseException:
                with suppress(pymysql.MySQLError):  # what went wrong says more, and the mark says the rest
                    self._empty(conversation, keep=is_there)
                raise
        return ()

    def _empty(self, conversation: Conversation, *, keep: bool) -> None:
        """Remove what was made in this database, and the database unless it was there before."""
        name = self.place.database
        told = conversation.words(
            "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA"
            f" WHERE SCHEMA_NAME = {quoted(name)}"
        )
        end_connections(conversation, name)
        conversation.run(f"DROP DATABASE {quote(name)}")
        if keep:
            conversation.run(f"CREATE DATABASE {quote(name)} CHARACTER SET {told[0][0]} COLLATE {told[0][1]}")

    def _pour(self, dump: BinaryIO, *, asleep: bool) -> None:
        with self._connected() as conversation:
            program = self._program("client", conversation)
        pour(dump, self.place, program, asleep=asleep)
        with self._connected() as conversation:
            settle(conversation, self.place)

    def probe_scratch(self) -> None:
        """Make one and drop it."""
        name = self._scratches.announce(None)
        self._scratches.make(name)
        self._scratches.drop(name)

    def scratch(self, workplace: Path) -> "MariadbDatabase":
        """A database of random name on the same server; those that runs have left behind are dropped first."""
        self._scratches.sweep()
        place = self.place.at(self._scratches.announce(workplace))
        return MariadbDatabase(f"{self.name}-scratch", place, self.programs, is_scratch=True, scratches=self.scratches)

    @contextmanager
    def exchanged(self, workplace: Path) -> Iterator[Bench]:
        """On a scratch whatever comes of it: nobody minds. Of the live database, no: see ``unmigratable``."""
        del workplace
        if not self.is_scratch:
            raise Refused(self.unmigratable, "use --no-migrate")
        yield CopyBench(self)

    @contextmanager
    def held(self, by: str) -> Iterator[Callable[[], None]]:
        """A named lock on a connection of its own, which migrations that commit leave alone (P-83).

        What a run that was killed had sent to the server has come to its end by then.
        """
        del by  # the server has no place where a connection could say what it is for
        with speaking(str(self.place)), closing(self.place.connect()) as conversation:
            words = f"{self.name}/{self.place.database}"
            if not locked(conversation, words):
                found = conversation.words(_HOLDER.format(lock=quoted(lock_name(words))))
                holder = (
                    f"from {found[0][0]}, quiet for {found[0][1]} s" if found else "from a connection of another role"
                )
                raise Refused(f"another Upkeep is at work on {self.name}: {holder}", "wait until it has ended")
            wait_for_work(conversation, self._work, str(self.place), self.place.patience)
            try:
                yield keeping(conversation, str(self.place))
            finally:
                with suppress(pymysql.MySQLError):  # with a connection that is lost the lock is gone, too
                    release(conversation, words)

    def alembic_url(self) -> str:
        """The place with its password, by the driver that Upkeep has itself."""
        return self.place.url.render_as_string(hide_password=False)

    def fingerprint(self) -> tuple[str, str]:
        """The server's host, port and number, and the name of the database in it."""
        with self._connected() as conversation:
            ((answer,),) = conversation.words(_FINGERPRINT)
        return _FINGERPRINT, answer

    def refuses_orphans(self) -> tuple[bool, str]:
        """Try it, in a transaction that is undone."""
        if not self.is_scratch:
            raise Refused(f"{self.place} is not a scratch database", "a violation is tried on a copy only")
        with self._connected() as conversation:
            refuse_what_reaches_out(conversation, self.place.database)
            reading = MariadbReading(conversation, self.place.database, self.place.connect)
            keys = reading.catalog().keys
            return try_a_violation(conversation, reading.dialect, keys)

    def _program(self, what: str, conversation: Conversation) -> Program:
        """The program that fits the server: a dump is made by one no older, any that knows the server may fill it."""
        at_least = _version(conversation) if what == "dump" else _OLDEST[conversation.is_mariadb]
        return find_program(what, is_mariadb=conversation.is_mariadb, at_least=at_least, folder=self.programs)

    @property
    def _work(self) -> str:
        """The words of the lock that whoever changes rows of this database has; any name may stand for it."""
        return f"work on {self.place.database}"

    @contextmanager
    def _connected(self) -> Iterator[Conversation]:
        with closing(self.place.connect()) as conversation, speaking(str(self.place)):
            yield conversation


def _version(conversation: Conversation) -> tuple[int, int]:
    major, minor, *_ = conversation.version.split(".")
    return int(major), int(minor)
