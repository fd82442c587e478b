"""MariaDB as an engine: dump, proof, scratch, lock and refusals, asked of a real server."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pymysql
import pytest
from sqlalchemy.engine import URL

from tests.servers.mariadb import MariadbServer
from upkeep.backups import bring_back, prove, take_backup
from upkeep.databases import Database, Reading, Writing
from upkeep.databases.mariadb import MariadbDatabase
from upkeep.databases.opening import open_database
from upkeep.errors import Damaged, Refused, Unreachable, UpkeepError
from upkeep.manifests import Manifest, list_backups
from upkeep.rows import images_of
from upkeep.stores import Store, open_store

NOW = datetime(2026, 4, 1, 2, tzinfo=UTC)
TABLES = (
    "CREATE TABLE parents (id int PRIMARY KEY AUTO_INCREMENT, name varchar(20))",
    "CREATE TABLE children (id int PRIMARY KEY, parent int, note text,"
    " FOREIGN KEY (parent) REFERENCES parents (id) ON DELETE CASCADE)",
    "INSERT INTO parents VALUES (1, 'Ada'), (2, NULL)",
    "INSERT INTO children VALUES (1, 1, 'x'), (2, NULL, 'y')",
)
ORPHAN = ("SET foreign_key_checks = 0", "INSERT INTO children VALUES (3, 99, 'orphan')")
MANY = "INSERT INTO children SELECT seq, 1, REPEAT('x', 900) FROM seq_100_to_3000"
SHAPES = (
    "CREATE TABLE `Back Office``s Order` (id bigint unsigned PRIMARY KEY AUTO_INCREMENT, `Who` enum('well', 'ill'),"
    " a int, twice int AS (a * 2) STORED, thrice int AS (a * 3) VIRTUAL, CHECK (a < 150))",
    "INSERT INTO `Back Office``s Order` (`Who`, a) VALUES ('well', 3), ('ill', NULL)",
    "CREATE TABLE odd (id int PRIMARY KEY, d decimal(30, 10), f double, b blob, j json, t timestamp NULL,"
    " z date, s set('a', 'b'), bits bit(9), l varchar(9) CHARACTER SET latin1, u uuid, y year)",
    "SET time_zone = '+05:00', sql_mode = 'STRICT_ALL_TABLES'",
    r"""INSERT INTO odd VALUES (1, 12345678901234567890.0123456789, 1e-320, x'00ff27', '{"b": 1, "a": [null]}',
        '2026-01-01 03:00:00', '0000-00-00', 'a,b', b'101', 'é', '5eed0000-0000-4000-8000-00000000dead', 1999)""",
    "CREATE VIEW seen AS SELECT p.name, c.note FROM parents p JOIN children c ON c.parent = p.id",
    "CREATE TRIGGER stamps BEFORE UPDATE ON children FOR EACH ROW\nBEGIN SET NEW.note = 'now; '; END",
    "CREATE PROCEDURE counted(OUT n int) BEGIN SELECT COUNT(*) INTO n FROM parents; END",
    "CREATE FUNCTION three() RETURNS int DETERMINISTIC RETURN 3",
    "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM children WHERE id = 1",
    "CREATE SEQUENCE numbers START WITH 7",
    "CREATE TABLE numbered (id int PRIMARY KEY DEFAULT NEXTVAL(numbers), name varchar(9))",
    "INSERT INTO numbered VALUES (1, 'one')",
    "CREATE TABLE nothing_in_it (id int)",
)


@dataclass(frozen=True)
class House:
    """One database with a store beside it, and a folder for a run."""

    server: MariadbServer
    base: str
    store: Store
    workplace: Path

    @property
    def database(self) -> MariadbDatabase:
        """The database as Upkeep opens it."""
        return self.opened()

    def opened(
        self, user: str = "", password: str | None = None, programs: Path | None = None, patience: float = 1.0
    ) -> MariadbDatabase:
        """The database as another role, or with other programs; it waits a second for a lock."""
        found = open_database("clinic", self.server.url(self.base, user, password), patience, programs)
        assert isinstance(found, MariadbDatabase)
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
        begin = self.database._scratches._begin
        return {name for name in self.server.databases() if name.startswith(begin)}


@pytest.fixture
def house(mariadb: MariadbServer, tmp_path: Path) -> Iterator[House]:
    """A small database."""
    for name in ("store", "work"):
        (tmp_path / name).mkdir()
    store = open_store((tmp_path / "store").as_uri())
    house = House(mariadb, mariadb.make_database(*TABLES), store, tmp_path / "work")
    with contextlib.ExitStack() as after:
        after.callback(house.database.sweep)
        yield house


def of_programs() -> list[int]:
    """The processes of mariadb-dump and mariadb that this one has started."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        children = ""
        with contextlib.suppress(OSError):  # a thread that has ended since
            children = (task / "children").read_text()
        for child in children.split():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{child}/comm").read_text().strip() in ("mariadb-dump", "mariadb"):
                    found.append(int(child))
    return found


