"""All that a schema says is known thing by thing: without one of them exactly that is missing, on every engine."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engines import ENGINES, Base
from upkeep.databases.opening import open_database

SQLITE = {
    "NOT NULL of t.a": ("a TEXT NOT NULL", "a TEXT"),
    "default of t.b": ("b TEXT DEFAULT 'x'", "b TEXT"),
    "collation NOCASE of t.c": ("c TEXT COLLATE NOCASE", "c TEXT"),
    "check ( d > 0 ) of t": ("d INTEGER CHECK (d > 0)", "d INTEGER"),
    "GENERATED of t.e": ("e INTEGER GENERATED ALWAYS AS (d + 1)", "e INTEGER"),
    "foreign key (f) -> p(id) of t": ("f INTEGER REFERENCES p (id)", "f INTEGER"),
    "unique (g) of t": ("g TEXT UNIQUE", "g TEXT"),
    "AUTOINCREMENT of t": ("id INTEGER PRIMARY KEY AUTOINCREMENT", "id INTEGER PRIMARY KEY"),
}
SQLITE_BESIDE = {
    "index by_a of t": 'CREATE INDEX "by_a" ON "t" (a)',
    "index by_expression of t": "CREATE INDEX by_expression ON t (lower(b))",
    "index partly of t": "CREATE UNIQUE INDEX partly ON t (c) WHERE d > 1",
    "view v": "CREATE VIEW v AS SELECT a FROM t",
    "trigger w of t": "CREATE TRIGGER w AFTER DELETE ON t BEGIN DELETE FROM p; END",
}


def parts(base: Base) -> dict[str, str]:
    with open_database("clinic", base.url, 2.0).reading() as reading:
        return {str(part): said for part, said in reading.parts().items()}


def sqlite_base(folder: Path, without: frozenset[str], spelt: str = "{}") -> Base:
    from tests.engines.sqlite import SqliteEngine

    base = SqliteEngine(folder, "delete").absent()
    columns = ",\n ".join(SQLITE[name][name in without] for name in SQLITE)
    base.run("CREATE TABLE p (id INTEGER PRIMARY KEY)", f"CREATE TABLE {spelt.format('t')} ({columns})")
    base.run(*(sql for name, sql in SQLITE_BESIDE.items() if name not in without))
    return base


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(without=st.frozensets(st.sampled_from([*SQLITE, *SQLITE_BESIDE])))
def test_on_sqlite_exactly_that_is_missing_which_was_left_out(tmp_path: Path, without: frozenset[str]) -> None:
    whole, less = parts(sqlite_base(tmp_path, frozenset())), parts(sqlite_base(tmp_path, without))
    assert whole.keys() - less.keys() == without
    assert less.items() <= whole.items()


def test_on_sqlite_quotes_and_blanks_make_no_other_schema(tmp_path: Path) -> None:
    spelt = [parts(sqlite_base(tmp_path, frozenset(), form)) for form in ("{}", '"{}"', "[{}]", "\n  `{}`")]
    assert all(said == spelt[0] for said in spelt)


TABLES = (
    "CREATE TABLE p (id INTEGER PRIMARY KEY)",
    "CREATE TABLE t (id INTEGER PRIMARY KEY, a VARCHAR(10) NOT NULL, b VARCHAR(10) DEFAULT 'x', d INTEGER, f INTEGER,"
    " CONSTRAINT t_d CHECK (d > 0), CONSTRAINT t_f FOREIGN KEY (f) REFERENCES p (id))",
    "CREATE INDEX by_b ON t (b)",
    "CREATE VIEW v AS SELECT id FROM p",
)
POSTGRESQL = {
    "NOT NULL of t.a": "ALTER TABLE t ALTER a DROP NOT NULL",
    "default of t.b": "ALTER TABLE t ALTER b DROP DEFAULT",
    "constraint t_d of t": "ALTER TABLE t DROP CONSTRAINT t_d",
    "foreign key t_f of t": "ALTER TABLE t DROP CONSTRAINT t_f",
    "index by_b of t": "DROP INDEX by_b",
    "index lower_b of t": "DROP INDEX lower_b",
    "view v": "DROP VIEW v",
    "identity of n.id": "ALTER TABLE n ALTER id DROP IDENTITY",
    "collation of n.c": 'ALTER TABLE n ALTER c TYPE text COLLATE "default"',
    "policy own of t": "DROP POLICY own ON t",
    "grant SELECT to pg_monitor of t": "REVOKE SELECT ON t FROM pg_monitor",
    "trigger w of t": "DROP TRIGGER w ON t",
    "function f()": "DROP FUNCTION f CASCADE",
    "column t.d": "ALTER TABLE t DROP d CASCADE",
}
POSTGRESQL_BESIDE = (
    "CREATE INDEX lower_b ON t (lower(b))",
    'CREATE TABLE n (id int GENERATED ALWAYS AS IDENTITY, c text COLLATE "C")',
    "CREATE POLICY own ON t USING (d > 0)",
    "GRANT SELECT ON t TO pg_monitor",
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$",
    "CREATE TRIGGER w BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()",
)
MARIADB = {
    "index by_b of t": "DROP INDEX by_b ON t",
    "check t_d of t": "ALTER TABLE t DROP CONSTRAINT t_d",
    "foreign key t_f of t": "ALTER TABLE t DROP FOREIGN KEY t_f",
    "trigger w of t": "DROP TRIGGER w",
    "view v": "DROP VIEW v",
}
FOLLOWS = {
    "view v": {"view column v", "view text v", "owner of v"},
}
"""What goes along with a thing."""


def test_on_postgresql_exactly_that_is_missing_which_was_dropped(request: pytest.FixtureRequest) -> None:
    base = ENGINES["postgresql-system"](request).empty()
    base.run(*TABLES, *POSTGRESQL_BESIDE)
    missing_is_what_was_dropped(base, POSTGRESQL)


def test_on_mariadb_exactly_that_is_missing_which_was_dropped(request: pytest.FixtureRequest) -> None:
    base = ENGINES["mariadb"](request).empty()
    base.run(*TABLES, "CREATE TRIGGER w AFTER DELETE ON t FOR EACH ROW DELETE FROM p")
    missing_is_what_was_dropped(base, MARIADB)


def missing_is_what_was_dropped(base: Base, drops: dict[str, str]) -> None:
    """One thing after the other, each in what the ones before have left."""
    before = parts(base)
    assert drops.keys() <= before.keys(), drops.keys() - before.keys()
    for name, statement in drops.items():
        base.run(statement)
        after = parts(base)
        gone = before.keys() - after.keys()
        assert name in gone
        assert gone - {name} <= FOLLOWS.get(name, set())
        before = after
