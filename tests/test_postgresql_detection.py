"""Every orphan that PostgreSQL knows is found, no other is, and what a role cannot see is said."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, event, given, settings

from tests.postgresql_schemas import SomeDatabase, SomeKey, any_database, databases, quoted, tried
from tests.servers.postgresql import PostgresServer
from upkeep.catalog import ForeignKey, Trigger
from upkeep.databases.postgresql_reading import PostgresqlReading
from upkeep.databases.postgresql_schema import settled
from upkeep.errors import Refused
from upkeep.finding import find
from upkeep.orphans import counting, listing

__all__ = ["any_database"]

Connection = psycopg.Connection[Any]


# Any database: pair by pair as the engine says that enforces


@settings(
    max_examples=int(os.environ.get("DETECTION_EXAMPLES", "30")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(database=databases())
def test_every_pair_of_row_and_key_is_as_postgresql_itself_says(
    any_database: Connection, database: SomeDatabase
) -> None:
    try:
        tables, keys = database.make(any_database)
        event(f"keys {len(keys)}")
        reading = PostgresqlReading(any_database)
        catalog = reading.catalog()
        assert len(catalog.keys) == len({_names(key) for key in keys}), "a key is lost, or comes more than once"
        assert len(catalog.tables) == len(tables)
        for key in keys:
            _agree_on(any_database, reading, key)
    finally:
        any_database.rollback()


def _agree_on(connection: Connection, reading: PostgresqlReading, key: SomeKey) -> None:
    catalog = reading.catalog()
    shown = {relation.full: name for name, relation in reading._look().relations.items()}
    wanted = (shown[key.child.full], key.columns, shown[key.parent.full], key.parent_columns)
    (found, *_) = [
        k
        for k in catalog.keys
        if (k.child, k.columns, k.parent, k.parent_columns) == wanted and k.is_full == key.is_full
    ]
    locator = catalog.tables[found.child].locator
    by_engine = refused_rows(connection, key, locator)
    if by_engine is None:
        event("a key that the engine itself cannot look up")
        assert is_valid(connection, key) == (count(reading, found) == 0)
        return
    event(f"orphans {bool(by_engine)}, {key.child.kind} to {key.parent.kind}, full {found.is_full}")
    assert count(reading, found) == by_engine.total()
    if locator:
        listed = list(reading.rows(listing(found, locator, reading.dialect)))
        assert Counter(listed) == by_engine
        first = find(reading, found, limit=2)
        assert (first.orphans, first.missing_keys) == reading.numbers(counting(found, reading.dialect))
        assert list(first.rows) == listed[:2]
    assert is_valid(connection, key) == (not by_engine), "VALIDATE and enforcement disagree"


def refused_rows(connection: Connection, key: SomeKey, locator: tuple[str, ...]) -> Counter[tuple[Any, ...]] | None:
    """The rows that PostgreSQL refuses one by one, in a copy of the child with this one key and no other constraint.

    None where it takes none at all: for the child of a domain with a collation that is not its parent's it declares
    the key, and then does not know which of the two to look the parent up by.
    """
    source = key.child.full if key.child.kind == "partitioned" else f"ONLY {key.child.full}"
    columns = ", ".join(quoted(name) for name, _ in key.child.columns)
    where = ", ".join(f"FORMAT('%s', {quoted(name)})" for name in locator)  # a cast to text drops char's blanks
    connection.execute(f"CREATE TABLE the_probe (LIKE {key.child.full})".encode())
    connection.execute(f"ALTER TABLE the_probe ADD {key.reference}".encode())
    refused: Counter[tuple[Any, ...]] | None = Counter()
    asked = f"SELECT tableoid::regclass::text, ctid::text{', ' if where else ''}{where} FROM {source}"
    for table, place, *row in connection.execute(asked.encode()).fetchall():
        try:
            with connection.transaction():
                one = f"SELECT {columns} FROM ONLY {table} WHERE ctid = '{place}'"
                connection.execute(f"INSERT INTO the_probe ({columns}) {one}".encode())
        except psycopg.errors.ForeignKeyViolation:
            refused = (refused or Counter()) + Counter([tuple(row)])
        except psycopg.errors.IndeterminateCollation:
            refused = None
            break
    connection.execute("DROP TABLE the_probe")
    return refused


def is_valid(connection: Connection, key: SomeKey) -> bool:
    """Does the engine take the key as one that holds for all rows that are there?"""
    return tried(connection, f"ALTER TABLE {key.child.full} ADD CONSTRAINT once_more {key.reference}") and tried(
        connection, f"ALTER TABLE {key.child.full} DROP CONSTRAINT once_more"
    )


def _names(key: SomeKey) -> tuple[object, ...]:
    action = key.ending.partition("ON DELETE ")[2].replace("NOT VALID", "").partition("DEFERRABLE")[0].strip()
    return key.child.full, key.columns, key.parent.full, key.parent_columns, key.is_full, action


def count(reading: PostgresqlReading, key: ForeignKey) -> int:
    return reading.numbers(counting(key, reading.dialect))[0]


# One pitfall, one small database


@contextmanager
def made(server: PostgresServer, *statements: str) -> Iterator[Connection]:
    """A database in which the statements were run with triggers and keys asleep, for as long as it is looked at."""
    name = server.make_database("SET session_replication_role = replica", *statements)
    with server.connect(name) as connection:
        connection.autocommit = False
        yield connection
        connection.rollback()


def orphans(connection: Connection) -> dict[str, Any]:
    """The locators of the orphans of each key that has any; their number where rows cannot be told apart."""
    reading = PostgresqlReading(connection)
    found = {}
    for key in reading.catalog().keys:
        locator = reading.catalog().tables[key.child].locator
        number = count(reading, key)
        if number:
            found[str(key)] = list(reading.rows(listing(key, locator, reading.dialect))) if locator else number
    return found


def test_p40_match_full_is_violated_by_a_key_that_is_null_in_part_and_match_simple_is_not(
    system_postgresql: PostgresServer,
) -> None:
    rows = "VALUES (1, NULL, 1), (2, 1, NULL), (3, NULL, NULL), (4, 1, 1), (5, 2, 2)"
    with made(
        system_postgresql,
        "CREATE TABLE p (a int, b int, PRIMARY KEY (a, b))",
        "CREATE TABLE plain (id int PRIMARY KEY, a int, b int, FOREIGN KEY (a, b) REFERENCES p)",
        'CREATE TABLE "full" (id int PRIMARY KEY, a int, b int, FOREIGN KEY (a, b) REFERENCES p MATCH FULL)',
        "INSERT INTO p VALUES (1, 1)",
        f"INSERT INTO plain {rows}",
        f'INSERT INTO "full" {rows}',
    ) as connection:
        assert orphans(connection) == {
            "plain(a, b) -> p(a, b)": [("5",)],
            "full(a, b) -> p(a, b)": [("1",), ("2",), ("5",)],
        }


def test_p43_a_row_of_an_heir_is_no_parent_and_a_row_of_a_partition_is(system_postgresql: PostgresServer) -> None:
    with made(
        system_postgresql,
        "CREATE TABLE p (id int PRIMARY KEY)",
        "CREATE TABLE heir () INHERITS (p)",
        "CREATE TABLE parted (id int PRIMARY KEY, r int REFERENCES p) PARTITION BY LIST (id)",
        "CREATE TABLE one PARTITION OF parted FOR VALUES IN (1)",
        "CREATE TABLE rest PARTITION OF parted DEFAULT",
        "CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p, parted int REFERENCES parted)",
        "INSERT INTO p VALUES (1)",
        "INSERT INTO heir VALUES (2)",
        "INSERT INTO parted VALUES (1, 1), (2, 2)",
        "INSERT INTO c VALUES (1, 1, 1), (2, 2, 2), (3, NULL, 3)",
    ) as connection:
        assert set(PostgresqlReading(connection).catalog().tables) == {"p", "heir", "parted", "c"}
        assert orphans(connection) == {
            "c(p) -> p(id)": [("2",)],
            "c(parted) -> parted(id)": [("3",)],
            "parted(r) -> p(id)": [("2",)],
        }


def test_p43_a_key_of_one_partition_is_asked_and_its_rows_are_told_apart_by_nobody(
    system_postgresql: PostgresServer,
) -> None:
    with made(
        system_postgresql,
        "CREATE TABLE p (id int PRIMARY KEY)",
        "CREATE TABLE parted (id int PRIMARY KEY, r int) PARTITION BY LIST (id)",
        "CREATE TABLE one PARTITION OF parted FOR VALUES IN (1)",
        "CREATE TABLE rest PARTITION OF parted DEFAULT",
        "ALTER TABLE one ADD FOREIGN KEY (r) REFERENCES p",
        "INSERT INTO parted VALUES (1, 5), (2, 6)",
    ) as connection:
        assert orphans(connection) == {"one(r) -> p(id)": 1}
        tables = PostgresqlReading(connection).catalog().tables
        assert {name: table.locator for name, table in tables.items()} == {"p": ("id",), "parted": (), "one": ()}
        assert tables["parted"].primary_key == ("id",)


def test_p43_both_sides_are_compared_as_the_key_itself_compares_them(system_postgresql: PostgresServer) -> None:
    with made(
        system_postgresql,
        "CREATE EXTENSION citext SCHEMA pg_catalog",
        "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        "CREATE TABLE p (number bigint UNIQUE, fixed char(4) UNIQUE, folded citext UNIQUE,"
        " loose text COLLATE loose UNIQUE)",
        "CREATE TABLE c (id int PRIMARY KEY, number int REFERENCES p (number), fixed char(9) REFERENCES p (fixed),"
        " folded citext REFERENCES p (folded), loose text REFERENCES p (loose))",
        "INSERT INTO p VALUES (1, 'a', 'Anna', 'Anna')",
        "INSERT INTO c VALUES (1, 1, 'a   ', 'ANNA', 'anna'), (2, 2, 'A', 'Anna ', 'Ann')",
    ) as connection:
        keys = ("fixed", "folded", "loose", "number")
        assert orphans(connection) == {f"c({key}) -> p({key})": [("2",)] for key in keys}


def test_p44_p46_what_the_server_believes_of_a_key_does_not_count(system_postgresql: PostgresServer) -> None:
    with made(
        system_postgresql,
        "CREATE TABLE p (code text UNIQUE)",
        "CREATE TABLE valid (id int PRIMARY KEY, code text REFERENCES p (code))",
        "CREATE TABLE not_valid (id int PRIMARY KEY, code text)",
        "ALTER TABLE not_valid ADD FOREIGN KEY (code) REFERENCES p (code) NOT VALID",
        "INSERT INTO p VALUES ('a'), (NULL)",
        "INSERT INTO valid VALUES (1, 'a'), (2, 'b')",
        "INSERT INTO not_valid VALUES (1, 'a'), (2, 'b')",
        "ALTER TABLE valid VALIDATE CONSTRAINT valid_code_fkey",
        "ALTER TABLE valid DISABLE TRIGGER ALL",
    ) as connection:
        assert orphans(connection) == {
            "valid(code) -> p(code)": [("2",)],
            "not_valid(code) -> p(code)": [("2",)],
        }
        assert PostgresqlReading(connection).complaints() == (
            "the foreign key valid_code_fkey of valid is not enforced: triggers of valid are disabled;"
            " ENABLE TRIGGER ALL",
        )


def test_p47_a_role_that_row_security_blinds_is_refused(system_postgresql: PostgresServer) -> None:
    role = system_postgresql.make_role()
    with made(
        system_postgresql,
        "CREATE TABLE p (id int PRIMARY KEY)",
        "CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p)",
        f"GRANT ALL ON p, c TO {role}",
        "ALTER TABLE p ENABLE ROW LEVEL SECURITY",
    ) as connection:
        connection.execute(f"SET SESSION AUTHORIZATION {role}")
        with pytest.raises(Refused, match="row security hides rows of p from this role"):
            PostgresqlReading(connection).catalog()
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            list(PostgresqlReading(connection).rows("SELECT id FROM p"))


def test_a_role_that_may_not_read_a_table_is_refused_with_the_table(system_postgresql: PostgresServer) -> None:
    role = system_postgresql.make_role()
    with made(
        system_postgresql, "CREATE TABLE closed (id int)", "CREATE SCHEMA s", "CREATE TABLE s.t ()"
    ) as connection:
        connection.execute(f"SET SESSION AUTHORIZATION {role}")
        with pytest.raises(Refused, match=r"may not read closed, s\.t"):
            PostgresqlReading(connection).catalog()


def test_tables_go_by_the_names_that_people_see_and_no_two_by_the_same(system_postgresql: PostgresServer) -> None:
    with made(
        system_postgresql,
        'CREATE SCHEMA a; CREATE SCHEMA "Ö"',
        'CREATE TABLE "a.b" (id int PRIMARY KEY); CREATE TABLE a.b (id int PRIMARY KEY)',
        'CREATE TABLE "Ö"."select" (id int PRIMARY KEY, b int REFERENCES a.b, ab int REFERENCES "a.b")',
        "CREATE TABLE plain (id int PRIMARY KEY); CREATE TEMP TABLE plain (x int)",
        'INSERT INTO "Ö"."select" VALUES (1, 2, 3)',
    ) as connection:
        tables = {'"a"."b"', '"public"."a.b"', "plain", "Ö.select"}
        assert set(PostgresqlReading(connection).catalog().tables) == tables
        assert orphans(connection) == {
            'Ö.select(b) -> "a"."b"(id)': [("1",)],
            'Ö.select(ab) -> "public"."a.b"(id)': [("1",)],
        }
        homely = PostgresqlReading(connection, home="Ö").catalog().tables
        assert set(homely) == {"a.b", "public.a.b", "public.plain", "select"}


def test_p118_rows_are_told_apart_by_what_is_unique_and_never_null_and_never_by_their_place(
    system_postgresql: PostgresServer,
) -> None:
    with made(
        system_postgresql,
        "CREATE TABLE keyed (b int, a int, PRIMARY KEY (a, b))",
        "CREATE TABLE firm (code text NOT NULL UNIQUE, x int UNIQUE)",
        "CREATE TABLE loose (code text UNIQUE)",
        "CREATE TABLE partial (code text NOT NULL); CREATE UNIQUE INDEX ON partial (code) WHERE code <> ''",
        "CREATE TABLE folded (code text NOT NULL); CREATE UNIQUE INDEX ON folded (lower(code))",
    ) as connection:
        tables = PostgresqlReading(connection).catalog().tables
        assert {name: table.locator for name, table in tables.items()} == {
            "keyed": ("a", "b"),
            "firm": ("code",),
            "loose": (),
            "partial": (),
            "folded": (),
        }


def test_triggers_and_rules_are_listed_once_for_each_event_that_fires_them(system_postgresql: PostgresServer) -> None:
    function = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
    with made(
        system_postgresql,
        function,
        "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY LIST (id)",
        "CREATE TABLE one PARTITION OF t DEFAULT",
        "CREATE TRIGGER twice AFTER UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "CREATE TRIGGER own BEFORE DELETE ON one FOR EACH ROW EXECUTE FUNCTION f()",
        "CREATE TRIGGER asleep AFTER DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION f()",
        "ALTER TABLE t DISABLE TRIGGER asleep",
        "CREATE TRIGGER emptied AFTER TRUNCATE ON t EXECUTE FUNCTION f()",
        "CREATE RULE ruled AS ON DELETE TO t DO ALSO NOTIFY gone",
    ) as connection:
        assert PostgresqlReading(connection).catalog().tables["t"].triggers == (
            Trigger("own", "DELETE"),
            Trigger("ruled", "DELETE"),
            Trigger("twice", "DELETE"),
            Trigger("twice", "UPDATE"),
        )


def test_p120_every_value_comes_as_postgresql_prints_it_and_finds_its_row_again(postgresql: PostgresServer) -> None:
    columns = {
        "timestamptz": ("infinity", "2026-03-01 12:00:00.000001+00", "4713-01-01 00:00:00+00 BC"),
        "double precision": ("NaN", "-0", "0.1", "1e-320", "Infinity"),
        "numeric": ("1.00", "NaN", "123456789012345678901234567890.123"),
        "bigint": ("9223372036854775807", "-1"),
        "bytea": ("\\x00ff", "\\x"),
        "text": ("", "NULL", "\\N", "it's", 'a"b\\', "{x}", "tab\tline\n", "ä"),
        "jsonb": ('{"a": 1.0}', "[1, null]"),
        "interval": ("1 mon -2 days +03:00:00", "-00:00:01"),
        "char(4)": ("a   ", "    "),
        "integer[]": ("{1,NULL}", "{{1,2},{3,4}}", "{}"),
        "uuid": ("5eed0000-0000-4000-8000-00000000dead",),
        "boolean": ("t", "f"),
        "bit(3)": ("101",),
        "varchar(9)": ("x", "x "),
        '"char"': ("a",),
        "money": ("$12.50",),
        "inet": ("10.0.0.1/8",),
        "date": ("0044-03-15 BC",),
    }
    statements = []
    for number, (kind, values) in enumerate(columns.items()):
        statements.append(f"CREATE TABLE t{number} (v {kind} PRIMARY KEY)")
        statements += ["INSERT INTO t{} VALUES ('{}')".format(number, v.replace("'", "''")) for v in values]
    strange = ("SET timezone = 'Asia/Tokyo'", "SET datestyle = 'German'", "SET intervalstyle = 'iso_8601'")
    with made(postgresql, *statements) as connection:
        for setting in (*strange, "SET extra_float_digits = 0", "SET bytea_output = 'escape'"):
            connection.execute(setting.encode())
        reading = PostgresqlReading(connection)
        for number, values in enumerate(columns.values()):
            rows = [(value,) for value in values]
            name = f"t{number}"
            assert sorted(reading.rows(f"SELECT v FROM {name}")) == sorted(rows)
            with reading.chosen(name, ("v",), rows) as chosen:
                (found,) = reading.numbers(f"SELECT COUNT(*) FROM {name} WHERE v IN (SELECT k0 FROM {chosen})")
            assert found == len(rows), name


def test_the_content_digest_is_of_the_rows_and_not_of_their_order(system_postgresql: PostgresServer) -> None:
    with made(
        system_postgresql,
        "CREATE TABLE one (a int, b text); INSERT INTO one VALUES (1, 'x'), (2, NULL), (2, NULL)",
        "CREATE TABLE two (a int, b text); INSERT INTO two VALUES (2, NULL), (2, NULL), (1, 'x')",
        "CREATE TABLE three (a int, b text); INSERT INTO three VALUES (2, NULL), (1, 'x'), (1, 'x')",
        "CREATE TABLE four (a int, b text); INSERT INTO four VALUES (2, ''), (2, NULL), (1, 'x')",
    ) as connection:
        reading = PostgresqlReading(connection)
        one, two, three, four = (reading.count(name, digest=True) for name in ("one", "two", "three", "four"))
        assert one == two
        assert len({one.digest, three.digest, four.digest}) == 3
        assert reading.count("four", digest=False).rows == four.rows == 3


def test_the_schema_digest_changes_with_the_schema_and_with_nothing_else(system_postgresql: PostgresServer) -> None:
    table = "CREATE TABLE t (id int PRIMARY KEY, kind varchar(9) CHECK (kind IN ('a', 'it''s')))"
    digests = []
    nothing = "ALTER TABLE t SET (fillfactor = 50)"  # is named as not compared
    for more in ("INSERT INTO t VALUES (1, 'a')", "ANALYZE t", "CREATE INDEX ON t (kind)", nothing):
        with made(system_postgresql, table, more) as connection:
            digests.append(PostgresqlReading(connection).catalog().schema_digest)
    assert digests[0] == digests[1] == digests[3] != digests[2]


def test_a_check_is_the_same_to_the_digest_before_and_after_it_was_dumped_and_restored() -> None:
    printed = "CHECK (((k)::text = ANY ((ARRAY['a'::character varying, 'it''s'::character varying])::text[])))"
    again = "CHECK (((k)::text = ANY (ARRAY[('a'::character varying)::text, ('it''s'::character varying)::text])))"
    assert settled(printed) == again == settled(again)


def test_a_key_that_the_policy_states_is_judged_as_the_engine_would(system_postgresql: PostgresServer) -> None:
    with made(
        system_postgresql,
        'CREATE TABLE doctors (id bigint PRIMARY KEY, name text); CREATE TABLE "Visits" (id int, doctor int, day date)',
        'INSERT INTO "Visits" VALUES (1, 5, NULL)',
    ) as connection:
        reading = PostgresqlReading(connection)

        def judged(child: str, column: str, parent: str, *named: str) -> ForeignKey:
            return reading.stated(ForeignKey(child, (column,), parent, named, declared=False))

        good = judged("Visits", "DOCTOR", "Doctors")
        assert good == ForeignKey("Visits", ("doctor",), "doctors", ("id",), declared=False)
        assert count(reading, good) == 1
        assert judged("Visits", "doctor", "doctors", "name").fault == (
            "its two sides cannot be compared: operator does not exist: text = integer"
        )
        assert judged("Visits", "doctor", "Visits", "id").fault == "Visits(id) is neither its primary key nor unique"
        assert judged("Visits", "doctor", "nurses", "id").parent_missing
        assert judged("Visits", "nurse", "doctors", "id").fault == "Visits has no column nurse"
        assert not judged("visits", "doctor", "doctors", "id").askable


def test_alembics_revision_is_found_by_the_search_path(system_postgresql: PostgresServer) -> None:
    with made(
        system_postgresql,
        "CREATE SCHEMA app; CREATE TABLE app.alembic_version (version_num text)",
        "INSERT INTO app.alembic_version VALUES ('abc')",
    ) as connection:
        assert PostgresqlReading(connection).revision() == ()
        assert PostgresqlReading(connection, home="app").revision() == ("abc",)
        connection.execute("SET LOCAL search_path = app")
        assert PostgresqlReading(connection).revision() == ("abc",)


def test_a_reading_that_is_read_only_streams_and_asks_in_between(system_postgresql: PostgresServer) -> None:
    with made(system_postgresql, "CREATE TABLE t AS SELECT generate_series(1, 5000) AS id") as connection:
        connection.read_only = True
        reading = PostgresqlReading(connection)
        rows = reading.rows("SELECT id FROM t ORDER BY id")
        assert next(rows) == ("1",)
        assert reading.numbers("SELECT COUNT(*) FROM t") == (5000,)
        assert sum(1 for _ in rows) == 4999
        with reading.chosen("t", ("id",), [("7",), ("9",)]) as chosen:
            assert reading.numbers(f"SELECT COUNT(*), SUM(k0) FROM {chosen}") == (2, 16)
