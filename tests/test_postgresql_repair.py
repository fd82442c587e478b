"""A plan on PostgreSQL, where foreign keys stay enforced, does what it says and nothing beside it."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, event, given, settings

from tests.postgresql_schemas import SomeDatabase, any_database, databases
from tests.servers.postgresql import PostgresServer
from upkeep.changes import Mended, RowsRefused
from upkeep.databases.postgresql_reading import PostgresqlReading
from upkeep.databases.postgresql_writing import PostgresqlWriting
from upkeep.errors import RowRefused
from upkeep.finding import find, keys_of
from upkeep.mending import mend
from upkeep.plan import Plan
from upkeep.planning import Planner
from upkeep.policy import Policy

__all__ = ["any_database"]

Connection = psycopg.Connection[Any]
BY_DELETION = Policy.model_validate({"rule": [{"child": "*", "parent": "*", "orphan": ["delete"]}]})
BY_NULL = Policy.model_validate({"rule": [{"child": "*", "parent": "*", "orphan": ["nullify", "delete"]}]})
FAMILY = (
    "CREATE TABLE patients (id int PRIMARY KEY)",
    "CREATE TABLE visits (id int PRIMARY KEY, patient int REFERENCES patients ON DELETE {action})",
    "CREATE TABLE notes (id int PRIMARY KEY, visit int REFERENCES visits ON DELETE {action})",
    "INSERT INTO patients VALUES (1)",
    "INSERT INTO visits VALUES (10, 1), (11, 99)",
    "INSERT INTO notes VALUES (100, 10), (110, 11), (111, 11)",
)


@pytest.fixture
def server(system_postgresql: PostgresServer) -> PostgresServer:
    return system_postgresql


def made(server: PostgresServer, *statements: str) -> str:
    """A database in which the statements were run with triggers and keys asleep; its name."""
    return server.make_database("SET session_replication_role = replica", *statements)


@contextmanager
def opened(server: PostgresServer, database: str) -> Iterator[Connection]:
    """A connection whose transaction commits if all goes well."""
    with server.connect(database) as connection:
        connection.autocommit = False
        with connection.transaction():
            yield connection


def planned(reading: PostgresqlReading, by: Policy, refusals: RowsRefused | None = None) -> Plan:
    keys = keys_of(reading, by)
    findings = tuple(find(reading, key, limit=0) for key in keys)
    return Planner(reading, keys, by, refusals.refusals if refusals else ()).plan("live", findings, None)


def mended(server: PostgresServer, database: str, by: Policy = BY_DELETION) -> Mended:
    """What the plan for all orphans did to the database."""
    with opened(server, database) as connection:
        writing = PostgresqlWriting(connection)
        return mend(writing, planned(writing, by), keys_of(writing, by))


@settings(
    max_examples=int(os.environ.get("REPAIR_EXAMPLES", "12")), deadline=None, suppress_health_check=list(HealthCheck)
)
@given(database=databases())
def test_any_database_is_mended_as_planned_and_then_again_there_is_nothing_to_do(
    any_database: Connection, database: SomeDatabase
) -> None:
    # Committed, for the server checks every key of a row that the same transaction inserted, whatever of it changes.
    tables, _ = database.make(any_database)
    any_database.commit()
    try:
        for by in (BY_NULL, BY_DELETION):
            _mend_to_the_end(any_database, by)
    finally:
        any_database.rollback()
        for table in reversed(tables):
            any_database.execute(f"DROP TABLE {table.full} CASCADE".encode())
        any_database.commit()


def _mend_to_the_end(connection: Connection, by: Policy) -> None:
    refused: RowsRefused | None = None
    for _ in range(5):
        writing = PostgresqlWriting(connection)
        plan = planned(writing, by, refused)
        rows = {name: writing.count(name, digest=False).rows for name in writing.catalog().tables}
        connection.execute("SAVEPOINT before")
        try:
            done = mend(writing, plan, keys_of(writing, by))
        except RowsRefused as fault:
            connection.execute("ROLLBACK TO before")
            refused = RowsRefused((*(refused.refusals if refused else ()), *fault.refusals))
            event("rows refused")
            continue
        assert {change.row for change in done.changes} == {repair.row for repair in plan.repairs}
        assert done.changed_in_all >= len(done.changes)
        gone = {name: sum(c.table == name and c.after is None for c in done.changes) for name in rows}
        after = PostgresqlReading(connection)
        assert {name: after.count(name, digest=False).rows + gone[name] for name in rows} == rows
        assert planned(after, by, refused).repairs == ()
        event(f"mended {bool(done.changes)}")
        return
    raise AssertionError("the plan never comes to an end")


@pytest.mark.parametrize("action", ["NO ACTION", "RESTRICT", "CASCADE", "SET NULL"])
def test_p58_children_go_before_their_parents_so_that_no_cascade_acts(server: PostgresServer, action: str) -> None:
    database = made(server, *(statement.format(action=action) for statement in FAMILY))
    done = mended(server, database)
    assert [(change.table, change.row) for change in done.changes] == [
        ("notes", ("110",)),
        ("notes", ("111",)),
        ("visits", ("11",)),
    ]
    assert done.beside_the_plan == 0
    assert server.run(database, "SELECT (SELECT COUNT(*) FROM visits), (SELECT COUNT(*) FROM notes)") == [(1, 1)]


def test_p58_what_triggers_change_beside_the_plan_is_counted(server: PostgresServer) -> None:
    database = made(
        server,
        *(statement.format(action="NO ACTION") for statement in FAMILY),
        "CREATE TABLE audit (said text)",
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO audit VALUES ('x'), ('y'); RETURN NULL; END $$",
        "CREATE TRIGGER noted AFTER DELETE ON notes FOR EACH ROW EXECUTE FUNCTION note()",
        "CREATE CONSTRAINT TRIGGER late AFTER DELETE ON visits DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION note()",
    )
    assert mended(server, database).beside_the_plan == 6


def test_p58_a_large_object_that_a_trigger_takes_away_is_counted(server: PostgresServer) -> None:
    database = made(
        server,
        *(statement.format(action="NO ACTION") for statement in FAMILY),
        "CREATE FUNCTION unlinked() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM lo_unlink(OLD.id::oid); RETURN OLD; END $$",
        "CREATE TRIGGER unlinks BEFORE DELETE ON visits FOR EACH ROW EXECUTE FUNCTION unlinked()",
        "SELECT lo_from_bytea(11, 'a picture')",
    )
    assert mended(server, database).beside_the_plan == 1


def test_p58_a_statement_that_was_refused_and_undone_counts_for_nothing(server: PostgresServer) -> None:
    database = made(server, "CREATE TABLE t (id int PRIMARY KEY CHECK (id < 9))", "INSERT INTO t VALUES (1), (2), (3)")
    with opened(server, database) as connection:
        writing = PostgresqlWriting(connection)
        with pytest.raises(RowRefused, match='violates check constraint "t_id_check"') as refused:
            writing.change("UPDATE t SET id = id * 4")
        assert "12" not in str(refused.value), "the values of a row are for nobody's log"
        assert writing.changed_in_all() == 0
        assert writing.change("DELETE FROM t WHERE id < 3") == writing.changed_in_all() == 2
    assert server.run(database, "SELECT id FROM t") == [(3,)]


def test_rows_of_one_table_that_point_at_each_other_go_together(server: PostgresServer) -> None:
    database = made(
        server,
        "CREATE TABLE p (id int PRIMARY KEY)",
        "CREATE TABLE t (id int PRIMARY KEY, p int REFERENCES p, chief int REFERENCES t)",
        "INSERT INTO t VALUES (1, 9, 2), (2, NULL, 1), (3, NULL, 2), (4, NULL, NULL)",
    )
    assert len(mended(server, database).changes) == 3
    assert server.run(database, "SELECT id FROM t") == [(4,)]


@pytest.mark.parametrize("deferrable", [True, False])
def test_tables_in_a_circle_go_together_where_a_key_can_wait_and_are_kept_where_none_can(
    server: PostgresServer, deferrable: bool
) -> None:
    waits = " DEFERRABLE" if deferrable else ""
    database = made(
        server,
        "CREATE TABLE p (id int PRIMARY KEY)",
        "CREATE TABLE a (id int PRIMARY KEY, p int REFERENCES p, b int)",
        f"CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a{waits})",
        f"ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b{waits}",
        "INSERT INTO a VALUES (1, 9, 1)",
        "INSERT INTO b VALUES (1, 1)",
    )
    if deferrable:
        assert len(mended(server, database).changes) == 2
        return
    with pytest.raises(RowsRefused, match="violates foreign key constraint") as refused:
        mended(server, database)
    with opened(server, database) as connection:
        plan = planned(PostgresqlReading(connection), BY_DELETION, refused.value)
    assert plan.repairs == ()
    assert [kept.reason for kept in plan.kept if "delete is impossible" in kept.reason]


def test_p40_of_a_match_full_key_all_columns_become_null_or_none(server: PostgresServer) -> None:
    database = made(
        server,
        "CREATE TABLE p (a int, b int, PRIMARY KEY (a, b))",
        "CREATE TABLE free (id int PRIMARY KEY, a int, b int, FOREIGN KEY (a, b) REFERENCES p MATCH FULL)",
        "CREATE TABLE bound (id int PRIMARY KEY, a int NOT NULL, b int, FOREIGN KEY (a, b) REFERENCES p MATCH FULL)",
        "INSERT INTO free VALUES (1, 1, NULL), (2, 1, 1)",
        "INSERT INTO bound VALUES (1, 1, NULL), (2, 1, 1)",
    )
    mended(server, database, BY_NULL)
    assert server.run(database, "SELECT a, b FROM free") == [(None, None), (None, None)]
    assert server.run(database, "SELECT a, b FROM bound") == []


def test_p65_who_wants_to_point_at_a_row_that_goes_waits_and_is_then_told(server: PostgresServer) -> None:
    database = made(server, *(statement.format(action="CASCADE") for statement in FAMILY))
    said: list[str] = []

    def late() -> None:
        try:
            server.run(database, "INSERT INTO notes VALUES (112, 11)")
        except psycopg.errors.ForeignKeyViolation as fault:
            said.append(str(fault.sqlstate))

    with opened(server, database) as connection:
        writing = PostgresqlWriting(connection)
        plan = planned(writing, BY_DELETION)
        writing.hold({"visits": {("11",)}}, {"patients"})
        other = threading.Thread(target=late)
        other.start()
        wait_for_lock(server, database)
        assert len(mend(writing, plan, keys_of(writing, BY_DELETION)).changes) == 3
    other.join()
    assert said == ["23503"]


def test_a_parent_cannot_come_back_while_its_orphans_go(server: PostgresServer) -> None:
    database = made(server, *(statement.format(action="NO ACTION") for statement in FAMILY))
    with opened(server, database) as connection:
        PostgresqlWriting(connection).hold({"visits": {("11",)}}, {"patients"})
        with server.connect(database) as other:
            other.execute("SET lock_timeout = 100")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                other.execute("INSERT INTO patients VALUES (99)")
            assert other.execute("SELECT COUNT(*) FROM patients").fetchone() == (1,), "readers never wait"
            other.execute("UPDATE notes SET visit = 10 WHERE id = 100")


def test_locks_that_are_not_to_be_had_are_let_go_between_the_tries(server: PostgresServer) -> None:
    database = made(server, *(statement.format(action="NO ACTION") for statement in FAMILY))
    with server.connect(database) as busy, opened(server, database) as connection:
        busy.autocommit = False
        busy.execute("INSERT INTO patients VALUES (2)")
        writing = PostgresqlWriting(connection, patience=0.0)
        with pytest.raises(psycopg.errors.LockNotAvailable), connection.transaction():
            writing.hold({"visits": {("11",)}}, {"patients"})
        busy.rollback()
        writing.hold({"visits": {("11",)}}, {"patients"})


def wait_for_lock(server: PostgresServer, database: str) -> None:
    """Until somebody in the database waits for a lock."""
    waiting = f"SELECT 1 FROM pg_stat_activity WHERE datname = '{database}' AND wait_event_type = 'Lock'"
    while not server.run("postgres", waiting):
        pass


def test_a_transaction_that_would_not_see_what_came_meanwhile_is_not_written_in(server: PostgresServer) -> None:
    with server.connect(made(server)) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.autocommit = False
        with pytest.raises(ValueError, match="READ COMMITTED"):
            PostgresqlWriting(connection)


def test_p69_what_a_sequence_never_gives_is_put_back_too_and_the_rest_moves_it_on(server: PostgresServer) -> None:
    database = made(
        server,
        "CREATE SEQUENCE numbers",
        "CREATE TABLE few (id int GENERATED ALWAYS AS IDENTITY (MAXVALUE 100) PRIMARY KEY,"
        " number int DEFAULT nextval('numbers'))",
        "CREATE TABLE down (id bigint GENERATED ALWAYS AS IDENTITY (INCREMENT -1) PRIMARY KEY)",
    )
    ends = ("-9223372036854775807", "9223372036854775807", "0")
    with opened(server, database) as connection:
        writing = PostgresqlWriting(connection)
        assert writing.insert("few", ("id", "number"), [("999999", None), ("7", "3"), ("-7", None)]) == 3
        assert writing.insert("down", ("id",), [(number,) for number in ends]) == 3
    assert server.run(database, "INSERT INTO few DEFAULT VALUES RETURNING id, number") == [(8, 4)]
    assert server.run(database, "INSERT INTO down DEFAULT VALUES RETURNING id") == [(-(2**63),)]


def test_a_trigger_that_gives_a_row_another_key_is_a_refusal_of_that_row(server: PostgresServer) -> None:
    database = made(
        server,
        *(statement.format(action="NO ACTION") for statement in FAMILY),
        "CREATE FUNCTION moved() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.id := NEW.id + 900; RETURN NEW; END"
        " $$",
        "CREATE TRIGGER moves BEFORE UPDATE ON visits FOR EACH ROW EXECUTE FUNCTION moved()",
    )
    with pytest.raises(RowsRefused) as refused:
        mended(server, database, BY_NULL)
    assert [(one.table, one.row) for one in refused.value.refusals] == [("visits", ("11",))]
    assert server.run(database, "SELECT id, patient FROM visits ORDER BY id") == [(10, 1), (11, 99)]
