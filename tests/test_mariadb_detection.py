"""Every orphan that MariaDB knows is found, no other is, and what a role cannot see is said."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pymysql
import pytest
from hypothesis import HealthCheck, event, given, settings
from pymysql.converters import encoders
from sqlalchemy.engine import make_url

from tests.mariadb_schemas import SomeDatabase, SomeKey, clear, databases, quoted, run
from tests.servers.mariadb import MariadbServer
from upkeep.catalog import ForeignKey, Trigger
from upkeep.databases.mariadb_place import Place
from upkeep.databases.mariadb_reading import MariadbReading
from upkeep.errors import Refused
from upkeep.finding import find
from upkeep.orphans import counting, listing
from upkeep.values import Row


@contextmanager
def looked(server: MariadbServer, database: str, user: str = "") -> Iterator[MariadbReading]:
    """A look at a database."""
    place = Place.of("test", make_url(server.url(database, user)), 5)
    with closing(place.connect()) as conversation:
        conversation.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        yield MariadbReading(conversation, database, place.connect)


# Any database: pair by pair as the engine says that enforces


@pytest.fixture
def any_database(mariadb: MariadbServer) -> Iterator[tuple[MariadbServer, str, Any]]:
    """A database in which every example is made and removed, and the application's connection to it."""
    name = mariadb.make_database("ALTER DATABASE CHARACTER SET utf8mb4")
    with closing(mariadb.connect(name)) as connection:
        yield mariadb, name, connection


