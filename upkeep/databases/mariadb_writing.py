"""MariaDB: one transaction that changes rows, beside an application that goes on working."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import pymysql

from upkeep.catalog import ForeignKey
from upkeep.databases.mariadb_asking import Conversation
from upkeep.databases.mariadb_errors import row_refusal
from upkeep.databases.mariadb_locks import patient
from upkeep.databases.mariadb_place import Place
from upkeep.databases.mariadb_reading import MariadbReading
from upkeep.databases.mariadb_shapes import Kind, literals
from upkeep.errors import Refused
from upkeep.orphans import among, points_at
from upkeep.values import Row, in_pieces

_COUNTED = """
    SHOW SESSION STATUS WHERE Variable_name IN ('Handler_write', 'Handler_update', 'Handler_delete')
"""
_CHANGE = re.compile(r"(DELETE FROM|UPDATE) ((?:`(?:[^`]|``)+`\.)?`(?:[^`]|``)+`) ")
_LONGEST = 1 << 20
"""Of all the bytes of a statement; a server that nobody has set up takes sixteen times as many."""
_UNDOABLE = "SELECT ENGINE FROM information_schema.ENGINES WHERE TRANSACTIONS = 'YES'"


class MariadbWriting(MariadbReading):
    """One REPEATABLE READ transaction that changes rows.

    Foreign keys are not enforced in it, so no cascade acts, in no order and in no circle (P-58); that nobody outside
    the plan points at a row that goes is what ``hold`` and the rechecks after it make sure of. Triggers do fire.
    """

    def __init__(
        self, conversation: Conversation, database: str, beside: Callable[[], Conversation], place: Place
    ) -> None:
        super().__init__(conversation, database, beside)
        self._place = place
        self._changed = 0

    @contextmanager
    def unenforced(self, keys: Collection[ForeignKey]) -> Iterator[None]:
        """Nothing to do: no key is enforced in this session."""
        del keys
        yield

    def hold(self, rows: Mapping[str, Collection[Row]], steady: Collection[str]) -> None:
        """Lock the rows FOR UPDATE, by which nobody can point at them either, and the gaps where parents are missing.

        Into the tables ``steady`` others go on writing, but for the very keys that the rows miss. The locks come
        first in a transaction of their own: what is read after them is as new as they are. A try that does not get all
        of them lets go of those it has (P-84).
        """
        if self._changed:
            raise AssertionError("what is changed already would be committed")
        self._refuse_what_cannot_be_undone(rows)
        self._conversation.run("COMMIT")
        patient(self._conversation, lambda: self._all_locks(rows, steady), self._place.patience)

    def _all_locks(self, rows: Mapping[str, Collection[Row]], steady: Collection[str]) -> Iterator[str]:
        for table in sorted(rows):
            for piece in in_pieces(rows[table]):
                yield from self._locks(table, piece, steady)

    def _refuse_what_cannot_be_undone(self, tables: Collection[str]) -> None:
        undoable = {row[0] for row in self._conversation.fetched(_UNDOABLE)}
        for table in sorted(tables):
            kept_by = self._look().relations[table].kept_by
            if kept_by not in undoable:
                raise Refused(
                    f"the table {table} is kept by {kept_by}, which can undo nothing; no row was changed",
                    f"ALTER TABLE `{table}` ENGINE = InnoDB, or let the policy keep its rows",
                )

    def _locks(self, table: str, rows: Collection[Row], steady: Collection[str]) -> Iterator[str]:
        locator = self.catalog().tables[table].locator
        if not locator:
            raise Refused(f"the rows of {table} cannot be told apart here", "run it again for a new plan")
        dialect = self.dialect
        with self.chosen(table, locator, rows) as relation:
            which = f"{dialect.source(table)} AS c WHERE {among('c', locator, relation, dialect)}"
            yield f"SELECT 1 FROM {which} FOR UPDATE"
            for key in {**{str(key): key for key in self.catalog().keys}, **self._stated}.values():
                if key.child == table and key.parent in steady and key.askable and not key.parent_missing:
                    parent = f"{dialect.source(key.parent)} AS p ON {points_at(key, 'p', dialect)}"
                    held = which.replace(" AS c WHERE ", f" AS c LEFT JOIN {parent} WHERE ", 1)
                    yield f"SELECT COUNT(p.{dialect.quote(key.parent_columns[0])}) FROM {held} LOCK IN SHARE MODE"

    def change(self, sql: str) -> int:
        """Run one statement; the number of rows that it named. A refused statement leaves the transaction as it was."""
        return self._tried([_as_a_query(sql)])

    def insert(self, table: str, columns: tuple[str, ...], rows: Sequence[Row]) -> int:
        """Plain INSERT, some rows by a statement. AUTO_INCREMENT takes note of a number by itself (P-69)."""
        kinds = [self._look().kind(table, column) for column in columns]
        into = f"INSERT INTO {self.dialect.table(table)} ({', '.join(map(self.dialect.quote, columns))}) VALUES "
        return self._tried(into + several for several in _at_once(f"({literals(row, kinds)})" for row in rows))

    def assign(self, table: str, columns: tuple[str, ...], rows: Mapping[Row, Row]) -> int:
        """One UPDATE for all rows that come to the same values."""
        kinds = [self._look().kind(table, column) for column in columns]
        alike: dict[Row, list[Row]] = defaultdict(list)
        for row, values in rows.items():
            alike[values].append(row)
        return self._tried(self._assigning(table, columns, kinds, values, alike[values]) for values in alike)

    def _assigning(self, table: str, columns: tuple[str, ...], kinds: list[Kind], values: Row, rows: list[Row]) -> str:
        dialect, locator = self.dialect, self.catalog().tables[table].locator
        given = zip(columns, values, kinds, strict=True)
        sets = ", ".join(f"{dialect.quote(name)} = {literals((value,), [kind])}" for name, value, kind in given)
        with self.chosen(table, locator, rows) as relation:
            which = among(dialect.table(table), locator, relation, dialect)
            return _as_a_query(f"UPDATE {dialect.source(table)} SET {sets} WHERE {which}")

    def _tried(self, statements: Iterable[str]) -> int:
        counted = self._counted()
        self._conversation.run("SAVEPOINT upkeep_change")
        try:
            named = sum(map(self._conversation.run, statements))
        except pymysql.MySQLError as fault:
            said = row_refusal(fault, str(self._place))
            if isinstance(said, Refused):
                self._conversation.run("ROLLBACK TO upkeep_change")
            raise said from None
        self._conversation.run("RELEASE SAVEPOINT upkeep_change")
        self._changed += self._counted() - counted
        return named

    def changed_in_all(self) -> int:
        """The rows that the server's table handlers changed for these statements, those of triggers among them.

        A row of a partitioned table may count twice. A row that is set to what it was counts for nothing.
        """
        return self._changed

    def _counted(self) -> int:
        return sum(int(str(value)) for _, value in self._conversation.fetched(_COUNTED))


def _at_once(rows: Iterable[str]) -> Iterator[str]:
    """So many rows as a server takes in one statement, each as it stands after VALUES."""
    several: list[str] = []
    length = 0
    for row in rows:
        if several and length + len(row) > _LONGEST:
            yield ", ".join(several)
            several, length = [], 0
        several.append(row)
        length += len(row)
    if several:
        yield ", ".join(several)


def _as_a_query(sql: str) -> str:
    """The change as one of several tables: such a one is looked up by the chosen rows, as a query is.

    Of a change of one table MariaDB before 11.1 asks each row of it whether it was chosen, and locks them all.
    """
    found = _CHANGE.match(sql)
    if found is None:
        return sql
    verb, table = found.groups()
    rest = sql[found.end() :]
    if verb == "UPDATE":
        return f"UPDATE {table} JOIN (SELECT 1) AS `upkeep one` {rest}"
    return f"DELETE FROM {table} USING {table} {rest}"
