"""Bad input on PostgreSQL by the command line: one sentence with a hint, the right exit code, nothing changed."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.servers.pgbouncer import pgbouncer, pgbouncer_program
from tests.servers.plugin import absent
from tests.servers.postgresql import PostgresServer, postgresql_server, system_programs
from tests.shell import upkeep
from tests.test_postgresql import TABLES, House, one_house
from upkeep.stores import open_store

__all__ = ["one_house"]

COMMANDS = ["check", "backup", "maintain"]


def settings(house: House, **more: str) -> None:
    """The settings for the house, or for something else where that is said."""
    os.environ.update(
        {
            "DATABASE_URL": house.server.url(house.base),
            "UPKEEP_DATABASE": "clinic",
            "UPKEEP_STORE": house.store.url,
            "UPKEEP_SCRATCH": str(house.workplace / "scratch"),
            "UPKEEP_LOCK_SECONDS": "1",
        }
        | more
    )


@contextmanager
def nothing_is_done(house: House) -> Iterator[None]:
    """Nothing is in the store afterwards, and there is no other database than before."""
    before = house.server.databases()
    yield
    assert house.stored == []
    assert house.server.databases() == before


def place_of(house: House) -> str:
    """The database as messages name it."""
    return f"127.0.0.1:{house.server.port}/{house.base}"


@pytest.mark.usefixtures("prefect_here")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_password_is_refused_and_not_told_p24(one_house: House, command: str) -> None:
    settings(one_house, DATABASE_URL=one_house.server.url(one_house.base, password="n0t-it"))
    with nothing_is_done(one_house):
        said = upkeep(command)
    hint = "correct user and password in the URL of database clinic"
    assert said.complaint == (2, f"{place_of(one_house)} refuses the password of role postgres", hint)
    assert "n0t-it" not in said.out + said.err


@pytest.mark.parametrize("command", ["check", "backup"])
def test_a_server_that_is_not_there_is_unreachable(one_house: House, command: str) -> None:
    settings(one_house, DATABASE_URL="postgresql://u:p@127.0.0.1:1/base")
    hint = "look whether it runs and whether host and port are right"
    assert upkeep(command).complaint == (3, "no PostgreSQL server answers at 127.0.0.1:1/base", hint)


def test_a_server_that_is_gone_in_the_middle_of_a_backup_is_unreachable_and_nothing_is_stored(
    system_postgresql: PostgresServer, tmp_path: Path
) -> None:
    with postgresql_server(system_postgresql.programs) as server:
        house = House(
            server, server.make_database(*TABLES), open_store((tmp_path / "store").as_uri()), tmp_path / "work"
        )
        house.run("INSERT INTO children SELECT i, 1, repeat(md5(i::text), 60) FROM generate_series(100, 60000) i")
        settings(house)
        killer = threading.Thread(target=stop_when_dumping, args=(server,))
        killer.start()
        said = upkeep("backup")
        killer.join()
    code, sentence, hint = said.complaint
    assert code == 3
    assert sentence.startswith("pg_dump lost the server") or sentence.endswith("was lost")
    assert hint in ("nothing was kept; run it again", "try again when the server runs")
    assert house.stored == []


def stop_when_dumping(server: PostgresServer) -> None:
    """The server is shut down at once when pg_dump is at work on it."""
    with server.connect() as watcher:
        while not watcher.execute("SELECT 1 FROM pg_stat_activity WHERE application_name = 'pg_dump'").fetchone():
            pass
    main = int((server.sockets / "data" / "postmaster.pid").read_text().splitlines()[0])
    os.kill(main, 3)


@pytest.mark.usefixtures("prefect_here")
@pytest.mark.parametrize("command", ["backup", "maintain"])
def test_too_old_a_tool_is_refused_before_anything_is_stored_p12(
    wheel_postgresql: PostgresServer, tmp_path: Path, command: str
) -> None:
    programs = system_programs()
    if programs is None:
        absent("PostgreSQL", "not installed (apt-get install postgresql)")
    house = House(
        wheel_postgresql,
        wheel_postgresql.make_database(*TABLES),
        open_store((tmp_path / "store").as_uri()),
        tmp_path / "work",
    )
    settings(house, UPKEEP_POSTGRESQL_BIN=str(programs))
    with nothing_is_done(house):
        code, sentence, hint = upkeep(command).complaint
    major = wheel_postgresql.major
    assert (code, sentence.partition(" is needed here")[0]) in (
        (2, f"pg_dump of PostgreSQL {major} or newer"),
        (2, f"pg_restore of PostgreSQL {major} or newer"),
    )
    assert hint == f"install postgresql-client-{major}, or set UPKEEP_POSTGRESQL_BIN to the folder that has it"


@pytest.mark.usefixtures("prefect_here")
def test_without_the_right_to_make_a_database_a_run_is_refused_before_it_begins(one_house: House) -> None:
    role = one_house.server.make_role("IN ROLE pg_read_all_data")
    settings(one_house, DATABASE_URL=one_house.server.url(one_house.base, role))
    with nothing_is_done(one_house):
        said = upkeep("maintain")
    sentence = f"the role {role} of {place_of(one_house)} may not make a scratch database"
    hint = f"ALTER ROLE {role} CREATEDB, or let UPKEEP_SCRATCH_URL name another server"
    assert said.complaint == (2, sentence, hint)
    assert upkeep("backup").code == 0
    assert upkeep("verify", "latest").complaint == (2, sentence, hint)


@pytest.mark.usefixtures("prefect_here")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_role_blinded_by_row_security_is_refused_p15(one_house: House, command: str) -> None:
    role = one_house.server.make_role("IN ROLE pg_read_all_data CREATEDB")
    one_house.run("ALTER TABLE children ENABLE ROW LEVEL SECURITY", "CREATE POLICY one ON children USING (id = 1)")
    settings(one_house, DATABASE_URL=one_house.server.url(one_house.base, role))
    with nothing_is_done(one_house):
        code, sentence, hint = upkeep(command).complaint
    assert (code, sentence) == (2, f"row security hides rows of children from the role {role}")
    assert hint == f"ALTER ROLE {role} BYPASSRLS, or look with the tables' owner"


@pytest.mark.usefixtures("prefect_here")
def test_a_scratch_url_that_is_the_live_database_is_refused_p22(one_house: House) -> None:
    assert_refused_for_its_scratch_url(
        one_house,
        one_house.server.url(one_house.base),
        (
            2,
            f"UPKEEP_SCRATCH_URL is the live database itself: {place_of(one_house)}",
            "let it name another database there, such as postgres: scratches are made beside it",
        ),
    )


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_here")
def test_a_scratch_url_at_which_nobody_answers_is_unreachable(one_house: House) -> None:
    assert_refused_for_its_scratch_url(
        one_house,
        "postgresql://u:p@127.0.0.1:1/postgres",
        (
            3,
            "no PostgreSQL server answers at 127.0.0.1:1/postgres",
            "look whether it runs and whether host and port are right",
        ),
    )


def assert_refused_for_its_scratch_url(house: House, url: str, complaint: tuple[int, str, str]) -> None:
    """A run and a proof are refused so, the run before anything is stored."""
    settings(house, UPKEEP_SCRATCH_URL=url)
    with nothing_is_done(house):
        assert upkeep("maintain").complaint == complaint
    house.backed_up()
    assert upkeep("verify", "latest").complaint == complaint


def test_too_many_connections_are_unreachable_try_again(one_house: House) -> None:
    role = one_house.server.make_role("IN ROLE pg_read_all_data CONNECTION LIMIT 1")
    url = one_house.server.url(one_house.base, role)
    settings(one_house, DATABASE_URL=url)
    with psycopg.connect(url.replace("+psycopg", "")), nothing_is_done(one_house):
        said = upkeep("check")
    hint = "try again when one is free, or allow it more"
    assert said.complaint == (3, f"{place_of(one_house)} has no connection left for role {role}", hint)


def test_a_pooler_that_lends_connections_for_a_transaction_is_refused_and_one_for_sessions_is_not_p83(
    one_house: House,
) -> None:
    if pgbouncer_program() is None:
        absent("PgBouncer", "not installed (apt-get install pgbouncer)")
    for mode in ("transaction", "session"):
        with pgbouncer(one_house.server, mode) as port:
            url = one_house.server.url(one_house.base).replace(str(one_house.server.port), str(port))
            settings(one_house, DATABASE_URL=url)
            said = [upkeep("check"), upkeep("backup")]
        if mode == "session":
            assert [one.code for one in said] == [0, 0], said
            continue
        for one in said:
            code, sentence, hint = one.complaint
            assert (code, sentence.partition(":")[0]) == (2, "127.0.0.1")
            assert "is a pooler that lends a connection for each transaction" in sentence
            assert hint == "let the URL of database clinic name the server itself, or a pool in session mode"
        assert one_house.stored == []
