"""The tables of a MariaDB database with their columns, indexes and triggers, read from information_schema."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from upkeep.catalog import Column, Trigger
from upkeep.databases.mariadb_asking import Conversation, quoted
from upkeep.databases.mariadb_dialect import Relation
from upkeep.values import Row, Value

MARK = "upkeep mark"
"""The table by which a scratch, or a restore that has not ended, is known; it is no part of any catalog."""
_TABLES = """
SELECT TABLE_SCHEMA, TABLE_NAME, COALESCE(ENGINE, '') FROM information_schema.TABLES
WHERE TABLE_SCHEMA = {database} AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY TABLE_NAME"""
_COLUMNS = """
SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, EXTRA, COLUMN_DEFAULT, CHARACTER_SET_NAME,
  COLLATION_NAME, CHARACTER_OCTET_LENGTH
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {database} ORDER BY TABLE_NAME, ORDINAL_POSITION"""
_INDEXES = """
SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE, COALESCE(COLUMN_NAME, ''), SUB_PART
FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = {database}
ORDER BY TABLE_NAME, INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX"""
_TRIGGERS = """
SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME, EVENT_MANIPULATION
FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = {database} ORDER BY EVENT_OBJECT_TABLE, TRIGGER_NAME"""
_CHARACTERS = ("char", "varchar", "enum", "set", "tinytext", "text", "mediumtext", "longtext")
_BYTES = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "bit")
_WHOLE = ("tinyint", "smallint", "mediumint", "int", "bigint")
_LONGEST_KEY = 3072


@dataclass(frozen=True)
class Kind:
    """The type of a column as its engine compares it. ``name`` is the type's, ``full`` with length and sign."""

    name: str
    full: str
    charset: str | None = None
    collation: str | None = None
    octets: int = 0

    @property
    def clan(self) -> str:
        """What kinds of values it holds: only those of one clan can be compared with each other."""
        if self.name in _WHOLE:
            return "whole number"
        if self.name in ("float", "double"):
            return "real number"
        if self.name in _CHARACTERS:
            return "text"
        return "bytes" if self.name in _BYTES else self.name

    @property
    def family(self) -> str:
        """What both sides of a key should be: a whole number of one size and sign, text of one collation."""
        if self.clan == "whole number":
            return f"{self.name} unsigned" if "unsigned" in self.full else self.name
        return f"text {self.collation}" if self.clan == "text" and not self.is_numbered else self.name

    @property
    def is_numbered(self) -> bool:
        """Are its values kept as the numbers of words?"""
        return self.name in ("enum", "set")

    @property
    def as_column(self) -> str:
        """The type of a column of JSON_TABLE that takes its values, as text or as hex."""
        if self.name in _WHOLE:
            return "BIGINT UNSIGNED" if "unsigned" in self.full else "BIGINT"
        if self.name == "decimal":
            return self.full.replace("zerofill", "").strip()
        if self.name == "double":
            return "DOUBLE"
        length = 2 * min(self.octets, _LONGEST_KEY) if self.octets else 128
        return f"VARCHAR({max(length, 8)}) CHARACTER SET ascii"

    @property
    def is_hex(self) -> bool:
        """Do its values travel as hex, for they are bytes or text in some character set?"""
        return self.clan in ("text", "bytes")

    def from_column(self, column: str) -> str:
        """The value of that column as one of this type, by which an index can be looked into."""
        if self.clan == "text":
            return f"CONVERT(UNHEX({column}) USING {self.charset}) COLLATE {self.collation}"
        if self.name in ("date", "time", "datetime", "timestamp"):
            precision = re.search(r"\(\d\)", self.full)
            name = "datetime" if self.name == "timestamp" else self.name
            return f"CAST({column} AS {name}{precision[0] if precision else ''})"
        if self.name == "bit":  # it is compared as a number
            return f"CAST(CONV({column}, 16, 10) AS UNSIGNED)"
        return f"UNHEX({column})" if self.clan == "bytes" else column

    def literal(self, value: Value) -> str:
        """A raw value of this type as it stands in a statement: text by its bytes, which nobody converts."""
        if value is None:
            return "NULL"
        raw = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
        if self.clan == "text":
            return f"_{self.charset} X'{raw.hex()}'"
        return f"X'{raw.hex()}'" if isinstance(value, bytes) else quoted(str(value))


