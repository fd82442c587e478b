"""The digest that PostgreSQL takes of a table: two have the same one if, and only if, they hold the same rows."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from psycopg import sql

from tests.servers.postgresql import PostgresServer
from upkeep.backups import bring_back, prove, take_backup
from upkeep.census import Census, Count, differences
from upkeep.clock import utc_now
from upkeep.databases.opening import open_database
from upkeep.databases.postgresql_digest import KIND
from upkeep.databases.postgresql_reading import PostgresqlReading
from upkeep.stores import open_store

Connection = psycopg.Connection[Any]
Rows = list[tuple[str | None, ...]]

TYPES = (
    "CREATE TYPE mood AS ENUM ('well', 'ill', '')",
    "CREATE TYPE pair AS (a int, b text)",
    "CREATE DOMAIN filled AS text CHECK (value <> '')",
    "CREATE DOMAIN age AS bigint CHECK (value > 5)",
)
WORDS = ("", " ", "a", "a ", "A", "NULL", "a,b", '"', "\\N", "é", "x" * 13, "x" * 14)
NUMBERS = ("0", "1", "-1")
FLOATS = (*NUMBERS, "-0", "NaN", "Infinity", "0.1", "1e-30", "16777216")
KINDS: dict[str, tuple[str, ...]] = {
    "smallint": (*NUMBERS, "32767"),
    "integer": (*NUMBERS, "65536", "-2147483648"),
    # A hash of theirs is over 32 bits, in which many of these are the same.
    "bigint": (*NUMBERS, "4294967295", "4294967296", "4294967297", "-4294967296", "8589934592", "-9223372036854775808"),
    "age": ("6", "4294967302"),
    "real": FLOATS,
    "double precision": (*FLOATS, "0.1000000000000001", "5e-324"),
    "numeric": (*NUMBERS, "1.0", "1.00", "NaN", "1e40"),
    "text": WORDS,
    "varchar(20)": WORDS,
    "char(20)": WORDS,
    "bpchar": WORDS,
    "name": WORDS,
    '"char"': ("a", "b", ""),
    "filled": (" ", "a"),
    "boolean": ("true", "false"),
    "uuid": ("00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000001"),
    "date": ("2020-01-01", "infinity", "-infinity", "0001-01-01 BC"),
    "timestamp": ("2020-01-01", "2020-01-01 00:00:00.000001", "infinity"),
    "timestamptz": ("2020-01-01", "2020-01-01 01:00+01", "-infinity"),
    "interval": ("1 day", "24 hours", "0"),
    "bytea": ("", "\\x00", "\\x0000", "\\xff"),
    "json": ('{"a": 1}', '{"a":1}', "null"),
    "jsonb": ('{"a": 1}', '{"a": 1.0}', "null", "[null]"),
    "integer[]": ("{}", "{1}", "{NULL}", "{{1}}"),
    "text[]": ("{}", '{""}', "{NULL}", "{a,b}"),
    "inet": ("10.0.0.1", "10.0.0.1/24"),
    "point": ("(0,0)", "(-0,0)"),
    "mood": ("well", "ill", ""),
    "pair": ("(,)", "(1,)", '(,"")'),
    "varbit": ("", "0", "00"),
    "int4range": ("empty", "[1,2)", "(,)"),
}


@st.composite
def two_tables(draw: st.DrawFn) -> tuple[list[str], Rows, Rows]:
    """Columns, and the rows of two tables: of the second some are moved, changed, swapped, doubled or lost."""
    kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=5))
    row = st.tuples(*(st.sampled_from((None, *KINDS[kind])) for kind in kinds))
    one = draw(st.lists(row, max_size=6))
    other = draw(st.permutations(one))
    for change in draw(st.lists(st.sampled_from(("change", "swap", "double", "lose")), max_size=2)):
        if not other:
            break
        at, place = draw(st.integers(0, len(other) - 1)), draw(st.integers(0, len(kinds) - 1))
        if change == "change":
            other[at] = _with(other[at], place, draw(st.sampled_from((None, *KINDS[kinds[place]]))))
        elif change == "swap":
            with_whom = draw(st.integers(0, len(other) - 1))
            mine, theirs = other[at][place], other[with_whom][place]
            other[at] = _with(other[at], place, theirs)
            other[with_whom] = _with(other[with_whom], place, mine)
        elif change == "double":
            other.append(other[at])
        else:
            del other[at]
    return kinds, one, other


def _with(row: tuple[str | None, ...], place: int, value: str | None) -> tuple[str | None, ...]:
    return (*row[:place], value, *row[place + 1 :])


@contextmanager
def typed(server: PostgresServer) -> Iterator[Connection]:
    """A database with some types of its own; what is done there is undone."""
    with server.connect(server.make_database(*TYPES)) as connection:
        connection.autocommit = False
        yield connection
        connection.rollback()


@pytest.fixture
def any_types(postgresql: PostgresServer) -> Iterator[Connection]:
    """On each server."""
    with typed(postgresql) as connection:
        yield connection


@pytest.fixture
def types_of_both(system_postgresql: PostgresServer, wheel_postgresql: PostgresServer) -> Iterator[list[Connection]]:
    """On two servers of different versions."""
    with typed(system_postgresql) as one, typed(wheel_postgresql) as other:
        yield [one, other]


def make(connection: Connection, table: str, kinds: list[str], rows: Rows) -> None:
    """A table without any constraint; columns have names that must be quoted."""
    names = [sql.Identifier(f'% "{number}') for number in range(len(kinds))]
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(name, sql.SQL(kind)) for name, kind in zip(names, kinds, strict=True)
    )
    connection.execute(sql.SQL("CREATE TABLE {} ({})").format(sql.Identifier(table), columns))
    for row in rows:
        values = sql.SQL(", ").join(sql.Literal(value) for value in row)
        connection.execute(sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier(table), values))


def digest(connection: Connection, table: str, like: str | None = None) -> str:
    """As the census takes it."""
    return str(PostgresqlReading(connection).count(table, digest=True, like=like).digest)


def printed(connection: Connection, table: str) -> Counter[tuple[Any, ...]]:
    """What the table holds, by what the server prints."""
    return Counter(PostgresqlReading(connection).rows(f"SELECT * FROM {table}"))


_MANY = settings(
    max_examples=int(os.environ.get("DIGEST_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@_MANY
@given(tables=two_tables())
def test_two_tables_have_one_digest_if_and_only_if_they_hold_the_same_rows(
    any_types: Connection, tables: tuple[list[str], Rows, Rows]
) -> None:
    kinds, one, other = tables
    try:
        make(any_types, "one", kinds, one)
        make(any_types, "other", kinds, other)
        same = printed(any_types, "one") == printed(any_types, "other")
        event(f"the same rows: {same}")
        assert digest(any_types, "one").startswith(f"{KIND}:")
        assert (digest(any_types, "one") == digest(any_types, "other")) == same
    finally:
        any_types.rollback()


@pytest.mark.parametrize("beside", [None, "1"])
def test_each_value_that_prints_as_no_other_has_a_digest_of_its_own(
    postgresql: PostgresServer, beside: str | None
) -> None:
    with typed(postgresql) as connection:
        tables = {
            f"{kind} {number}": [kind, value]
            for kind, values in KINDS.items()
            for number, value in enumerate((None, *values))
        }
        for table, (kind, value) in tables.items():
            make(connection, table, [str(kind), "integer"], [(value, beside)])
        reading = PostgresqlReading(connection)
        for kind in KINDS:
            names = [table for table in tables if tables[table][0] == kind]
            shown = [tuple(reading.rows(f"SELECT * FROM {reading.dialect.table(name)}")) for name in names]
            taken = [reading.count(name, digest=True).digest for name in names]
            pairs = list(combinations(range(len(names)), 2))
            assert [shown[i] == shown[j] for i, j in pairs] == [taken[i] == taken[j] for i, j in pairs], kind


@pytest.mark.slow
@_MANY
@given(tables=two_tables())
def test_servers_of_two_versions_give_the_same_rows_the_same_digest(
    types_of_both: list[Connection], tables: tuple[list[str], Rows, Rows]
) -> None:
    kinds, one, _ = tables
    try:
        for connection in types_of_both:
            make(connection, "one", kinds, one)
        first, second = (digest(connection, "one") for connection in types_of_both)
        assert first == second
    finally:
        for connection in types_of_both:
            connection.rollback()


def test_a_dump_of_one_version_has_its_digests_when_it_is_restored_on_another(
    system_postgresql: PostgresServer, wheel_postgresql: PostgresServer, tmp_path: Path
) -> None:
    name = system_postgresql.make_database(*TYPES)
    with system_postgresql.connect(name) as connection:
        for number, (kind, values) in enumerate(KINDS.items()):
            make(connection, f"t{number}", [kind], [(None,), *((value,) for value in values)])
    (tmp_path / "work").mkdir()
    store = open_store((tmp_path / "store").as_uri())
    source = open_database("source", system_postgresql.url(name))
    manifest = take_backup(source, store, tmp_path / "work", run="test", now=utc_now())
    assert len(manifest.census.tables) == len(KINDS)
    restored = open_database("restored", wheel_postgresql.url(wheel_postgresql.make_database()))
    bring_back(store, manifest, restored)
    _, against = prove(store, manifest, restored, run="test", now=utc_now(), seconds=0)
    assert against == ()


def test_a_backup_with_digests_of_the_older_kind_is_compared_with_digests_of_that_kind(
    system_postgresql: PostgresServer,
) -> None:
    with typed(system_postgresql) as connection:
        make(connection, "one", ["text"], [("a",), (None,)])
        newer = digest(connection, "one")
        older = digest(connection, "one", like="0" * 64)
        assert ":" not in older
        assert digest(connection, "one", like=older) == older
        assert digest(connection, "one", like=newer) == newer
        make(connection, "other", ["text"], [("a",), ("",)])
        assert digest(connection, "other", like=older) not in (older, newer)


def test_digests_of_two_kinds_are_never_called_equal_p96() -> None:
    old, new = (Census(tables={"t": Count(rows=1, digest=one)}, schema_digest="") for one in ("ab", "h1:ab"))
    said = "the content of table t cannot be compared here: its digest was taken in another way"
    assert differences(old, new) == differences(new, old) == (said,)
    assert differences(old, old) == differences(new, new) == ()


def test_text_that_is_not_utf_8_is_digested_as_the_same_text_elsewhere(system_postgresql: PostgresServer) -> None:
    digests: list[str] = []
    for encoding in ("LATIN1", "UTF8"):
        name = f"in_{encoding.lower()}"
        system_postgresql.run("postgres", f"CREATE DATABASE {name} TEMPLATE template0 ENCODING {encoding} LOCALE 'C'")
        with system_postgresql.connect(name) as connection:
            make(connection, "one", ["text"], [("é",)])
            connection.autocommit = False
            digests.append(digest(connection, "one", like="0" * 64 if digests else None))
            connection.rollback()
        system_postgresql.run("postgres", f"DROP DATABASE {name}")
    assert digests[0] == digests[1]


def test_the_widest_table_has_a_digest_of_every_column(postgresql: PostgresServer) -> None:
    with typed(postgresql) as connection:
        kinds, row = ["integer", "text", "bigint", "real"] * 400, ("1", None, "3", "4") * 400
        make(connection, "one", kinds, [row])
        connection.execute("CREATE TABLE none ()")
        connection.execute("INSERT INTO none DEFAULT VALUES")
        found = {digest(connection, "one"), digest(connection, "none")}
        for place in (0, 39, 40, 1000, 1599):
            connection.execute(sql.SQL("UPDATE one SET {} = NULL").format(sql.Identifier(f'% "{place}')))
            found.add(digest(connection, "one"))
        assert len(found) == 7
