"""A program that writes all the time, as the application does: how long it waits for each of its commits."""

import json
import select
import sys
import time
from contextlib import closing
from typing import Any

PAUSE = 0.002
"""Seconds between two commits: without any, nobody else would ever be let in, which no application does."""

INSERT = (
    "INSERT INTO audit_log (entity_type, entity_id, action, happened_at) VALUES ('bench', {}, 'write', '2026-01-05')"
)


def write(url: str) -> list[tuple[float, float]]:
    """Insert and commit until standard input is closed; when each began (monotonic) and how many seconds it took.

    A line on standard output says that the first is done.
    """
    waits: list[tuple[float, float]] = []
    connection, begin = _opened(url)
    with closing(connection):
        while not select.select([sys.stdin], [], [], PAUSE)[0]:
            begun = time.monotonic()
            connection.execute(begin)
            connection.execute(INSERT.format(len(waits)))
            connection.execute("COMMIT")
            waits.append((begun, time.monotonic() - begun))
            if len(waits) == 1:
                print(flush=True)
    return waits


def _opened(url: str) -> tuple[Any, str]:
    """A connection that waits as long as it must, and how a transaction begins on it."""
    if url.startswith("sqlite:///"):
        import sqlite3

        return sqlite3.connect(url.removeprefix("sqlite:///"), timeout=300, isolation_level=None), "BEGIN IMMEDIATE"
    import psycopg

    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True), "BEGIN"


if __name__ == "__main__":
    print(json.dumps(write(sys.argv[1])))