def literals(values: Row, kinds: Sequence[Kind]) -> str:
    """Raw values of these types, one after the other, as they stand in a statement."""
    return ", ".join(kind.literal(value) for value, kind in zip(values, kinds, strict=True))


@dataclass(frozen=True)
class Index:
    """One index: its columns in order, None for one of which it has a part or an expression only."""

    name: str
    is_unique: bool
    columns: tuple[str | None, ...]


def read_relations(conversation: Conversation, database: str) -> dict[str, Relation]:
    """The tables of one database, views and sequences apart."""
    return {
        str(name): Relation(str(schema), str(name), str(kept_by))
        for schema, name, kept_by in conversation.fetched(_TABLES.format(database=quoted(database)))
        if name != MARK
    }


def read_columns(conversation: Conversation, database: str) -> dict[str, dict[str, tuple[Column, Kind]]]:
    """The columns of each table and view in their order, with their types."""
    found: dict[str, dict[str, tuple[Column, Kind]]] = defaultdict(dict)
    for row in conversation.fetched(_COLUMNS.format(database=quoted(database))):
        table, name, kind, full, nullable, extra, default, charset, collation, octets = row
        of = Kind(str(kind), str(full), _word(charset), _word(collation), _octets(kind, octets))
        column = Column(
            str(name),
            str(full),
            nullable == "YES",
            "GENERATED" in str(extra).upper().replace("DEFAULT_GENERATED", ""),
            "auto_increment" if "auto_increment" in str(extra) else None if default is None else str(default),
            of.family,
        )
        found[str(table)][str(name)] = column, of
    return found


def _word(value: object) -> str | None:
    return None if value is None else str(value)


def _octets(kind: object, octets: object) -> int:
    if kind == "bit":
        return 8
    return 0 if octets is None else int(str(octets))


def read_indexes(conversation: Conversation, database: str) -> dict[str, list[Index]]:
    """The indexes of each table, the primary key first."""
    parts: dict[tuple[str, str, bool], list[str | None]] = defaultdict(list)
    for table, index, not_unique, column, part in conversation.fetched(_INDEXES.format(database=quoted(database))):
        whole = str(column) if column and part is None else None
        parts[str(table), str(index), not_unique == "0"].append(whole)
    found: dict[str, list[Index]] = defaultdict(list)
    for (table, name, is_unique), columns in parts.items():
        found[table].append(Index(name, is_unique, tuple(columns)))
    return found


def read_triggers(conversation: Conversation, database: str) -> dict[str, tuple[Trigger, ...]]:
    """The triggers of each table that the role may see."""
    found: dict[str, list[Trigger]] = defaultdict(list)
    for table, name, event in conversation.fetched(_TRIGGERS.format(database=quoted(database))):
        found[str(table)].append(Trigger(str(name), str(event)))
    return {table: tuple(triggers) for table, triggers in found.items()}


def keys_among(
    indexes: list[Index], columns: dict[str, tuple[Column, Kind]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The primary key and the locator of a table: the first unique key over columns that are never NULL.

    Not one with a FLOAT, for that is not printed whole, and not one over the beginning of a long text.
    """
    primary: tuple[str, ...] = ()
    locator: tuple[str, ...] = ()
    for index in indexes:
        names = tuple(name for name in index.columns if name is not None)
        if not index.is_unique or len(names) != len(index.columns):
            continue
        primary = names if index.name == "PRIMARY" else primary
        fit = all(not columns[name][0].nullable and _tells_apart(columns[name][1]) for name in names)
        locator = names if fit and not locator else locator
    return primary, locator


def _tells_apart(kind: Kind) -> bool:
    return kind.name != "float" and kind.octets <= _LONGEST_KEY
