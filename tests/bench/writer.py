"""A program that writes all the time, as the application does: how long it waits for each of its commits."""

import json
import select
import sqlite3
import sys
import time
from contextlib import closing

PAUSE = 0.002
"""Seconds between two commits: without any, nobody else would ever be let in, which no application does."""

INSERT = (
    "INSERT INTO audit_log (entity_type, entity_id, action, happened_at) VALUES ('bench', ?, 'write', '2026-01-05')"
)


def write(path: str) -> list[tuple[float, float]]:
    """Insert and commit until standard input is closed; when each began (monotonic) and how many seconds it took."""
    waits: list[tuple[float, float]] = []
    with closing(sqlite3.connect(path, timeout=300, isolation_level=None)) as connection:
        while not select.select([sys.stdin], [], [], PAUSE)[0]:
            begun = time.monotonic()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(INSERT, (len(waits),))
            connection.execute("COMMIT")
            waits.append((begun, time.monotonic() - begun))
    return waits


if __name__ == "__main__":
    print(json.dumps(write(sys.argv[1])))
