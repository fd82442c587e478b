"""Hypothesis strategies for MariaDB databases: odd schemas, odd rows, foreign keys of every sort."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pymysql
from hypothesis import strategies as st

TABLES = ("patients", "Visits", "order", "we`ird", "with space", "it's", "naïve", "a.b", "100%", "日本", "{x}", 'q"t')
COLUMNS = ("id", "Ref", "from", "quo`te", "two words", "größe", "k0", "p", "c", "v0", "order", "{n}", "%s")
# Types of which a key may join any two, more or less, with values that some of them take for equal and others do not.
CLANS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("int", "int(5)", "int unsigned", "bigint", "smallint"), ("0", "1", "2", "-1", "32767")),
    (("bigint unsigned", "bigint unsigned zerofill"), ("0", "1", "18446744073709551615", "18446744073709551614")),
    (("decimal(9,2)", "decimal(4,2)", "decimal(9,2) unsigned"), ("1", "1.00", "2.5", "-1", "0")),
    (("double", "double", "float"), ("1", "0.1", "-0e0", "0", "1e300", "0.30000000000000004", "0.3")),
    (
        ("varchar(9)", "char(3)", "char(9)", "varchar(9) COLLATE utf8mb4_unicode_ci", "varchar(20)"),
        ("a", "A", "a ", "", "ab", "ä", "Ä", "a\u0308", "ß", "ss", "it's", 'q"', "\\", "x{}", "%"),
    ),
    (
        ("varchar(9) COLLATE utf8mb4_bin", "char(3) COLLATE utf8mb4_bin", "varchar(9) COLLATE utf8mb4_nopad_bin"),
        ("a", "A", "a ", "", "ab", "ä", "b\t"),
    ),
    (
        ("varchar(9) COLLATE utf8mb4_general_nopad_ci", "char(3) COLLATE utf8mb4_general_nopad_ci"),
        ("a", "A", "a ", "", "a  ", "b"),
    ),
    (("varchar(9) CHARACTER SET latin1", "char(4) CHARACTER SET latin1"), ("a", "A", "é", "e", "É", "a ")),
    (("varbinary(9)", "binary(3)", "binary(2)", "varbinary(4)"), ("a", "A", "a ", "", "a\0", "a\0\0")),
    (("enum('low','high')", "enum('high','low')", "enum('low','high','odd')", "set('low','high')"), ("low", "high")),
    (("date", "datetime", "datetime(6)", "timestamp NULL"), ("2026-01-01", "2026-01-01 12:00:00", "0000-00-00")),
    (("bit(5)", "bit(16)", "bit(5)"), ("\0", "\1", "\5")),
    (("uuid", "uuid"), ("5eed0000-0000-4000-8000-00000000dead", "5eed0000-0000-4000-8000-00000000beef")),
    (("year", "year"), ("1999", "2026")),
)
ACTIONS = ("NO ACTION", "RESTRICT", "SET NULL", "CASCADE")


def quoted(name: str) -> str:
    """The name as SQL wants it."""
    return "`" + name.replace("`", "``") + "`"


@dataclass(frozen=True)
class SomeTable:
    """One table with its rows, values as text."""

    name: str
    columns: tuple[tuple[str, str], ...]
    primary_key: tuple[str, ...]
    index: tuple[str, ...]
    is_unique: bool
    rows: tuple[tuple[str | None, ...], ...]

    @property
    def statement(self) -> str:
        """What makes it."""
        lines = [f"{quoted(name)} {kind}" for name, kind in self.columns]
        lines += [f"PRIMARY KEY ({_listed(self.primary_key)})"] if self.primary_key else []
        lines += [f"{'UNIQUE ' if self.is_unique else ''}KEY ({_listed(self.index)})"] if self.index else []
        return f"CREATE TABLE {quoted(self.name)} ({', '.join(lines)}) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"


@dataclass(frozen=True)
class SomeKey:
    """One foreign key, which the engine may refuse to declare."""

    child: SomeTable
    columns: tuple[str, ...]
    parent: SomeTable
    parent_columns: tuple[str, ...]
    action: str
    is_full: bool

    @property
    def reference(self) -> str:
        """The key without what it does."""
        full = " MATCH FULL" if self.is_full else ""
        to = f"{quoted(self.parent.name)} ({_listed(self.parent_columns)})"
        return f"FOREIGN KEY ({_listed(self.columns)}) REFERENCES {to}{full}"


@dataclass(frozen=True)
class SomeDatabase:
    """Tables, and keys, which come before the rows that may violate them; ``lost`` is dropped in the end."""

    tables: tuple[SomeTable, ...]
    keys: tuple[SomeKey, ...]
    lost: str

    def make(self, connection: Any) -> tuple[list[SomeTable], list[SomeKey]]:
        """Make it; what stands, for the engine refuses some, as it does rows of wrong values."""
        run(connection, "SET foreign_key_checks = 1, sql_mode = 'STRICT_ALL_TABLES'")
        tables = [table for table in self.tables if tried(connection, table.statement)]
        keys = [
            key
            for key in self.keys
            if {key.child, key.parent} <= set(tables)
            and tried(connection, f"ALTER TABLE {quoted(key.child.name)} ADD {key.reference} ON DELETE {key.action}")
        ]
        run(connection, "SET foreign_key_checks = 0")
        for table in tables:
            columns = _listed(name for name, _ in table.columns)
            for row in table.rows:
                values = ", ".join("NULL" if v is None else connection.escape(v) for v in row)
                tried(connection, f"INSERT INTO {quoted(table.name)} ({columns}) VALUES ({values})")
        if any(table.name == self.lost for table in tables) and all(key.child.name != self.lost for key in keys):
            run(connection, f"DROP TABLE {quoted(self.lost)}")
            tables = [table for table in tables if table.name != self.lost]
        run(connection, "SET foreign_key_checks = 1")
        return tables, keys


def run(connection: Any, statement: str) -> list[tuple[Any, ...]]:
    """Run one statement; its rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def tried(connection: Any, statement: str) -> bool:
    """Does the engine do this? If it refuses, nothing has happened."""
    with contextlib.suppress(pymysql.MySQLError):
        run(connection, statement)
        return True
    return False


