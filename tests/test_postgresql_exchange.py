"""Cleaning up and migrating a PostgreSQL database in one transaction: with the drivers and habits of real projects."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from tasks.migration import Door, MigrationFailed, alembic
from tests.alembic_projects import ASYNC_ENV, ENV, project
from tests.servers.plugin import absent
from tests.servers.postgresql import PostgresServer, postgresql_server, system_programs
from upkeep.databases import Bench, Database
from upkeep.databases.opening import open_database
from upkeep.databases.postgresql_wire import Borrowed, Splitter, message
from upkeep.errors import Escaped, Refused, Unreachable
from upkeep.settings import Settings

TABLES = (
    "CREATE TABLE parents (id int PRIMARY KEY, name text NOT NULL)",
    "CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents)",
    "INSERT INTO parents VALUES (1, 'Ada'), (2, 'Bob')",
    "INSERT INTO children VALUES (1, 1), (2, 2), (3, NULL)",
    "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
    "INSERT INTO alembic_version VALUES ('r1')",
)
FIRST = "pass"
ADDS = "op.add_column('parents', sa.Column('born', sa.Date))\nop.execute(\"UPDATE parents SET born = '1815-12-10'\")"


@dataclass(frozen=True)
class Application:
    """A database at r1, and the Alembic project of the application that uses it."""

    server: PostgresServer
    base: str
    folder: Path
    driver: str = "postgresql+psycopg"

    @property
    def database(self) -> Database:
        """As Upkeep opens it."""
        url = make_url(self.server.url(self.base)).set(drivername=self.driver).render_as_string(hide_password=False)
        return open_database("clinic", url, 2.0)

    @contextmanager
    def door(self, *bodies: str, env: str = ENV, more: str = "") -> Iterator[Door]:
        """Alembic, ready to be asked, with revisions r2, ... of these bodies."""
        ini = project(self.folder, FIRST, *bodies, env=env, more=more)
        os.environ["UPKEEP_ALEMBIC_INI"] = str(ini)
        with alembic(Settings(), self.folder) as door:
            yield door

    def rows(self) -> dict[str, list[Any]]:
        """Everything: tables with their columns, rows, and indexes."""
        return {
            sql: sorted(map(str, self.server.run(self.base, sql)))
            for sql in (
                "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema='public'",
                "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
                "SELECT c::text FROM children c",
                "SELECT p::text FROM parents p",
                "SELECT v::text FROM alembic_version v",
            )
        }


@pytest.fixture
def application(wheel_postgresql: PostgresServer, tmp_path: Path) -> Application:
    return Application(wheel_postgresql, wheel_postgresql.make_database(*TABLES), tmp_path)


@pytest.fixture
def on_each(postgresql: PostgresServer, tmp_path: Path) -> Application:
    return Application(postgresql, postgresql.make_database(*TABLES), tmp_path)


def clean_up(bench: Bench) -> None:
    """Change a row as a clean-up does."""
    with bench.writing() as writing:
        writing.change("UPDATE public.children SET parent = NULL WHERE id = 2")


def migrate(bench: Bench, door: Door) -> None:
    with bench.lent() as lent:
        door.upgrade(lent)


def migrate_and_refuse(application: Application, door: Door) -> None:
    """What a live run does that does not come to what was rehearsed."""
    with application.database.exchanged(application.folder) as bench:
        clean_up(bench)
        migrate(bench, door)
        raise Refused("the live run differs from the rehearsal", "nothing was kept")


def migrate_and_lose(application: Application, door: Door) -> None:
    """The server ends the session while the migration runs."""
    with application.database.exchanged(application.folder) as bench:
        with pytest.raises(MigrationFailed):
            migrate(bench, door)
        revision(bench)


def revision(bench: Bench) -> tuple[str, ...]:
    with bench.reading() as reading:
        return reading.revision()


@pytest.mark.parametrize(
    ("driver", "env"),
    [("postgresql+psycopg", ENV), ("postgresql+psycopg2", ENV), ("postgresql", ENV), ("postgresql+asyncpg", ASYNC_ENV)],
)
def test_clean_up_and_migration_are_kept_together_by_the_applications_own_driver(
    application: Application, driver: str, env: str
) -> None:
    mine = Application(application.server, application.base, application.folder, driver)
    seen = "SELECT version_num FROM alembic_version"
    with application.door(ADDS, env=env) as door, mine.database.exchanged(mine.folder) as bench:
        clean_up(bench)
        with bench.lent() as lent:
            door.upgrade(lent)
        assert revision(bench) == ("r2",)
        assert application.server.run(application.base, seen) == [("r1",)], "nothing of it is seen by others yet"
    after = application.rows()
    assert application.server.run(application.base, "SELECT parent FROM children WHERE id = 2") == [(None,)]
    assert application.server.run(application.base, "SELECT DISTINCT born::text FROM parents") == [("1815-12-10",)]
    assert after["SELECT v::text FROM alembic_version v"] == ["('(r2)',)"]


def test_what_is_refused_afterwards_undoes_both(on_each: Application) -> None:
    before = on_each.rows()
    with on_each.door(ADDS) as door, pytest.raises(Refused, match="differs"):
        migrate_and_refuse(on_each, door)
    assert on_each.rows() == before


@pytest.mark.parametrize("more", ["", "transaction_per_migration=True"])
def test_a_migration_that_fails_leaves_the_clean_up_to_be_judged(application: Application, more: str) -> None:
    bodies = (ADDS, "op.create_table('half', sa.Column('id', sa.Integer))\nop.execute('SELECT 1/0')")
    before = application.rows()
    with application.door(*bodies, more=more) as door, application.database.exchanged(application.folder) as bench:
        clean_up(bench)
        with pytest.raises(MigrationFailed, match="DivisionByZero") as told, bench.lent() as lent:
            door.upgrade(lent)
        assert not bench.may_pass(told.value.state)
        assert revision(bench) == ("r1",)
    after = application.rows()
    assert after.pop("SELECT c::text FROM children c") != before.pop("SELECT c::text FROM children c")
    assert after == before, "of the migration nothing is left, committed revisions included (P-115)"


HABITS = {
    "autocommit block": "with op.get_context().autocommit_block():\n    op.execute('CREATE TABLE at_once (id int)')",
    "savepoint": "with op.get_bind().begin_nested():\n    op.execute('CREATE TABLE nested (id int)')",
    "savepoint that fails": (
        "import sqlalchemy.exc\ntry:\n    with op.get_bind().begin_nested():\n        op.execute('SELECT 1/0')\n"
        "except sqlalchemy.exc.DBAPIError:\n    op.execute('CREATE TABLE instead (id int)')"
    ),
    "own transaction": "op.execute('COMMIT')\nop.execute('CREATE TABLE later (id int)')\nop.execute('BEGIN')",
    "loads by COPY": (
        "raw = op.get_bind().connection.dbapi_connection\n"
        'with raw.cursor().copy("COPY parents FROM STDIN") as copy:\n'
        "    for number in range(3, 3000):\n        copy.write_row((number, 'x' * 100))"
    ),
    "reads much": "assert len(op.get_bind().execute(sa.text('SELECT generate_series(1, 100000)')).all()) == 100000",
    "enum": (
        "with op.get_context().autocommit_block():\n    op.execute(\"CREATE TYPE mood AS ENUM ('well')\")\n"
        "    op.execute(\"ALTER TYPE mood ADD VALUE 'ill'\")"
    ),
    "several statements in one string": "op.execute('CREATE TABLE a (id int); CREATE TABLE b (id int);')",
    "deferred": "op.execute('ALTER TABLE children VALIDATE CONSTRAINT children_parent_fkey')",
}


@pytest.mark.parametrize("body", HABITS.values(), ids=HABITS.keys())
@pytest.mark.parametrize("kept", [True, False])
def test_habits_of_real_revisions_work_and_are_undone_with_the_rest(
    application: Application, body: str, kept: bool
) -> None:
    before = application.rows()
    door_of = application.door(body, ADDS)
    with door_of as door:
        try:
            with application.database.exchanged(application.folder) as bench:
                clean_up(bench)
                with bench.lent() as lent:
                    door.upgrade(lent)
                assert revision(bench) == ("r3",)
                if not kept:
                    raise InterruptedError
        except InterruptedError:
            assert not kept
    if kept:
        assert application.server.run(application.base, "SELECT version_num FROM alembic_version") == [("r3",)]
    else:
        assert application.rows() == before


def test_a_revision_that_commits_by_itself_makes_alembic_do_nothing_and_say_nothing_p115(
    application: Application,
) -> None:
    body = "op.get_bind().commit()\nop.execute('CREATE TABLE later (id int)')"
    before = application.rows()
    with application.door(body) as door, application.database.exchanged(application.folder) as bench:
        with bench.lent() as lent:
            door.upgrade(lent)
        assert revision(bench) == ("r1",), "so is it without us: the verdict has to ask"
    assert application.rows() == before


def test_what_cannot_be_done_in_a_transaction_is_refused_by_the_server_and_told(application: Application) -> None:
    body = "with op.get_context().autocommit_block():\n    op.execute('CREATE INDEX CONCURRENTLY i ON parents (name)')"
    before = application.rows()
    with application.door(ADDS, body) as door, application.database.exchanged(application.folder) as bench:
        said = "CREATE INDEX CONCURRENTLY cannot (run inside|be executed within)"
        with pytest.raises(MigrationFailed, match=said), bench.lent() as lent:
            door.upgrade(lent)
    assert application.rows() == before


BESIDE = (
    "with op.get_context().autocommit_block():\n    op.execute('CREATE INDEX CONCURRENTLY i ON parents (name)')\n"
    "    said = op.get_bind().exec_driver_sql(\"SELECT current_setting('lock_timeout')\").scalar()\n"
    "    assert said == '2s', said\n"
    "    held = \"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()\"\n"
    "    assert op.get_bind().exec_driver_sql(held).scalar() == 1"
)


@pytest.mark.parametrize(
    ("driver", "env", "more"),
    [
        ("postgresql+psycopg", ENV, ""),
        ("postgresql+psycopg2", ENV, "transaction_per_migration=True"),
        ("postgresql+asyncpg", ASYNC_ENV, ""),
    ],
)
def test_beside_the_application_only_the_next_revision_is_done_by_its_own_driver_and_waits_no_longer_than_we_p84(
    application: Application, driver: str, env: str, more: str
) -> None:
    mine = Application(application.server, application.base, application.folder, driver)
    with mine.door(BESIDE, ADDS, env=env, more=more) as door, mine.database.beside(mine.folder) as bench:
        with bench.lent() as lent:
            (ran,) = door.upgrade(lent, "r3", ("r2",))
        assert ran.revision == "r2"
        assert revision(bench) == ("r2",)
    assert application.server.run(
        application.base, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass"
    ) == [(True,)]


def test_a_commit_that_nobody_can_keep_back_is_noticed_and_said(application: Application) -> None:
    body = "op.execute('CREATE TABLE escaped (id int); COMMIT; CREATE TABLE after (id int)')"
    env = ENV.replace("from sqlalchemy import", "from sqlalchemy import text\nfrom sqlalchemy import")
    simple = body.replace("op.execute(", "op.get_bind().connection.dbapi_connection.pgconn.exec_(b")
    with application.door(simple, env=env) as door, application.database.exchanged(application.folder) as bench:
        clean_up(bench)
        with pytest.raises(Escaped, match="COMMIT in one string"), bench.lent() as lent:
            door.upgrade(lent)


def test_an_env_that_insists_on_its_own_url_is_told_and_does_nothing_p87(application: Application) -> None:
    own = ENV.replace(
        'context.config.get_main_option("sqlalchemy.url")', repr(application.server.url(application.base))
    )
    before = application.rows()
    with application.door(ADDS, env=own) as door, application.database.exchanged(application.folder) as bench:
        with pytest.raises(MigrationFailed, match=r"env\.py connected to another database"):
            migrate(bench, door)
        assert revision(bench) == ("r1",)
    assert application.rows() == before


def test_two_connections_at_a_time_are_refused_at_once_and_one_after_the_other_are_not(
    application: Application,
) -> None:
    body = (
        "url = op.get_context().config.get_main_option('sqlalchemy.url')\n"
        "sa.create_engine(url, connect_args={'connect_timeout': 20}).connect()"
    )
    with application.door(body) as door, application.database.exchanged(application.folder) as bench:
        with pytest.raises(MigrationFailed, match="lent to one connection at a time"):
            migrate(bench, door)
        assert revision(bench) == ("r1",)
    twice = ENV.replace(
        "with create_engine", "create_engine(url, poolclass=pool.NullPool).connect().close()\nwith create_engine"
    )
    folder = application.folder / "again"
    folder.mkdir()
    again = Application(application.server, application.base, folder)
    with again.door(ADDS, env=twice) as door, again.database.exchanged(folder) as bench, bench.lent() as lent:
        door.upgrade(lent)
    assert application.server.run(application.base, "SELECT version_num FROM alembic_version") == [("r2",)]


def test_what_the_applications_alembic_would_find_set_it_finds(application: Application) -> None:
    application.server.run(
        application.base,
        f"ALTER DATABASE {application.base} SET TimeZone = 'Asia/Tokyo'",
        f"ALTER DATABASE {application.base} SET DateStyle = 'SQL, DMY'",
    )
    body = (
        "said = op.get_bind().execute(sa.text(\"SELECT current_setting('TimeZone') || ' ' ||"
        " current_setting('DateStyle')\")).scalar()\nassert said == 'Asia/Tokyo SQL, DMY', said"
    )
    with application.door(body) as door, application.database.exchanged(application.folder) as bench:
        clean_up(bench)
        with bench.lent() as lent:
            door.upgrade(lent)
        assert revision(bench) == ("r2",)


def test_a_lock_of_the_applications_is_waited_for_no_longer_than_patience_p84(application: Application) -> None:
    before = application.rows()
    with application.server.connect(application.base) as other, other.transaction():
        other.execute("SELECT * FROM parents")
        with application.door(ADDS) as door, application.database.exchanged(application.folder) as bench:
            begun = time.monotonic()
            with pytest.raises(MigrationFailed, match="lock timeout") as told, bench.lent() as lent:
                door.upgrade(lent)
            assert bench.may_pass(told.value.state)
            assert time.monotonic() - begun < 20
    assert application.rows() == before


def test_tallies_tell_what_was_lost_without_counting_and_count_what_was_replaced(application: Application) -> None:
    with application.database.exchanged(application.folder) as bench:
        counted, before = bench.tallies(None), bench.tallies([])
        assert counted["parents"].rows == 2
        with bench.writing() as writing:
            writing.change("CREATE TABLE public.others AS SELECT generate_series(1, 10) AS id")
            writing.change("CREATE TABLE public.heirs AS SELECT * FROM public.parents")
            writing.change("DELETE FROM public.others WHERE id < 4")
            writing.change("TRUNCATE public.parents CASCADE")
        after = bench.tallies([])
        assert after["others"].rows == 7
        replaced = {name for name, tally in after.items() if name in before and tally.storage != before[name].storage}
        assert replaced == {"children", "parents"}
        assert bench.tallies(["parents"])["parents"].rows == 0
        assert after["heirs"].rows == 2


KILLED = """
import os, sys
from pathlib import Path
from tasks.migration import alembic
from upkeep.databases.opening import open_database
from upkeep.settings import Settings
folder = Path(sys.argv[1])
database = open_database("clinic", os.environ["DATABASE_URL"], 2.0)
with alembic(Settings(), folder) as door, database.exchanged(folder) as bench:
    with bench.writing() as writing:
        writing.change("UPDATE public.children SET parent = NULL WHERE id = 2")
    with bench.lent() as lent:
        print("lent", flush=True)
        door.upgrade(lent)
    print("migrated", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("moment", ["lent", "migrated"])
def test_who_is_killed_before_the_commit_leaves_all_as_it_was_promise_4(application: Application, moment: str) -> None:
    before = application.rows()
    ini = project(application.folder, FIRST, ADDS, "op.execute('SELECT pg_sleep(1)')")
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(application.folder)],
        env=os.environ | {"DATABASE_URL": application.server.url(application.base), "UPKEEP_ALEMBIC_INI": str(ini)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while process.stdout.readline().strip() != moment:
        assert process.poll() is None
    if moment == "lent":
        time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    until = time.monotonic() + 20
    busy = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    while application.server.run(application.base, busy) and time.monotonic() < until:
        time.sleep(0.1)
    assert application.rows() == before


def test_a_server_that_is_gone_in_the_middle_is_unreachable(application: Application) -> None:
    before = application.rows()
    killer = (
        "import psycopg\nop.execute('CREATE TABLE t (id int)')\n"
        f"with psycopg.connect({psycopg_url(application)!r}, autocommit=True) as other:\n"
        "    pid = op.get_bind().execute(sa.text('SELECT pg_backend_pid()')).scalar()\n"
        "    other.execute('SELECT pg_terminate_backend(%s)', (pid,))\nop.execute('SELECT 1')"
    )
    with application.door(killer) as door, pytest.raises(Unreachable, match="was lost"):
        migrate_and_lose(application, door)
    assert application.rows() == before


def psycopg_url(application: Application) -> str:
    return application.server.url(application.base).replace("+psycopg", "")


@pytest.mark.parametrize("mode", ["require", "verify-full"])
def test_where_the_server_wants_encryption_the_lent_session_is_encrypted(tmp_path: Path, mode: str) -> None:
    if (programs := system_programs()) is None:
        absent("PostgreSQL", "not installed (apt-get install postgresql)")
    assert programs is not None
    with postgresql_server(programs, tls=True) as server:
        base = server.make_database(*TABLES)
        url = f"{server.url(base)}?sslmode={mode}&sslrootcert={server.certificate}"
        mine = Application(server, base, tmp_path)
        database = open_database("clinic", url, 2.0)
        body = (
            "assert op.get_bind().execute(sa.text('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')).scalar()"
        )
        with mine.door(body) as door, database.exchanged(tmp_path) as bench, bench.lent() as lent:
            door.upgrade(lent)
        assert server.run(base, "SELECT version_num FROM alembic_version") == [("r2",)]


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        (b"BEGIN", b"SAVEPOINT upkeep_lent"),
        (b"begin isolation level read committed;", b"SAVEPOINT upkeep_lent"),
        (b"START TRANSACTION", b"SAVEPOINT upkeep_lent"),
        (b"COMMIT", b"UNLISTEN *"),
        (b"SELECT 'COMMIT'", b"SELECT 'COMMIT'"),
        (b"ROLLBACK TO SAVEPOINT mine", b"ROLLBACK TO SAVEPOINT mine"),
        (b"COMMIT PREPARED 'x'", b"COMMIT PREPARED 'x'"),
        (b"BEGIN; SELECT 1", b"BEGIN; SELECT 1"),
        (b"commitment", b"commitment"),
    ],
)
def test_words_of_transactions_are_changed_and_no_others(said: bytes, instead: bytes) -> None:
    assert Borrowed().asked(b"Q", said + b"\0") == message(b"Q", instead + b"\0")
    assert Borrowed().asked(b"P", b"name\0" + said + b"\0\0\0") == message(b"P", b"name\0" + instead + b"\0\0\0")