def drain(dump: BinaryIO) -> None:
    """Read to the end."""
    while dump.read(1 << 20):
        pass


def name_of(database: Database) -> str:
    """The name of a database on its server."""
    return database.fingerprint()[1].rpartition("/")[2]


def end_connections(house: House) -> None:
    """As a server does that is shut down."""
    for (thread,) in house.run(
        "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID()"
    ):
        with contextlib.suppress(pymysql.MySQLError):
            house.run(f"KILL {thread}")


def lose_and_count(house: House, reading: Reading) -> None:
    """The server ends all connections, and then a question is asked."""
    end_connections(house)
    reading.count("children", digest=True)


def delete_and_lose(house: House, writing: Writing) -> None:
    """A change, and then the server ends all connections."""
    writing.change("DELETE FROM `children`")
    end_connections(house)


def lose_and_ask(house: House, writing: Writing) -> None:
    """A change, the server ends all connections, and then a question is asked."""
    delete_and_lose(house, writing)
    writing.count("children", digest=False)


# --- Backup and proof ---


def test_a_backup_is_restored_into_a_scratch_and_proven_equal_promise_5(house: House) -> None:
    house.run(*SHAPES)
    manifest = house.backed_up()
    assert manifest.engine == "mariadb"
    assert all(count.digest for count in manifest.census.tables.values())
    scratch = house.database.scratch(house.workplace)
    assert bring_back(house.store, manifest, scratch) == ()
    assert house.proven(manifest, scratch) == ()
    assert [backup.verified for backup in list_backups(house.store, "clinic")] == [True]
    name = name_of(scratch)
    for question in (
        "SELECT * FROM `Back Office``s Order` ORDER BY id",
        "SELECT * FROM odd",
        "SELECT * FROM seen",
        "SELECT three()",
        "SELECT NEXT VALUE FOR numbers",
        "SELECT TRIGGER_NAME, ACTION_TIMING FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()",
    ):
        assert house.server.run(name, question) == house.run(question)
    status = "SELECT STATUS FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()"
    assert house.run(status) == [("ENABLED",)]
    assert house.server.run(name, status) == [("DISABLED",)], "an event of a copy must not do anything (P-21)"
    scratch.discard()


@pytest.mark.parametrize(
    ("damage", "noticed"),
    [
        ("UPDATE parents SET name = 'ada' WHERE id = 1", "the content of table parents differs"),
        ("ALTER TABLE children DROP FOREIGN KEY children_ibfk_1", "the schema differs"),
    ],
)
def test_a_restored_database_that_differs_is_not_verified_promise_5(house: House, damage: str, noticed: str) -> None:
    manifest = house.backed_up()
    scratch = house.database.scratch(house.workplace)
    bring_back(house.store, manifest, scratch)
    house.server.run(name_of(scratch), damage)
    assert noticed in house.proven(manifest, scratch)
    assert [backup.verified for backup in list_backups(house.store, "clinic")] == [False]
    scratch.discard()


