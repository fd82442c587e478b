"""An application that writes without a break, in a process of its own, and logs each write once it is committed.

Called as ``python -m tests.scribe URL LOG STATEMENT...``: each transaction runs the statements with ``{n}`` put for its
number. It waits five seconds for a lock, as Python's driver for SQLite does unless told otherwise; a write that is
refused is logged as such, is not lost, and is tried again.
"""

import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pymysql
from sqlalchemy.engine import make_url

WORTH_TELLING = 0.1
"""Seconds that a write may take before the log says how many it took."""


class OnMariadb:
    """PyMySQL's connection with the two verbs that the other drivers have."""

    def __init__(self, url: str) -> None:
        place = make_url(url)
        self._connection = pymysql.connect(
            host=place.host,
            port=place.port or 3306,
            user=place.username,
            password=place.password or "",
            database=place.database,
            autocommit=True,
            init_command="SET innodb_lock_wait_timeout = 5, lock_wait_timeout = 5",
        )
        self.close = self._connection.close

    def execute(self, statement: str) -> Any:
        """Run it; a cursor with its rows."""
        cursor = self._connection.cursor()
        cursor.execute(statement)
        return cursor

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Committed where it ends well."""
        self._connection.begin()
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()


def connected(url: str) -> Any:
    """A connection of the engine's own driver; each has ``with`` for a transaction."""
    if url.startswith("sqlite:///"):
        return sqlite3.connect(url.removeprefix("sqlite:///"))
    if url.startswith("mariadb"):
        return OnMariadb(url)
    return psycopg.connect(url.replace("+psycopg", ""), options="-c lock_timeout=5s", autocommit=True)


def lasting(url: str) -> str:
    """The statement that begins a transaction in which every query sees what the first one saw."""
    return "BEGIN ISOLATION LEVEL REPEATABLE READ" if url.startswith("postgresql") else "BEGIN"


def write_for_ever(url: str, log: Path, statements: list[str]) -> None:
    """One transaction after the other, until the process is ended."""
    number = 0
    with closing(connected(url)) as connection, log.open("w", buffering=1) as told:
        transaction = getattr(connection, "transaction", lambda: connection)
        while True:
            begun = time.monotonic()
            try:
                with transaction():
                    for statement in statements:
                        connection.execute(statement.format(n=number))
            except (sqlite3.Error, psycopg.Error, pymysql.MySQLError) as fault:
                told.write(f"refused {number} {str(fault).splitlines()[0]}\n")
                continue
            if (took := time.monotonic() - begun) > WORTH_TELLING:
                told.write(f"waited {took:.3f}\n")
            told.write(f"written {number}\n")
            number += 1
            time.sleep(0.002)


if __name__ == "__main__":
    write_for_ever(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
