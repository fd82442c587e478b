"""MariaDB: one transaction that changes rows, beside an application that goes on working."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import pymysql

from upkeep.catalog import ForeignKey
from upkeep.databases.mariadb_asking import Conversation, quoted
from upkeep.databases.mariadb_errors import row_refusal
from upkeep.databases.mariadb_locks import patient
from upkeep.databases.mariadb_place import Place
from upkeep.databases.mariadb_reading import MariadbReading
from upkeep.databases.mariadb_shapes import Kind, literals
from upkeep.databases.own_words import literal
from upkeep.errors import Refused
from upkeep.orphans import points_at
from upkeep.values import Row, in_pieces

_COUNTED = """
    SHOW SESSION STATUS WHERE Variable_name IN ('Handler_write', 'Handler_update', 'Handler_delete')
"""
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
        if not self.catalog().tables[table].locator:
            raise Refused(f"the rows of {table} cannot be told apart here", "run it again for a new plan")
        with self._picked(table, rows) as picked:
            yield f"SELECT 1 FROM {picked} FOR UPDATE"
            for key in {**{str(key): key for key in self.catalog().keys}, **self._stated}.values():
                if key.child == table and key.parent in steady and key.askable and not key.parent_missing:
                    found = points_at(key, "p", self.dialect)
                    parent = f"{self.dialect.source(key.parent)} AS p {self._by(key.parent, key.parent_columns)}"
                    counted = f"COUNT(p.{self.dialect.quote(key.parent_columns[0])})"
                    yield f"SELECT {counted} FROM {picked} LEFT JOIN {parent} ON {found} LOCK IN SHARE MODE"

    @contextmanager
    def _picked(self, table: str, rows: Collection[Row]) -> Iterator[str]:
        """The rows as what stands in a FROM: first what was chosen, then the table, row by row by its index.

        Left to itself the server would rather read all of a small table, and lock every row that it reads.
        """
        dialect, locator = self.dialect, self.catalog().tables[table].locator
        with self.chosen(table, locator, rows) as relation:
            same = (f"c.{dialect.quote(column)} = chosen.k{number}" for number, column in enumerate(locator))
            source = f"{dialect.source(table)} AS c {self._by(table, locator)}"
            yield f"{relation} STRAIGHT_JOIN {source} ON {' AND '.join(same)}"

    def _by(self, table: str, columns: tuple[str, ...]) -> str:
        """The words that tell which index to look these columns up by, if there is one: it is no advice."""
        described = self.catalog().tables.get(table)
        for index in described.indexes if described else ():
            if index.is_unique and set(index.columns) == set(columns):
                return f"FORCE INDEX ({self.dialect.quote(index.name)})"
        return ""

    def change(self, sql: str) -> int:
        """Run one statement; the number of rows that it named. A refused statement leaves the transaction as it was."""
        return self._tried([sql])

    def delete(self, table: str, rows: Collection[Row]) -> int:
        """One DELETE."""
        with self._picked(table, rows) as picked:
            return self.change(f"DELETE FROM c USING {picked}")

    def nullify(self, table: str, columns: tuple[str, ...], rows: Collection[Row]) -> int:
        """One UPDATE."""
        return self.assign(table, columns, dict.fromkeys(rows, (None,) * len(columns)))

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
        given = zip(columns, values, kinds, strict=True)
        sets = ", ".join(f"c.{self.dialect.quote(name)} = {literals((v,), [kind])}" for name, v, kind in given)
        with self._picked(table, rows) as picked:
            return f"UPDATE {picked} SET {sets}"

    def _tried(self, statements: Iterable[str]) -> int:
        counted = self._counted()
        self._conversation.run("SAVEPOINT upkeep_change")
        try:
            named = sum(map(self._conversation.run, statements))
        except pymysql.MySQLError as fault:
            said = row_refusal(fault, str(self._place), self._stands_in_a_trigger)
            if isinstance(said, Refused):
                self._conversation.run("ROLLBACK TO upkeep_change")
            raise said from None
        self._conversation.run("RELEASE SAVEPOINT upkeep_change")
        self._changed += self._counted() - counted
        return named

    def _stands_in_a_trigger(self, said: str) -> bool:
        looked = f"LOCATE({quoted(literal(said))}, {{}}) > 0"
        triggers = f"information_schema.triggers WHERE {looked.format('action_statement')}"
        routines = f"information_schema.routines WHERE {looked.format('routine_definition')}"
        return bool(sum(self.numbers(f"SELECT (SELECT COUNT(*) FROM {triggers}) + (SELECT COUNT(*) FROM {routines})")))

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