def test_what_mariadb_dump_rounds_is_named_as_not_compared_and_all_else_is_compared_p120(house: House) -> None:
    house.run(
        "CREATE TABLE measured (id int PRIMARY KEY, f float)", "INSERT INTO measured VALUES (1, 36.6), (2, 16777217)"
    )
    manifest = house.backed_up()
    scratch = house.database.scratch(house.workplace)
    bring_back(house.store, manifest, scratch)
    in_full = "SELECT CAST(f AS DOUBLE) FROM measured WHERE id = 2"
    assert [house.run(in_full), house.server.run(name_of(scratch), in_full)] == [[(16777216.0,)], [(16777200.0,)]]
    assert [said for said in house.database.uncompared if "FLOAT" in said], "a person must know of it"
    assert house.proven(manifest, scratch) == ()
    with house.database.reading() as live, scratch.reading() as copy:
        same, rounded = (
            len({str(images_of(one, one.catalog().tables["measured"], [row])) for one in (live, copy)})
            for row in (("1",), ("2",))
        )
        assert (same, rounded) == (1, 2), "what the copy has lost is no row that was rehearsed"
    house.server.run(name_of(scratch), "UPDATE measured SET f = 16777300 WHERE id = 2")
    assert house.proven(manifest, scratch) == ("the content of table measured differs",)
    scratch.discard()


def test_who_writes_all_the_time_finds_census_and_dump_equal_p19(house: House) -> None:
    house.run("CREATE TABLE busy (id int PRIMARY KEY AUTO_INCREMENT, n int)")
    program = (
        "import os, pymysql, sys\n"
        "c = pymysql.connect(host='127.0.0.1', port=int(sys.argv[1]), user='root', password=os.environ['SECRET'],"
        " database=sys.argv[2], autocommit=True)\n"
        "print('writing', flush=True)\n"
        "while True:\n    c.cursor().execute('INSERT INTO busy (n) VALUES (1), (2)')\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", program, str(house.server.port), house.base],
        env=os.environ | {"SECRET": house.server.password},
        stdout=subprocess.PIPE,
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        manifests = [house.backed_up() for _ in range(4)]
    finally:
        writer.kill()
        writer.wait()
    assert len({manifest.census.tables["busy"].rows for manifest in manifests}) == 4, "it did write"
    for manifest in manifests:
        scratch = house.database.scratch(house.workplace)
        bring_back(house.store, manifest, scratch)
        assert house.proven(manifest, scratch) == ()
        scratch.discard()


def test_tables_that_no_transaction_keeps_wait_until_the_dump_is_read(house: House) -> None:
    house.run("CREATE TABLE old (id int PRIMARY KEY) ENGINE = Aria", "INSERT INTO old VALUES (1)")
    with house.database.snapshot(house.workplace) as snapshot:
        house.run("INSERT INTO parents VALUES (9, 'at once')")
        with pytest.raises(pymysql.OperationalError, match="1205"):
            house.run("SET lock_wait_timeout = 1", "INSERT INTO old VALUES (2)")
        with snapshot.dump() as dump:
            drain(dump)
    house.run("INSERT INTO old VALUES (2)")
    manifest = house.backed_up()
    scratch = house.database.scratch(house.workplace)
    bring_back(house.store, manifest, scratch)
    assert house.proven(manifest, scratch) == ()
    scratch.discard()


def test_a_writer_who_does_not_end_makes_the_backup_try_again_later(house: House) -> None:
    with contextlib.closing(house.server.connect(house.base, autocommit=False)) as application:
        application.cursor().execute("UPDATE children SET note = 'mine'")
        with pytest.raises(Unreachable, match="is locked by another program"):
            house.backed_up()
    assert house.stored == []
    assert of_programs() == []


# --- A dump that does not end well ---


def test_a_dump_program_that_is_killed_leaves_no_backup_p124(house: House) -> None:
    house.run(MANY)

    def kill(said: str) -> None:
        if said == "compressing and storing":
            (dumping,) = of_programs()
            os.kill(dumping, signal.SIGKILL)

    with pytest.raises(Unreachable, match="mariadb-dump was ended by signal 9"):
        take_backup(house.database, house.store, house.workplace, run="test", now=NOW, progress=kill)
    assert house.stored == []
    assert list_backups(house.store, "clinic") == ()


