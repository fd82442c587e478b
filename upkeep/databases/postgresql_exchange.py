"""Cleaning up and migrating a PostgreSQL database in one transaction, all or nothing.

Where SQLite exchanges the file for a copy, nothing is copied here: the session in which rows are cleaned up is lent to
the migration's process (``postgresql_relay``), so that both are one transaction, which the server itself keeps whole or
undoes, also when everybody is killed. What cannot be done in a transaction, CREATE INDEX CONCURRENTLY say, is done in a
stage of its own (``postgresql_beside``); where nobody could foretell it, it fails in the rehearsal.
"""

from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, ClassVar

import psycopg
from psycopg import Connection, IsolationLevel
from sqlalchemy.engine import URL

from upkeep.databases import Lent, Tally
from upkeep.databases.postgresql_asking import SETTINGS, fetched, run
from upkeep.databases.postgresql_dial import dial
from upkeep.databases.postgresql_errors import CUT_SHORT, LOCKED, RACED, speaking
from upkeep.databases.postgresql_locks import MOMENT, begin_work, patient, tables_locked
from upkeep.databases.postgresql_place import Place
from upkeep.databases.postgresql_reading import PostgresqlReading
from upkeep.databases.postgresql_relay import Relay, relayed
from upkeep.databases.postgresql_shapes import OURS
from upkeep.databases.postgresql_writing import PostgresqlWriting, commit
from upkeep.errors import Escaped

_STANDS_OFF = """
    SELECT string_agg(format('%I.%I', n.nspname, k.conname), ', ') FROM pg_constraint k
    JOIN pg_namespace n ON n.oid = k.connamespace WHERE k.condeferred AND k.conparentid = 0
"""
_TOLD = """
    SELECT '"' || replace(n.nspname, '"', '""') || '"."' || replace(t.relname, '"', '""') || '"',
           string_agg(pg_relation_filenode(c.oid)::text, ' ' ORDER BY c.oid),
           COALESCE(SUM(pg_stat_get_xact_tuples_inserted(c.oid) - pg_stat_get_xact_tuples_deleted(c.oid)), 0)
    FROM pg_class c JOIN pg_class t ON t.oid = COALESCE(pg_partition_root(c.oid)::oid, c.oid)
    JOIN pg_namespace n ON n.oid = t.relnamespace WHERE c.relkind IN ('r', 'p') GROUP BY 1
"""
"""Each table by its whole name: the files in which its rows are, and the rows gained in this transaction."""

_WATCH = f"""
    SELECT 'locks ' || l.mode, c.oid::regclass::text FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
    JOIN pg_namespace n ON n.oid = c.relnamespace AND {OURS} WHERE l.pid = pg_backend_pid() AND c.relkind IN ('r', 'p')
    AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
    UNION ALL SELECT 'keeps ' || pg_relation_filenode(c.oid), c.oid::regclass::text FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace AND {OURS} WHERE c.relkind = 'r'
"""


_FORETOLD = (
    "Upkeep does in no transaction what it knows beforehand and can repeat or take back: write it in an "
    "autocommit_block(), in a revision of its own that asks the database nothing, "
)
ADVICE = {
    "25001": f"{_FORETOLD}or run it by Alembic itself after `upkeep backup`",
    "55P04": f"{_FORETOLD}as ALTER TYPE ... ADD VALUE IF NOT EXISTS",
}
"""By SQLSTATE: what can be run in no transaction, and a value of a type that is used in the one that adds it."""


def may_pass(state: str) -> bool:
    """A lock that was not had in time, a statement cut short, a deadlock, a race that was lost."""
    return state in (*LOCKED, *CUT_SHORT, *RACED)


def tallies_of(
    connection: Connection[Any], reading: PostgresqlReading, counted: Collection[str] | None
) -> dict[str, Tally]:
    """By the server's own count of what the transaction does; TRUNCATE shows in the storage alone."""
    told = {str(name): (str(storage), int(str(moved))) for name, storage, moved in fetched(connection, _TOLD)}
    tallies = {}
    for name in reading.catalog().tables:
        storage, moved = told.get(reading.dialect.table(name), ("", 0))
        if counted is None or name in counted:
            moved = reading.count(name, digest=False).rows
        tallies[name] = Tally(moved, storage)
    return tallies


