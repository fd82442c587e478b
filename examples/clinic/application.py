"""The clinic's application at work: it writes without foreign keys enforced, and remembers what it did."""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Engine

from examples.clinic.bypass import ENGINES
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

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine = engine
        self.bypass = ENGINES[engine.dialect.name]()
        self.mark = "?" if engine.dialect.paramstyle == "qmark" else "%s"
        self.clock = clock
        self.newest = dict.fromkeys(KEYS, 0)
        self.rows: dict[str, dict[Key, dict[str, Pointer]]] = {name: {} for name in KEYS}
        self.lives: dict[tuple[str, Key], list[Life]] = {}
        self.dropped: dict[str, datetime] = {}
        self.planted: dict[str, None] = {}
        self.open()

    def open(self) -> None:
        """Connect, as careless as the application is: nothing is enforced."""
        self.connection = self.engine.connect()
        self.bypass.begin(self.connection)
        # The driver's own cursor, in SQLAlchemy's transaction: rows come one by one, and through SQLAlchemy each takes
        # twice as long on SQLite. Whoever commits here must begin again by SQLAlchemy, which else would not commit.
        self.cursor = self.connection.connection.cursor()

    def close(self) -> None:
        """Commit and let go of the database."""
        self.bypass.end(self.connection)
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
        if KEYS[table] == ("id",):
            # The application grew up on SQLite and numbers its rows as that does on every engine: the highest plus one,
            # so that a number whose row is gone can come again (P-53).
            values = {"id": self.newest[table] + 1} | values
        self._run(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})", *values.values()
        )
        key = tuple(part for name in KEYS[table] if isinstance(part := values[name], int))
        self.newest[table] = max(self.newest[table], key[0])
        self.rows[table][key] = {column: Pointer(values.get(column), moment) for column in POINTING[table]}
        self.lives.setdefault((table, key), []).append(Life(moment))
        for column in PERSONAL.get(table, ()):
            if values[column]:
                self.planted[str(values[column])] = None
        return key[0]

    def point(self, table: str, number: int, column: str, value: Cell) -> None:
        """Change one reference of a row."""
        self._run(f"UPDATE {table} SET {column} = ? WHERE id = ?", value, number)
        self.rows[table][(number,)][column] = Pointer(value, self.clock.tick())

    def delete(self, table: str, number: int) -> None:
        """Delete one row and leave what points at it."""
        self._run(f"DELETE FROM {table} WHERE id = ?", number)
        del self.rows[table][(number,)]
        if number == self.newest[table]:
            self.newest[table] = max(self.ids(table), default=0)
        self._end(table, (number,))

    def drop(self, table: str) -> None:
        """Lose a whole table, as a migration does that dies between DROP and RENAME."""
        self._run(f"DROP TABLE {table}")
        for key in self.rows[table]:
            self._end(table, key)
        self.rows[table] = {}
        self.dropped[table] = self.clock.now

    def _end(self, table: str, key: Key) -> None:
        lives = self.lives[table, key]
        lives[-1] = replace(lives[-1], died=self.clock.tick())

    def _run(self, statement: str, *values: Cell) -> None:
        """Values reach the driver as they are written, so that what becomes of them is the engine's doing."""
        self.cursor.execute(statement.replace("?", self.mark), values)
