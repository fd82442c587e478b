"""PostgreSQL: one transaction that changes rows, beside an application that goes on working."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection, sql

from upkeep.catalog import ForeignKey
from upkeep.databases.chosen_rows import delete_chosen, nullify_chosen
from upkeep.databases.own_words import UNTOLD, literal
from upkeep.databases.postgresql_asking import fetched, run, without_search_path
from upkeep.databases.postgresql_counters import move_on
from upkeep.databases.postgresql_enforcing import unenforced
from upkeep.databases.postgresql_errors import refusal_of
from upkeep.databases.postgresql_locks import patient
from upkeep.databases.postgresql_reading import PostgresqlReading
from upkeep.errors import Damaged, Refused, RowRefused, Unreachable
from upkeep.orphans import among
from upkeep.values import Row, in_pieces

_COUNTED = """
    SELECT COALESCE(SUM(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint FROM pg_stat_xact_all_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND schemaname !~ '^pg_toast'
    OR relid = 'pg_catalog.pg_largeobject_metadata'::regclass
"""
_BY_ROWS = ("21", "22", "23", "2F", "38", "39", "42", "44", "P0")
"""Classes of SQLSTATE that a constraint, or the code of a trigger, answers with."""
_OF_NAMES = ("21", "23", "2F", "42", "44")
_MAY_NOT = "42501"


class PostgresqlWriting(PostgresqlReading):
    """One READ COMMITTED transaction that changes rows; ``patience`` is how many seconds it waits for its locks.

    Foreign keys stay enforced, for they are switched off only together with every trigger (P-57). That no cascade of
    theirs touches a row outside the plan is what ``hold`` and the rechecks after it make sure of.
    """

    def __init__(self, connection: Connection[Any], home: str | None = None, patience: float = 30.0) -> None:
        super().__init__(connection, home)
        asked = "SELECT current_setting('transaction_isolation'), current_setting('track_counts')"
        ((isolation, counts),) = fetched(connection, asked)
        if isolation != "read committed":
            raise ValueError("a recheck must see what was committed since the transaction began: use READ COMMITTED")
        if counts != "on":
            raise Refused("this server does not count changed rows (track_counts is off)", "set track_counts = on")
        # What is put off to the commit would be refused when nobody knows any more which row it was about.
        run(connection, "SET CONSTRAINTS ALL IMMEDIATE")
        self._patience = patience
        self._undone = 0
        self._at_begin = self._counted()

    @contextmanager
    def unenforced(self, keys: Collection[ForeignKey]) -> Iterator[None]:
        """See ``postgresql_enforcing``. Raises psycopg.errors.LockNotAvailable when patience is at its end."""
        with unenforced(self._connection, self._look().relations, keys, self._patience):
            yield

    def hold(self, rows: Mapping[str, Collection[Row]], steady: Collection[str]) -> None:
        """Lock the rows FOR UPDATE, by which nobody can point at them either, and the tables in SHARE mode.

        Raises psycopg.errors.LockNotAvailable when patience is at its end.
        """
        patient(self._connection, lambda: self._all_locks(rows, steady), self._patience)

    def _all_locks(self, rows: Mapping[str, Collection[Row]], steady: Collection[str]) -> Iterator[str]:
        for table in sorted(rows):
            yield from self._row_locks(table, rows[table])
        yield from (f"LOCK TABLE {self.dialect.source(table)} IN SHARE MODE" for table in sorted(steady))

    def _row_locks(self, table: str, rows: Collection[Row]) -> Iterator[str]:
        locator = self.catalog().tables[table].locator
        for piece in in_pieces(rows) if locator else ():
            with self.chosen(table, locator, piece) as relation:
                which = among("c", locator, relation, self.dialect)
                held = f"SELECT 1 FROM {self.dialect.source(table)} AS c WHERE {which} FOR UPDATE OF c"
                yield f"SELECT COUNT(*) FROM ({held}) AS held"

    def define(self, statements: Sequence[str]) -> None:
        """Each in its order, by names with their schemas; the locks on tables that are there are tried for (P-84).

        Raises psycopg.errors.LockNotAvailable when patience is at its end.
        """
        self._looked = self._counters = None
        try:
            with without_search_path(self._connection):
                patient(self._connection, lambda: statements, self._patience)
        except psycopg.Error as fault:
            if isinstance(refusal_of(fault, ""), Unreachable | Damaged):
                raise
            said = fault.diag.message_primary or type(fault).__name__
            hint = (
                "set DATABASE_URL to the role that owns the tables" if fault.sqlstate == _MAY_NOT else "do it by hand"
            )
            raise Refused(f"PostgreSQL refuses to make or drop it: {said}", hint) from None

    def change(self, sql: str) -> int:
        """Run one statement; the number of rows that it named. A refused statement leaves the transaction as it was.

        Where a foreign key refuses to let rows go or come, those that can wait until all is done are told to: rows that
        point at each other in a circle can only go, or come, together.
        """
        try:
            return self._tried(sql)
        except psycopg.Error as fault:
            if not (sql.startswith(("DELETE", "INSERT")) and isinstance(fault, psycopg.errors.ForeignKeyViolation)):
                raise _refusal(fault, self._connection) from None
        run(self._connection, "SET CONSTRAINTS ALL DEFERRED")
        try:
            return self._tried(sql)
        except psycopg.Error as fault:
            raise _refusal(fault, self._connection) from None

    def delete(self, table: str, rows: Collection[Row]) -> int:
        """One DELETE."""
        return delete_chosen(self, table, rows)

    def nullify(self, table: str, columns: tuple[str, ...], rows: Collection[Row]) -> int:
        """One UPDATE."""
        return nullify_chosen(self, table, columns, rows)

    def insert(self, table: str, columns: tuple[str, ...], rows: Sequence[Row]) -> int:
        """Plain INSERT. Identity columns take the value that they are given; their sequences are moved on (P-69)."""
        names = ", ".join(map(self.dialect.quote, columns))
        keys = ", ".join(f"k{i}" for i in range(len(columns)))
        with self.chosen(table, columns, rows) as relation:
            into = f"INSERT INTO {self.dialect.table(table)} ({names}) OVERRIDING SYSTEM VALUE"
            came = self.change(f"{into} SELECT {keys} FROM {relation}")
        move_on(self._connection, self._look().relations[table].oid, columns, rows)
        return came

    def assign(self, table: str, columns: tuple[str, ...], rows: Mapping[Row, Row]) -> int:
        """One UPDATE, joined with the rows and their values."""
        locator = self.catalog().tables[table].locator
        given = [(*row, *values) for row, values in rows.items()]
        with self.chosen(table, (*locator, *columns), given) as relation:
            width = len(locator)
            sets = ", ".join(f"{self.dialect.quote(name)} = k{width + i}" for i, name in enumerate(columns))
            which = " AND ".join(f"c.{self.dialect.quote(name)} = k{i}" for i, name in enumerate(locator))
            return self.change(f"UPDATE {self.dialect.source(table)} AS c SET {sets} FROM {relation} WHERE {which}")

    def _tried(self, sql: str) -> int:
        counted = self._counted()
        run(self._connection, "SAVEPOINT upkeep_change")
        try:
            changed = run(self._connection, sql).rowcount
        except psycopg.Error:
            run(self._connection, "ROLLBACK TO upkeep_change")
            run(self._connection, "RELEASE upkeep_change")
            # The server counts what was tried, undone or not.
            self._undone += self._counted() - counted
            raise
        run(self._connection, "RELEASE upkeep_change")
        return changed

    def changed_in_all(self) -> int:
        """The server's own count, in which triggers, cascades and large objects are, but no TRUNCATE, no foreign table.

        A row that moves to another partition counts twice. What was deferred is done first.
        """
        try:
            run(self._connection, "SET CONSTRAINTS ALL IMMEDIATE")
        except psycopg.Error as fault:
            raise _refusal(fault) from None
        return self._counted() - self._at_begin - self._undone

    def _counted(self) -> int:
        (counted,) = self.numbers(_COUNTED)
        return counted


def commit(connection: Connection[Any], place: str) -> None:
    """End the transaction so that it is kept.

    Where the connection is lost in the commit itself nobody knows how it ended, so that is none of the three
    errors: the next run finds out.
    """
    try:
        connection.commit()
    except psycopg.Error as fault:
        if (said := refusal_of(fault, place)) and fault.sqlstate and not connection.broken:
            raise said from None
        raise


def _refusal(fault: psycopg.Error, connection: Connection[Any] | None = None) -> Exception:
    """What a row's constraint or trigger said, without the values that PostgreSQL tells in the detail; else the fault.

    The code of a trigger may fail in any way, which is an error like any other (P-119).
    """
    state = fault.sqlstate or ""
    if state == _MAY_NOT or not state.startswith(_BY_ROWS):
        return fault
    said = fault.diag.message_primary or type(fault).__name__
    if not _holds_names_alone(fault) and (connection is None or not _stands_in_a_function(connection, said)):
        said = UNTOLD if fault.diag.context else f"the server's error {state}"
    return RowRefused(said, "change the rule for these rows, or the rows by hand")


def _holds_names_alone(fault: psycopg.Error) -> bool:
    """Is it the server that speaks, of constraints and of what is not there? What a RAISE says is anybody's."""
    return (fault.sqlstate or "").startswith(_OF_NAMES) and fault.diag.source_function != "exec_stmt_raise"


def _stands_in_a_function(connection: Connection[Any], said: str) -> bool:
    asked = sql.SQL("SELECT EXISTS (SELECT FROM pg_catalog.pg_proc WHERE position({} IN prosrc) > 0)")
    ((found,),) = fetched(connection, asked.format(sql.Literal(literal(said))).as_string(connection))
    return found == "t"