def test_a_server_that_ends_the_dump_leaves_no_backup_p124(house: House) -> None:
    house.run("CREATE TABLE wide (id int PRIMARY KEY, note longtext)")
    house.run("INSERT INTO wide SELECT seq, REPEAT('x', 500000) FROM seq_1_to_60")

    def end(said: str) -> None:
        if said == "compressing and storing":
            end_connections(house)

    with pytest.raises(Unreachable, match=r"mariadb-dump lost the server|connection to .* was lost"):
        take_backup(house.database, house.store, house.workplace, run="test", now=NOW, progress=end)
    assert house.stored == []


def test_the_end_of_a_dump_that_failed_is_never_reported_however_often_it_is_asked_for_p124(house: House) -> None:
    house.run(MANY)
    with house.database.snapshot(house.workplace) as snapshot, snapshot.dump() as dump:
        assert dump.read(5) == b"/*M!9"
        (dumping,) = of_programs()
        os.kill(dumping, signal.SIGKILL)
        for _ in range(3):
            with pytest.raises(Unreachable):
                drain(dump)


def test_a_dump_program_that_ends_well_without_its_last_line_leaves_no_backup_p124(
    house: House, tmp_path: Path
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    real = shutil.which("mariadb-dump")
    (folder / "mariadb-dump").write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exec {real} "$1"\n{real} "$@" | grep -v "Dump completed"\n'
    )
    (folder / "mariadb-dump").chmod(0o755)
    (folder / "mariadb").symlink_to(shutil.which("mariadb") or "")
    with pytest.raises(Damaged, match="ended without its last line"):
        house.backed_up(house.opened(programs=folder))
    assert house.stored == []


def test_what_the_dump_cannot_read_is_refused_and_leaves_no_backup(house: House) -> None:
    house.run("CREATE TABLE base (id int)", "CREATE VIEW broken AS SELECT id FROM base", "DROP TABLE base")
    with pytest.raises(Refused, match="mariadb-dump"):
        house.backed_up()
    assert house.stored == []


def test_a_dump_that_is_not_read_to_its_end_leaves_no_process_behind(house: House) -> None:
    house.run(MANY)
    with house.database.snapshot(house.workplace) as snapshot, snapshot.dump() as dump:
        dump.read(1)
        assert of_programs() != []
    assert of_programs() == []
    assert list(house.workplace.iterdir()) == []


def test_what_is_sipped_of_a_dump_that_waits_is_in_it_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.run(MANY)
    with house.database.snapshot(house.workplace) as snapshot, snapshot.dump() as dump:
        whole = dump.read()
    monkeypatch.setattr("upkeep.databases.mariadb_dump._SIP_SECONDS", 0.02)
    monkeypatch.setattr("upkeep.databases.mariadb_dump._SIP", 1 << 16)
    with house.database.snapshot(house.workplace) as snapshot, snapshot.reading() as reading:
        for _ in range(20):
            reading.count("children", digest=True)
        assert snapshot.size > 0
        with snapshot.dump() as dump:
            sipped = dump.read()
    assert sipped.rpartition(b"\n-- Dump completed")[0] == whole.rpartition(b"\n-- Dump completed")[0]


def test_no_password_is_in_the_process_list_or_in_the_environment_p24(house: House) -> None:
    house.run(MANY)
    with house.database.snapshot(house.workplace) as snapshot, snapshot.dump() as dump:
        dump.read(1)
        (dumping,) = of_programs()
        line = Path(f"/proc/{dumping}/cmdline").read_bytes() + Path(f"/proc/{dumping}/environ").read_bytes()
    assert house.base.encode() in line
    assert house.server.password.encode() not in line


# --- Restore ---


