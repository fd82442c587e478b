"""SQLite under the contract suite, in one of its journal modes."""

import hashlib
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tests.engines import Table
from upkeep.changes import Change

_LITERAL = "before SQLite 3.47 RAISE takes a literal alone"
_READERS = "in its rollback journal nobody commits while somebody reads"


@dataclass(frozen=True)
class SqliteBase:
    """One file."""

    path: Path

    @property
    def url(self) -> str:
        """The file as SQLAlchemy writes it."""
        return f"sqlite:///{self.path}"

    def exists(self) -> bool:
        """Is there a file?"""
        return self.path.exists()

    def run(self, *statements: str) -> None:
        """SQLite enforces nothing unless it is told to."""
        with closing(sqlite3.connect(self.path, timeout=5)) as connection:
            for statement in statements:
                connection.execute(statement)
                connection.commit()

    @contextmanager
    def application(self, patience: float = 0.5) -> Iterator[Callable[[str], Any]]:
        """A connection as the driver makes it, with keys enforced."""
        with closing(sqlite3.connect(self.path, timeout=patience, isolation_level=None)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN")
            yield lambda sql: connection.execute(sql).fetchall()
            connection.execute("COMMIT")

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(sql).fetchall()

    def listing(self) -> dict[str, list[Any]]:
        """Every value with its type and all of its bytes; ``quote`` would end text at a NUL."""
        if not self.exists():
            return {}
        with closing(sqlite3.connect(self.path)) as connection:
            connection.text_factory = bytes
            names = [n.decode() for (n,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {name: sorted(map(repr, _typed(connection, name))) for name in names}

    def traces(self) -> Any:
        """The bytes of the file and of what lies beside it, and when they were written."""
        return bytes_of(self.path)

    def put_back(self, change: Change, columns: tuple[str, ...]) -> None:
        """By the values of the row's locator."""
        which = " AND ".join(f"{column} IS ?" for column in columns)
        came = change.before or ()
        marks = ", ".join("CAST(? AS TEXT)" if isinstance(value, str) else "?" for value in came)
        raw = [v.encode("utf-8", "surrogateescape") if isinstance(v, str) else v for v in came]
        with closing(sqlite3.connect(self.path)) as connection:
            gone = connection.execute(f"DELETE FROM {change.table} WHERE {which}", change.row).rowcount
            assert gone == (change.after is not None)
            into = f"{change.table} ({', '.join(change.columns)})"
            if came:
                connection.execute(f"INSERT INTO {into} VALUES ({marks})", raw)
            connection.commit()

    def scratches(self, root: Path) -> set[str]:
        """Any file in a workplace that is a database."""
        return {str(path) for path in root.rglob("*.db")}


def bytes_of(path: Path) -> dict[str, tuple[str, int]]:
    """The digest and the time of change of a database file and of the logs beside it.

    An empty log is none: SQLite makes one for every reader of a database in WAL mode.
    """
    files = [path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-journal")]
    return {
        f.name: (hashlib.sha256(f.read_bytes()).hexdigest(), f.stat().st_mtime_ns)
        for f in files
        if f.exists() and f.stat().st_size
    }


def _typed(connection: sqlite3.Connection, table: str) -> list[Any]:
    columns = [row[1].decode() for row in connection.execute(f"PRAGMA table_info({table})")]
    asked = ", ".join(f"typeof({column}), {column}" for column in columns)
    return connection.execute(f"SELECT {asked} FROM {table}").fetchall()


@dataclass(frozen=True)
class SqliteEngine:
    """Files in one folder."""

    folder: Path
    mode: str

    odd: ClassVar[tuple[str, ...]] = (
        "CREATE TABLE odd"
        " (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parents (id), a, b TEXT, c REAL, d BOOLEAN)",
        "INSERT INTO odd VALUES (1, 99, x'00ff', 'x' || char(0) || 'y', 9e999, 'false')",
        "INSERT INTO odd VALUES (2, 99, 9223372036854775807, CAST(x'ff7a' AS TEXT), -0.0, 2)",
        "INSERT INTO odd VALUES (3, 99, '1', 'it''s', 0.1, NULL)",
        "INSERT INTO odd VALUES (4, 1, 1.0, '', 1e-320, x'')",
    )

    @property
    def name(self) -> str:
        """With its journal mode."""
        return f"SQLite in {self.mode} mode"

    @property
    def cannot(self) -> dict[str, str]:
        """In WAL mode it can do everything but for what its version lacks."""
        lacks = {"let a trigger say values": _LITERAL} if sqlite3.sqlite_version_info < (3, 47) else {}
        return lacks if self.mode == "wal" else lacks | {"write while somebody reads": _READERS}

    def make(self, *tables: Table) -> SqliteBase:
        """A file in the engine's journal mode."""
        base = self.empty()
        base.run(f"PRAGMA journal_mode = {self.mode}")
        base.run(*(table.statement(table.keys) for table in tables))
        base.run(*(insert for table in tables for insert in table.inserts()))
        return base

    def empty(self) -> SqliteBase:
        """A file of no bytes."""
        base = self.absent()
        base.path.touch()
        return base

    def absent(self) -> SqliteBase:
        """A name in the folder."""
        return SqliteBase(self.folder / f"{secrets.token_hex(5)}.db")

    def counting(self, *tables: str) -> tuple[str, ...]:
        """One for each."""
        return tuple(f"ANALYZE {table}" for table in tables)

    def refusing(self, table: str) -> tuple[str, ...]:
        """A trigger that raises."""
        raises = "BEGIN SELECT RAISE(ABORT, 'rows of ledger stay'); END"
        return (f"CREATE TRIGGER stays BEFORE DELETE ON {table} {raises}",)

    def gossiping(self, table: str, column: str) -> tuple[str, ...]:
        """A trigger that raises."""
        raises = f"BEGIN SELECT RAISE(ABORT, 'no leave for ' || OLD.{column}); END"
        return (f"CREATE TRIGGER stays BEFORE DELETE ON {table} {raises}",)

    def telling(self, table: str, log: str) -> tuple[str, ...]:
        """A trigger that inserts."""
        return (f"CREATE TRIGGER tells AFTER DELETE ON {table} BEGIN INSERT INTO {log} (id) VALUES (OLD.id); END",)

    def stamping(self, table: str, column: str, value: str) -> tuple[str, ...]:
        """A trigger that sets it afterwards, and is not fired by itself."""
        sets = f"UPDATE {table} SET {column} = {value} WHERE rowid = NEW.rowid"
        return (f"CREATE TRIGGER stamps AFTER UPDATE ON {table} BEGIN {sets}; END",)