@settings(
    max_examples=int(os.environ.get("DETECTION_EXAMPLES", "30")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(database=databases())
def test_every_pair_of_row_and_key_is_as_mariadb_itself_says(
    any_database: tuple[MariadbServer, str, Any], database: SomeDatabase
) -> None:
    server, name, connection = any_database
    clear(connection)
    tables, keys = database.make(connection)
    with looked(server, name) as reading:
        catalog = reading.catalog()
    assert set(catalog.tables) == {table.name for table in tables}
    assert len(catalog.keys) == len({_names(key) for key in keys}), "a key is lost, or comes more than once"
    # Not while somebody looks: to declare a key to a table waits until nobody reads it.
    by_engine = [refused_rows(connection, key, catalog.tables[key.child.name].locator) for key in keys]
    with looked(server, name) as reading:
        for key, refused in zip(keys, by_engine, strict=True):
            _agree_on(reading, key, refused)


def _agree_on(reading: MariadbReading, key: SomeKey, by_engine: Counter[Row]) -> None:
    catalog = reading.catalog()
    wanted = (key.child.name, key.columns, key.parent.name, key.parent_columns)
    (found, *_) = [k for k in catalog.keys if (k.child, k.columns, k.parent, k.parent_columns) == wanted]
    locator = catalog.tables[found.child].locator
    if not found.askable:
        assert found.fault, "who does not ask says why"
        event(f"not asked: {found.fault.partition(':')[0]}")
        return
    event(f"orphans {bool(by_engine)}, parent missing {found.parent_missing}, fault {bool(found.fault)}")
    assert count(reading, found) == by_engine.total()
    if locator:
        in_order = list(reading.rows(listing(found, locator, reading.dialect)))
        first = find(reading, found, limit=2)
        assert (first.orphans, first.missing_keys) == reading.numbers(counting(found, reading.dialect))
        assert list(first.rows) == in_order[:2]
        listed = Counter(in_order)
        assert listed.total() == by_engine.total()
        assert Counter(_as_bytes(row) for row in listed.elements()) == by_engine


def _as_bytes(row: Row) -> Row:
    return tuple(v if isinstance(v, bytes) else str(v).encode("utf-8", "surrogateescape") for v in row)


def refused_rows(connection: Any, key: SomeKey, locator: tuple[str, ...]) -> Counter[Row]:
    """The rows that MariaDB refuses one by one, in a copy of the child with this one key and no other constraint."""
    source, probe = quoted(key.child.name), "`the probe`"
    columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in key.child.columns)
    run(connection, "SET foreign_key_checks = 0")
    run(connection, f"CREATE TABLE `the rows` (n int PRIMARY KEY AUTO_INCREMENT, {columns}) COLLATE utf8mb4_general_ci")
    run(connection, f"CREATE TABLE {probe} ({columns}, {key.reference}) COLLATE utf8mb4_general_ci")
    names = ", ".join(quoted(name) for name, _ in key.child.columns)
    run(connection, f"INSERT INTO `the rows` ({names}) SELECT {names} FROM {source}")
    run(connection, "SET foreign_key_checks = 1")
    refused: Counter[Row] = Counter()
    for (number,) in run(connection, "SELECT n FROM `the rows`"):
        try:
            run(connection, f"INSERT INTO {probe} ({names}) SELECT {names} FROM `the rows` WHERE n = {number}")
        except pymysql.IntegrityError:
            refused[_told(connection, locator, number)] += 1
    run(connection, f"DROP TABLE {probe}, `the rows`")
    return refused


def _told(connection: Any, locator: tuple[str, ...], number: int) -> Row:
    """The locator of a row, each value as the bytes that a client is sent."""
    columns = ", ".join(map(quoted, locator)) or "NULL"
    plain = pymysql.connect(**_as(connection), use_unicode=False, conv=encoders, charset="utf8mb4")
    with closing(plain), plain.cursor() as cursor:
        cursor.execute("SET character_set_results = NULL")
        cursor.execute(f"SELECT {columns} FROM `the rows` WHERE n = {number}")
        (row,) = cursor.fetchall()
    return tuple(row) if locator else ()


def _as(connection: Any) -> dict[str, Any]:
    place = {"unix_socket": connection.unix_socket, "user": connection.user, "password": connection.password}
    return place | {"database": connection.db}


def _names(key: SomeKey) -> tuple[object, ...]:
    action = "RESTRICT" if key.action == "RESTRICT" else key.action
    return key.child.name, key.columns, key.parent.name, key.parent_columns, action


def count(reading: MariadbReading, key: ForeignKey) -> int:
    return reading.numbers(counting(key, reading.dialect))[0]


# One pitfall, one small database


@contextmanager
def made(server: MariadbServer, *statements: str) -> Iterator[MariadbReading]:
    """A look at a database in which the statements were run with keys asleep."""
    with looked(server, server.make_database("SET foreign_key_checks = 0", *statements)) as reading:
        yield reading


def orphans(reading: MariadbReading) -> dict[str, Any]:
    """The locators of the orphans of each key that has any; their number where rows cannot be told apart."""
    found = {}
    for key in reading.catalog().keys:
        locator = reading.catalog().tables[key.child].locator
        if number := count(reading, key):
            found[str(key)] = list(reading.rows(listing(key, locator, reading.dialect))) if locator else number
    return found


def test_p40_match_full_is_parsed_and_forgotten_so_null_in_part_is_no_violation(mariadb: MariadbServer) -> None:
    rows = "VALUES (1, NULL, 1), (2, 1, NULL), (3, NULL, NULL), (4, 1, 1), (5, 2, 2)"
    with made(
        mariadb,
        "CREATE TABLE p (a int, b int, PRIMARY KEY (a, b))",
        "CREATE TABLE plain (id int PRIMARY KEY, a int, b int, FOREIGN KEY (a, b) REFERENCES p (a, b))",
        "CREATE TABLE `full` (id int PRIMARY KEY, a int, b int, FOREIGN KEY (a, b) REFERENCES p (a, b) MATCH FULL)",
        "INSERT INTO p VALUES (1, 1)",
        f"INSERT INTO plain {rows}",
        f"INSERT INTO `full` {rows}",
    ) as reading:
        assert orphans(reading) == {"plain(a, b) -> p(a, b)": [("5",)], "full(a, b) -> p(a, b)": [("5",)]}


def test_p109_every_row_that_points_at_a_table_that_is_gone_is_an_orphan(mariadb: MariadbServer) -> None:
    with made(
        mariadb,
        "CREATE TABLE p (id int PRIMARY KEY)",
        "CREATE TABLE c (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES p (id) ON DELETE SET NULL)",
        "INSERT INTO c VALUES (1, 5), (2, NULL)",
        "DROP TABLE p",
    ) as reading:
        (key,) = reading.catalog().keys
        assert key.parent_missing
        assert key.ondelete == "SET NULL"
        assert orphans(reading) == {"c(p) -> p(id)": [("1",)]}


def test_p116_case_and_padding_count_as_the_collation_says(mariadb: MariadbServer) -> None:
    with made(
        mariadb,
        "CREATE TABLE p (loose varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY,"
        " strict varchar(20) COLLATE utf8mb4_bin UNIQUE)",
        "CREATE TABLE c (id int PRIMARY KEY, loose varchar(20) COLLATE utf8mb4_general_ci,"
        " strict varchar(20) COLLATE utf8mb4_bin,"
        " FOREIGN KEY (loose) REFERENCES p (loose), FOREIGN KEY (strict) REFERENCES p (strict))",
        "INSERT INTO p VALUES ('Cabremi01', 'Cabremi01')",
        "INSERT INTO c VALUES (1, 'cabremi01', 'Cabremi01 '), (2, 'cabremi02', 'cabremi01')",
    ) as reading:
        assert orphans(reading) == {"c(loose) -> p(loose)": [("2",)], "c(strict) -> p(strict)": [("2",)]}


def test_words_of_an_enum_are_compared_by_their_number_as_innodb_does(mariadb: MariadbServer) -> None:
    with made(
        mariadb,
        "CREATE TABLE p (e enum('a', 'b', 'c') PRIMARY KEY)",
        "CREATE TABLE c (id int PRIMARY KEY, e enum('b', 'a', 'd'), FOREIGN KEY (e) REFERENCES p (e))",
        "INSERT INTO p VALUES ('a')",
        "INSERT INTO c VALUES (1, 'b'), (2, 'a')",
    ) as reading:
        assert orphans(reading) == {"c(e) -> p(e)": [("2",)]}


def test_what_innodb_compares_by_bytes_is_not_asked_and_its_parents_may_not_go(mariadb: MariadbServer) -> None:
    with made(
        mariadb,
        "CREATE TABLE p (d decimal(9, 2) PRIMARY KEY)",
        "CREATE TABLE c (id int PRIMARY KEY, d datetime, FOREIGN KEY (d) REFERENCES p (d))",
    ) as reading:
        (key,) = reading.catalog().keys
        assert not key.askable
        assert key.fault == "its two sides cannot be compared: decimal(9,2) and datetime"
        assert {name: table.locator for name, table in reading.catalog().tables.items()} == {"c": ("id",), "p": ()}


def test_a_key_into_another_database_is_asked_there_and_rows_that_others_point_at_may_not_go(
    mariadb: MariadbServer,
) -> None:
    other = mariadb.make_database("CREATE TABLE p (id int PRIMARY KEY)", "INSERT INTO p VALUES (1)")
    with made(
        mariadb,
        f"CREATE TABLE c (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES {other}.p (id))",
        "INSERT INTO c VALUES (1, 1), (2, 2)",
    ) as reading:
        assert set(reading.catalog().tables) == {"c"}
        assert orphans(reading) == {f"c(p) -> {other}.p(id)": [("2",)]}
    with looked(mariadb, other) as reading:
        assert reading.catalog().tables["p"].locator == ()
        assert reading.catalog().tables["p"].primary_key == ("id",)


def test_p15_a_role_that_may_not_see_all_is_refused(mariadb: MariadbServer) -> None:
    base = mariadb.make_database("CREATE TABLE p (id int PRIMARY KEY)", "CREATE TABLE q (id int PRIMARY KEY)")
    for grants, lacks in (
        ((f"SELECT ON {base}.p",), "SELECT, TRIGGER"),
        ((f"SELECT ON {base}.*",), "TRIGGER"),
        ((f"SELECT, TRIGGER ON {base}.p", f"INSERT ON {base}.*"), "SELECT, TRIGGER"),
    ):
        role = mariadb.make_role(*grants)
        with pytest.raises(Refused, match=f"it lacks {lacks} "), looked(mariadb, base, role) as reading:
            reading.catalog()
    for grant in (f"SELECT, TRIGGER ON {base}.*", "SELECT, TRIGGER ON `base\\_%`.*", "ALL ON *.*"):
        with looked(mariadb, base, mariadb.make_role(grant)) as reading:
            assert set(reading.catalog().tables) == {"p", "q"}


def test_views_and_sequences_are_no_tables_and_names_are_as_they_are(mariadb: MariadbServer) -> None:
    with made(
        mariadb,
        "CREATE TABLE `sel``ect` (id int PRIMARY KEY, `a.b` int REFERENCES `Ö 日`)",
        "CREATE TABLE `Ö 日` (id int PRIMARY KEY)",
        "CREATE TABLE `Case` (id int)",
        "CREATE TABLE `case` (id int)",
        "CREATE VIEW v AS SELECT 1 AS one",
        "CREATE SEQUENCE s",
    ) as reading:
        assert set(reading.catalog().tables) == {"sel`ect", "Ö 日", "Case", "case"}


def test_p118_rows_are_told_apart_by_what_is_unique_and_never_null(mariadb: MariadbServer) -> None:
    with made(
        mariadb,
        "CREATE TABLE keyed (b int, a int, PRIMARY KEY (a, b))",
        "CREATE TABLE firm (code varchar(9) NOT NULL UNIQUE, x int UNIQUE)",
        "CREATE TABLE loose (code varchar(9) UNIQUE)",
        "CREATE TABLE part (code varchar(99) NOT NULL, UNIQUE (code(5)))",
        "CREATE TABLE rounded (f float PRIMARY KEY, id int NOT NULL UNIQUE)",
        "CREATE TABLE bare (id int)",
    ) as reading:
        tables = reading.catalog().tables
        assert {name: table.locator for name, table in tables.items()} == {
            "keyed": ("a", "b"),
            "firm": ("code",),
            "loose": (),
            "part": (),
            "rounded": ("id",),
            "bare": (),
        }
        assert tables["rounded"].primary_key == ("f",)


def test_generated_columns_defaults_and_triggers_are_known(mariadb: MariadbServer) -> None:
    with made(
        mariadb,
        "CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, a int DEFAULT 5, v int AS (a * 2) VIRTUAL,"
        " s int AS (a * 3) STORED, n datetime DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)",
        "CREATE TRIGGER one BEFORE DELETE ON t FOR EACH ROW SET @x = 1",
        "CREATE TRIGGER two AFTER UPDATE ON t FOR EACH ROW SET @x = 2",
    ) as reading:
        table = reading.catalog().tables["t"]
        assert table.stored == ("id", "a", "n")
        assert [column.nullable for column in table.columns] == [False, True, True, True, True]
        assert table.column("id").default == "auto_increment"  # type: ignore[union-attr]  # it is there
        assert table.triggers == (Trigger("one", "DELETE"), Trigger("two", "UPDATE"))


def test_p120_every_value_comes_whole_and_finds_its_row_again(mariadb: MariadbServer) -> None:
    columns: dict[str, tuple[str | bytes, ...]] = {
        "bigint unsigned": ("18446744073709551615", "0"),
        "bigint": ("-9223372036854775808", "9223372036854775807"),
        "decimal(65,30)": (
            "12345678901234567890123456789012345.012345678901234567890123456789",
            "-0.000000000000000000000000000001",
        ),
        "double": ("0.1", "5e-324", "1.7976931348623157e308", "1.2345678901234568e17", "-0.0000001"),
        "date": ("0000-00-00", "2026-03-01", "9999-12-31"),
        "datetime(6)": ("0000-00-00 00:00:00.000000", "2026-03-01 12:00:00.000001"),
        "timestamp(6)": ("2026-03-01 12:00:00.000001",),
        "time(3)": ("-838:59:59.000", "00:00:00.500"),
        "year": ("1999",),
        "varchar(20)": ("", "NULL", "\\N", "it's", 'a"b\\', "{x}", "%s", "tab\tline\n", "ä", "日本", "\U0001f600"),
        "char(4) COLLATE utf8mb4_bin": ("a", "A"),
        "varchar(9) CHARACTER SET latin1": ("a", "\udce9"),
        "varbinary(9)": (b"", b"\x00\xff'", b"a\x00"),
        "binary(3)": (b"a\x00\x00", b"\xff\xfe\x00"),
        "bit(9)": (b"\x00\x05", b"\x01\xff"),
        "enum('x', 'y z')": ("x", "y z"),
        "set('x', 'y')": ("x,y", "y", ""),
        "uuid": ("5eed0000-0000-4000-8000-00000000dead",),
        "inet6": ("::1", "fe80::1"),
        "tinyint(1)": ("1", "-128"),
    }
    statements = ["SET sql_mode = ''", "SET time_zone = '+00:00'"]
    for number, (kind, values) in enumerate(columns.items()):
        statements.append(f"CREATE TABLE t{number} (v {kind} PRIMARY KEY) COLLATE utf8mb4_unicode_ci")
        for value in values:
            raw = value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")
            charset = "latin1" if "latin1" in kind else "utf8mb4"
            literal = f"x'{raw.hex()}'"
            said = literal if isinstance(value, bytes) else f"CONVERT({literal} USING {charset})"
            statements.append(f"INSERT INTO t{number} VALUES ({said})")
    with made(mariadb, *statements) as reading:
        for number, (kind, values) in enumerate(columns.items()):
            rows = [(value,) for value in values]
            name = f"t{number}"
            assert Counter(reading.rows(f"SELECT v FROM {name}")) == Counter(rows), kind
            with reading.chosen(name, ("v",), rows) as chosen:
                (found,) = reading.numbers(f"SELECT COUNT(*) FROM {name} WHERE v IN (SELECT k0 FROM {chosen})")
            assert found == len(rows), kind


def test_p120_a_float_is_read_with_all_that_it_keeps(mariadb: MariadbServer) -> None:
    with made(
        mariadb, "CREATE TABLE t (id int PRIMARY KEY, f float)", "INSERT INTO t VALUES (1, 16777217), (2, 0.1)"
    ) as reading:
        expression = reading.dialect.value("t", "t", "f")
        assert list(reading.rows(f"SELECT {expression} FROM t ORDER BY id")) == [
            ("16777216",),
            ("0.10000000149011612",),
        ]


def test_the_content_digest_is_of_the_rows_and_not_of_their_order(mariadb: MariadbServer) -> None:
    with made(
        mariadb,
        *(f"CREATE TABLE {name} (a int, b varchar(9))" for name in ("one", "two", "three", "four")),
        "INSERT INTO one VALUES (1, 'x'), (2, NULL), (2, NULL)",
        "INSERT INTO two VALUES (2, NULL), (2, NULL), (1, 'x')",
        "INSERT INTO three VALUES (2, NULL), (1, 'x'), (1, 'x')",
        "INSERT INTO four VALUES (2, ''), (2, NULL), (1, 'x')",
    ) as reading:
        one, two, three, four = (reading.count(name, digest=True) for name in ("one", "two", "three", "four"))
        assert one == two
        assert len({one.digest, three.digest, four.digest}) == 3
        assert reading.count("four", digest=False).rows == four.rows == 3


def test_the_schema_digest_changes_with_the_schema_and_with_nothing_else(mariadb: MariadbServer) -> None:
    table = "CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, kind varchar(9))"
    digests = []
    for more in (
        "INSERT INTO t VALUES (1, 'a')",
        "ANALYZE TABLE t",
        "CREATE INDEX named ON t (kind)",
        "CREATE TRIGGER g BEFORE DELETE ON t FOR EACH ROW SET @x = 1",
        "CREATE VIEW v AS SELECT id FROM t",
        "CREATE PROCEDURE p() SELECT 1",
    ):
        with made(mariadb, table, more) as reading:
            digests.append(reading.catalog().schema_digest)
    assert digests[0] == digests[1]
    assert len(set(digests)) == 5


def test_a_key_that_the_policy_states_is_judged_as_the_engine_would(mariadb: MariadbServer) -> None:
    with made(
        mariadb,
        "CREATE TABLE doctors (id bigint PRIMARY KEY, name varchar(9), code varchar(9), KEY (code))",
        "CREATE TABLE Visits (id int, doctor int, day date, code varchar(9) COLLATE utf8mb4_bin)",
        "INSERT INTO Visits VALUES (1, 5, NULL, 'x')",
    ) as reading:

        def judged(child: str, column: str, parent: str, *named: str) -> ForeignKey:
            return reading.stated(ForeignKey(child, (column,), parent, named, declared=False))

        good = judged("visits", "DOCTOR", "Doctors")
        assert good == ForeignKey("Visits", ("doctor",), "doctors", ("id",), declared=False)
        assert count(reading, good) == 1
        told = judged("Visits", "doctor", "doctors", "name").fault
        assert told == "its two sides cannot be compared: varchar(9) utf8mb4_general_ci and int(11)"
        told = judged("Visits", "code", "doctors", "name").fault
        assert told == "doctors(name) is neither its primary key nor unique, and has no index"
        by_code = judged("Visits", "code", "doctors", "code")
        assert by_code.fault is None
        assert count(reading, by_code) == 1
        assert judged("Visits", "doctor", "nurses", "id").parent_missing
        assert judged("Visits", "nurse", "doctors", "id").fault == "Visits has no column nurse"
        assert not judged("nobody", "doctor", "doctors", "id").askable


def test_complaints_tell_what_check_table_finds_and_that_keys_are_off(mariadb: MariadbServer) -> None:
    base = mariadb.make_database("CREATE TABLE a (i int PRIMARY KEY) ENGINE = MyISAM", "INSERT INTO a VALUES (1), (2)")
    with looked(mariadb, base) as reading:
        assert reading.complaints() == ()
    mariadb.run(base, "FLUSH TABLES")
    (index,) = (mariadb.folder / "data" / base).glob("a.MYI")
    with index.open("r+b") as file:
        file.seek(1024)
        file.write(b"\xff" * 64)
    with looked(mariadb, base) as reading:
        assert any(said.startswith("a: ") for said in reading.complaints())
    mariadb.run(None, "SET GLOBAL foreign_key_checks = OFF")
    try:
        with looked(mariadb, mariadb.make_database("CREATE TABLE b (i int)")) as reading:
            assert reading.complaints() == ("foreign keys are not enforced: SET GLOBAL foreign_key_checks = ON",)
    finally:
        mariadb.run(None, "SET GLOBAL foreign_key_checks = ON")


def test_a_reading_streams_and_asks_in_between_what_is_put_aside_is_all_there(mariadb: MariadbServer) -> None:
    with made(
        mariadb, "CREATE TABLE t AS SELECT seq AS id FROM seq_1_to_20000", "ALTER TABLE t ADD KEY (id)"
    ) as reading:
        rows = reading.rows("SELECT id FROM t ORDER BY id")
        assert next(rows) == ("1",)
        assert reading.numbers("SELECT COUNT(*) FROM t") == (20000,)
        others = reading.rows("SELECT id FROM t ORDER BY id DESC")
        assert next(others) == ("20000",)
        assert list(rows) == [(str(n),) for n in range(2, 20001)]
        assert sum(1 for _ in others) == 19999
        given_up = reading.rows("SELECT id FROM t")
        next(given_up)
        given_up.close()  # type: ignore[attr-defined]  # a generator
        with reading.chosen("t", ("id",), [("7",), ("9",)]) as chosen:
            assert reading.numbers(f"SELECT COUNT(*), SUM(k0) FROM {chosen}") == (2, 16)


def test_alembics_revision_is_found(mariadb: MariadbServer) -> None:
    with made(
        mariadb, "CREATE TABLE alembic_version (version_num varchar(32))", "INSERT INTO alembic_version VALUES ('abc')"
    ) as reading:
        assert reading.revision() == ("abc",)
    with made(mariadb, "CREATE TABLE t (i int)") as reading:
        assert reading.revision() == ()
