"""Asking MariaDB so that every value comes as the bytes that it keeps, and always the same (P-120).

Text is never converted by the server: it comes as the bytes of its column, and what of them is not UTF-8 becomes
surrogates here, so that it goes back as it was. Numbers and moments come as the text that the server prints.
"""

import marshal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any

import pymysql
from pymysql.cursors import Cursor, SSCursor

from upkeep.values import Row

Raw = tuple[bytes | None, ...]

_BATCH = 1000
_IN_MEMORY = 4 << 20
_BINARY = 63
_KEEPS_BYTES = frozenset((16, 247, 248, 249, 250, 251, 252, 253, 254, 255))
"""Types of the protocol whose values are no text where their collation is binary: BIT, BLOB, BINARY, GEOMETRY."""


class Conversation:
    """One connection, on which other things may be asked before the rows of a query are exhausted.

    The protocol sends the rows of one query at a time. What is left of them when something else is asked is put aside
    in a file without a name: a second connection would not see the same state.
    """

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self._stream: _Stream | None = None

    @property
    def version(self) -> str:
        """What the server says of its version."""
        return str(self.connection.get_server_info()).removeprefix("5.5.5-")

    @property
    def is_mariadb(self) -> bool:
        """MariaDB, and not MySQL?"""
        return "mariadb" in self.version.lower()

    def run(self, sql: str) -> int:
        """Run one statement; the number of rows that it found."""
        self._make_room()
        with self.connection.cursor(Cursor) as cursor:
            return int(cursor.execute(sql))

    def fetched(self, sql: str) -> list[Row]:
        """All rows of a query; to be used where they are few."""
        self._make_room()
        with self.connection.cursor(Cursor) as cursor:
            cursor.execute(sql)
            kinds = _kinds(cursor)
            return [_row(raw, kinds) for raw in cursor.fetchall()]

    def words(self, sql: str) -> list[tuple[str, ...]]:
        """All rows of a query that tells of the server itself: every value as text, NULL as an empty one."""
        return [_words(row) for row in self.fetched(sql)]

    def told(self, sql: str) -> list[dict[str, str]]:
        """The same by the names of the columns, for what says something else on each version of the server."""
        self._make_room()
        with self.connection.cursor(Cursor) as cursor:
            cursor.execute(sql)
            names, kinds = [column[0] for column in cursor.description], _kinds(cursor)
            return [dict(zip(names, _words(_row(raw, kinds)), strict=True)) for raw in cursor.fetchall()]

    def streamed(self, sql: str) -> Iterator[Row]:
        """The rows of a query."""
        stream = self._begun(sql)
        kinds = stream.kinds
        for batch in self._batches(stream):
            for raw in batch:
                yield _row(raw, kinds)

    def raw(self, sql: str) -> Iterator[list[Raw]]:
        """The rows of a query by the thousand, each value as its bytes."""
        return self._batches(self._begun(sql))

    def close(self) -> None:
        """Undo what was not committed and hang up; what was still coming of a query is not waited for.

        The server notices a connection that is gone when it likes, so it is told.
        """
        if self._stream is None:
            with suppress(pymysql.MySQLError):  # it may be lost already
                self.run("ROLLBACK")
        self.connection._force_close()

    def _begun(self, sql: str) -> "_Stream":
        self._make_room()
        cursor = self.connection.cursor(SSCursor)
        cursor.execute(sql)
        self._stream = _Stream(cursor)
        return self._stream

    def _batches(self, stream: "_Stream") -> Iterator[list[Raw]]:
        try:
            while batch := stream.next_batch():
                yield batch
        finally:
            stream.end()
            if self._stream is stream:
                self._stream = None

    def _make_room(self) -> None:
        if self._stream is not None:
            self._stream.put_aside()
            self._stream = None


class _Stream:
    """The rows of one query that are still to come, from the connection or from where they were put aside."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self._aside: IO[bytes] | None = None
        self.kinds = _kinds(cursor)

    def next_batch(self) -> list[Raw]:
        if self._aside is None:
            return list(self._cursor.fetchmany(_BATCH))
        try:
            batch: list[Raw] = marshal.load(self._aside)  # noqa: S302  # our own bytes, in a file without a name
        except EOFError:
            return []
        return batch

    def put_aside(self) -> None:
        aside = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  # end() closes it
        while batch := self.next_batch():
            aside.write(marshal.dumps(batch))
        aside.seek(0)
        self._cursor.close()
        self._aside = aside

    def end(self) -> None:
        if self._aside is not None:
            self._aside.close()
            return
        try:
            self._cursor.close()  # reads what is still coming: the protocol knows no other end
        except pymysql.MySQLError:
            self._cursor.connection = None  # an error in the middle of the rows has ended them


def quoted(text: str) -> str:
    """The text as a string of SQL, in a session whose sql_mode has NO_BACKSLASH_ESCAPES."""
    return "'" + text.replace("'", "''") + "'"


def _kinds(cursor: Any) -> tuple[bool, ...]:
    """For each column whether its values are bytes, and not text."""
    fields = cursor._result.fields if cursor.description else ()
    return tuple(field.charsetnr == _BINARY and field.type_code in _KEEPS_BYTES for field in fields)


def _row(raw: Raw, kinds: tuple[bool, ...]) -> Row:
    return tuple(
        value if value is None or is_bytes else value.decode("utf-8", "surrogateescape")
        for value, is_bytes in zip(raw, kinds, strict=True)
    )


def _words(row: Row) -> tuple[str, ...]:
    return tuple("" if value is None else str(value) for value in row)
