"""SQLite: one consistent look at a database."""

import hashlib
import marshal
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from upkeep.catalog import Catalog, ForeignKey, Part
from upkeep.databases import Counter, TableCount
from upkeep.databases.own_words import unaskable
from upkeep.databases.sqlite_binding import run_for_each
from upkeep.databases.sqlite_catalog import judge_key, read_catalog
from upkeep.databases.sqlite_dialect import SqliteDialect
from upkeep.databases.sqlite_drafts import draft_ondelete
from upkeep.databases.sqlite_making import read_making
from upkeep.databases.sqlite_parts import read_parts
from upkeep.databases.sqlite_presence import known_parents
from upkeep.drafts import Draft
from upkeep.making import Making
from upkeep.orphans import Known
from upkeep.presence import presence
from upkeep.values import Row, Value, in_pieces

_BATCH = 2000
_CHOSEN = '"upkeep chosen rows"'
"""A temporary table hides one of the same name in the database: so a name that nobody gives."""


class SqliteReading:
    """One look, on a connection that somebody else opens and closes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._catalog: Catalog | None = None
        self._chosen_rows = 0
        self.dialect = SqliteDialect()

    def catalog(self) -> Catalog:
        """The catalog, read once."""
        if self._catalog is None:
            self._catalog = read_catalog(self._connection)
        return self._catalog

    def parts(self) -> dict[Part, str]:
        """What the schema says, by the pragmas and by the statements that SQLite keeps."""
        return read_parts(self._connection, self.catalog())

    def stated(self, key: ForeignKey) -> ForeignKey:
        """The key in the real spelling, with what SQLite would say of it."""
        return judge_key(self._connection, key)

    def kept_as(self, ondelete: str) -> str:
        """As it is said: RESTRICT differs from NO ACTION in what may be put off to the end of a transaction."""
        return ondelete

    def making(self, table: str) -> Making:
        """See ``sqlite_making``."""
        return read_making(self._connection, table)

    def draft_ondelete(self, wanted: Mapping[ForeignKey, str]) -> Draft:
        """See ``sqlite_drafts``."""
        return draft_ondelete(self._connection, wanted)

    def rows(self, sql: str, parameters: tuple[Value, ...] | dict[str, bytes] = ()) -> Iterator[Row]:
        """Raw rows. Text that is not UTF-8 comes with surrogates, so that it goes back as it was."""
        self._connection.text_factory = _lenient
        try:
            yield from self._connection.execute(sql, parameters)
        finally:
            self._connection.text_factory = str

    def asked(self, sql: str) -> Iterator[Row]:
        """The same; what SQLite says against it holds names alone."""
        try:
            yield from self.rows(sql)
        except (sqlite3.OperationalError, sqlite3.ProgrammingError, sqlite3.Warning) as fault:
            if getattr(fault, "sqlite_errorname", "SQLITE_ERROR") != "SQLITE_ERROR":
                raise
            raise unaskable(str(fault)) from None

    def known(self, key: ForeignKey) -> Known | None:
        """The numbers of the parents, where the child has rows enough for it to be worth it to read them first.

        To look one up in a table of a million costs ten times as much.
        """
        return known_parents(self._connection, key, self.dialect) if key.alike else None

    def few(self, sql: str, known: Known | None = None) -> tuple[Row, ...]:
        """Raw rows, all at once."""
        if known is None:
            return tuple(self.rows(sql))
        return tuple(self.rows(sql, {"there": presence(self._connection.execute(known.numbers))}))

    def numbers(self, sql: str, known: Known | None = None) -> tuple[int, ...]:
        """The one row of a query that counts."""
        (row,) = self.few(sql, known)
        return tuple(int(number or 0) for number in row)

    def count(
        self,
        table: str,
        *,
        digest: bool,
        like: str | None = None,  # noqa: ARG002 - there is one kind of digest
        columns: tuple[str, ...] | None = None,
    ) -> TableCount:
        """Rows; with ``digest`` a SHA-256 over every stored value in the order of the locator.

        Rows are put into bytes by the thousand in C: one by one would take three times as long.
        """
        described = self.catalog().tables[table]
        quoted = self.dialect.quote(table)
        if not digest:
            return TableCount(self._connection.execute(f"SELECT COUNT(*) FROM {quoted}").fetchone()[0])
        taken = ", ".join(map(self.dialect.quote, described.stored if columns is None else columns))
        order = ", ".join(map(self.dialect.quote, described.locator)) or "1"
        sql = f"SELECT {taken} FROM {quoted} ORDER BY {order}"
        try:
            return _digested(self._connection, sql)
        except sqlite3.OperationalError as fault:
            if "Could not decode" not in str(fault):
                raise
            self._connection.text_factory = _lenient
            try:
                return _digested(self._connection, sql)
            finally:
                self._connection.text_factory = str

    def counters(self) -> dict[str, Counter]:
        """None: what AUTOINCREMENT has given stands in a table, whose bytes are compared."""
        return {}

    def contents_beside(self, *, digest: bool) -> dict[str, TableCount]:
        """Nothing: SQLite has tables alone."""
        del digest
        return {}

    def complaints(self) -> tuple[str, ...]:
        """What ``PRAGMA integrity_check`` says, apart from ok. It knows nothing of foreign keys (P-07)."""
        said = [row[0] for row in self._connection.execute("PRAGMA integrity_check(20)")]
        return () if said == ["ok"] else tuple(said)

    def half_built(self) -> dict[str, str]:
        """None: an index is made whole or not at all."""
        return {}

    def revision(self) -> tuple[str, ...]:
        """What stands in alembic_version."""
        if "alembic_version" not in self.catalog().tables:
            return ()
        return tuple(row[0] for row in self._connection.execute("SELECT version_num FROM alembic_version ORDER BY 1"))

    @contextmanager
    def chosen(self, table: str, columns: tuple[str, ...], rows: Iterable[Row]) -> Iterator[str]:  # noqa: ARG002
        """A temporary relation that holds ``rows`` in columns k0, k1, ... and n; its name, for use in SQL.

        Its columns have no type, so that every value stays what it is, whatever the column of the table says.
        """
        width = len(columns)
        names = ", ".join(f"k{i}" for i in range(width))
        self._connection.execute(f"CREATE TEMP TABLE {_CHOSEN} ({names}, n INTEGER PRIMARY KEY)")
        try:
            begun = self._connection.total_changes
            into = f"INSERT INTO temp.{_CHOSEN} ({names})"
            for piece in in_pieces(rows):
                run_for_each(self._connection, lambda marks: f"{into} VALUES ({', '.join(marks)})", piece)
            self._chosen_rows += self._connection.total_changes - begun
            yield f"temp.{_CHOSEN}"
        finally:
            # A trigger's RAISE(ROLLBACK) takes it away with the transaction.
            self._connection.execute(f"DROP TABLE IF EXISTS temp.{_CHOSEN}")


def _lenient(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _digested(connection: sqlite3.Connection, sql: str) -> TableCount:
    rows, taken = 0, hashlib.sha256()
    cursor = connection.execute(sql)
    while batch := cursor.fetchmany(_BATCH):
        rows += len(batch)
        # Version 2 writes None, int, float, str and bytes by value alone: the same rows are always the same bytes.
        taken.update(marshal.dumps(batch, 2))
    return TableCount(rows, taken.hexdigest())
