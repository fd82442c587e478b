"""The clinic's application at work: it writes without foreign keys enforced, and remembers what it did."""

import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from examples.clinic.models import Base
from examples.clinic.references import modelled
from examples.clinic.timetable import Clock

Cell = int | float | str | None
Key = tuple[int, ...]

PERSONAL = {
    "patients": ("full_name", "email", "phone"),
    "users": ("full_name", "email", "username"),
    "doctors": ("full_name", "licence"),
}
MOMENTS = "%Y-%m-%d %H:%M:%S.%f"
KEYS = {table.name: tuple(column.name for column in table.primary_key) for table in Base.metadata.tables.values()}
REFERENCES = modelled()
POINTING = {name: tuple(reference.column for reference in REFERENCES if reference.child == name) for name in KEYS}


@dataclass(frozen=True)
class Life:
    """From when to when one row stood under its key."""

    born: datetime
    died: datetime | None = None

    def at(self, moment: datetime) -> bool:
        """Whether the row stood there at a moment."""
        return self.born <= moment and (self.died is None or moment < self.died)


@dataclass(frozen=True)
class Pointer:
    """What a row's reference holds, and since when."""

    value: Cell
    since: datetime


class Application:
    """Writes to the database and keeps in mind every reference and every life, so that the truth needs no engine."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self.clock = clock
        self.rows: dict[str, dict[Key, dict[str, Pointer]]] = {name: {} for name in KEYS}
        self.lives: dict[tuple[str, Key], list[Life]] = {}
        self.dropped: dict[str, datetime] = {}
        self.planted: dict[str, None] = {}
        self.open()

    def open(self) -> None:
        """Connect, as careless as the application is: nothing is enforced."""
        self.connection = sqlite3.connect(self.path)
        self.connection.execute("PRAGMA foreign_keys = OFF")
        self.connection.execute("PRAGMA synchronous = OFF")

    def close(self) -> None:
        """Commit and let go of the file."""
        self.connection.commit()
        self.connection.close()

    def ids(self, table: str) -> list[int]:
        """The keys of the rows that stand in a table, in the order in which they came."""
        return [key[0] for key in self.rows[table]]

    def children(self, table: str) -> list[tuple[str, str]]:
        """Which tables and columns point at a table, as the models say."""
        return [(reference.child, reference.column) for reference in REFERENCES if reference.parent == table]

    def stamp(self) -> str:
        """The present moment as the application writes it."""
        return self.clock.now.strftime(MOMENTS)

    def write(self, table: str, **values: Cell) -> int:
        """Insert one row; returns its key, or for a table with two key columns the first of them."""
        moment = self.clock.tick()
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        # SQLite picks the number: the highest plus one, so that a number whose row is gone can come again (P-53).
        cursor = self.connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))
        key = self._key(table, values, cursor.lastrowid)
        self.rows[table][key] = {column: Pointer(values.get(column), moment) for column in POINTING[table]}
        self.lives.setdefault((table, key), []).append(Life(moment))
        for column in PERSONAL.get(table, ()):
            if values[column]:
                self.planted[str(values[column])] = None
        return key[0]

    def point(self, table: str, number: int, column: str, value: Cell) -> None:
        """Change one reference of a row."""
        self.connection.execute(f"UPDATE {table} SET {column} = ? WHERE id = ?", (value, number))
        self.rows[table][(number,)][column] = Pointer(value, self.clock.tick())

    def delete(self, table: str, number: int) -> None:
        """Delete one row and leave what points at it."""
        self.connection.execute(f"DELETE FROM {table} WHERE id = ?", (number,))
        del self.rows[table][(number,)]
        self._end(table, (number,))

    def drop(self, table: str) -> None:
        """Lose a whole table, as a migration does that dies between DROP and RENAME."""
        self.connection.commit()
        self.connection.execute(f"DROP TABLE {table}")
        for key in self.rows[table]:
            self._end(table, key)
        self.rows[table] = {}
        self.dropped[table] = self.clock.now

    def _end(self, table: str, key: Key) -> None:
        lives = self.lives[table, key]
        lives[-1] = replace(lives[-1], died=self.clock.tick())

    @staticmethod
    def _key(table: str, values: dict[str, Cell], number: int | None) -> Key:
        if KEYS[table] == ("id",):
            given = values.get("id", number)
            return (given,) if isinstance(given, int) else ()
        return tuple(part for name in KEYS[table] if isinstance(part := values[name], int))
