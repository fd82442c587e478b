"""Whether a connection is the server's own while it lasts, or a pooler lends one for each transaction (P-83)."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg

from upkeep.errors import Refused


def refuse_a_lent_connection(
    connection: "psycopg.Connection[Any]", again: Callable[[], "psycopg.Connection[Any]"], place: str, called: str
) -> None:
    """Raises Refused where locks and settings of a session would be another's in the next transaction.

    A pooler gives itself away by the number of the process that it names, for cancelling is done through it. One that
    lends connections for each transaction then gives the same process to a second client, which is what ``again``
    makes, while the first is not in a transaction; or the first gets another one for its next.
    """
    first = _process(connection)
    if connection.info.backend_pid == first:
        return
    with closing(again()) as second, second.transaction():
        is_lent = _process(second) == first or _process(connection) != first
    if is_lent:
        raise Refused(
            f"{place} is a pooler that lends a connection for each transaction: no lock of a session holds there",
            f"let {called} name the server itself, or a pool in session mode",
        )


def _process(connection: "psycopg.Connection[Any]") -> int:
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None  # noqa: S101  # a SELECT without FROM has one row
    return int(row[0])
