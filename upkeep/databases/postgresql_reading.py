"""PostgreSQL: one consistent look at a database."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from typing import Any

import psycopg
from psycopg import Connection

from upkeep.catalog import Catalog, ForeignKey, Part
from upkeep.databases import Counter, TableCount
from upkeep.databases.own_words import unaskable
from upkeep.databases.postgresql_asking import fetched, quoted, room_for, settle, streamed
from upkeep.databases.postgresql_catalog import Look, look
from upkeep.databases.postgresql_counters import read_counters
from upkeep.databases.postgresql_dialect import PostgresqlDialect
from upkeep.databases.postgresql_digest import can_digest, digest_of, digesting, is_of_this_kind
from upkeep.databases.postgresql_drafts import draft_ondelete
from upkeep.databases.postgresql_health import read_complaints, read_half_built
from upkeep.databases.postgresql_keys import judge_key
from upkeep.databases.postgresql_large_objects import read_large_objects
from upkeep.databases.postgresql_making import read_making
from upkeep.databases.postgresql_parts import read_parts
from upkeep.databases.postgresql_sums import RowSum
from upkeep.drafts import Draft
from upkeep.making import Making
from upkeep.orphans import Known
from upkeep.values import Row

_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\""})


class PostgresqlReading:
    """One look, on a connection that somebody else opens, with a transaction begun, and closes.

    For the look to be consistent that transaction is REPEATABLE READ; it may be READ ONLY, and on a replica. ``home``
    is the schema whose tables go by their plain names, the first of the search path if it is not given.
    """

    def __init__(self, connection: Connection[Any], home: str | None = None) -> None:
        self._connection = connection
        self._home = home
        self._looked: Look | None = None
        self._counters: dict[str, Counter] | None = None
        self._can_digest: bool | None = None
        settle(connection)

    def _look(self) -> Look:
        if self._looked is None:
            self._looked = look(self._connection, self._home)
        return self._looked

    @property
    def dialect(self) -> PostgresqlDialect:
        """The dialect for the tables of this database."""
        return PostgresqlDialect(self._look().relations)

    def catalog(self) -> Catalog:
        """The catalog, read once."""
        return self._look().catalog

    def stated(self, key: ForeignKey) -> ForeignKey:
        """The key in the real spelling, with what PostgreSQL would say of it."""
        return judge_key(self._connection, self.catalog(), self._look().relations, key)

    def kept_as(self, ondelete: str) -> str:
        """As it is said: RESTRICT differs from NO ACTION in what may be put off to the end of a transaction."""
        return ondelete

    def making(self, table: str) -> Making:
        """See ``postgresql_making``; raises Refused for a table that no plan could make as it is."""
        relations = self._look().relations
        return read_making(self._connection, relations[table], relations)

    def draft_ondelete(self, wanted: Mapping[ForeignKey, str]) -> Draft:
        """See ``postgresql_drafts``."""
        return draft_ondelete(self._connection, self._look().relations, self._home, wanted)

    def rows(self, sql: str) -> Iterator[Row]:
        """Raw rows: each value as the text that PostgreSQL prints, or None."""
        return streamed(self._connection, sql)

    def asked(self, sql: str) -> Iterator[Row]:
        """The same; of what the server says against it only what holds names is told (42: no such column)."""
        try:
            yield from self.rows(sql)
        except psycopg.Error as fault:
            if not (state := fault.sqlstate or "").startswith(("21", "22", "25006", "42")):
                raise
            told = state.startswith("42") and fault.diag.message_primary
            raise unaskable(told or f"the server's error {state}") from None

    def known(self, key: ForeignKey) -> None:
        """Nothing: the server looks a parent up quickly enough."""
        del key

    def few(self, sql: str, known: Known | None = None) -> tuple[Row, ...]:  # noqa: ARG002 - there is none
        """Raw rows, all at once: the server may use several processes for them, as not for a cursor."""
        return tuple(fetched(self._connection, sql))

    def numbers(self, sql: str, known: Known | None = None) -> tuple[int, ...]:  # noqa: ARG002 - there is none
        """The one row of a query that counts."""
        (row,) = self.few(sql)
        return tuple(int(str(number or 0)) for number in row)

    def parts(self) -> dict[Part, str]:
        """What the schema says, and who may do what with it."""
        return read_parts(self._connection, self._look().relations.items())

    def count(
        self, table: str, *, digest: bool, like: str | None = None, columns: tuple[str, ...] | None = None
    ) -> TableCount:
        """Rows; with ``digest`` one that says the same for the same rows in any order.

        The server takes it (``postgresql_digest``), or where it cannot, and for older backups, it is taken here.
        """
        source = self.dialect.source(table)
        columns = self.catalog().tables[table].stored if columns is None else columns
        if not digest:
            (rows,) = self.numbers(f"SELECT COUNT(*) FROM {source}")
            return TableCount(rows)
        if (like is None or is_of_this_kind(like)) and self._server_digests():
            rows, total = self.numbers(digesting(source, {c: self._look().types[table, c] for c in columns}))
            return TableCount(rows, digest_of(rows, total))
        taken = RowSum()
        taken.add_all(self._connection, f"SELECT {', '.join(map(self.dialect.quote, columns))} FROM {source}")
        return TableCount(taken.rows, taken.digest)

    def _server_digests(self) -> bool:
        if self._can_digest is None:
            self._can_digest = can_digest(self._connection)
        return self._can_digest

    def counters(self) -> dict[str, Counter]:
        """The sequences, as they were when they were first asked for."""
        if self._counters is None:
            self._counters = read_counters(self._connection)
        return self._counters

    def contents_beside(self, *, digest: bool) -> dict[str, TableCount]:
        """The large objects."""
        return read_large_objects(self._connection, digest=digest)

    def complaints(self) -> tuple[str, ...]:
        """What the server knows to be wrong with its own files, indexes and keys."""
        return read_complaints(self._connection)

    def half_built(self) -> dict[str, str]:
        """What CREATE INDEX CONCURRENTLY leaves when it fails or is killed (P-84)."""
        return read_half_built(self._connection)

    def revision(self) -> tuple[str, ...]:
        """What stands in the alembic_version that the search path finds, or in that of ``home``."""
        homely = self._look().relations.get("alembic_version")
        ((found,),) = fetched(self._connection, "SELECT to_regclass('alembic_version')::oid::regclass::text")
        table = homely.full if homely else found
        if not isinstance(table, str):
            return ()
        return tuple(str(row[0]) for row in fetched(self._connection, f"SELECT version_num FROM {table} ORDER BY 1"))

    @contextmanager
    def chosen(self, table: str, columns: tuple[str, ...], rows: Iterable[Row]) -> Iterator[str]:
        """The rows as a subquery: one that only reads, or reads a replica, may make no temporary table.

        Memory is allowed to hold them: NOT IN of what does not fit is compared row by row, each with each.
        """
        types = [self._look().types[table, column] for column in columns]
        # A table can have no column to tell its rows by; there is nothing to choose then.
        told, number = _arrays(rows, len(columns))
        cast = ", ".join(f"t.v{i}::{kind} AS k{i}" for i, kind in enumerate(types))
        arrays = ", ".join(f"{quoted(each)}::text[]" for each in told)
        names = ", ".join(f"v{i}" for i in range(len(types)))
        with room_for(self._connection, number):
            yield f"(SELECT {cast}, t.n FROM UNNEST({arrays}) WITH ORDINALITY AS t ({names}, n)) AS chosen"


def _arrays(rows: Iterable[Row], width: int) -> tuple[list[str], int]:
    """The columns of rows as PostgreSQL reads arrays, and how many rows they are, of which no two are held at once."""
    arrays, number = [StringIO() for _ in range(width)], 0
    for row in rows:
        for array, value in zip(arrays, row, strict=True):
            array.write("," if number else "")
            array.write("NULL" if value is None else '"' + str(value).translate(_ESCAPED) + '"')
        number += 1
    return ["{" + array.getvalue() + "}" for array in arrays], number
