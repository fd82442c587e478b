"""PostgreSQL: one state of a database, on its server or on a replica, for as long as it takes to look at it."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg

from upkeep.databases import Behind, Identity, Sight
from upkeep.databases.postgresql_asking import quoted, run
from upkeep.databases.postgresql_errors import speaking
from upkeep.databases.postgresql_place import Connection, Place, fingerprint_of, look_only
from upkeep.databases.postgresql_reading import PostgresqlReading
from upkeep.errors import Refused, Unreachable

_LONGEST = 2**31 - 1
_CATCH_UP_SECONDS = 5.0
_PAUSE_SECONDS = 0.1
_WRITTEN = "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text"
# That a replica has replayed all that it was sent says nothing where nobody sends any more: so the live one is asked.
_BEHIND = """
    SELECT GREATEST(pg_wal_lsn_diff(%s, pg_last_wal_replay_lsn()), 0)::bigint,
      EXTRACT(EPOCH FROM now() - pg_last_xact_replay_timestamp())::float8
"""


@contextmanager
def observe(
    place: Place, follows: Place | None, seconds: float, identity: Callable[[Connection], Identity]
) -> Iterator[Sight]:
    """One read-only REPEATABLE READ transaction; the snapshot that it exports is what the suites see too.

    Every table is held in ACCESS SHARE from the begin, as pg_dump holds it: so none goes before it was asked, and a
    replica that has to let go of anything that is looked at ends this transaction and not only the suites' own.
    """
    milliseconds = min(max(int(seconds * 1000), 1), _LONGEST)  # PostgreSQL takes a timeout of 0 for none at all
    connected = place.connect("upkeep look", statement_seconds=milliseconds / 1000)
    with _speaking(place, seconds), closing(connected) as connection:
        behind = _checked(connection, place, follows) if follows else None
        look_only(connection)
        identity(connection)
        exported = connection.execute("SELECT pg_export_snapshot()").fetchone()
        assert exported is not None  # noqa: S101  # a SELECT without FROM has one row
        reading = PostgresqlReading(connection)
        if tables := ", ".join(map(reading.dialect.source, reading.catalog().tables)):
            run(connection, f"LOCK TABLE {tables} IN ACCESS SHARE MODE")
        at_begin = (
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            f"SET TRANSACTION SNAPSHOT {quoted(exported[0])}",
            f"SET LOCAL statement_timeout = {milliseconds}",
            "SET LOCAL row_security = off",
        )
        url = place.url.render_as_string(hide_password=False)
        what = "the replica" if follows else "the live database"
        yield Sight(reading, url, at_begin, f"{what} {place} in one transaction", behind)


def refuse_strangers(connection: Connection, place: Place, follows: Place) -> None:
    """Raise Refused where a connection is not to a replica of the database that it should follow.

    A replica that was promoted has the identity of the live database and goes its own way all the same.
    """
    with speaking(str(follows)), closing(follows.connect(autocommit=True)) as live:
        known = fingerprint_of(live)
    if fingerprint_of(connection) != known:
        raise Refused(
            f"{place} is not a replica of {follows}: its server or database is another one",
            "correct UPKEEP_REPLICA_URL: it must name the same database on a streaming replica of that server",
        )
    row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
    if not (row and row[0]):
        raise Refused(
            f"{place} follows nobody: it is the live database itself, or a replica that was promoted",
            "correct UPKEEP_REPLICA_URL, or remove it: then the live database is looked at",
        )


def _checked(connection: Connection, place: Place, follows: Place) -> Behind:
    """Wait a little for what the live database has written by now; what is still missing before the look begins."""
    connection.autocommit = True
    refuse_strangers(connection, place, follows)
    with speaking(str(follows)), closing(follows.connect(autocommit=True)) as live:
        written = live.execute(_WRITTEN).fetchone()
    assert written is not None  # noqa: S101  # a SELECT without FROM has one row
    until = time.monotonic() + _CATCH_UP_SECONDS
    while (behind := _behind(connection, written[0])).bytes and time.monotonic() < until:
        time.sleep(_PAUSE_SECONDS)
    connection.autocommit = False
    return behind


def _behind(connection: Connection, written: str) -> Behind:
    row = connection.execute(_BEHIND, (written,)).fetchone()
    assert row is not None  # noqa: S101  # a SELECT without FROM has one row
    missing, age = row
    return Behind(int(missing), None if missing and age is None else float(age) if missing else 0.0)


@contextmanager
def _speaking(place: Place, seconds: float) -> Iterator[None]:
    """The errors of a look as ours; those that only a look knows first."""
    with speaking(str(place)):
        try:
            yield
        except psycopg.errors.QueryCanceled:
            raise Unreachable(
                f"a question to {place} took longer than {seconds:g} s",
                "try again when it has less to do, or set UPKEEP_LOOK_SECONDS to more",
            ) from None
        except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected):
            raise Unreachable(
                f"the replica {place} ended the look, for it had to follow the live database",
                "try again; there, hot_standby_feedback = on or a longer max_standby_streaming_delay avoids it",
            ) from None
        except psycopg.errors.UndefinedTable:
            raise Unreachable(f"a table of {place} went while the look began", "try again") from None