def test_a_borrower_believes_in_its_own_transactions() -> None:
    borrowed = Borrowed()
    told = []
    for said, server in ((b"BEGIN", b"T"), (b"SELECT 1/0", b"E"), (b"COMMIT", b"T"), (b"BEGIN", b"T"), (b"END", b"T")):
        sent = borrowed.asked(b"Q", said + b"\0")[5:-1]
        told.append((sent, borrowed.answered(b"Z", server)[-1:]))
    assert told == [
        (b"SAVEPOINT upkeep_lent", b"T"),
        (b"SELECT 1/0", b"E"),
        (b"ROLLBACK TO SAVEPOINT upkeep_lent", b"I"),
        (b"SAVEPOINT upkeep_lent", b"T"),
        (b"RELEASE SAVEPOINT upkeep_lent", b"I"),
    ]
    assert borrowed.is_quiet
    assert not borrowed.has_escaped


@pytest.mark.parametrize("size", [1, 2, 5, 7, 1000])
def test_messages_come_whole_in_whatever_pieces_they_come(size: int) -> None:
    sent = [(b"Q", b"SELECT 1\0"), (b"S", b""), (b"d", bytes(300)), (b"X", b"")]
    stream = b"".join(message(*one) for one in sent)
    splitter = Splitter()
    got = [one for at in range(0, len(stream), size) for one in splitter.fed(stream[at : at + size])]
    assert got == sent
    assert splitter.is_between
