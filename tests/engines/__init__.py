"""What the contract suite needs of an engine: databases from one neutral description, looked at by its own means."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from upkeep.changes import Change

Plain = int | str | None
"""A value that every engine holds and gives back as it came."""


@dataclass(frozen=True)
class Key:
    """One foreign key of a table, declared and enforced as the engine does it."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...] = ("id",)
    ondelete: str = "NO ACTION"

    @property
    def clause(self) -> str:
        """The constraint as SQL."""
        to = f"{self.parent} ({', '.join(self.parent_columns)})"
        return f"FOREIGN KEY ({', '.join(self.columns)}) REFERENCES {to} ON DELETE {self.ondelete}"


@dataclass(frozen=True)
class Table:
    """One table: columns as ``name TYPE`` in SQL's common words, and the rows that it begins with."""

    name: str
    columns: tuple[str, ...]
    keys: tuple[Key, ...] = ()
    rows: tuple[tuple[Plain, ...], ...] = ()
    primary_key: tuple[str, ...] = ("id",)
    uniques: tuple[tuple[str, ...], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.split()[0] for column in self.columns)

    def statement(self, keys: Iterable[Key] = ()) -> str:
        """CREATE TABLE with those of its keys that are given."""
        lines = [*self.columns, f"PRIMARY KEY ({', '.join(self.primary_key)})"]
        lines += [f"UNIQUE ({', '.join(columns)})" for columns in self.uniques]
        return f"CREATE TABLE {self.name} ({', '.join([*lines, *(key.clause for key in keys)])})"

    def inserts(self) -> list[str]:
        """A statement for each row."""
        return [f"INSERT INTO {self.name} VALUES ({', '.join(map(_literal, row))})" for row in self.rows]


def _literal(value: Plain) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return "NULL" if value is None else str(value)


class Base(Protocol):
    """One database of an engine, there or not. Nothing here goes through Upkeep."""

    @property
    def url(self) -> str:
        """As it stands in the settings, password included."""

    def exists(self) -> bool:
        """Is there a database of this name?"""

    def run(self, *statements: str) -> None:
        """What the application does in the months in which no foreign key is enforced; each is committed."""

    def application(self, patience: float = 0.5) -> AbstractContextManager[Callable[[str], Any]]:
        """One transaction of the application, committed at the end: it runs SQL, and waits so long for a lock."""

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query, as a program reads them."""

    def listing(self) -> dict[str, list[Any]]:
        """Every row of every table, each value exactly as it is, in an order of its own; {} where nothing is there."""

    def traces(self) -> Any:
        """What tells that somebody wrote although every row is as before: bytes, versions of rows, marks of locks."""

    def put_back(self, change: Change, columns: tuple[str, ...]) -> None:
        """Undo one change by hand, keys asleep: the row that is there goes, the one that was there comes.

        ``columns`` are those that the change's ``row`` gives the values of.
        """

    def scratches(self, root: Path) -> set[str]:
        """The scratch databases of this one that there are; workplaces are below ``root``."""


class ServedBase(Base, Protocol):
    """A database of a server, whose copies cannot be made with a folder."""

    def copied(self) -> "ServedBase":
        """Another one that holds the same; nobody is connected meanwhile."""

    def become(self, other: "ServedBase") -> None:
        """Hold the rows of another one with the same tables."""

    def drop(self) -> None:
        """Be there no more."""


class Engine(Protocol):
    """One engine under test."""

    @property
    def name(self) -> str:
        """Its name, as a person would say it."""

    @property
    def cannot(self) -> Mapping[str, str]:
        """What of the contract it cannot do, in the words of the test, and the reason."""

    @property
    def odd(self) -> tuple[str, ...]:
        """Makes a table ``odd`` (id, parent -> parents(id), ...) with values that this engine's users lose elsewhere.

        Three rows, whose ``parent`` is 99, are orphans; another is none.
        """

    def make(self, *tables: Table) -> Base:
        """A new database with these tables; rows may violate their keys."""

    def empty(self) -> Base:
        """A database in which nothing is."""

    def absent(self) -> Base:
        """A name under which there is no database yet."""

    def counting(self, *tables: str) -> tuple[str, ...]:
        """Statements after which the engine knows how many rows the tables have."""

    def refusing(self, table: str) -> tuple[str, ...]:
        """Statements that make a trigger which lets no row of the table go, and says: rows of ledger stay."""

    def gossiping(self, table: str, column: str) -> tuple[str, ...]:
        """The same, but that it says: no leave for, and the value that the row has in ``column``."""

    def telling(self, table: str, log: str) -> tuple[str, ...]:
        """Statements that make a trigger which puts a row into ``log`` for each row of the table that goes."""

    def stamping(self, table: str, column: str, value: str) -> tuple[str, ...]:
        """Statements that make a trigger which sets ``column`` to an SQL value whenever a row of the table is set.

        In the value OLD is the row before.
        """


def unless_it_cannot(engine: Engine, what: str) -> None:
    """Skip the test, with the reason, where the engine cannot do what it is about."""
    if what in engine.cannot:
        pytest.skip(f"{engine.name}: {engine.cannot[what]}")


def _sqlite(request: pytest.FixtureRequest, mode: str) -> Engine:
    from tests.engines.sqlite import SqliteEngine

    return SqliteEngine(request.getfixturevalue("tmp_path_factory").mktemp("sqlite"), mode)


def _postgresql(request: pytest.FixtureRequest, which: str) -> Engine:
    from tests.engines.postgresql import PostgresqlEngine

    return PostgresqlEngine(f"PostgreSQL of the {which}", request.getfixturevalue(f"{which}_postgresql"))


def _mariadb(request: pytest.FixtureRequest) -> Engine:
    from tests.engines.mariadb import MariadbEngine

    return MariadbEngine(request.getfixturevalue("mariadb"))


ENGINES: dict[str, Callable[[pytest.FixtureRequest], Engine]] = {
    "sqlite": lambda request: _sqlite(request, "delete"),
    "sqlite-wal": lambda request: _sqlite(request, "wal"),
    "postgresql-system": lambda request: _postgresql(request, "system"),
    "postgresql-wheel": lambda request: _postgresql(request, "wheel"),
    "mariadb": _mariadb,
}
