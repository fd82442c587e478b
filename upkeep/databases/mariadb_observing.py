"""MariaDB: one state of a database for as long as it takes to look at it, for us and for the suites.

No transaction can be given another one's state here. So as many as will be needed begin while nobody can write, for a
tenth of a second, and the suites are lent the connections of those that are theirs.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pymysql

from upkeep.databases import Identity, Sight
from upkeep.databases.mariadb_asking import Conversation
from upkeep.databases.mariadb_errors import code_of, speaking
from upkeep.databases.mariadb_place import Place
from upkeep.databases.mariadb_reading import MariadbReading
from upkeep.databases.mariadb_replica import caught_up
from upkeep.databases.mariadb_rights import refuse_what_is_missing
from upkeep.databases.mariadb_snapshot import LOOK, lock_against_writers, tables_of
from upkeep.errors import Refused, Unreachable

_TOO_LONG = {1969, 3024}
_SHORTEST = 0.001
_TO_LOOK = ("SELECT", "TRIGGER", "LOCK TABLES")
_LENT = 2
"""Great Expectations asks by two engines, each with one connection."""


@contextmanager
def observe(
    place: Place, follows: Place | None, seconds: float, identity: Callable[[Conversation], Identity]
) -> Iterator[Sight]:
    """Read-only transactions that see the same; every table is held as mariadb-dump holds it, so that none goes.

    On a replica it is who carries the changes out that waits for the moment in which they begin, and with a change to
    a table itself for the end of the look. Raises Refused where tables have an engine without transactions: of those no
    state can be held while others write.
    """
    limit = max(seconds, _SHORTEST)  # MariaDB takes 0 for no limit at all
    with _speaking(place, seconds), ExitStack() as opened:
        own = opened.enter_context(closing(place.connect(statement_seconds=limit)))
        others = [
            opened.enter_context(closing(place.connect(statement_seconds=limit, plain=True))) for _ in range(_LENT)
        ]
        identity(own)
        behind = caught_up(own, place, follows) if follows else None
        refuse_what_is_missing(own, place.database, _TO_LOOK)
        with closing(place.connect()) as brief:
            held, loose = tables_of(brief, place.database)
            if loose:
                raise Refused(
                    f"{loose[0]} of {place} has an engine without transactions: no state of it can be looked at",
                    'ALTER TABLE it ENGINE = InnoDB, or restore every night: snapshot = "nightly" below [run]',
                )
            lock_against_writers(brief, place.database, held, place.patience)
            for one in (own, *others):
                one.run(LOOK)
            brief.run("UNLOCK TABLES")
        reading = MariadbReading(own, place.database, lambda: place.connect(statement_seconds=limit))
        for table in reading.catalog().tables:
            own.fetched(f"SELECT 1 FROM {reading.dialect.source(table)} LIMIT 0")
        told = f"{'the replica' if follows else 'the live database'} {place} in transactions of one moment"
        url = place.url.render_as_string(hide_password=False)
        yield Sight(reading, url, told=told, behind=behind, lend=_Lending(others).lend)


class _Lending:
    """Connections whose transactions have begun, each for one borrower at a time."""

    def __init__(self, conversations: list[Conversation]) -> None:
        self._free = [conversation.connection for conversation in conversations]

    def lend(self) -> Any:
        """One that nobody has, as the driver made it but for what would end its transaction."""
        if not self._free:
            raise Unreachable("the suites want more connections at once than were made for them", "run it again")
        return _Lent(self._free.pop(), self._free)


class _Lent:
    """A connection of the driver's that neither commits nor rolls back; closed, it is free for the next borrower."""

    def __init__(self, connection: Any, free: list[Any]) -> None:
        self._connection, self._free = connection, free

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def commit(self) -> None:
        """Nothing: the transaction only reads, and goes on."""

    def rollback(self) -> None:
        """Nothing: the transaction only reads, and goes on."""

    def close(self) -> None:
        """Give it back."""
        if self._connection not in self._free:
            self._free.append(self._connection)


@contextmanager
def _speaking(place: Place, seconds: float) -> Iterator[None]:
    """The errors of a look as ours; the one that only a look knows first."""
    with speaking(str(place)):
        try:
            yield
        except pymysql.MySQLError as fault:
            if code_of(fault) not in _TOO_LONG:
                raise
            raise Unreachable(
                f"a question to {place} took longer than {seconds:g} s",
                "try again when it has less to do, or set UPKEEP_LOOK_SECONDS to more",
            ) from None
