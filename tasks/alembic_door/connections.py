"""Asking each connection that the application's code makes which database it leads to (P-87)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.pool import Pool


def comparing(asked: dict[str, Any], strangers: list[str]) -> Callable[[Any], None]:
    """Is a connection one to the database with the fingerprint? What is wrong is told in ``strangers`` too.

    What is to be said first on each is said then, and kept: what a driver sets is gone with a transaction undone.
    """
    query, expected = asked["fingerprint"]

    def compare(connection: Any) -> None:
        cursor = connection.cursor()
        try:
            cursor.execute(query)
            row = cursor.fetchone()
        except Exception as fault:  # noqa: BLE001  # another engine than the one expected does not even know the question
            row = (type(fault).__name__,)
        finally:
            cursor.close()
        if row is None or str(row[0]) != expected:
            strangers.append("env.py connected to another database than the one it was given")
            raise RuntimeError(strangers[0])
        if first := asked.get("first"):
            _say(connection, first)

    return compare


def _say(connection: Any, statements: list[str]) -> None:
    cursor = connection.cursor()
    try:
        for statement in statements:
            cursor.execute(statement)
    finally:
        cursor.close()
    connection.commit()


@contextmanager
def at_each_connection(question: Callable[[Any], None]) -> Iterator[None]:
    """``question`` is asked of each connection that is made meanwhile, before anything else is."""

    def check(connection: Any, _record: Any) -> None:
        question(connection)

    event.listen(Pool, "connect", check)
    try:
        yield
    finally:
        event.remove(Pool, "connect", check)
