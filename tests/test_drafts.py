"""The lines of a written revision do what is meant and nothing else, and take it back, as the engines tell it."""

import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

import pytest
from alembic import op
from alembic.migration import MigrationContext
from alembic.operations import Operations
from hypothesis import HealthCheck, given, settings
from hypothesis import event as note
from hypothesis import strategies as st
from sqlalchemy import create_engine, event
from sqlalchemy.pool import NullPool, StaticPool

from tests.servers.mariadb import MariadbServer
from tests.servers.postgresql import PostgresServer
from upkeep.databases.opening import open_database
from upkeep.databases.sqlite_catalog import read_catalog
from upkeep.databases.sqlite_drafts import draft_ondelete
from upkeep.drafts import Draft, call, executed

ACTIONS = ("NO ACTION", "RESTRICT", "SET NULL", "SET DEFAULT", "CASCADE")


def run(
    lines: Iterable[str],
    url: str = "",
    connection: sqlite3.Connection | None = None,
    watch: Callable[[str], None] | None = None,
) -> None:
    """Run the lines as a revision is run, by Alembic's own operations; ``connection`` is one that stays open.

    ``watch`` is called with each statement before it is run.
    """
    kept: dict[str, Any] = {"creator": lambda: connection, "poolclass": StaticPool} if connection else {}
    engine = create_engine(url or "sqlite://", **(kept or {"poolclass": NullPool}))
    if watch:
        event.listen(engine, "before_cursor_execute", lambda *given: watch(given[2]))
    with engine.connect() as opened:
        context = MigrationContext.configure(opened)
        with context.begin_transaction(_per_migration=True), Operations.context(context):
            exec("\n".join(lines), {"op": op})  # noqa: S102  # it is what a revision does
        opened.commit()


# SQLite: any statement, as SQLite itself reads it

NAMES = ("p", "Q", "order", 'we"ird', "with space", "it's", "naïve", "references", "on delete", "a)b", "x,y", "--c")
ODD = (" ", "  ", "\n", "\t", " /* , ( REFERENCES x */ ", " -- ) ON DELETE CASCADE\n")


def _spellings(name: str) -> list[str]:
    """The ways in which SQLite takes a name."""
    doubled = ['"' + name.replace('"', '""') + '"', "`" + name.replace("`", "``") + "`"]
    return [*doubled, *([name] if name in ("p", "Q", "naïve") else []), f"[{name}]"]


@st.composite
def references(draw: st.DrawFn) -> str:
    """REFERENCES with all that may follow it, in any order."""
    parent = draw(st.sampled_from([s for name in ("parent", "Parent") for s in (*_spellings(name), name)]))
    columns = draw(st.sampled_from(("", " (id)", '("id")', " ( ID )")))
    tail = draw(
        st.lists(
            st.sampled_from(
                (
                    *(f"ON DELETE {action}" for action in ACTIONS),
                    "on delete set null",
                    "ON UPDATE CASCADE",
                    "ON/**/UPDATE SET NULL",
                    "MATCH FULL",
                    "NOT DEFERRABLE INITIALLY IMMEDIATE",
                    "DEFERRABLE INITIALLY DEFERRED",
                    "DEFERRABLE",
                )
            ),
            max_size=3,
        )
    )
    gap = draw(st.sampled_from(ODD))
    return gap.join(["REFERENCES", f"{parent}{columns}", *tail])


