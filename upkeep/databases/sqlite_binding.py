"""Rows of raw values bound to one statement of SQLite, text that is not UTF-8 by its bytes (P-120)."""

import sqlite3
from collections.abc import Callable, Collection, Sequence

from upkeep.values import Row, Value

Statement = Callable[[Sequence[str]], str]
"""The SQL for the marks by which values are bound."""


def run_for_each(connection: sqlite3.Connection, statement: Statement, rows: Collection[Row]) -> int:
    """Run a statement for each row; how many rows of its table it named in all."""
    if not rows:
        return 0
    width = len(next(iter(rows)))
    try:
        # Tried before the first is bound: what is bound already would be there twice.
        "".join(value for row in rows for value in row if isinstance(value, str)).encode()
    except UnicodeEncodeError:
        return sum(_run(connection, statement, row) for row in rows)
    return connection.executemany(statement(["?"] * width), rows).rowcount


def _run(connection: sqlite3.Connection, statement: Statement, row: Row) -> int:
    """Text that is not UTF-8 cannot be bound as text: its mark says that its bytes are."""
    marks = ["CAST(? AS TEXT)" if isinstance(value, str) else "?" for value in row]
    return connection.execute(statement(marks), [_raw(value) for value in row]).rowcount


def _raw(value: Value) -> Value:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
