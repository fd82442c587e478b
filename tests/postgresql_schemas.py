"""Hypothesis strategies for PostgreSQL databases: odd schemas, odd rows, foreign keys of every sort."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from hypothesis import strategies as st

from tests.servers.postgresql import PostgresServer

SCHEMAS = ("public", "Other", "a.b", "sélect")
TABLES = ("patients", "Visits", "order", 'we"ird', "with space", "it's", "naïve", "a.b", "b", "100%", "日本", "{x}")
COLUMNS = ("id", "Ref", "from", 'quo"te', "two words", "größe", "k0", "p", "c", "ctid2", "order", "{n}")
# Types of which a key may join any two, more or less, with values that some of them take for equal and others do not.
CLANS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("smallint", "integer", "bigint", "whole"), ("0", "1", "2", "-1", "40000")),
    (
        ("numeric", "double precision", "numeric(9,2)", "integer", "bigint"),
        ("1", "1.0", "1.00", "2.5", "9007199254740993", "9007199254740992", "NaN", "-0", "0"),
    ),
    (
        ("text", "varchar(9)", "char(3)", "char(9)", "short", 'text COLLATE "C"', "text COLLATE loose"),
        ("a", "A", "a ", "", "ab", "ä", "Ä", "a\u0308", "b\n", "it's", 'q"', "\\", "x{}"),
    ),
    (("citext",), ("a", "A", "a ", "Ä", "ä", "b")),
    (("date", "timestamp"), ("2026-01-01", "2026-01-01 12:00:00", "infinity", "0044-03-15 BC")),
    (("mood",), ("low", "high")),
    (("integer[]",), ("{1,2}", "{}", "{NULL}")),
    (("bytea", "bytea"), ("\\x00ff", "\\x", "a")),
)
_REFUSALS = (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError, psycopg.NotSupportedError)
ACTIONS = ("NO ACTION", "RESTRICT", "SET NULL", "SET DEFAULT", "CASCADE")
PREPARED = (
    "CREATE EXTENSION IF NOT EXISTS citext",
    'CREATE SCHEMA "Other"',
    'CREATE SCHEMA "a.b"',
    'CREATE SCHEMA "sélect"',
    "CREATE DOMAIN whole AS bigint CHECK (VALUE > -9)",
    'CREATE DOMAIN short AS varchar(5) COLLATE "C"',
    "CREATE TYPE mood AS ENUM ('low', 'high')",
    "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
)


def quoted(name: str) -> str:
    """The name as SQL wants it."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True)