@st.composite
def statements(draw: st.DrawFn) -> str:
    """CREATE TABLE with keys in columns and beside them, some twice, some named, in any layout."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique_by=str.lower))
    spelt = {name: draw(st.sampled_from(_spellings(name))) for name in names}
    others = (
        "NOT NULL",
        "DEFAULT 'REFERENCES x'",
        "CHECK (1 > 0 OR ')' = '(')",
        "COLLATE NOCASE",
        "DEFAULT (1, 2)"[:11],
    )
    columns = []
    for name in names:
        parts = draw(st.lists(st.one_of(st.sampled_from(others), references()), max_size=3))
        named = [f"CONSTRAINT c{n} {part}" if draw(st.booleans()) else part for n, part in enumerate(parts)]
        columns.append(" ".join([spelt[name], draw(st.sampled_from(("INTEGER", "VARCHAR(10)", ""))), *named]))
    beside = []
    for _ in range(draw(st.integers(0, 3))):
        key = f"FOREIGN KEY ({spelt[draw(st.sampled_from(names))]}) {draw(references())}"
        beside.append(f"CONSTRAINT {draw(st.sampled_from(('k', '[k l]')))} {key}" if draw(st.booleans()) else key)
    between = draw(st.sampled_from((", ", " ", ",\n  -- a comment, with (\n  ")))
    body = ", ".join([*columns, between.join(beside)] if beside else columns)
    return f"CREATE TABLE child ({body})"


def told(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Every key as SQLite tells it, in the order of declaration."""
    return connection.execute(
        """SELECT "from", lower("table"), coalesce("to", 'id'), on_delete, on_update, "match" """
        "FROM pragma_foreign_key_list('child') ORDER BY id DESC, seq"
    ).fetchall()


