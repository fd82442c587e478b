"""Exchanging a SQLite file for a copy that was worked on: all or nothing, beside an application that has it open."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.damaged_clinic import MODES, content
from tests.engines.sqlite import SqliteBase
from tests.test_writers import assert_nothing_is_lost, somebody_writing
from upkeep.databases.sqlite import SqliteDatabase
from upkeep.errors import Unreachable

ROWS = 3000
SHAPES = ((512, "INCREMENTAL"), (4096, "FULL"), (65536, "NONE"), (65536, "FULL"))
KEEPS_THE_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=MODES)
def original(request: pytest.FixtureRequest, tmp_path: Path) -> SqliteDatabase:
    """A database of some hundred pages in each journal mode."""
    return made(tmp_path / "original.db", str(request.param))


def made(path: Path, mode: str = "delete", *pragmas: str) -> SqliteDatabase:
    with closing(sqlite3.connect(path)) as connection:
        for pragma in (*pragmas, f"journal_mode = {mode}"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("CREATE TABLE notes (n INTEGER)")
        connection.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT)")
        people = [(number, f"{number}" * 20) for number in range(ROWS)]
        connection.executemany("INSERT INTO people VALUES (?, ?)", people)
        connection.commit()
    return SqliteDatabase("original", path, patience=5.0)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder for the copy."""
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


def migrate(path: Path) -> None:
    """What a migration does, in a connection of its own: commits in between, more and fewer pages."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE people ADD COLUMN born TEXT")
        connection.commit()
        connection.execute("CREATE TABLE visits AS SELECT id AS person, hex(zeroblob(200)) AS note FROM people")
        connection.execute(f"DELETE FROM people WHERE id >= {ROWS // 2}")
        connection.commit()


def exchange(
    original: SqliteDatabase,
    place: Path,
    fails_with: type[BaseException] | None = None,
    at_the_end: list[str] | None = None,
) -> None:
    """Migrate in an exchange that may end with an error; ``at_the_end`` is told when the copy is finished."""
    with original.exchanged(place):
        migrate(place / "exchange.db")
        if fails_with is not None:
            raise fails_with
        if at_the_end is not None:
            at_the_end.append("finished")


def expected_after(database: SqliteDatabase, folder: Path) -> object:
    """What the database would hold if it were worked on alone."""
    alone = folder / "alone.db"
    with closing(sqlite3.connect(database.path)) as source, closing(sqlite3.connect(alone)) as target:
        source.backup(target)
    migrate(alone)
    return content(alone)


def journal_mode(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def test_what_was_done_to_the_copy_is_what_the_original_holds_afterwards(original: SqliteDatabase, place: Path) -> None:
    mode = journal_mode(original.path)
    wanted = expected_after(original, place)
    with original.exchanged(place):
        assert place / "exchange.db" != original.path
        migrate(place / "exchange.db")
    assert content(original.path) == wanted
    assert journal_mode(original.path) == mode
    assert [file.name for file in place.iterdir()] == ["alone.db"], "the copy holds rows of people (P-106)"


def test_owner_mode_and_inode_stay_and_so_do_the_headers_numbers_p06_p81(tmp_path: Path, place: Path) -> None:
    original = made(tmp_path / "original.db", "delete", "user_version = 7", "application_id = 99")
    original.path.chmod(0o640)
    os.chown(original.path, os.getuid(), os.getgid())
    before = original.path.stat()
    with original.exchanged(place):
        migrate(place / "exchange.db")
    after = original.path.stat()
    assert (after.st_ino, after.st_mode, after.st_uid, after.st_gid) == (
        before.st_ino,
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )
    with closing(sqlite3.connect(original.path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (7,)
        assert connection.execute("PRAGMA application_id").fetchone() == (99,)


def test_a_connection_that_was_open_all_the_time_sees_the_new_schema_p81(original: SqliteDatabase, place: Path) -> None:
    with closing(sqlite3.connect(original.path)) as application:
        before = application.execute("SELECT * FROM people WHERE id = 1").fetchone()
        assert len(before) == 2
        with original.exchanged(place):
            migrate(place / "exchange.db")
            assert application.execute("SELECT COUNT(*) FROM people").fetchone() == (ROWS,), "readers go on"
        assert application.execute("SELECT * FROM people WHERE id = 1").fetchone() == (*before, None)
        application.execute("INSERT INTO people VALUES (9999, 'late', '2026-01-01')")
        application.commit()
    assert content(original.path)["rows"]["people"][-1] == (9999, "late", "2026-01-01")


def test_writers_wait_while_the_copy_is_worked_on(original: SqliteDatabase, place: Path) -> None:
    with closing(sqlite3.connect(original.path, timeout=0)) as application:
        with original.exchanged(place), pytest.raises(sqlite3.OperationalError, match="locked"):
            application.execute("INSERT INTO notes VALUES (1)")
        application.execute("INSERT INTO notes VALUES (2)")
        application.commit()
    assert content(original.path)["rows"]["notes"] == [(2,)]


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_while_the_copy_is_worked_on_leaves_the_original_as_it_was(
    original: SqliteDatabase, place: Path, fault: type[BaseException]
) -> None:
    before, stamp = original.path.read_bytes(), original.path.stat().st_mtime_ns
    with pytest.raises(fault):
        exchange(original, place, fails_with=fault)
    assert (original.path.read_bytes(), original.path.stat().st_mtime_ns) == (before, stamp)
    with closing(sqlite3.connect(original.path, timeout=0)) as application:
        application.execute("INSERT INTO notes VALUES (1)")
        application.commit()


def test_a_write_of_the_application_in_the_gap_is_noticed_and_kept(
    original: SqliteDatabase, place: Path, tmp_path: Path
) -> None:
    """Somebody hammers; each exchange either has nobody's write in its way or changes nothing (promise 9)."""
    ended = {"exchanged": 0, "noticed": 0}
    with somebody_writing(original.alembic_url(), tmp_path / "log") as log:
        for number in range(25):
            try:
                with original.exchanged(place), closing(sqlite3.connect(place / "exchange.db")) as worker:
                    worker.execute("UPDATE people SET name = ? WHERE id = 0", (f"exchange {number}",))
                    worker.commit()
            except Unreachable as fault:
                ended["noticed"] += 1
                said = fault.message
                assert "nothing was changed" in said or "no lock could be had" in said
            else:
                ended["exchanged"] += 1
                name = content(original.path)["rows"]["people"][0][1]
                assert name == f"exchange {number}"
    assert ended["exchanged"] > 0
    assert_nothing_is_lost(SqliteBase(original.path), log)


