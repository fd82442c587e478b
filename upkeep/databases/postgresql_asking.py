"""Asking PostgreSQL so that every value comes as the text that it prints itself, and always the same (P-120)."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection, Cursor
from psycopg.pq import TransactionStatus

from upkeep.values import Row

_BATCH = 2000
_FEW = 1000
_KILOBYTES = 0.25
"""More than a row of a relation takes in a hash table of the server's: a UUID, say, with what is around it."""
SETTINGS = {
    "client_encoding": "UTF8",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "standard_conforming_strings": "on",
    # An error, where row security would hide rows and so make false orphans (P-47).
    "row_security": "off",
    # Every row of a cursor is fetched here, so a plan that is quick for the first tenth of them is no good.
    "cursor_tuple_fraction": "1.0",
    # To compile a query takes longer here than it saves: the most is done by functions that are compiled already.
    "jit": "off",
}
# The parents of a large table are looked up in memory then, without a detour by the disk. Each process of a query may
# take it once or twice over; where the server says more, it stays.
_MEMORY = "set_config('work_mem', GREATEST(pg_size_bytes(current_setting('work_mem')) / 1024, 32768) || 'kB', true)"
_cursors = itertools.count()


def settle(connection: Connection[Any]) -> None:
    """Make values come the same whatever the server, the database and the role say, until the transaction ends."""
    asked = ", ".join(["set_config(%s, %s, true)"] * len(SETTINGS) + [_MEMORY])
    connection.execute(f"SELECT {asked}".encode(), [word for pair in SETTINGS.items() for word in pair])


@contextmanager
def without_search_path(connection: Connection[Any]) -> Iterator[str | None]:
    """PostgreSQL prints every name with its schema here; what comes is the schema that was the first of the path."""
    ((home, path),) = fetched(connection, "SELECT current_schema(), current_setting('search_path')")
    connection.execute("SELECT set_config('search_path', '', true)")
    try:
        yield None if home is None else str(home)
    finally:
        if _is_sound(connection):
            connection.execute("SELECT set_config('search_path', %s, true)", [path])


@contextmanager
def room_for(connection: Connection[Any], rows: int) -> Iterator[None]:
    """Let the server hold so many rows of a relation in memory, where it may not already.

    What stands in a NOT IN and does not fit is gone through once for each row that is compared with it.
    """
    if rows <= _FEW:
        yield
        return
    ((before,),) = fetched(connection, "SELECT setting FROM pg_settings WHERE name = 'work_mem'")
    run(connection, f"SET LOCAL work_mem = {max(int(str(before)), int(rows * _KILOBYTES))}")
    try:
        yield
    finally:
        if _is_sound(connection):
            run(connection, f"SET LOCAL work_mem = {before!s}")


def run(connection: Connection[Any], sql: str) -> Cursor[Any]:
    """Run one statement as it is, with text that is not UTF-8 as the bytes that it was."""
    return connection.execute(sql.encode("utf-8", "surrogateescape"))


def fetched(connection: Connection[Any], sql: str) -> list[Row]:
    """All rows of a query; every value is text, or None for NULL."""
    result = run(connection, sql).pgresult
    if result is None:
        return []
    columns, value = range(result.nfields), result.get_value
    return [tuple(_text(value(row, column)) for column in columns) for row in range(result.ntuples)]


def streamed(connection: Connection[Any], sql: str) -> Iterator[Row]:
    """The rows of a query, by the thousand; other queries may be asked in between."""
    cursor = f"upkeep_{next(_cursors)}"
    run(connection, f"DECLARE {cursor} NO SCROLL CURSOR FOR {sql}")
    try:
        while rows := fetched(connection, f"FETCH FORWARD {_BATCH} FROM {cursor}"):
            yield from rows
    finally:
        if _is_sound(connection):
            run(connection, f"CLOSE {cursor}")


def quoted(text: str) -> str:
    """The text as a string of SQL."""
    return "'" + text.replace("'", "''") + "'"


def _is_sound(connection: Connection[Any]) -> bool:
    """Is the transaction still one in which something can be done? After an error what it had set is gone with it."""
    return not connection.closed and connection.info.transaction_status == TransactionStatus.INTRANS


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8", "surrogateescape")