def master(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """The whole schema, word for word."""
    return connection.execute("SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master ORDER BY 1, 2").fetchall()


@settings(
    max_examples=int(os.environ.get("DETECTION_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.data(), statements())
def test_any_sqlite_statement_says_afterwards_what_was_wanted_and_then_again_what_it_said(
    data: st.DataObject, statement: str
) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        try:
            connection.execute(statement)
        except sqlite3.OperationalError:  # the strategy makes what no SQLite takes, now and then
            note("not SQL")
            return
        connection.execute("CREATE TRIGGER t AFTER DELETE ON child BEGIN SELECT 1; END")
        connection.commit()
        before, schema = told(connection), master(connection)
        keys = read_catalog(connection).keys
        wanted = {key: data.draw(st.sampled_from(ACTIONS)) for key in keys if data.draw(st.booleans())}
        draft = draft_ondelete(connection, wanted)
        note(f"{len(wanted)} of {len(before)} keys")
        assert draft.left_out == {}
        run(draft.upgrade, connection=connection)
        by_words = {(key.columns[0], key.ondelete): ondelete for key, ondelete in wanted.items()}
        expected = [(*row[:3], by_words.get((row[0], row[3]), row[3]), *row[4:]) for row in before]
        assert told(connection) == expected
        assert [row[:4] for row in master(connection)] == [row[:4] for row in schema]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        run(draft.downgrade, connection=connection)
        assert master(connection) == schema


def test_a_sqlite_revision_refuses_a_table_that_is_no_longer_what_it_was() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(
            "CREATE TABLE parent (id INTEGER PRIMARY KEY); CREATE TABLE child (p REFERENCES parent)"
        )
        (key,) = read_catalog(connection).keys
        draft = draft_ondelete(connection, {key: "CASCADE"})
        connection.executescript("DROP TABLE child; CREATE TABLE child (p INTEGER REFERENCES parent)")
        before = master(connection)
        with pytest.raises(RuntimeError, match="child is no longer what it was when this revision was written"):
            run(draft.upgrade, connection=connection)
        connection.rollback()
        assert master(connection) == before


def test_other_connections_obey_the_changed_key_at_once(tmp_path: Any) -> None:
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as application:
        application.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; CREATE TABLE parent (id INTEGER PRIMARY KEY);"
            "CREATE TABLE child (id INTEGER PRIMARY KEY AUTOINCREMENT, p INTEGER REFERENCES parent (id));"
            "INSERT INTO parent VALUES (1); INSERT INTO child (p) VALUES (1)"
        )
        with pytest.raises(sqlite3.IntegrityError):
            application.execute("DELETE FROM parent")
        with closing(sqlite3.connect(path)) as other:
            (key,) = read_catalog(other).keys
            draft = draft_ondelete(other, {key: "CASCADE"})
        run(draft.upgrade, f"sqlite:///{path}")
        application.execute("DELETE FROM parent")
        assert application.execute("SELECT COUNT(*) FROM child").fetchone() == (0,)


# PostgreSQL and MariaDB: keys of every sort, in the server's own words

POSTGRESQL = (
    'CREATE SCHEMA "bill:ing"',
    "CREATE TABLE parent (id INT PRIMARY KEY, a INT, b INT, UNIQUE (a, b))",
    'CREATE TABLE "bill:ing"."Odd 100%" (id INT PRIMARY KEY, "it\'s" INT, "q""t" INT)',
    """ALTER TABLE "bill:ing"."Odd 100%" ADD CONSTRAINT "k (:x) ON DELETE CASCADE" FOREIGN KEY ("it's", "q""t")
       REFERENCES parent (a, b) MATCH FULL ON UPDATE CASCADE ON DELETE SET NULL ("it's")
       DEFERRABLE INITIALLY DEFERRED""",
    "CREATE TABLE child (id INT PRIMARY KEY, p INT, q INT, r INT)",
    "INSERT INTO child VALUES (1, 99, NULL, NULL)",
    "ALTER TABLE child ADD CONSTRAINT unproven FOREIGN KEY (p) REFERENCES parent NOT VALID",
    "ALTER TABLE child ADD CONSTRAINT proven FOREIGN KEY (q) REFERENCES parent ON UPDATE SET NULL DEFERRABLE",
    "COMMENT ON CONSTRAINT proven ON child IS 'it''s: kept'",
    "ALTER TABLE child ADD CONSTRAINT twin_a FOREIGN KEY (r) REFERENCES parent",
    "ALTER TABLE child ADD CONSTRAINT twin_b FOREIGN KEY (r) REFERENCES parent",
    "CREATE TABLE parts (id INT, p INT) PARTITION BY RANGE (id)",
    "CREATE TABLE part_one PARTITION OF parts FOR VALUES FROM (0) TO (9)",
    "ALTER TABLE parts ADD CONSTRAINT of_parts FOREIGN KEY (p) REFERENCES parent",
)
SAID = """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated,
  obj_description(oid, 'pg_constraint') FROM pg_constraint WHERE contype = 'f' ORDER BY 1, 2"""


def test_postgresql_says_what_was_wanted_and_then_again_what_it_said(system_postgresql: PostgresServer) -> None:
    name = system_postgresql.make_database(*POSTGRESQL)
    url = system_postgresql.url(name)
    before = system_postgresql.run(name, SAID)
    with open_database("app", url).reading() as reading:
        keys = reading.catalog().keys
        draft = reading.draft_ondelete(dict.fromkeys(keys, "CASCADE"))
    assert draft.left_out == {}
    run(draft.upgrade, url)
    cut = ' ON DELETE SET NULL ("it\'s")'
    meant = [
        (table, key, _cascading(definition.replace(cut, "")), valid, comment)
        for table, key, definition, valid, comment in before
    ]
    assert system_postgresql.run(name, SAID) == meant
    run(draft.downgrade, url)
    assert system_postgresql.run(name, SAID) == before


def _cascading(definition: str) -> str:
    """Where PostgreSQL prints ON DELETE: after ON UPDATE, before the rest."""
    for rest in (" DEFERRABLE", " NOT VALID"):
        head, found, tail = definition.partition(rest)
        if found:
            return f"{head} ON DELETE CASCADE{found}{tail}"
    return f"{definition} ON DELETE CASCADE"


def test_the_strong_lock_of_postgresql_ends_before_the_rows_are_read(system_postgresql: PostgresServer) -> None:
    name = system_postgresql.make_database(
        "CREATE TABLE parent (id INT PRIMARY KEY)", "CREATE TABLE child (p INT CONSTRAINT k REFERENCES parent)"
    )
    url = system_postgresql.url(name)
    with open_database("app", url).reading() as reading:
        draft = reading.draft_ondelete(dict.fromkeys(reading.catalog().keys, "CASCADE"))
    held: dict[str, list[Any]] = {}

    def look(statement: str) -> None:
        if statement.startswith("ALTER TABLE"):
            held[statement.split("child ")[1].split()[0]] = system_postgresql.run(name, LOCKS)

    run(draft.upgrade, url, watch=look)
    assert held == {"DROP": [], "VALIDATE": []}


LOCKS = """SELECT relation::regclass::text, mode FROM pg_locks
  WHERE relation IN ('child'::regclass, 'parent'::regclass) AND granted"""


def test_a_key_that_each_partition_declares_for_itself_is_left_out(system_postgresql: PostgresServer) -> None:
    name = system_postgresql.make_database(
        "CREATE TABLE parent (id INT PRIMARY KEY)",
        "CREATE TABLE parts (id INT, p INT) PARTITION BY RANGE (id)",
        "CREATE TABLE part_one PARTITION OF parts FOR VALUES FROM (0) TO (9)",
        "ALTER TABLE part_one ADD CONSTRAINT k FOREIGN KEY (p) REFERENCES parent",
    )
    with open_database("app", system_postgresql.url(name)).reading() as reading:
        (key,) = reading.catalog().keys
        assert reading.draft_ondelete({key: "CASCADE"}) == Draft(
            left_out={key: "each partition declares it for itself: change it there by hand"}
        )


MARIADB = (
    "CREATE TABLE parent (id INT PRIMARY KEY, a INT, b INT, UNIQUE (a, b))",
    "CREATE TABLE `Odd 100% :x` (id INT PRIMARY KEY, `it's` INT, `q``t` INT, CONSTRAINT `k :x ON DELETE CASCADE`"
    " FOREIGN KEY (`it's`, `q``t`) REFERENCES parent (a, b) ON DELETE SET NULL ON UPDATE CASCADE)",
    "CREATE TABLE child (id INT PRIMARY KEY, p INT, q INT, CONSTRAINT one FOREIGN KEY (p) REFERENCES parent (id),"
    " CONSTRAINT two FOREIGN KEY (q) REFERENCES parent (id) ON DELETE NO ACTION)",
    "SET foreign_key_checks = 0",
    "INSERT INTO child VALUES (1, 99, NULL), (2, 98, NULL)",
)


def test_mariadb_says_what_was_wanted_and_then_again_what_it_said(mariadb: MariadbServer) -> None:
    name = mariadb.make_database(*MARIADB)
    url = mariadb.url(name)
    before = _made(mariadb, name)
    with open_database("app", url).reading() as reading:
        keys = {key.columns: key for key in reading.catalog().keys}
        draft = reading.draft_ondelete(dict.fromkeys(keys.values(), "CASCADE"))
    assert draft.left_out == {
        keys["p",]: "2 rows violate it, so that it could not be added again: repair them first"
    }  # fmt: skip
    run(draft.upgrade, url)
    with open_database("app", url).reading() as reading:
        after = {key.columns: (key.ondelete, key.names) for key in reading.catalog().keys}
    assert after == {
        ("p",): ("RESTRICT", ("one",)),
        ("q",): ("CASCADE", ("two",)),
        ("it's", "q`t"): ("CASCADE", ("k :x ON DELETE CASCADE",)),
    }
    assert "ON DELETE CASCADE ON UPDATE CASCADE" in _made(mariadb, name)["Odd 100% :x"]
    run(draft.downgrade, url)
    assert _made(mariadb, name) == before


def _made(server: MariadbServer, name: str) -> dict[str, str]:
    return {
        table: server.run(name, f"SHOW CREATE TABLE `{table}`")[0][1] for (table,) in server.run(name, "SHOW TABLES")
    }


# The text of the lines


@given(st.text(st.characters(blacklist_categories=["Cs"])))
def test_a_text_stands_in_python_as_it_is_however_long(text: str) -> None:
    said: list[str] = []
    exec("\n".join(call("say", text)), {"say": said.append})  # noqa: S102  # it is what a revision does
    assert said == [text]
    assert all(len(line) <= 120 for line in call("say", text)) or " " not in text


def test_a_colon_is_no_parameter(tmp_path: Any) -> None:
    run(executed("CREATE TABLE \"a:b\" (x TEXT DEFAULT ':c')"), f"sqlite:///{tmp_path / 'app.db'}")
    with closing(sqlite3.connect(tmp_path / "app.db")) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("a:b",)]