def test_a_database_that_is_not_there_is_made_and_filled(house: House) -> None:
    house.run(*ORPHAN, *SHAPES)
    manifest = house.backed_up()
    fresh = f"{house.base}_fresh"
    target = open_database("clinic", house.server.url(fresh))
    assert bring_back(house.store, manifest, target) == ()
    assert house.proven(manifest, target) == ()
    events = "SELECT STATUS FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()"
    assert house.server.run(fresh, events) == [("ENABLED",)]
    assert house.server.run(fresh, "SHOW TABLES LIKE 'upkeep%'") == []
    assert house.server.databases() >= {fresh, house.base}
    with pytest.raises(Refused, match="is not empty"):
        bring_back(house.store, manifest, target)


def test_an_empty_database_is_filled_and_stays_empty_where_that_fails_p23(house: House) -> None:
    manifest = house.backed_up()
    empty = house.server.make_database()
    target = open_database("clinic", house.server.url(empty))
    dump = plain_dump(house)
    with pytest.raises(Damaged, match="not whole"):
        target.restore(BytesIO(dump[: len(dump) // 2].rpartition(b"\n")[0]))
    assert house.server.run(empty, "SHOW TABLES") == []
    assert bring_back(house.store, manifest, target) == ()
    assert house.proven(manifest, target) == ()


def plain_dump(house: House) -> bytes:
    """The plain bytes of a dump."""
    with house.database.snapshot(house.workplace) as snapshot, snapshot.dump() as dump:
        return dump.read()


def test_a_restore_that_was_killed_is_taken_for_no_database_promise_4(house: House) -> None:
    house.run(MANY)
    empty = house.server.make_database()
    program = (
        "import os\nfrom io import BytesIO, RawIOBase\nfrom pathlib import Path\n"
        "from upkeep.databases.opening import open_database\n"
        "source = open_database('clinic', os.environ['SOURCE'])\n"
        "with source.snapshot(Path(os.environ['PLACE'])) as snapshot, snapshot.dump() as dump:\n"
        "    content = dump.read()\n"
        "class Half(BytesIO):\n"
        "    def read(self, size=-1):\n"
        "        piece = super().read(4096)\n"
        "        if self.tell() > len(content) // 2:\n            os.kill(os.getpid(), 9)\n"
        "        return piece\n"
        "open_database('clinic', os.environ['TARGET']).restore(Half(content))\n"
    )
    environment = {
        "SOURCE": house.server.url(house.base),
        "TARGET": house.server.url(empty),
        "PLACE": str(house.workplace),
    }
    killed = subprocess.run([sys.executable, "-c", program], env=os.environ | environment)
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(Refused, match=f"holds a restore that did not end.*DROP DATABASE `{empty}`"):
        bring_back(house.store, house.backed_up(), open_database("clinic", house.server.url(empty)))


def test_nothing_is_restored_over_what_is_there_though_it_is_no_table_p23(house: House) -> None:
    taken = house.server.make_database("CREATE FUNCTION f() RETURNS int RETURN 1")
    with pytest.raises(Refused, match="is not empty"):
        bring_back(house.store, house.backed_up(), open_database("clinic", house.server.url(taken)))


# --- Scratch ---


def test_a_scratch_is_gone_after_it_is_discarded_and_with_its_workplace(house: House) -> None:
    manifest = house.backed_up()
    database = house.database
    for with_workplace in (False, True):
        scratch = database.scratch(house.workplace)
        scratch.discard()
        bring_back(house.store, manifest, scratch)
        assert len(house.scratches) == 1
        with contextlib.closing(house.server.connect(next(iter(house.scratches)), autocommit=False)) as other:
            other.cursor().execute("SELECT * FROM children")
            if with_workplace:
                shutil.rmtree(house.workplace)
                database.sweep()
            else:
                scratch.discard()
        assert house.scratches == set()


def test_a_scratch_that_was_being_made_is_swept_and_what_only_looks_like_one_is_not_p22(house: House) -> None:
    begin = house.database._scratches._begin
    half, other = (f"{begin}{end}" for end in ("0123456789ab", "ba9876543210"))
    house.server.run(None, f"CREATE DATABASE {half}", f"CREATE DATABASE {other}", f"CREATE TABLE {other}.t (i int)")
    assert house.database.sweep() == (half,)
    assert house.scratches == {other}
    house.server.run(None, f"DROP DATABASE {other}")


def test_the_live_database_can_never_be_discarded_nor_tried_p22(house: House) -> None:
    live = house.opened()
    for mistaken in (live, replace(live, is_scratch=True)):
        with pytest.raises(Refused, match="is not a scratch database"):
            mistaken.discard()
    with pytest.raises(Refused, match="is not a scratch database"):
        live.refuses_orphans()
    other = house.server.make_database(*TABLES)
    with pytest.raises(Refused, match="is not a scratch database"):
        replace(live, place=live.place.at(other), is_scratch=True).discard()
    assert {house.base, other} <= house.server.databases()


def test_code_that_would_reach_out_of_a_copy_is_not_run_p21_promise_1(house: House) -> None:
    house.run(
        "CREATE TABLE audit (id int)",
        "CREATE TRIGGER out_there AFTER DELETE ON children FOR EACH ROW"
        f" INSERT INTO {house.base}.audit VALUES (OLD.id)",
    )
    manifest = house.backed_up()
    scratch = house.database.scratch(house.workplace)
    bring_back(house.store, manifest, scratch)
    assert house.proven(manifest, scratch) == ()
    with pytest.raises(Refused, match=f"trigger out_there names the database {house.base}"), scratch.writing():
        pass
    with pytest.raises(Refused, match="out_there"):
        scratch.refuses_orphans()
    assert house.run("SELECT COUNT(*) FROM audit") == [(0,)]
    scratch.discard()


# --- Transactions and the lock ---


def test_the_lock_is_of_the_short_name_so_that_two_may_share_a_database_p94(house: House) -> None:
    with house.database.held("run 7"), open_database("other", house.server.url(house.base)).held("run 9"):
        pass


def test_a_migration_is_refused_before_anything_is_done_and_the_way_without_is_told(house: House) -> None:
    with (
        pytest.raises(Refused, match=r"cannot undo a migration.*--no-migrate"),
        house.database.exchanged(house.workplace),
    ):
        pass


# --- Bad input ---


@pytest.mark.parametrize(
    ("wrong", "kind", "said"),
    [
        ({"password": "n0t-it"}, Refused, "refuses the password of role"),
        ({"user": "nobody-here"}, Refused, "refuses the password of role"),
        ({"base": "nowhere"}, Refused, "there is no database at"),
        ({"port": "1"}, Unreachable, "no MariaDB or MySQL server answers at"),
        ({"host": "no-such-host.invalid"}, Unreachable, "no MariaDB or MySQL server answers at"),
    ],
)
def test_a_wrong_url_is_told_apart_and_no_password_is_told_p24(
    house: House, wrong: dict[str, str], kind: type[UpkeepError], said: str
) -> None:
    server = house.server
    url = server.url(wrong.get("base", house.base), wrong.get("user", ""), wrong.get("password"))
    url = url.replace(str(server.port), wrong.get("port", str(server.port)))
    url = url.replace("127.0.0.1", wrong.get("host", "127.0.0.1"))
    with pytest.raises(kind, match=said) as refusal:
        open_database("clinic", url).identity()
    assert type(refusal.value) is kind
    assert server.password not in f"{refusal.value!r} {refusal.value}"
    assert "n0t-it" not in f"{refusal.value!r} {refusal.value}"


@pytest.mark.parametrize("url", ["mysql://host", "mariadb://host/base?no_such_option=1"])
def test_a_url_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(Refused, match="mysql\\+pymysql://user:password@host:3306/database"):
        open_database("clinic", url)


def test_the_identity_and_the_value_itself_show_no_password_p24(house: House) -> None:
    database = house.database
    assert str(house.server.port) in database.identity().place
    assert house.server.password not in f"{database!r} {database.identity()}"


def test_any_driver_of_the_applications_will_do(house: House) -> None:
    for driver in ("mysql+mysqldb", "mariadb+mariadbconnector", "mysql+aiomysql"):
        url = house.server.url(house.base).replace("mysql+pymysql", driver) + "?charset=utf8mb4"
        database = open_database("clinic", url)
        assert database.identity().engine == "mariadb"
        assert database.alembic_url().startswith(f"{driver.partition('+')[0]}+pymysql://")


def test_a_unix_socket_and_a_password_with_every_sign_will_do(house: House) -> None:
    server = house.server
    password = "a \"b'c\\d#e;f%g=ü"  # made up
    server.run(None, "CREATE USER IF NOT EXISTS odd@localhost", "GRANT ALL ON *.* TO odd@localhost WITH GRANT OPTION")
    with contextlib.closing(server.connect()) as connection:
        connection.cursor().execute("SET PASSWORD FOR odd@localhost = PASSWORD(%s)", (password,))
    url = URL.create("mysql+pymysql", "odd", password, database=house.base, query={"unix_socket": str(server.socket)})
    database = open_database("clinic", url.render_as_string(hide_password=False))
    manifest = house.backed_up(database)
    scratch = database.scratch(house.workplace)
    bring_back(house.store, manifest, scratch)
    assert house.proven(manifest, scratch) == ()
    scratch.discard()


def test_a_server_that_is_gone_in_mid_run_is_unreachable(house: House) -> None:
    with pytest.raises(Unreachable, match="was lost"), house.database.reading() as reading:
        lose_and_count(house, reading)
    with pytest.raises(Unreachable, match="was lost"), house.database.writing() as writing:
        lose_and_ask(house, writing)
    assert house.run("SELECT COUNT(*) FROM children") == [(2,)]


def test_a_connection_that_is_lost_in_the_commit_is_left_to_the_next_run(house: House) -> None:
    with pytest.raises(pymysql.MySQLError), house.database.writing() as writing:
        delete_and_lose(house, writing)


def test_too_old_a_program_or_another_makers_is_refused_before_anything_is_stored_p12(
    house: House, tmp_path: Path
) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    program = folder / "mariadb-dump"
    for said, told in (
        ("mysqldump  Ver 10.19 Distrib 10.3.39-MariaDB, for debian-linux-gnu (x86_64)", "found: MariaDB 10.3"),
        ("mysqldump  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)", "found: MySQL 8.0"),
    ):
        program = folder / "mariadb-dump" if "MariaDB" in said else folder / "mysqldump"
        program.write_text(f"#!/bin/sh\necho '{said}'\n")
        program.chmod(0o755)
        with pytest.raises(Refused, match=rf"mariadb-dump of MariaDB 10\.\d+ or newer is needed here; {told}"):
            house.backed_up(house.opened(programs=folder))
        program.unlink()
    with pytest.raises(Refused, match="found: none"):
        house.backed_up(house.opened(programs=tmp_path))
    assert house.stored == []


LOOKS = "SELECT, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES"


def test_a_role_that_may_not_make_a_database_is_told_how_to(house: House) -> None:
    role = house.server.make_role(f"{LOOKS} ON {house.base}.*")
    database = house.opened(role)
    manifest = house.backed_up(database)
    with pytest.raises(Refused, match=r"may not make a scratch database.*GRANT ALL ON `upkeep\\_scratch\\_%`\.\* TO"):
        bring_back(house.store, manifest, database.scratch(house.workplace))
    house.server.run(None, f"GRANT ALL ON `upkeep\\_scratch\\_%`.* TO {role}@'127.0.0.1'")
    scratch = database.scratch(house.workplace)
    bring_back(house.store, manifest, scratch)
    assert house.proven(manifest, scratch) == ()
    scratch.discard()


@pytest.mark.parametrize("missing", LOOKS.split(", "))
def test_a_role_that_may_not_see_all_is_refused_and_told_what_it_lacks_p15(house: House, missing: str) -> None:
    house.run(*SHAPES)
    rights = ", ".join(right for right in LOOKS.split(", ") if right != missing)
    role = house.server.make_role(f"{rights} ON {house.base}.*")
    with pytest.raises(Refused, match=f"it lacks {missing}.*GRANT {missing} ON"):
        house.backed_up(house.opened(role))
    assert house.stored == []