class PostgresqlBench:
    """One open transaction in which rows are changed, by us and by a program that borrows the session."""

    is_a_copy: ClassVar[bool] = False

    def __init__(self, connection: Connection[Any], relay: Relay, place: Place) -> None:
        self._connection, self._relay, self._place = connection, relay, place
        asked = ", ".join(f"current_setting('{name}')" for name in SETTINGS)
        ((*values,),) = fetched(connection, f"SELECT {asked}")
        self._as_it_was = dict(zip(SETTINGS, values, strict=True))
        self._patience = place.patience

    @contextmanager
    def reading(self) -> Iterator[PostgresqlReading]:
        """Look at it in the transaction: what others commit meanwhile is seen too, except where it is locked."""
        with speaking(str(self._place)):
            yield PostgresqlReading(self._connection)

    @contextmanager
    def writing(self) -> Iterator[PostgresqlWriting]:
        """A part of the transaction, undone by itself if it fails."""
        with speaking(str(self._place)), self._connection.transaction():
            yield PostgresqlWriting(self._connection, patience=self._patience)

    def take_locks(self, seen: Collection[tuple[str, str]]) -> None:
        """While nothing else is held: ALTER TABLE itself would wait in a queue with everybody behind it (P-84).

        What it cannot foresee is waited for half a second by then, for others may wait for these tables.
        """
        with speaking(str(self._place)):
            locks = tables_locked(self._connection, seen)
            patient(self._connection, lambda: locks, self._patience)
            run(self._connection, f"SET LOCAL lock_timeout = {MOMENT}")
        self._patience = 0.0

    @contextmanager
    def lent(self) -> Iterator[Lent]:
        """Lend the session; what was done in it is undone if the context fails.

        Raises Escaped where the borrower has ended the transaction by a COMMIT that could not be kept from him.
        """
        self._unsettle()
        run(self._connection, "SAVEPOINT upkeep_migration")
        try:
            yield Lent(self._url(), "SELECT pg_backend_pid()", str(self._connection.info.backend_pid), _WATCH)
        except BaseException:
            self._refuse_escapes()
            with suppress(psycopg.OperationalError):  # the session is gone, and all that was done in it
                run(self._connection, "ROLLBACK TO SAVEPOINT upkeep_migration")
            raise
        self._refuse_escapes()

    def _refuse_escapes(self) -> None:
        if self._relay.has_escaped:
            raise Escaped(
                "the migration has a COMMIT in one string with other statements, so that it cannot be undone",
                "take BEGIN and COMMIT out of the revision: Alembic says them",
            )

    def _unsettle(self) -> None:
        """Let the borrower find the session as the application would."""
        run(self._connection, "SET CONSTRAINTS ALL IMMEDIATE")
        ((deferred,),) = fetched(self._connection, _STANDS_OFF)
        if deferred:
            run(self._connection, f"SET CONSTRAINTS {deferred!s} DEFERRED")
        asked = ", ".join("set_config(%s, %s, true)" for _ in self._as_it_was)
        words = [word for pair in self._as_it_was.items() for word in pair]
        self._connection.execute(f"SELECT {asked}".encode(), words)

    def _url(self) -> str:
        there = {"host": str(self._relay.folder)}
        url = URL.create(self._place.driver, self._place.url.username, database=self._place.database, query=there)
        return url.render_as_string(hide_password=False)

    def may_pass(self, state: str) -> bool:
        """A lock that was not had in time, a statement cut short, a deadlock, a race that was lost."""
        return may_pass(state)

    def advice(self, state: str) -> str:
        """What wants no transaction, or one of its own, is done apart where it can be foretold (P-84)."""
        return ADVICE.get(state, "")

    def tallies(self, counted: Collection[str] | None) -> dict[str, Tally]:
        """What the transaction has put in and taken out, but for tables that are counted."""
        with self.reading() as reading:
            return tallies_of(self._connection, reading, counted)


@contextmanager
def one_transaction(place: Place, work: int) -> Iterator[PostgresqlBench]:
    """A transaction that is committed when the context ends well; ``work`` is the key of its lock on being at work."""
    with closing(place.connect()) as found:
        there, encrypted = found.info, bool(found.pgconn.ssl_in_use)
        server = dial(there, encrypted=encrypted)
        user, password = there.user, there.password
    with relayed(server) as relay, closing(place.connect_through(relay.folder, user, password)) as connection:
        with speaking(str(place)):
            connection.isolation_level, connection.read_only = IsolationLevel.READ_COMMITTED, False
            begin_work(connection, work)
            yield PostgresqlBench(connection, relay, place)
            if relay.has_escaped:
                return
            run(connection, "SET CONSTRAINTS ALL IMMEDIATE")
        commit(connection, str(place))
