"""What the catalog says of a SQLite database beside its orphans: faults of keys, triggers, the schema's digest."""

import sqlite3

from tests.test_detection import count, made
from upkeep.catalog import ForeignKey, Trigger
from upkeep.databases.sqlite_catalog import judge_key, read_catalog


def test_parents_that_are_no_tables_or_lack_the_column_are_faults_and_say_so() -> None:
    connection = made("""
        CREATE TABLE p (a, b, PRIMARY KEY (a, b)); CREATE TABLE bare (id); CREATE VIEW v AS SELECT 1 AS id;
        CREATE VIEW broken AS SELECT * FROM absent; CREATE VIRTUAL TABLE words USING fts5 (body);
        CREATE TABLE c (a REFERENCES p, b REFERENCES bare, d REFERENCES v (id),
            e REFERENCES broken (id), f REFERENCES words (body), g REFERENCES p (rowid), h REFERENCES v)""")
    assert {key.columns[0]: (key.fault, key.askable) for key in read_catalog(connection).keys} == {
        "a": ("the key has 1 columns, the primary key of p 2", False),
        "b": ("bare has no primary key", False),
        "d": ("v is a view: SQLite follows foreign keys to tables alone", True),
        "e": ("broken cannot be read: no such table: main.absent", False),
        "f": ("words is a virtual table: SQLite follows foreign keys to tables alone", True),
        "g": ("p has no column rowid", False),
        "h": ("v is a view: SQLite follows foreign keys to tables alone", False),
    }


def test_a_collation_that_nobody_registered_makes_a_key_unaskable_and_hides_no_other() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.create_collation("icu", lambda a, b: (a > b) - (a < b))
    connection.executescript("""
        CREATE TABLE p (name TEXT COLLATE icu PRIMARY KEY, id UNIQUE);
        CREATE TABLE c (name REFERENCES p, id REFERENCES p (id)); INSERT INTO c VALUES ('a', 1)""")
    connection.create_collation("icu", None)
    by_name, by_id = read_catalog(connection).keys
    assert (by_name.fault, by_name.askable) == ("p cannot be read: no such collation sequence: icu", False)
    assert (by_id.fault, count(connection, by_id)) == (None, 1)


def test_views_virtual_tables_their_shadows_and_sqlites_own_tables_are_no_tables_of_the_catalog() -> None:
    connection = made("""
        CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE VIEW v AS SELECT * FROM t;
        CREATE VIRTUAL TABLE words USING fts5 (body); INSERT INTO t DEFAULT VALUES; ANALYZE""")
    assert set(read_catalog(connection).tables) == {"t"}


def test_a_key_that_is_declared_twice_is_one_key() -> None:
    connection = made("""
        CREATE TABLE p (id INTEGER PRIMARY KEY);
        CREATE TABLE c (ref REFERENCES p, FOREIGN KEY (ref) REFERENCES p (id)); INSERT INTO c VALUES (1)""")
    assert [str(key) for key in read_catalog(connection).keys] == ["c(ref) -> p(id)"]


def test_triggers_are_listed_with_the_event_that_fires_them_whatever_their_names() -> None:
    connection = made("""
        CREATE TABLE "T t" (a, b);
        CREATE TRIGGER "insert or update" /* delete */ AFTER -- insert
            UPDATE OF a, b ON "t T" BEGIN DELETE FROM "T t"; END;
        CREATE TRIGGER IF NOT EXISTS main.[delete] DELETE ON "T t" BEGIN INSERT INTO "T t" VALUES (1, 2); END;
        CREATE TRIGGER before_ BEFORE INSERT ON "T t" BEGIN SELECT 1; END""")
    triggers = read_catalog(connection).tables["T t"].triggers
    assert triggers == (
        Trigger("before_", "INSERT"),
        Trigger("delete", "DELETE"),
        Trigger("insert or update", "UPDATE"),
    )


def test_the_schema_digest_changes_with_the_schema_and_with_nothing_else() -> None:
    plain = made("CREATE TABLE t (a TEXT DEFAULT 'x  y'); CREATE INDEX i ON t (a)")
    spaced = made("CREATE TABLE t(a   TEXT -- a note\n DEFAULT 'x  y' ); CREATE INDEX i ON t (a); ANALYZE")
    other = made("CREATE TABLE t (a TEXT DEFAULT 'x y'); CREATE INDEX i ON t (a)")
    digests = [read_catalog(connection).schema_digest for connection in (plain, spaced, other)]
    assert digests[0] == digests[1] != digests[2]


def test_the_catalog_is_that_of_the_schema_as_it_is_however_many_were_read_before() -> None:
    changing, other = made("CREATE TABLE t (id INTEGER PRIMARY KEY)"), made("CREATE TABLE t (id TEXT PRIMARY KEY)")
    first = read_catalog(changing)
    for number in range(12):
        changing.execute(f"ALTER TABLE t ADD COLUMN c{number} REFERENCES t")
        changing.execute(f"CREATE INDEX i{number} ON t (c{number})")
        found, added = read_catalog(changing), [f"c{n}" for n in range(number + 1)]
        assert [column.name for column in found.tables["t"].columns] == ["id", *added]
        assert [(key.columns, key.indexed) for key in found.keys] == [((name,), True) for name in added]
        changing.execute(f"DROP INDEX i{number}")
        assert [key.indexed for key in read_catalog(changing).keys] == [True] * number + [False]
        changing.execute(f"CREATE INDEX i{number} ON t (c{number})")
        assert [column.type for column in read_catalog(other).tables["t"].columns] == ["TEXT"]
    assert read_catalog(made("CREATE TABLE t (id INTEGER PRIMARY KEY)")) == first


def test_a_key_that_the_policy_states_is_judged_as_the_engine_would() -> None:
    connection = made("""
        CREATE TABLE "Doctors" ("Id" INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE visits (id INTEGER PRIMARY KEY, doctor);
        INSERT INTO visits VALUES (1, 5)""")

    def judged(column: str, parent: str, *named: str) -> ForeignKey:
        return judge_key(connection, ForeignKey("VISITS", (column,), parent, named, declared=False))

    good = judged("DOCTOR", "doctors", "ID")
    assert good == ForeignKey("visits", ("doctor",), "Doctors", ("Id",), declared=False)
    assert count(connection, good) == 1
    assert judged("doctor", "doctors", "name").fault == "Doctors(name) is neither its primary key nor unique"
    assert judged("doctor", "nurses", "id") == ForeignKey(
        "visits", ("doctor",), "nurses", ("id",), declared=False, parent_missing=True
    )
    # Alone, "nurse" in double quotes would be the string 'nurse' to SQLite, and every row an orphan.
    unknown = judged("nurse", "doctors", "id")
    assert (unknown.fault, unknown.askable) == ("visits has no column nurse", False)
    nowhere = judge_key(connection, ForeignKey("visit", ("doctor",), "doctors", ("id",), declared=False))
    assert (nowhere.fault, nowhere.askable) == ("there is no table visit", False)
