"""Sequences as long as a plan may be, kept on disk, so that the memory of a process stays what it is.

What is small stays in memory: SQLite makes a file for such a database only once it is larger than the cache. The file
has no name, so nothing is left of it when the process ends, however it ends (P-106).
"""

import marshal
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, Final, Generic, NamedTuple, TypeVar, overload

from upkeep.errors import Refused
from upkeep.values import Row

T = TypeVar("T")
Plain = tuple[Any, ...]
Parameters = Sequence[Any] | Mapping[str, Any]
_PIECE = 1000
_TO_SORT = 2000
_SETTINGS = ("journal_mode = OFF", "synchronous = OFF", "temp_store = FILE")


class Spill:
    """A database of one's own for what is worked with, gone when nobody holds it.

    It has one transaction that never ends. Rows may be added while others are read from it. ``said(row)`` is a
    function of its SQL: the ``repr`` of a row that was ``flat``, by which rows are put in order.
    """

    def __init__(self, *statements: str, kilobytes: int = 500) -> None:
        """So many ``kilobytes`` of it are in memory; who looks rows up here and there needs more than who reads on."""
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for setting in (*_SETTINGS, f"cache_size = -{kilobytes}"):
            self._connection.execute(f"PRAGMA {setting}")
        self._connection.create_function("said", 1, _said, deterministic=True)
        self._connection.execute("BEGIN")
        for statement in statements:
            self._connection.execute(statement)

    def run(self, sql: str, parameters: Parameters = ()) -> int:
        """Run one statement; how many rows it changed."""
        with _TOLD_IF_FULL:
            return self._connection.execute(sql, parameters).rowcount

    def run_for_each(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row of parameters."""
        with _TOLD_IF_FULL:
            self._connection.executemany(sql, rows)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[Any]:
        """The rows of a query, streamed."""
        with _TOLD_IF_FULL:
            found = self._connection.execute(sql, parameters)
        return _fetched(found)

    def first(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """The first row of a query, None if there is none."""
        with _TOLD_IF_FULL:
            return self._connection.execute(sql, parameters).fetchone()

    def number(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """The one number that a query gives."""
        (number,) = self.first(sql, parameters)
        return int(number or 0)


_FOLDER: Final[list[Path]] = []
"""Where the files lie; SQLite keeps it once for the process."""


class _ToldIfFull:
    """Said here, since whoever asks another database meanwhile would take it for that one's fault."""

    def __enter__(self) -> None:
        """Nothing: it is entered for every row that is looked up."""

    def __exit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        if isinstance(fault, sqlite3.OperationalError) and getattr(fault, "sqlite_errorname", "") == "SQLITE_FULL":
            where = _FOLDER[-1] if _FOLDER else "the system's temporary files"
            raise Refused(
                f"the disk of {where} is full: there is no room for so large a plan", "free some, or set UPKEEP_SCRATCH"
            ) from None


_TOLD_IF_FULL = _ToldIfFull()


def _fetched(found: sqlite3.Cursor) -> Iterator[Any]:
    """To read on may need room too: SQLite sorts as it is asked for rows."""
    with _TOLD_IF_FULL:
        yield from found


def keep_in(folder: Path) -> None:
    """Have the files of this process, those of other SQLite connections too, lie in a folder, while it is there."""
    _FOLDER[:] = [folder]
    with closing(sqlite3.connect("")) as connection:
        told = str(folder).replace("'", "''")
        connection.execute(f"PRAGMA temp_store_directory = '{told}'")


def flat(row: Row) -> bytes:
    """A row as bytes that are equal for equal rows of one database: by value alone, as version 2 writes."""
    return marshal.dumps(row, 2)


def raised(raw: bytes) -> Row:
    """The row that was ``flat``."""
    row: Row = marshal.loads(raw)  # noqa: S302  # of a file without a name that this process has made
    return row


def _said(raw: bytes) -> str:
    return repr(raised(raw))


class Form(NamedTuple, Generic[T]):
    """How items of one kind become tuples of plain values, and items again."""

    plain: Callable[[T], Plain]
    made: Callable[[Plain], T]


class _Pieces(Generic[T]):
    """Items by the thousand, each piece one value of a spill; the piece that was read last is at hand."""

    def __init__(self, items: Iterable[T], form: Form[T]) -> None:
        self._spill = Spill("CREATE TABLE pieces (n INTEGER PRIMARY KEY, items BLOB)")
        self._form = form
        self._last: tuple[int, list[T]] = (-1, [])
        self.length = 0
        remaining = iter(items)
        number = 0
        while piece := [form.plain(item) for item in islice(remaining, _PIECE)]:
            self._spill.run("INSERT INTO pieces VALUES (?, ?)", (number, marshal.dumps(piece)))
            self.length += len(piece)
            number += 1

    def between(self, start: int, stop: int) -> Iterator[T]:
        """The items from ``start`` up to, but not with, ``stop``."""
        for number in range(start // _PIECE, -(-stop // _PIECE)):
            begun = number * _PIECE
            yield from islice(self._piece(number), max(0, start - begun), stop - begun)

    def at(self, index: int) -> T:
        """One item."""
        return self._piece(index // _PIECE)[index % _PIECE]

    def _piece(self, number: int) -> list[T]:
        held, items = self._last
        if held != number:
            (raw,) = self._spill.first("SELECT items FROM pieces WHERE n = ?", (number,))
            items = [self._form.made(plain) for plain in marshal.loads(raw)]  # noqa: S302  # ours, see above
            self._last = number, items
        return items


class Spilled(Sequence[T]):
    """A sequence that does not change and of which only a piece is in memory; a slice of it takes no more.

    It equals any sequence of equal items. Pickled it becomes a tuple, so in another process it is in memory.
    """

    def __init__(self, items: Iterable[T], form: Form[T]) -> None:
        self._pieces = _Pieces(items, form)
        self._range = range(self._pieces.length)

    def __len__(self) -> int:
        return len(self._range)

    def __iter__(self) -> Iterator[T]:
        return self._pieces.between(self._range.start, self._range.stop)

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...

    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, int):
            return self._pieces.at(self._range[index])
        if index.step not in (None, 1):
            return tuple(self)[index]
        part: Spilled[T] = object.__new__(type(self))
        part._pieces, part._range = self._pieces, self._range[index]
        return part

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str | bytes):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (list(self),)

    def __repr__(self) -> str:
        return f"<{len(self)} items, the first {self[0]!r}>" if self else "<no items>"


def arranged(items: Iterable[T], key: Callable[[T], Sequence[int | str]], width: int, form: Form[T]) -> Iterator[T]:
    """Items in the order of a key of so many parts, each a number or a text; those with equal keys as they came."""
    parts = [f"k{i}" for i in range(width)]
    spill = Spill(f"CREATE TABLE items (n INTEGER PRIMARY KEY, {', '.join(parts)}, item BLOB)", kilobytes=_TO_SORT)
    marks = ", ".join("?" * (width + 1))
    told = ((*key(item), marshal.dumps(form.plain(item))) for item in items)
    spill.run_for_each(f"INSERT INTO items ({', '.join(parts)}, item) VALUES ({marks})", told)
    for (raw,) in spill.rows(f"SELECT item FROM items ORDER BY {', '.join(parts)}, n"):
        yield form.made(marshal.loads(raw))  # noqa: S302  # ours, see above