def clear(connection: Any) -> None:
    """Remove every table of the database that one is in."""
    run(connection, "SET foreign_key_checks = 0")
    for (name,) in run(connection, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"):
        run(connection, f"DROP TABLE {quoted(name)}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(quoted(name) for name in names)


@st.composite
def databases(draw: st.DrawFn) -> SomeDatabase:
    """A database of one to four tables with keys among them, to themselves and in circles."""
    clans = [
        (types, draw(st.lists(st.sampled_from(values), min_size=2, max_size=4, unique=True)))
        for types, values in draw(st.lists(st.sampled_from(CLANS), min_size=1, max_size=2))
    ]
    names = draw(st.lists(st.sampled_from(TABLES), min_size=1, max_size=4, unique=True))
    tables = tuple(draw(_tables(name, clans)) for name in names)
    keys = draw(st.lists(_keys(tables), min_size=2, max_size=6))
    return SomeDatabase(tables, tuple(keys), draw(st.sampled_from(("", "", *names))))


@st.composite
def _tables(draw: st.DrawFn, name: str, clans: list[Any]) -> SomeTable:
    names = draw(st.lists(st.sampled_from(COLUMNS), min_size=2, max_size=4, unique=True))
    of = [draw(st.sampled_from(clans)) for _ in names]
    columns = tuple((name, draw(st.sampled_from(types))) for name, (types, _) in zip(names, of, strict=True))
    value = [st.sampled_from([None, *values, *values]) for _, values in of]
    rows = draw(st.lists(st.tuples(*value), min_size=1, max_size=7))
    primary_key = tuple(names[: draw(st.sampled_from((0, 1, 1, 2)))])
    index = tuple(names[: draw(st.sampled_from((0, 1, 2) if primary_key else (1, 2)))][::-1])
    return SomeTable(name, columns, primary_key, index, draw(st.booleans()), tuple(rows))


@st.composite
def _keys(draw: st.DrawFn, tables: tuple[SomeTable, ...]) -> SomeKey:
    parent, child = draw(st.sampled_from(tables)), draw(st.sampled_from(tables))
    named = draw(st.sampled_from([names for names in (parent.primary_key, parent.index) if names]))
    columns: list[str] = []
    for name in named:
        alike = _clans_of(dict(parent.columns)[name])
        free = [ours for ours, _ in child.columns if ours not in columns]
        fit = [ours for ours in free if alike & _clans_of(dict(child.columns)[ours])]
        columns.append(draw(st.sampled_from(fit or free)))
    return SomeKey(child, tuple(columns), parent, named, draw(st.sampled_from(ACTIONS)), draw(st.booleans()))


def _clans_of(kind: str) -> set[int]:
    return {number for number, (types, _) in enumerate(CLANS) if kind in types}