class SomeTable:
    """One table: plain, partitioned by the hash of its first column, or a child of another by inheritance."""

    schema: str
    name: str
    columns: tuple[tuple[str, str], ...]
    primary_key: tuple[str, ...]
    unique: tuple[str, ...]
    kind: str
    rows: tuple[tuple[str | None, ...], ...]

    @property
    def full(self) -> str:
        """Schema and name, quoted."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    def statements(self, heir_of: str) -> list[str]:
        """What makes it and its partitions; ``heir_of`` is the table that it inherits from, if its kind says so."""
        lines = [f"{quoted(name)} {kind}" for name, kind in self.columns]
        lines += [f"PRIMARY KEY ({_listed(self.primary_key)})"] if self.primary_key else []
        lines += [f"UNIQUE ({_listed(self.unique)})"] if self.unique else []
        made = f"CREATE TABLE {self.full} ({', '.join(lines)})"
        if self.kind == "partitioned":
            parts = [
                f"CREATE TABLE {quoted(self.schema)}.{quoted(self.name + str(n))} PARTITION OF {self.full}"
                f" FOR VALUES WITH (MODULUS 2, REMAINDER {n})"
                for n in range(2)
            ]
            return [f"{made} PARTITION BY HASH ({quoted(self.columns[0][0])})", *parts]
        return [f"{made} INHERITS ({heir_of})" if self.kind == "heir" and heir_of else made]


@dataclass(frozen=True)
class SomeKey:
    """One foreign key, which the engine may refuse to declare."""

    child: SomeTable
    columns: tuple[str, ...]
    parent: SomeTable
    parent_columns: tuple[str, ...]
    is_full: bool
    ending: str

    @property
    def reference(self) -> str:
        """The key without how it is kept."""
        full = " MATCH FULL" if self.is_full else ""
        to = f"{self.parent.full} ({_listed(self.parent_columns)})"
        return f"FOREIGN KEY ({_listed(self.columns)}) REFERENCES {to}{full}"


@dataclass(frozen=True)
class SomeDatabase:
    """Tables, in the order in which they are made, and keys, which come before the rows that may violate them."""

    tables: tuple[SomeTable, ...]
    keys: tuple[SomeKey, ...]

    def make(self, connection: "psycopg.Connection[Any]") -> tuple[list[SomeTable], list[SomeKey]]:
        """Make it in the transaction; what stands, for the engine refuses some, as it does rows of wrong values."""
        connection.execute("SET LOCAL search_path = public")  # begins it: nothing of this is ever committed
        heir_of, tables = "", []
        for table in self.tables:
            if all(tried(connection, statement) for statement in table.statements(heir_of)):
                tables.append(table)
                heir_of = table.full if table.kind == "plain" else heir_of
        keys = [
            key
            for key in self.keys
            if {key.child, key.parent} <= set(tables)
            and tried(connection, f"ALTER TABLE {key.child.full} ADD {key.reference} {key.ending}")
        ]
        connection.execute("SET LOCAL session_replication_role = replica")
        for table in tables:
            columns = _listed(name for name, _ in table.columns)
            for row in table.rows:
                values = ", ".join("NULL" if v is None else "'" + v.replace("'", "''") + "'" for v in row)
                tried(connection, f"INSERT INTO {table.full} ({columns}) VALUES ({values})")
        connection.execute("SET LOCAL session_replication_role = origin")
        return tables, keys


def tried(connection: "psycopg.Connection[Any]", statement: str) -> bool:
    """Does the engine do this? If it refuses, nothing has happened."""
    with contextlib.suppress(*_REFUSALS), connection.transaction():
        connection.execute(statement.encode())
        return True
    return False


@pytest.fixture
def any_database(postgresql: PostgresServer) -> Iterator["psycopg.Connection[Any]"]:
    """A database with types and schemas, in which a test makes every example, and undoes or drops it."""
    with postgresql.connect(postgresql.make_database()) as connection:
        for statement in PREPARED:
            tried(connection, statement)
        connection.autocommit = False
        yield connection
        connection.rollback()


def _listed(names: Any) -> str:
    return ", ".join(quoted(name) for name in names)


@st.composite
def databases(draw: st.DrawFn) -> SomeDatabase:
    """A database of one to four tables with keys among them, to themselves and in circles."""
    clans = [
        (types, draw(st.lists(st.sampled_from(values), min_size=2, max_size=4, unique=True)))
        for types, values in draw(st.lists(st.sampled_from(CLANS), min_size=1, max_size=2))
    ]
    places = draw(
        st.lists(st.tuples(st.sampled_from(SCHEMAS), st.sampled_from(TABLES)), min_size=1, max_size=4, unique=True)
    )
    tables = tuple(draw(_tables(place, clans)) for place in places)
    keys = draw(st.lists(_keys(tables), min_size=2, max_size=6))
    return SomeDatabase(tables, tuple(keys))


@st.composite
def _tables(draw: st.DrawFn, place: tuple[str, str], clans: list[Any]) -> SomeTable:
    names = draw(st.lists(st.sampled_from(COLUMNS), min_size=2, max_size=4, unique=True))
    of = [draw(st.sampled_from(clans)) for _ in names]
    columns = tuple((name, draw(st.sampled_from(types))) for name, (types, _) in zip(names, of, strict=True))
    value = [st.sampled_from([None, *values, *values]) for _, values in of]
    rows = draw(st.lists(st.tuples(*value), min_size=1, max_size=7))
    primary_key = tuple(names[: draw(st.sampled_from((0, 1, 1, 2)))])
    unique = tuple(names[: draw(st.sampled_from((0, 1, 2) if primary_key else (1, 2)))][::-1])
    kind = draw(st.sampled_from(("plain", "plain", "plain", "partitioned", "heir")))
    return SomeTable(*place, columns, primary_key, unique, kind, tuple(rows))


@st.composite
def _keys(draw: st.DrawFn, tables: tuple[SomeTable, ...]) -> SomeKey:
    parent, child = draw(st.sampled_from(tables)), draw(st.sampled_from(tables))
    named = draw(st.sampled_from([names for names in (parent.primary_key, parent.unique) if names]))
    columns: list[str] = []
    for name in named:
        alike = _clans_of(dict(parent.columns)[name])
        free = [ours for ours, _ in child.columns if ours not in columns]
        fit = [ours for ours in free if alike & _clans_of(dict(child.columns)[ours])]
        columns.append(draw(st.sampled_from(fit or free)))
    words = [
        f"ON DELETE {draw(st.sampled_from(ACTIONS))}",
        draw(st.sampled_from(("", "DEFERRABLE", "DEFERRABLE INITIALLY DEFERRED"))),
        draw(st.sampled_from(("", "NOT VALID")) if child.kind != "partitioned" else st.just("")),
    ]
    return SomeKey(child, tuple(columns), parent, named, draw(st.booleans()), " ".join(words))


def _clans_of(kind: str) -> set[int]:
    return {number for number, (types, _) in enumerate(CLANS) if kind in types}
