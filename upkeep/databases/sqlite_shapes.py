"""What SQLite's own pragmas say of one table: its columns, its unique indexes, its collations."""

import sqlite3
from dataclasses import dataclass
from itertools import groupby

from upkeep.catalog import Column
from upkeep.catalog import Index as Found
from upkeep.databases.sqlite_dialect import SqliteDialect, folded
from upkeep.databases.sqlite_text import tokens, unquoted

_NOT_NULL = ["WHERE", "IS", "NOT", "NULL"]
_AFFINITIES = (
    ("INTEGER", ("INT",)),
    ("TEXT", ("CHAR", "CLOB", "TEXT")),
    ("BLOB", ("BLOB",)),
    ("REAL", ("REAL", "FLOA", "DOUB")),
)


@dataclass(frozen=True)
class Shape:
    """Something that may stand after FROM: a table, view, virtual or shadow table, by the name it was made with."""

    name: str
    kind: str
    without_rowid: bool = False

    @property
    def is_stored(self) -> bool:
        """Does it hold rows of its own, as a table does that a foreign key may name?"""
        return self.kind in ("table", "shadow")


@dataclass(frozen=True)
class Index:
    """A unique index: its key columns (None for an expression or the rowid), the collation of each, its reach."""

    name: str
    columns: tuple[str | None, ...]
    collations: tuple[str, ...]
    primary: bool
    partial: bool


@dataclass(frozen=True)
class Layout:
    """The columns of one shape, the columns of its primary key in that key's order, and its unique indexes."""

    shape: Shape
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    indexes: tuple[Index, ...]

    @property
    def rowid_alias(self) -> str | None:
        """The INTEGER PRIMARY KEY column that is the rowid itself: a primary key for which no index was made."""
        is_alias = self.shape.is_stored and len(self.primary_key) == 1 and not any(i.primary for i in self.indexes)
        return self.primary_key[0] if is_alias else None

    @property
    def locator(self) -> tuple[str, ...]:
        """The columns that tell every row apart; a key that may hold NULL does not (P-48, P-118)."""
        nullable = {column.name for column in self.columns if column.nullable}
        if self.primary_key and not nullable & set(self.primary_key):
            return self.primary_key
        taken = {folded(column.name) for column in self.columns}
        return next(((name,) for name in ("rowid", "_rowid_", "oid") if name not in taken), ())

    def spelt(self, name: str) -> str | None:
        """The column of this name in whatever case, as it was created (P-39)."""
        return next((column.name for column in self.columns if folded(column.name) == folded(name)), None)


def read_shapes(connection: sqlite3.Connection) -> dict[str, Shape]:
    """Everything of the main schema that may stand after FROM, by folded name."""
    found = connection.execute("SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main'")
    return {folded(name): Shape(name, kind, bool(wr)) for name, kind, wr in found.fetchall()}


def read_layout(connection: sqlite3.Connection, shape: Shape) -> Layout:
    """The layout of one shape; raises sqlite3.OperationalError for a view or virtual table that cannot be read."""
    indexes = read_indexes(connection, shape) if shape.is_stored else ()
    by_rowid = shape.is_stored and not any(index.primary for index in indexes)
    found = connection.execute(
        """SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?, 'main') ORDER BY cid""",
        (shape.name,),
    ).fetchall()
    key = sorted((place, name) for name, _, _, _, place, _ in found if place)
    columns = tuple(
        # An INTEGER PRIMARY KEY is never NULL, whatever the pragma says of it.
        Column(name, kind, not (required or (place and by_rowid)), hidden in (2, 3), default, affinity(kind))
        for name, kind, required, default, place, hidden in found
    )
    return Layout(shape, columns, tuple(name for _, name in key), indexes)


def read_indexes(connection: sqlite3.Connection, shape: Shape) -> tuple[Index, ...]:
    """The unique indexes of one table, those included that its PRIMARY KEY and UNIQUE constraints made."""
    found = connection.execute(
        """SELECT name, origin, partial FROM pragma_index_list(?, 'main') WHERE "unique" ORDER BY seq""", (shape.name,)
    ).fetchall()
    return tuple(_index(connection, name, origin == "pk", bool(partial)) for name, origin, partial in found)


def _index(connection: sqlite3.Connection, name: str, primary: bool, partial: bool) -> Index:
    found = connection.execute(
        """SELECT name, coll FROM pragma_index_xinfo(?, 'main') WHERE "key" ORDER BY seqno""", (name,)
    ).fetchall()
    return Index(name, tuple(column for column, _ in found), tuple(coll.upper() for _, coll in found), primary, partial)


def read_found(connection: sqlite3.Connection, table: str) -> tuple[Found, ...]:
    """All indexes of one table as the catalog tells them, by name; the rowid is none."""
    rows = connection.execute(
        """SELECT i.name, i."unique", i.partial, x.name, (SELECT sql FROM sqlite_master WHERE name = i.name)"""
        " FROM pragma_index_list(?, 'main') AS i, pragma_index_xinfo(i.name, 'main') AS x"
        """ WHERE x."key" ORDER BY i.name, x.seqno""",
        (table,),
    ).fetchall()
    found = []
    for (name, unique, partial, sql), parts in groupby(rows, key=lambda row: (*row[:3], row[4])):
        columns = tuple(column for _, _, _, column, _ in parts)
        found.append(Found(name, columns, bool(unique), not partial or _leaves_out_null(sql, columns)))
    return tuple(found)


def _leaves_out_null(sql: str, columns: tuple[str | None, ...]) -> bool:
    """Is WHERE no more than that its one column is not NULL? Whoever looks for a value finds all rows in it."""
    match tokens(sql)[-5:]:
        case [where, name, is_, not_, null] if [w.upper() for w in (where, is_, not_, null)] == _NOT_NULL:
            return [folded(str(column)) for column in columns] == [folded(unquoted(name))]
    return False


def affinity(kind: str) -> str:
    """The affinity that a declared type gives to its column, by the five rules of SQLite's documentation."""
    said = kind.upper()
    for affinity, parts in _AFFINITIES:
        if any(part in said for part in parts):
            return affinity
    return "NUMERIC" if said else "BLOB"


def read_collation(connection: sqlite3.Connection, table: str, column: str) -> str:
    """How a column compares text: BINARY, NOCASE or RTRIM; raises sqlite3.OperationalError for an unknown collation.

    No pragma tells. But UNION compares with the collation of its first SELECT, and without any affinity.
    """
    dialect = SqliteDialect()
    first = f"SELECT t.{dialect.quote(column)} FROM {dialect.source(table)} AS t WHERE 0"
    cased, trimmed = connection.execute(
        f"SELECT (SELECT COUNT(*) FROM ({first} UNION SELECT 'a' UNION SELECT 'A')),"
        f" (SELECT COUNT(*) FROM ({first} UNION SELECT 'a' UNION SELECT 'a '))"
    ).fetchone()
    return "NOCASE" if cased == 1 else "RTRIM" if trimmed == 1 else "BINARY"
