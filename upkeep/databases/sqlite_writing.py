"""SQLite: one transaction that changes rows."""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from upkeep.catalog import ForeignKey
from upkeep.databases.chosen_rows import delete_chosen, nullify_chosen
from upkeep.databases.own_words import UNTOLD, literal
from upkeep.databases.sqlite_binding import run_for_each
from upkeep.databases.sqlite_reading import SqliteReading
from upkeep.errors import Refused, RowRefused, TransactionEnded
from upkeep.values import Row, Value


class SqliteWriting(SqliteReading):
    """One transaction that changes rows."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._changes_at_begin = connection.total_changes

    @contextmanager
    def unenforced(self, keys: Collection[ForeignKey]) -> Iterator[None]:
        """Nothing to do: no key is enforced on this connection."""
        del keys
        yield

    def hold(self, rows: Mapping[str, Collection[Row]], steady: Collection[str]) -> None:
        """Nothing to do: since BEGIN IMMEDIATE nobody else writes."""

    def change(self, sql: str, parameters: tuple[Value, ...] = ()) -> int:
        """Run one statement; the number of rows that it named. A refused statement leaves the transaction as it was."""
        return self._tried(lambda: self._connection.execute(sql, parameters).rowcount)

    def delete(self, table: str, rows: Collection[Row]) -> int:
        """One DELETE."""
        return delete_chosen(self, table, rows)

    def nullify(self, table: str, columns: tuple[str, ...], rows: Collection[Row]) -> int:
        """One UPDATE."""
        return nullify_chosen(self, table, columns, rows)

    def insert(self, table: str, columns: tuple[str, ...], rows: Sequence[Row]) -> int:
        """INSERT of values as they are, over no other row. AUTOINCREMENT takes note of a number by itself (P-69)."""
        into = f"{self._or_abort('INSERT', table)} INTO"
        into += f" {self.dialect.quote(table)} ({', '.join(map(self.dialect.quote, columns))})"
        return self._tried(
            lambda: run_for_each(self._connection, lambda marks: f"{into} VALUES ({', '.join(marks)})", rows)
        )

    def assign(self, table: str, columns: tuple[str, ...], rows: Mapping[Row, Row]) -> int:
        """One UPDATE, run for each row."""
        names = [self.dialect.quote(name) for name in (*columns, *self.catalog().tables[table].locator)]
        update, width = f"{self._or_abort('UPDATE', table)} {self.dialect.quote(table)}", len(columns)

        def statement(marks: Sequence[str]) -> str:
            told = [f"{name} = {mark}" for name, mark in zip(names, marks, strict=True)]
            return f"{update} SET {', '.join(told[:width])} WHERE {' AND '.join(told[width:])}"

        given = [(*values, *row) for row, values in rows.items()]
        return self._tried(lambda: run_for_each(self._connection, statement, given))

    def _or_abort(self, verb: str, table: str) -> str:
        """The verb for a table whose constraints may say ON CONFLICT REPLACE: by that another row would go (P-68).

        Not for others, for the triggers of the table would have to abort as well where they say OR IGNORE.
        """
        asked = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
        ((made,),) = self._connection.execute(asked, (table,))
        return f"{verb} OR ABORT" if "conflict" in made.lower() else verb

    def _tried(self, work: Callable[[], int]) -> int:
        # A savepoint, for RAISE(FAIL) keeps the rows that the statement had changed before it.
        self._connection.execute("SAVEPOINT upkeep_change")
        try:
            changed = work()
        except (sqlite3.IntegrityError, sqlite3.OperationalError) as fault:
            if not self._connection.in_transaction:
                raise TransactionEnded(
                    f"a trigger ended the whole transaction: {self._told(fault)}", "change the trigger, or the rule"
                ) from None
            self._connection.execute("ROLLBACK TO upkeep_change")
            self._connection.execute("RELEASE upkeep_change")
            # A trigger may call a function or name a table that is not here, which is an error like any other (P-119).
            if not isinstance(fault, sqlite3.IntegrityError) and fault.sqlite_errorname != "SQLITE_ERROR":
                raise
            raise RowRefused(self._told(fault), "change the rule for these rows, or the rows by hand") from None
        self._connection.execute("RELEASE upkeep_change")
        return changed

    def _told(self, fault: sqlite3.Error) -> str:
        """What SQLite says holds names; what a trigger says may hold values, since RAISE takes more than a literal."""
        said = str(fault)
        if fault.sqlite_errorname != "SQLITE_CONSTRAINT_TRIGGER":
            return said
        asked = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'trigger' AND instr(sql, ?) > 0"
        ((found,),) = self._connection.execute(asked, (literal(said),))
        return said if found else UNTOLD

    def define(self, statements: Sequence[str]) -> None:
        """Each in its order: a table that is made or dropped is so only once the transaction is committed."""
        self._catalog = None
        for statement in statements:
            try:
                self._connection.execute(statement)
            except sqlite3.Error as fault:
                raise Refused(f"SQLite refuses {statement.split('(')[0].strip()}: {fault}", "do it by hand") from None

    def changed_in_all(self) -> int:
        """SQLite's own count, in which triggers and cascades are; our temporary relations are taken out of it."""
        return self._connection.total_changes - self._changes_at_begin - self._chosen_rows
