"""PostgreSQL: the verbs of a database for one database of a server."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, ClassVar

from psycopg import IsolationLevel
from sqlalchemy.engine import URL, make_url

from upkeep.catalog import ForeignKey
from upkeep.databases import Identity, Means, Sight, Snapshot
from upkeep.databases.postgresql_apart import apart_of
from upkeep.databases.postgresql_beside import PostgresqlBeside
from upkeep.databases.postgresql_errors import speaking
from upkeep.databases.postgresql_exchange import PostgresqlBench, one_transaction
from upkeep.databases.postgresql_identity import ENGINE, identity_of
from upkeep.databases.postgresql_in_force import hold_back, lapses, validate
from upkeep.databases.postgresql_lint import lint
from upkeep.databases.postgresql_locks import begin_work, keeping, wait_for_work
from upkeep.databases.postgresql_observing import observe, refuse_strangers
from upkeep.databases.postgresql_place import FINGERPRINT, Connection, Place, fingerprint_of, look_only
from upkeep.databases.postgresql_probe import try_a_violation
from upkeep.databases.postgresql_reading import PostgresqlReading
from upkeep.databases.postgresql_restore import holds_anything, pour, refuse_what_is_there
from upkeep.databases.postgresql_schema import UNCOMPARED
from upkeep.databases.postgresql_scratch import Scratches, lock_key
from upkeep.databases.postgresql_snapshot import PostgresqlSnapshot
from upkeep.databases.postgresql_taking_back import standing, take_back
from upkeep.databases.postgresql_tools import find_program
from upkeep.databases.postgresql_writing import PostgresqlWriting, commit
from upkeep.databases.scratches import ThrowingAway
from upkeep.enforcement import Enforced, Lapse
from upkeep.errors import Refused
from upkeep.revisions import Apart, Lint

_ITSELF = Means()
_STATEMENTS = 20
"""So many times the patience for a lock may one statement of a change take."""
_HOLDER = """
    SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
      AND (l.classid::bigint << 32) | l.objid::bigint = %s
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@dataclass(frozen=True)
class PostgresqlDatabase(ThrowingAway[Scratches, Place]):
    """One database of a server. ``programs`` is the folder of pg_dump and pg_restore where the settings name one.

    ``follows`` is the live database where this one is a replica of it.
    """

    name: str
    place: Place
    programs: Path | None = None
    is_scratch: bool = False
    scratches: Scratches | None = field(default=None, repr=False, compare=False)
    follows: Place | None = None
    engine: ClassVar[str] = ENGINE
    uncompared: ClassVar[tuple[str, ...]] = UNCOMPARED
    copies: ClassVar[int] = 0
    copies_to_observe: ClassVar[int] = 0
    while_migrating: ClassVar[str] = (
        "who needs a locked table waits until all is done; while others are in the way nobody waits longer than half "
        "a second at a time"
    )
    unmigratable: ClassVar[str] = ""
    unmakeable: ClassVar[str] = ""
    drops_keys: ClassVar[bool] = True
    unenforceable: ClassVar[str] = ""

    @classmethod
    def from_url(cls, name: str, url: URL, means: Means = _ITSELF) -> "PostgresqlDatabase":
        """The database behind ``postgresql+psycopg://user:password@host:port/database``."""
        place = Place.of(url, means.patience, f"the URL of database {name}")
        elsewhere = Place.of(means.scratch, means.patience, "UPKEEP_SCRATCH_URL") if means.scratch else None
        return cls(name, place, means.programs, scratches=Scratches(place, name, elsewhere))

    def lint(self, scripts: Sequence[Sequence[str]], folder: Path) -> tuple[Lint, ...]:
        """See ``postgresql_lint``: by squawk."""
        version = self.identity().version if scripts else ""
        return tuple(lint(statements, version, folder) for statements in scripts)

    def room_to_migrate(self) -> None:
        """The disk is the server's, and cannot be seen from here."""

    def identity(self) -> Identity:
        """Which database this is; Refused where row security would hide rows from the role (P-15)."""
        with self._connected(autocommit=True) as connection:
            if self.follows:
                refuse_strangers(connection, self.place, self.follows)
            return identity_of(connection, self.place)

    def is_empty(self) -> bool:
        """Is there nothing but what every new database of the server has?"""
        with self._connected(autocommit=True) as connection:
            return not holds_anything(connection)

    @contextmanager
    def reading(self) -> Iterator[PostgresqlReading]:
        """One read-only transaction that sees one state from begin to end; it hinders no writer."""
        with self._connected() as connection:
            look_only(connection)
            identity_of(connection, self.place)
            yield PostgresqlReading(connection)

    @contextmanager
    def writing(self) -> Iterator[PostgresqlWriting]:
        """One transaction that locks row by row what the plan needs (P-65)."""
        with closing(self.place.connect("upkeep", statement_seconds=_STATEMENTS * self.place.patience)) as connection:
            with speaking(str(self.place)):
                connection.isolation_level, connection.read_only = IsolationLevel.READ_COMMITTED, False
                identity_of(connection, self.place)
                begin_work(connection, self._work)
                yield PostgresqlWriting(connection, patience=self.place.patience)
            commit(connection, str(self.place))

    def replica(self, url: str) -> "PostgresqlDatabase":
        """A streaming replica, in which this very database is; see ``postgresql_observing``."""
        parsed = make_url(url)
        if parsed.get_backend_name() != self.engine:
            raise Refused(
                f"the replica of {self.name} is no PostgreSQL database",
                "write UPKEEP_REPLICA_URL as postgresql+psycopg://user:password@host:5432/database",
            )
        place = Place.of(parsed, self.place.patience, "UPKEEP_REPLICA_URL")
        return PostgresqlDatabase(f"{self.name}-replica", place, self.programs, follows=self.place)

    @contextmanager
    def observed(self, workplace: Path, seconds: float) -> Iterator[Sight]:
        """One read-only REPEATABLE READ transaction, whose snapshot the suites are given; it hinders no writer."""
        del workplace
        with observe(self.place, self.follows, seconds, partial(identity_of, place=self.place)) as sight:
            yield sight

    @contextmanager
    def snapshot(self, workplace: Path) -> Iterator[Snapshot]:
        """One transaction, in which the census is taken and whose snapshot pg_dump is given (P-19).

        Nothing is written to ``workplace``.
        """
        del workplace
        with self._connected() as connection:
            look_only(connection)
            size = identity_of(connection, self.place).size
            look = PostgresqlReading(connection)
            # No transaction holds sequences still: read now, after what is in the tables and before pg_dump reads them,
            # they are ahead of the one and not of the other.
            look.counters()
            yield PostgresqlSnapshot(connection, look, size, self.programs, self.place.patience)

    def restore(self, dump: BinaryIO) -> tuple[str, ...]:
        """Fill this database; made under another name and renamed where it is not there yet: whole or not at all."""
        if self.is_scratch:
            self._scratches.make(self.place.database)
            with self._connected(autocommit=True) as connection:
                return pour(dump, self.place, connection, self.programs, in_one=False, replicating=False)
        try:
            connected = self.place.connect(autocommit=True)
        except Refused as fault:
            maintenance = self._maintenance(fault)
            return self._made_by(Scratches(maintenance, "restore"), dump)
        with speaking(str(self.place)), closing(connected) as connection:
            refuse_what_is_there(connection, str(self.place))
            return pour(dump, self.place, connection, self.programs, in_one=True, replicating=True)

    def _maintenance(self, fault: Refused) -> Place:
        """From where a database that is not there can be made; raises ``fault`` where that is not what is wrong."""
        place = self.place.at("postgres")
        with closing(place.connect(autocommit=True)) as connection:
            there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (self.place.database,))
            if there.fetchone():
                raise fault
        return place

    def _made_by(self, scratches: Scratches, dump: BinaryIO) -> tuple[str, ...]:
        scratches.sweep()
        place = scratches.announce(None)
        draft = place.database
        try:
            scratches.make(draft)
            with closing(place.connect(autocommit=True)) as connection, speaking(str(self.place)):
                remarks = pour(dump, self.place, connection, self.programs, in_one=False, replicating=True)
            scratches.give(draft, self.place.database)
        finally:
            scratches.drop(draft)
        return remarks

    def probe_scratch(self) -> None:
        """Is the server for scratches another database than the live one, new enough, and may the role make one?"""
        major = self._scratches.probe()
        find_program("pg_restore", major, self.programs)

    def scratch(self, workplace: Path) -> "PostgresqlDatabase":
        """A database of random name on the server for them; those that runs have left behind are dropped first."""
        self._scratches.sweep()
        place = self._scratches.announce(workplace)
        return PostgresqlDatabase(
            f"{self.name}-scratch", place, self.programs, is_scratch=True, scratches=self.scratches
        )

    @contextmanager
    def exchanged(self, workplace: Path) -> Iterator[PostgresqlBench]:
        """See ``postgresql_exchange``: one transaction for all that is done; nothing is written to ``workplace``."""
        del workplace
        with one_transaction(self.place, self._work) as bench:
            yield bench

    def apart(self, sql: Sequence[str]) -> Apart | None:
        """See ``postgresql_apart``: CONCURRENTLY, VACUUM, and what a project does in a block of its own."""
        return apart_of(sql)

    @contextmanager
    def beside(self, workplace: Path) -> Iterator[PostgresqlBeside]:
        """See ``postgresql_beside``: the database as it is; nothing is written to ``workplace``."""
        del workplace
        yield PostgresqlBeside(self.place, self._apart)

    def standing(self, apart: Apart) -> tuple[str, ...]:
        """The indexes that it names."""
        return standing(self.place, apart)

    def take_back(self, apart: Apart, there: Collection[str]) -> tuple[str, ...]:
        """DROP INDEX CONCURRENTLY, for others read and write."""
        return take_back(self.place, self._apart, apart, there)

    def lapses(self, keys: Collection[ForeignKey]) -> dict[str, Lapse]:
        """As the server's catalog says it: not declared, switched off, NOT VALID, and what the role may not mend."""
        with self._connected() as connection:
            look_only(connection)
            return lapses(connection, keys)

    def hold_back(self, keys: Collection[Enforced]) -> None:
        """ADD ... NOT VALID, or ENABLE TRIGGER: a lock against writers, and no look at any row."""
        hold_back(self.place, self._work, keys)

    def validate(self, keys: Collection[Enforced]) -> None:
        """VALIDATE CONSTRAINT: a look at every row, and a lock that no reader and no writer minds."""
        validate(self.place, self._work, keys)

    @contextmanager
    def held(self, by: str) -> Iterator[Callable[[], None]]:
        """A session's advisory lock on a connection of its own, which migrations that commit leave alone (P-83).

        What a run that was killed had sent to the server has come to its end by then.
        """
        key = lock_key(f"upkeep:{self.name}")
        with speaking(str(self.place)), closing(self.place.connect(f"upkeep {by}", autocommit=True)) as connection:
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchone()
            if not (row and row[0]):
                holder = connection.execute(_HOLDER, (key,)).fetchone()
                at_work = str(holder[0]).removeprefix("upkeep ") if holder else "unknown"
                raise Refused(f"another Upkeep is at work on {self.name}: {at_work}", "wait until it has ended")
            wait_for_work(connection, self._work)
            yield keeping(connection, str(self.place))

    def alembic_url(self) -> str:
        """The place with its password, by the driver that Upkeep has itself."""
        return self.place.url.render_as_string(hide_password=False)

    def fingerprint(self) -> tuple[str, str]:
        """The server's system identifier and the name and number of the database in it."""
        with self._connected(autocommit=True) as connection:
            return FINGERPRINT, fingerprint_of(connection)

    def refuses_orphans(self) -> tuple[bool, str]:
        """Try it, in a transaction that is undone."""
        if not self.is_scratch:
            raise Refused(f"{self.place} is not a scratch database", "a violation is tried on a copy only")
        with self._connected() as connection:
            reading = PostgresqlReading(connection)
            keys = reading.catalog().keys
            return try_a_violation(connection, reading.dialect, keys)

    @property
    def _apart(self) -> int:
        return lock_key(f"upkeep:{self.name}:apart")

    @property
    def _work(self) -> int:
        return lock_key(f"upkeep:{self.name}:work")

    @contextmanager
    def _connected(self, *, autocommit: bool = False) -> Iterator[Connection]:
        with closing(self.place.connect(autocommit=autocommit)) as connection, speaking(str(self.place)):
            yield connection
