"""PostgreSQL: an undo puts orphans back although every key is enforced, and the keys stay as they were or say so."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from tests.servers.postgresql import PostgresServer
from tests.test_engine_contract_undo import deed_of
from tests.test_postgresql_repair import BY_DELETION, FAMILY, opened, planned
from upkeep.changes import Mended
from upkeep.databases.postgresql_writing import PostgresqlWriting
from upkeep.finding import keys_of
from upkeep.mending import mend
from upkeep.plan import Plan
from upkeep.undoing import draw_back

_KEYS = """
    SELECT conrelid::regclass::text, conname, convalidated, pg_get_constraintdef(oid), obj_description(oid)
    FROM pg_constraint WHERE contype = 'f' ORDER BY 1, 2
"""
_TRIGGERS = "SELECT tgrelid::regclass::text, tgname, tgenabled::text FROM pg_trigger ORDER BY 1, 2"
_ROWS = "SELECT * FROM visits ORDER BY 1"
_NOTES = "SELECT * FROM notes ORDER BY 1"
_LOG = (
    "CREATE TABLE log (id int GENERATED ALWAYS AS IDENTITY, said text)",
    "CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN INSERT INTO log (said) VALUES (TG_OP); RETURN NEW; END $$",
    "CREATE TRIGGER tell AFTER INSERT ON visits FOR EACH ROW EXECUTE FUNCTION told()",
)


@pytest.fixture
def server(system_postgresql: PostgresServer) -> PostgresServer:
    """One server."""
    return system_postgresql


@pytest.fixture
def family(server: PostgresServer) -> str:
    """A database in which a visit and its notes are astray; its name."""
    statements = [statement.format(action="CASCADE") for statement in FAMILY]
    comment = "COMMENT ON CONSTRAINT visits_patient_fkey ON visits IS 'of the register''s'"
    return server.make_database("SET session_replication_role = replica", *statements, *_LOG, comment)


@contextmanager
def as_role(server: PostgresServer, database: str, role: str) -> Iterator[psycopg.Connection[Any]]:
    """A transaction of somebody who is no superuser."""
    with opened(server, database) as connection:
        connection.execute(f"SET ROLE {role}".encode())
        yield connection


def performed(connection: psycopg.Connection[Any]) -> tuple[Plan, Mended]:
    """Delete what is astray."""
    writing = PostgresqlWriting(connection)
    plan = planned(writing, BY_DELETION)
    return plan, mend(writing, plan, keys_of(writing, BY_DELETION))


def undone(connection: psycopg.Connection[Any], plan: Plan, mended: Mended, patience: float = 30.0) -> Mended:
    """Put it back."""
    writing = PostgresqlWriting(connection, patience=patience)
    undo = draw_back(writing, "live", deed_of(plan, mended), keys_of(writing, BY_DELETION))
    return mend(writing, undo, keys_of(writing, BY_DELETION))


def owned_by_somebody(server: PostgresServer, database: str) -> str:
    """A role that owns the tables and is no superuser."""
    role = server.make_role()
    owning = [f"ALTER TABLE {table} OWNER TO {role}" for table in ("patients", "visits", "notes", "log")]
    server.run(database, *owning)
    return role


def test_a_superuser_puts_orphans_back_and_the_keys_and_triggers_are_what_they_were(
    server: PostgresServer, family: str
) -> None:
    before = [server.run(family, sql) for sql in (_ROWS, _NOTES, _KEYS, _TRIGGERS)]
    with opened(server, family) as connection:
        plan, mended = performed(connection)
    assert server.run(family, _ROWS) == [(10, 1)]
    with opened(server, family) as connection:
        back = undone(connection, plan, mended)
    assert [server.run(family, sql) for sql in (_ROWS, _NOTES, _KEYS, _TRIGGERS)] == before
    assert back.astray == (("visits(patient) -> patients(id)", 1),)
    assert server.run(family, "SELECT said FROM log") == [("INSERT",)], "the application's own triggers fire (P-57)"
    assert back.beside_the_plan == 1
    with pytest.raises(psycopg.errors.ForeignKeyViolation), server.connect(family) as connection:
        connection.execute("INSERT INTO visits VALUES (12, 77)")


def test_who_only_owns_the_tables_puts_orphans_back_under_keys_that_say_they_are_not_valid(
    server: PostgresServer, family: str
) -> None:
    before = [server.run(family, sql) for sql in (_ROWS, _NOTES)]
    role = owned_by_somebody(server, family)
    with as_role(server, family, role) as connection:
        plan, mended = performed(connection)
    with as_role(server, family, role) as connection:
        undone(connection, plan, mended)
    assert [server.run(family, sql) for sql in (_ROWS, _NOTES)] == before
    keys = {name: (valid, said, comment) for _, name, valid, said, comment in server.run(family, _KEYS)}
    cascading = "FOREIGN KEY (patient) REFERENCES patients(id) ON DELETE CASCADE NOT VALID"
    assert keys["visits_patient_fkey"] == (False, cascading, "of the register's")
    assert keys["notes_visit_fkey"][0], "their visit came back before them"
    with pytest.raises(psycopg.errors.ForeignKeyViolation), server.connect(family) as connection:
        connection.execute("INSERT INTO visits VALUES (12, 77)")


def test_an_undo_waits_for_nobody_longer_than_its_patience_and_leaves_the_keys_alone(
    server: PostgresServer, family: str
) -> None:
    with opened(server, family) as connection:
        plan, mended = performed(connection)
    before = [server.run(family, sql) for sql in (_ROWS, _KEYS, _TRIGGERS)]
    with server.connect(family) as application, application.transaction():
        application.execute("INSERT INTO visits VALUES (13, 1)")
        with opened(server, family) as connection, pytest.raises(psycopg.errors.LockNotAvailable):
            undone(connection, plan, mended, patience=0.2)
        application.execute("DELETE FROM visits WHERE id = 13")
    assert [server.run(family, sql) for sql in (_ROWS, _KEYS, _TRIGGERS)] == before
