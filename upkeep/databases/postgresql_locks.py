"""Waiting for locks beside a working application: briefly, again and again, and never at its cost."""

import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

import psycopg
from psycopg import Connection

from upkeep.databases.postgresql_asking import fetched, run
from upkeep.errors import Unreachable

MOMENT = 500
"""Milliseconds that others wait behind a try for a lock.

Less than the second after which a server looks for deadlocks, so that it is never the application that loses one.
"""
_PAUSE_SECONDS = 0.25


def patient(connection: Connection[Any], locks: Callable[[], Iterable[str]], patience: float) -> None:
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
            run(connection, f"SET LOCAL lock_timeout = {MOMENT}")
            for lock in locks():
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


_STRONGEST_LAST = {
    "ShareLock": "SHARE",
    "ShareRowExclusiveLock": "SHARE ROW EXCLUSIVE",
    "ExclusiveLock": "EXCLUSIVE",
    "AccessExclusiveLock": "ACCESS EXCLUSIVE",
}
"""As pg_locks calls the modes, and as LOCK TABLE does."""

# Who may refer to a table may add a foreign key to it, which locks it, and still not say LOCK TABLE.
_LOCKABLE = """
    SELECT to_regclass(%s)::text WHERE has_table_privilege(to_regclass(%s)::oid, 'UPDATE, DELETE, TRUNCATE')
"""


def tables_locked(connection: Connection[Any], seen: Collection[tuple[str, str]]) -> list[str]:
    """LOCK TABLE in the strongest mode that was seen, for each table that is there and may be locked, by name."""
    modes: dict[str, str] = {}
    for mode in _STRONGEST_LAST:
        modes |= {table: mode for what, table in seen if what == f"locks {mode}"}
    there = {table: connection.execute(_LOCKABLE.encode(), (table, table)).fetchone() for table in sorted(modes)}
    return [f"LOCK TABLE ONLY {row[0]} IN {_STRONGEST_LAST[modes[table]]} MODE" for table, row in there.items() if row]


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


def keeping(connection: Connection[Any], place: str) -> Callable[[], None]:
    """Is the session's lock still there? Raises Unreachable where it went with its connection."""

    def look() -> None:
        try:
            connection.execute("SELECT")
        except psycopg.Error:
            raise Unreachable(
                f"the lock against a second Upkeep on {place} was lost with its connection", "run it again"
            ) from None

    return look
