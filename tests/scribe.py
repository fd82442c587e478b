"""An application that writes without a break, in a process of its own, and logs each write once it is committed.

Called as ``python -m tests.scribe URL LOG STATEMENT...``: each transaction runs the statements with ``{n}`` put for its
number. It waits five seconds for a lock, as Python's driver for SQLite does unless told otherwise; a write that is
refused is logged as such, is not lost, and is tried again.
"""

import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

WORTH_TELLING = 0.1
"""Seconds that a write may take before the log says how many it took."""


def connected(url: str) -> Any:
    """A connection of the engine's own driver; each has ``with`` for a transaction."""
    if url.startswith("sqlite:///"):
        return sqlite3.connect(url.removeprefix("sqlite:///"))
    return psycopg.connect(url.replace("+psycopg", ""), options="-c lock_timeout=5s", autocommit=True)


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
            except (sqlite3.Error, psycopg.Error) as fault:
                told.write(f"refused {number} {str(fault).splitlines()[0]}\n")
                continue
            if (took := time.monotonic() - begun) > WORTH_TELLING:
                told.write(f"waited {took:.3f}\n")
            told.write(f"written {number}\n")
            number += 1
            time.sleep(0.002)


if __name__ == "__main__":
    write_for_ever(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