@pytest.mark.parametrize("mode", MODES)
def test_a_write_exactly_in_the_gap_is_noticed_and_nothing_is_changed(
    mode: str, tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write comes when the first lock is gone and the second is not yet had: when the finished copy is opened."""
    original = made(tmp_path / "original.db", mode)
    connect = sqlite3.connect

    def connected(target: object, *args: object, **kwargs: object) -> sqlite3.Connection:
        if target == place / "exchange.db" and armed:
            armed.clear()
            subprocess.run([sys.executable, "-c", WRITES_ONCE, str(original.path)], check=True)
        return connect(target, *args, **kwargs)  # type: ignore[call-overload,no-any-return]  # passed on as it came

    armed: list[str] = []
    monkeypatch.setattr(sqlite3, "connect", connected)
    with pytest.raises(Unreachable) as told:
        exchange(original, place, at_the_end=armed)
    monkeypatch.undo()
    assert told.value.message == (
        "the application wrote in the moment before the change was put in place; nothing was changed"
    )
    assert told.value.hint == "run it again"
    held = content(original.path)["rows"]
    assert held["notes"] == [(42,)]
    assert len(held["people"]) == ROWS
    assert "visits" not in held


WRITES_ONCE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=5)
connection.execute("INSERT INTO notes VALUES (42)")
connection.commit()
"""


@contextmanager
def somebody_holding_the_lock(path: Path) -> Iterator[None]:
    with subprocess.Popen(
        [sys.executable, "-c", KEEPS_THE_LOCK, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        yield
        process.kill()


def test_a_database_that_stays_locked_is_unreachable_and_unchanged(original: SqliteDatabase, place: Path) -> None:
    impatient = SqliteDatabase("original", original.path, patience=0.2)
    before = content(original.path)
    with somebody_holding_the_lock(original.path), pytest.raises(Unreachable, match="locked by another program"):
        exchange(impatient, place)
    assert content(original.path) == before


def test_a_reader_that_does_not_end_makes_it_unreachable_in_delete_mode(tmp_path: Path, place: Path) -> None:
    original = made(tmp_path / "original.db")
    impatient = SqliteDatabase("original", original.path, patience=0.3)
    before = content(original.path)
    with closing(sqlite3.connect(original.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM people").fetchone()
        with pytest.raises(Unreachable):
            exchange(impatient, place)
    assert content(original.path) == before


def test_a_reader_in_wal_mode_keeps_its_snapshot_and_holds_up_nobody(tmp_path: Path, place: Path) -> None:
    original = made(tmp_path / "original.db", "wal")
    with closing(sqlite3.connect(original.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT COUNT(*) FROM people").fetchone() == (ROWS,)
        with original.exchanged(place):
            migrate(place / "exchange.db")
        assert reader.execute("SELECT COUNT(*) FROM people").fetchone() == (ROWS,)
        reader.execute("COMMIT")
        assert reader.execute("SELECT COUNT(*) FROM people").fetchone() == (ROWS // 2,)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("size", "vacuum"), SHAPES)
def test_page_size_and_auto_vacuum_stay(tmp_path: Path, place: Path, mode: str, size: int, vacuum: str) -> None:
    original = made(tmp_path / "original.db", mode, f"page_size = {size}", f"auto_vacuum = {vacuum}")
    wanted = expected_after(original, place)
    with original.exchanged(place):
        migrate(place / "exchange.db")
    assert content(original.path) == wanted
    with closing(sqlite3.connect(original.path)) as connection:
        assert connection.execute("PRAGMA page_size").fetchone() == (size,)
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (("NONE", "FULL", "INCREMENTAL").index(vacuum),)


def test_a_migration_that_vacuums_to_fewer_pages_is_exchanged_whole(original: SqliteDatabase, place: Path) -> None:
    size = original.path.stat().st_size
    with original.exchanged(place), closing(sqlite3.connect(place / "exchange.db")) as worker:
        worker.execute("DELETE FROM people")
        worker.commit()
        worker.execute("VACUUM")
    assert content(original.path)["rows"]["people"] == []
    with closing(sqlite3.connect(original.path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert original.path.stat().st_size < size
