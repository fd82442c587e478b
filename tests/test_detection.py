"""Every orphan that SQLite knows is found, no other is, and what SQLite cannot ask is said."""

import os
import sqlite3
from collections import Counter
from contextlib import closing

import pytest
from hypothesis import HealthCheck, event, given, settings

from tests.oracle import affinity, ask_engine, ask_model, engine_reports, marked, rows_of
from tests.schemas import SomeDatabase, SomeKey, SomeTable, databases
from upkeep.catalog import Catalog, ForeignKey
from upkeep.databases.sqlite_catalog import read_catalog
from upkeep.databases.sqlite_dialect import SqliteDialect
from upkeep.databases.sqlite_reading import SqliteReading
from upkeep.finding import find
from upkeep.orphans import counting, listing
from upkeep.values import Value

DIALECT = SqliteDialect()


# Any database: pair by pair as the engine and as a model in Python say


@settings(
    max_examples=int(os.environ.get("DETECTION_EXAMPLES", "200")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(databases())
def test_every_pair_of_row_and_key_is_as_sqlite_itself_says(database: SomeDatabase) -> None:
    with closing(database.open()) as connection:
        catalog = read_catalog(connection)
        declared = [(table, key) for table in database.tables for key in table.keys]
        assert Counter(map(_names, catalog.keys)) == Counter(_declared_names(table, key) for table, key in declared)
        for table, key in declared:
            _agree_on(connection, database, catalog, table, key)
        for table in database.tables:
            _agree_on_whole(connection, catalog, table)


def _agree_on(
    connection: sqlite3.Connection, database: SomeDatabase, catalog: Catalog, table: SomeTable, key: SomeKey
) -> None:
    found = next(k for k in catalog.keys if _names(k) == _declared_names(table, key))
    locator = catalog.tables[table.name].locator
    # Without the parent nothing can be inserted at all, and SQLite refuses every REAL child of an INTEGER PRIMARY KEY,
    # which its own check rightly lets pass.
    has_real = any(affinity(table.column(name).type, table.is_strict) == "REAL" for name in key.columns)
    is_enforced = not found.parent_missing and not has_real
    by_engine = ask_engine(connection, table, key, locator, is_enforced=is_enforced)
    assert (found.fault is not None) == (by_engine is None), found
    event(f"askable {found.askable}, usable {found.fault is None}, parent missing {found.parent_missing}")
    if not found.askable:
        return
    by_model = ask_model(connection, database, table, key, locator)
    assert by_engine is None or by_model == by_engine, "the model is wrong"
    event(f"orphans {bool(by_model)}")
    assert count(connection, found) == by_model.total()
    if locator:
        listed = list(connection.execute(listing(found, locator, DIALECT)))
        assert Counter(map(marked, listed)) == by_model
        first = find(SqliteReading(connection), found, limit=2)
        assert (first.orphans, first.missing_keys) == connection.execute(counting(found, DIALECT)).fetchone()
        assert list(map(marked, first.rows)) == list(map(marked, listed[:2]))


def _agree_on_whole(connection: sqlite3.Connection, catalog: Catalog, table: SomeTable) -> None:
    """The same against the engine's report on the table itself, where it gives one: by rowid, or by number (P-38)."""
    locator = catalog.tables[table.name].locator
    places = [marked(where) for where, _ in rows_of(connection, table, locator)]
    assert not locator or len(set(places)) == len(places), "a locator stands for two rows"
    keys = [key for key in catalog.keys if key.child == table.name]
    reported = engine_reports(connection, table)
    assert (reported is None) == any(key.fault for key in keys)
    if reported is None:
        return
    pairs = Counter(keys[len(keys) - 1 - number] for _, number in reported)
    assert {key: n for key in keys if (n := count(connection, key))} == pairs


def _names(key: ForeignKey) -> tuple[object, ...]:
    return key.child, key.columns, key.parent, key.parent_columns, key.ondelete


def _declared_names(table: SomeTable, key: SomeKey) -> tuple[object, ...]:
    return table.name, key.columns, key.parent, key.parent_columns, key.ondelete


def count(connection: sqlite3.Connection, key: ForeignKey) -> int:
    return int(connection.execute(counting(key, DIALECT)).fetchone()[0])


# One pitfall, one small database


def made(sql: str) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(sql)
    return connection


def _orphans(connection: sqlite3.Connection) -> dict[str, list[tuple[Value, ...]]]:
    """The locators of the orphans of each key that has a fault or any orphan."""
    catalog = read_catalog(connection)
    found = {
        str(key): list(connection.execute(listing(key, catalog.tables[key.child].locator, DIALECT)))
        for key in catalog.keys
        if key.askable
    }
    return {key: rows for key, rows in found.items() if rows}


def test_p37_one_unusable_key_hides_no_other() -> None:
    connection = made("""
        CREATE TABLE plain (code TEXT); CREATE TABLE partial (code TEXT); CREATE TABLE good (id INTEGER PRIMARY KEY);
        CREATE UNIQUE INDEX active ON partial (code) WHERE code <> '';
        CREATE TABLE c (a REFERENCES plain (code), b REFERENCES partial (code), d REFERENCES good);
        INSERT INTO c VALUES (1, 2, 3)""")
    with pytest.raises(sqlite3.OperationalError, match="foreign key mismatch"):
        connection.execute("PRAGMA foreign_key_check")
    assert [key.fault for key in read_catalog(connection).keys] == [
        "plain(code) is neither its primary key nor unique",
        "partial(code) is neither its primary key nor unique; the index active covers only the rows of its WHERE",
        None,
    ]
    every = {"c(a) -> plain(code)": [(1,)], "c(b) -> partial(code)": [(1,)], "c(d) -> good(id)": [(1,)]}
    assert _orphans(connection) == every


def test_p38_rows_without_rowid_are_told_apart_by_their_primary_key() -> None:
    connection = made("""
        CREATE TABLE p (id INTEGER PRIMARY KEY);
        CREATE TABLE c (day TEXT, place INT, ref REFERENCES p, PRIMARY KEY (place, day)) WITHOUT ROWID;
        INSERT INTO c VALUES ('mon', 1, 7), ('tue', 1, NULL)""")
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == [("c", None, "p", 0)]
    assert _orphans(connection) == {"c(ref) -> p(id)": [(1, "mon")]}


def test_p39_names_are_spelt_as_created_and_implied_columns_are_the_primary_key() -> None:
    connection = made("""
        CREATE TABLE "Größe" ("Id" INTEGER, "Zone" TEXT, PRIMARY KEY ("Zone", "Id"));
        CREATE TABLE "GRÖSSE" (id); CREATE TABLE c (A, B, FOREIGN KEY (b, a) REFERENCES "gRöße");
        INSERT INTO "Größe" VALUES (1, 'x'); INSERT INTO c VALUES (1, 'x'), (1, 'y')""")
    assert _orphans(connection) == {"c(B, A) -> Größe(Zone, Id)": [(2,)]}


def test_p40_a_composite_key_with_any_null_is_satisfied() -> None:
    connection = made("""
        CREATE TABLE p (a, b, UNIQUE (a, b));
        CREATE TABLE c (a, b, FOREIGN KEY (a, b) REFERENCES p (a, b) MATCH FULL);
        INSERT INTO c VALUES (1, NULL), (NULL, 1), (NULL, NULL), (1, 1)""")
    assert _orphans(connection) == {"c(a, b) -> p(a, b)": [(4,)]}


def test_p41_the_child_is_compared_with_the_affinity_of_the_parent() -> None:
    connection = made("""
        CREATE TABLE p (code TEXT PRIMARY KEY); CREATE TABLE c (code INTEGER REFERENCES p);
        INSERT INTO p VALUES ('02'), ('3'); INSERT INTO c VALUES (2), (3)""")
    assert connection.execute("SELECT COUNT(*) FROM c JOIN p ON p.code = c.code").fetchone() == (2,)
    assert _orphans(connection) == {"c(code) -> p(code)": [(1,)]}


def test_p42_text_is_compared_by_the_collation_of_the_parent() -> None:
    connection = made("""
        CREATE TABLE p (name TEXT COLLATE NOCASE PRIMARY KEY); CREATE TABLE c (name TEXT REFERENCES p);
        INSERT INTO p VALUES ('Anna'); INSERT INTO c VALUES ('ANNA'), ('ANNA ')""")
    assert _orphans(connection) == {"c(name) -> p(name)": [(2,)]}


def test_p42_an_implied_key_is_compared_by_the_collation_of_the_primary_key_itself() -> None:
    connection = made("""
        CREATE TABLE p (name TEXT, PRIMARY KEY (name COLLATE NOCASE));
        CREATE TABLE implied (name REFERENCES p); CREATE TABLE named (name REFERENCES p (name));
        INSERT INTO p VALUES ('Anna'); INSERT INTO implied VALUES ('anna'), ('bob');
        INSERT INTO named VALUES ('anna')""")
    assert connection.execute("PRAGMA foreign_key_check(implied)").fetchall() == [("implied", 2, "p", 0)]
    assert _orphans(connection) == {"implied(name) -> p(name)": [(2,)], "named(name) -> p(name)": [(1,)]}
    assert [key.fault for key in read_catalog(connection).keys] == [
        None,
        "p(name) is neither its primary key nor unique; "
        "the index sqlite_autoindex_p_1 compares name by NOCASE, the column itself by BINARY",
    ]


def test_p44_a_parent_that_is_null_hides_no_orphan() -> None:
    connection = made("""
        CREATE TABLE p (code TEXT PRIMARY KEY); CREATE TABLE c (code REFERENCES p);
        INSERT INTO p VALUES (NULL), (NULL), ('a'); INSERT INTO c VALUES ('a'), ('b')""")
    assert connection.execute("SELECT COUNT(*) FROM c WHERE code NOT IN (SELECT code FROM p)").fetchone() == (0,)
    assert _orphans(connection) == {"c(code) -> p(code)": [(2,)]}


def test_p48_text_and_reals_in_integer_columns_are_orphans_that_casts_would_hide() -> None:
    connection = made("""
        CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (ref INTEGER REFERENCES p);
        INSERT INTO p VALUES (0), (1); INSERT INTO c VALUES ('x'), (1.5), ('1'), ('1.0'), (x'31'), ('')""")
    assert _orphans(connection) == {"c(ref) -> p(id)": [(1,), (2,), (5,), (6,)]}


def test_p48_generated_columns_are_seen_and_marked() -> None:
    connection = made("""
        CREATE TABLE p (id INTEGER PRIMARY KEY);
        CREATE TABLE c (raw, ref INTEGER AS (raw + 1) REFERENCES p, kept INTEGER AS (raw) STORED REFERENCES p);
        INSERT INTO p VALUES (1); INSERT INTO c (raw) VALUES (0), (1)""")
    table = read_catalog(connection).tables["c"]
    assert table.stored == ("raw",)
    assert [column.generated for column in table.columns] == [False, True, True]
    assert _orphans(connection) == {"c(ref) -> p(id)": [(2,)], "c(kept) -> p(id)": [(1,)]}


def test_p48_a_text_primary_key_that_may_be_null_tells_no_rows_apart() -> None:
    tables = read_catalog(
        made("""
        CREATE TABLE loose (code TEXT PRIMARY KEY); CREATE TABLE firm (code TEXT NOT NULL PRIMARY KEY);
        CREATE TABLE strict (code TEXT PRIMARY KEY) STRICT; CREATE TABLE bare (code TEXT PRIMARY KEY) WITHOUT ROWID;
        CREATE TABLE alias (id integer PRIMARY KEY); CREATE TABLE quirk (id INTEGER PRIMARY KEY DESC)""")
    ).tables
    assert {name: table.locator for name, table in tables.items()} == {
        "loose": ("rowid",),
        "firm": ("code",),
        "strict": ("code",),
        "bare": ("code",),
        "alias": ("id",),
        "quirk": ("rowid",),
    }
    assert not tables["alias"].columns[0].nullable


def test_p109_where_the_parent_table_is_gone_every_row_that_points_is_an_orphan() -> None:
    connection = made("""
        CREATE TABLE c (a, b, x, FOREIGN KEY (a, b) REFERENCES gone, FOREIGN KEY (x) REFERENCES gone (id));
        INSERT INTO c VALUES (1, 2, NULL), (1, NULL, 3)""")
    first, second = read_catalog(connection).keys
    assert (first.parent_missing, first.fault, first.askable) == (True, None, True)
    assert second.parent_missing
    assert _orphans(connection) == {"c(a, b) -> gone()": [(1,)], "c(x) -> gone(id)": [(2,)]}


def test_p116_the_comparison_has_the_parent_on_the_left_and_a_child_without_affinity() -> None:
    assert DIALECT.same('p."id"', 'c."ref"') == 'p."id" = +c."ref"'
    assert DIALECT.quote('a "b" {c}') == '"a ""b"" {c}"'


def test_p118_rows_without_a_primary_key_are_told_apart_by_a_rowid_that_no_column_shadows() -> None:
    connection = made("""
        CREATE TABLE p (id INTEGER PRIMARY KEY);
        CREATE TABLE one ("RowID" REFERENCES p); CREATE TABLE two (rowid, _ROWID_);
        CREATE TABLE all_three (rowid REFERENCES p, oid, _rowid_);
        INSERT INTO one VALUES (7), (7); INSERT INTO all_three VALUES (7, 0, 0), (7, 0, 0)""")
    catalog = read_catalog(connection)
    locators = {name: table.locator for name, table in catalog.tables.items()}
    assert locators == {"p": ("id",), "one": ("_rowid_",), "two": ("oid",), "all_three": ()}
    assert {key.child: count(connection, key) for key in catalog.keys} == {"one": 2, "all_three": 2}
