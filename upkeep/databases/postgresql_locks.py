"""Waiting for locks beside a working application: briefly, again and again, and never at its cost."""

import time
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import Connection

from upkeep.databases.postgresql_asking import fetched, run

_MILLISECONDS = 500
"""Less than the second after which a server looks for deadlocks, so that it is never the application that loses one."""
_PAUSE_SECONDS = 0.25


def patient(connection: Connection[Any], locks: Sequence[str], patience: float) -> None:
    """Run the statements, each of which takes a lock; all or none are held.

    One try waits half a second for a lock, then lets all of them go: whoever queued up behind it goes on. After
    ``patience`` in seconds psycopg.errors.LockNotAvailable is raised.
    """
    ((told,),) = fetched(connection, "SELECT setting FROM pg_settings WHERE name = 'lock_timeout'")
    before = int(str(told))
    until = time.monotonic() + patience
    while True:
        run(connection, "SAVEPOINT upkeep_locks")
        try:
            run(connection, f"SET LOCAL lock_timeout = {_MILLISECONDS}")
            for lock in locks:
                run(connection, lock)
        except psycopg.errors.LockNotAvailable:
            if time.monotonic() >= until:
                raise
            run(connection, "ROLLBACK TO upkeep_locks")
            run(connection, "RELEASE upkeep_locks")
            time.sleep(_PAUSE_SECONDS)
        else:
            run(connection, f"SET LOCAL lock_timeout = {before}")
            run(connection, "RELEASE upkeep_locks")
            return


def begin_work(connection: Connection[Any], key: int) -> None:
    """Let others know until the end of this transaction that it may still change something."""
    connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (key,))


def wait_for_work(connection: Connection[Any], key: int) -> None:
    """Wait until no transaction of a run is left, as long as the connection waits for a lock.

    A server does not notice a client that was killed while it works for it: a commit, of which it waits for a slow
    standby, say, is still made, and who looked at the rows before would take the run for one that changed nothing.
    """
    connection.execute("SELECT pg_advisory_lock(%s)", (key,))
    connection.execute("SELECT pg_advisory_unlock(%s)", (key,))
