"""MariaDB: one consistent look at a database."""

import hashlib
import json
import marshal
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from io import StringIO

import pymysql

from upkeep.catalog import Catalog, ForeignKey, Part
from upkeep.databases import Counter, TableCount
from upkeep.databases.making_nothing import MakingNothing
from upkeep.databases.mariadb_asking import Conversation, quoted
from upkeep.databases.mariadb_catalog import Look, look
from upkeep.databases.mariadb_dialect import MariadbDialect
from upkeep.databases.mariadb_drafts import draft_ondelete
from upkeep.databases.mariadb_errors import code_of, refusal_of
from upkeep.databases.mariadb_health import read_complaints
from upkeep.databases.mariadb_keys import judge_key
from upkeep.databases.mariadb_parts import read_parts
from upkeep.databases.mariadb_shapes import Kind
from upkeep.databases.own_words import unaskable
from upkeep.drafts import Draft
from upkeep.orphans import Known, counting
from upkeep.values import Row, Value

_MODULUS = 1 << 256


class MariadbReading(MakingNothing):
    """One look, on a connection that somebody else opens, with a transaction begun, and closes.

    ``beside`` opens another connection to the same database, for what would end that transaction.
    """

    def __init__(self, conversation: Conversation, database: str, beside: Callable[[], Conversation]) -> None:
        self._conversation = conversation
        self._database = database
        self._beside = beside
        self._looked: Look | None = None
        self._stated: dict[str, ForeignKey] = {}

    def _look(self) -> Look:
        if self._looked is None:
            self._looked = look(self._conversation, self._database)
        return self._looked

    @property
    def dialect(self) -> MariadbDialect:
        """The dialect for the tables of this database."""
        return self._look().dialect

    def catalog(self) -> Catalog:
        """The catalog, read once."""
        return self._look().catalog

    def parts(self) -> dict[Part, str]:
        """What the schema says, as the server would say it to make it."""
        return read_parts(self._conversation, self._database, sorted(self.catalog().tables))

    def stated(self, key: ForeignKey) -> ForeignKey:
        """The key in the real spelling, with what MariaDB would say of it."""
        judged = judge_key(key, self._look().sides, self._look().relations)
        self._stated[str(judged)] = judged
        return judged

    def kept_as(self, ondelete: str) -> str:
        """InnoDB puts nothing off, so that NO ACTION is RESTRICT there; SET DEFAULT it refuses."""
        return {"NO ACTION": "RESTRICT", "SET DEFAULT": ""}.get(ondelete, ondelete)

    def draft_ondelete(self, wanted: Mapping[ForeignKey, str]) -> Draft:
        """See ``mariadb_drafts``."""
        orphans = {key: self.numbers(counting(key, self.dialect))[0] for key in wanted}
        return draft_ondelete(self._conversation, self._look().relations, self._database, wanted, orphans)

    def rows(self, sql: str) -> Iterator[Row]:
        """Raw rows: each value as the text that the server prints, as bytes where it keeps bytes, or None."""
        return self._conversation.streamed(sql)

    def asked(self, sql: str) -> Iterator[Row]:
        """The same; of what the server says against it its number is told."""
        try:
            yield from self.rows(sql)
        except (pymysql.ProgrammingError, pymysql.OperationalError) as fault:
            if refusal_of(fault, self._database) is not None:
                raise
            raise unaskable(f"the server's error {code_of(fault)}") from None

    def known(self, key: ForeignKey) -> None:
        """Nothing: the server looks a parent up quickly enough."""
        del key

    def few(self, sql: str, known: Known | None = None) -> tuple[Row, ...]:  # noqa: ARG002 - there is none
        """Raw rows, all at once."""
        return tuple(self.rows(sql))

    def numbers(self, sql: str, known: Known | None = None) -> tuple[int, ...]:  # noqa: ARG002 - there is none
        """The one row of a query that counts."""
        (row,) = self._conversation.fetched(sql)
        return tuple(int(str(number or 0)) for number in row)

    def count(
        self,
        table: str,
        *,
        digest: bool,
        like: str | None = None,  # noqa: ARG002 - there is one kind of digest
        columns: tuple[str, ...] | None = None,
    ) -> TableCount:
        """Rows; with ``digest`` one that says the same for the same rows in any order.

        It is over the sum of the SHA-256 of every row, for not every table has a key to order by. It is made to find
        what was lost or damaged, not to withstand someone who looks for rows of the same sum. A FLOAT is taken with the
        six digits that mariadb-dump writes: in full no backup of it would ever be proven.
        """
        source = self.dialect.source(table)
        if not digest:
            (rows,) = self.numbers(f"SELECT COUNT(*) FROM {source}")
            return TableCount(rows)
        names = self.catalog().tables[table].stored if columns is None else columns
        taken = ", ".join(f"c.{self.dialect.quote(name)}" for name in names)
        rows = total = 0
        for batch in self._conversation.raw(f"SELECT {taken} FROM {source} AS c"):
            rows += len(batch)
            # Version 2 writes None and bytes by value alone: the same row is always the same bytes.
            total += sum(int.from_bytes(hashlib.sha256(marshal.dumps(row, 2)).digest()) for row in batch)
        return TableCount(rows, hashlib.sha256(f"{rows} {total % _MODULUS:x}".encode()).hexdigest())

    def counters(self) -> dict[str, Counter]:
        """None: where AUTO_INCREMENT and sequences stand is not compared."""
        return {}

    def contents_beside(self, *, digest: bool) -> dict[str, TableCount]:
        """Nothing: all rows are in tables."""
        del digest
        return {}

    def complaints(self) -> tuple[str, ...]:
        """What CHECK TABLE finds, on a connection of its own: it would end the transaction of this one."""
        with closing(self._beside()) as conversation:
            return read_complaints(conversation, self._database, tuple(self.catalog().tables))

    def half_built(self) -> dict[str, str]:
        """None: an index is made whole or not at all."""
        return {}

    def revision(self) -> tuple[str, ...]:
        """What stands in alembic_version."""
        if "alembic_version" not in self.catalog().tables:
            return ()
        table = self.dialect.source("alembic_version")
        rows = self._conversation.fetched(f"SELECT version_num FROM {table} ORDER BY 1")
        return tuple(str(row[0]) for row in rows)

    @contextmanager
    def chosen(self, table: str, columns: tuple[str, ...], rows: Iterable[Row]) -> Iterator[str]:
        """The rows as one JSON document: who only reads may make no temporary table.

        Each value has the type and the collation of its column, so that the table is looked up by its key.
        """
        kinds = [self._look().kind(table, column) for column in columns]
        document = StringIO()
        for number, row in enumerate(rows):
            document.write("," if number else "[")
            document.write(json.dumps([_told(v, k) for v, k in zip(row, kinds, strict=True)]))
        given_rows = f"{document.getvalue() or '['}]"
        # A table can have no column to tell its rows by; there is nothing to choose then.
        taken = ", ".join(f"v{i} {kind.as_column} PATH '$[{i}]'" for i, kind in enumerate(kinds)) or "v0 INT PATH '$'"
        taken = f"n FOR ORDINALITY, {taken}"
        given = ", ".join(f"{kind.from_column(f'v{i}')} AS k{i}" for i, kind in enumerate(kinds)) or "v0 AS k0"
        yield f"(SELECT {given}, n FROM JSON_TABLE({quoted(given_rows)}, '$[*]' COLUMNS ({taken})) AS v) AS chosen"


def _told(value: Value, kind: Kind) -> str | None:
    """The value as it travels in JSON."""
    if value is None or not kind.is_hex:
        return None if value is None else str(value)
    raw = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
    return raw.hex()
