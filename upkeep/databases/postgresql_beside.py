"""A revision that PostgreSQL does in no transaction: on the live database itself, beside a working application.

Alembic connects by itself here, as it would without Upkeep, for nothing can be undone with anything else. Its sessions
hold a lock by which they are known: a server goes on building an index for a client that was killed long ago.
"""

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from upkeep.databases import Lent, Reading, Tally, Writing
from upkeep.databases.postgresql_errors import speaking
from upkeep.databases.postgresql_exchange import ADVICE, may_pass, tallies_of
from upkeep.databases.postgresql_place import FINGERPRINT, Place, fingerprint_of, look_only
from upkeep.databases.postgresql_reading import PostgresqlReading


@dataclass(frozen=True)
class PostgresqlBeside:
    """The database at ``place`` as it is. ``key`` is that of the lock of the sessions that are lent.

    No transaction of ours is open meanwhile: CREATE INDEX CONCURRENTLY would wait for its end.
    """

    place: Place
    key: int
    is_a_copy: ClassVar[bool] = False

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """One read-only transaction, which is over when the look is."""
        with closing(self.place.connect()) as connection, speaking(str(self.place)):
            look_only(connection)
            yield PostgresqlReading(connection)

    def writing(self) -> AbstractContextManager[Writing]:
        """Rows are changed where that can be undone, so not here."""
        raise AssertionError("a clean-up has a transaction, and this bench has none")

    def take_locks(self, seen: Collection[tuple[str, str]]) -> None:
        """None: they would end with the transaction that holds them."""
        del seen

    @contextmanager
    def lent(self) -> Iterator[Lent]:
        """The database by the application's own driver; a lock is waited for as long as Upkeep would."""
        with closing(self.place.connect(autocommit=True)) as connection, speaking(str(self.place)):
            answer = fingerprint_of(connection)
        url = self.place.url.set(drivername=self.place.driver).render_as_string(hide_password=False)
        patience = f"SELECT set_config('lock_timeout', '{int(self.place.patience * 1000)}', false)"
        yield Lent(url, FINGERPRINT, answer, first=(patience, f"SELECT pg_advisory_lock_shared({self.key})"))

    def may_pass(self, state: str) -> bool:
        """As in a transaction of ours."""
        return may_pass(state)

    def advice(self, state: str) -> str:
        """As in a transaction of ours."""
        return ADVICE.get(state, "")

    def tallies(self, counted: Collection[str] | None) -> dict[str, Tally]:
        """Where rows are kept; how many there are of those tables alone that are counted."""
        with closing(self.place.connect()) as connection, speaking(str(self.place)):
            look_only(connection)
            return tallies_of(connection, PostgresqlReading(connection), counted)
