"""What an engine tells of a database in one consistent look."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from upkeep.catalog import Catalog, ForeignKey, Part
from upkeep.drafts import Draft
from upkeep.making import Making
from upkeep.orphans import Dialect, Known
from upkeep.values import Row


@dataclass(frozen=True)
class TableCount:
    """How many rows a table holds, and a digest of their content (None where it was not taken)."""

    rows: int
    digest: str | None = None


@dataclass(frozen=True)
class Counter:
    """How far a generator of keys has come: the values that it gave (None where that may go back by itself).

    ``is_behind``: the next one is already in the column that it fills, or another beyond it (P-69).
    """

    given: int | None
    is_behind: bool = False


class Reading(Protocol):
    """One consistent look at a database, which it leaves as it is."""

    @property
    def dialect(self) -> Dialect:
        """How this engine spells names and compares keys."""

    def catalog(self) -> Catalog:
        """Tables and foreign keys, table by table, so that one that is broken hides no other (P-109)."""

    def stated(self, key: ForeignKey) -> ForeignKey:
        """A key that the schema does not declare, judged as the engine would: fault, askable, parent_missing."""

    def kept_as(self, ondelete: str) -> str:
        """An ON DELETE as this engine keeps it, to which two may be one; '' for one that it does not know."""

    def making(self, table: str) -> Making:
        """How the table is made again elsewhere; for an engine whose tables can be, see ``Database.unmakeable``."""

    def draft_ondelete(self, wanted: Mapping[ForeignKey, str]) -> Draft:
        """The lines of a revision by which these declared keys say this on delete, and those that take it back.

        What else the keys say, their names and what the engine holds of them stay, and so does all the rest.
        """

    def rows(self, sql: str) -> Iterator[Row]:
        """Raw rows of a query, streamed; other queries may be asked before it is exhausted."""

    def asked(self, sql: str) -> Iterator[Row]:
        """Raw rows of a query that a person has written; raises Refused where it cannot be asked."""

    def known(self, key: ForeignKey) -> Known | None:
        """A quick way to pass over child rows that find their parent; None where it would save nothing."""

    def few(self, sql: str, known: Known | None = None) -> tuple[Row, ...]:
        """Raw rows of a query that has not many; this may use more than one processor, where ``rows`` may not.

        ``known`` is what stands in the query.
        """

    def numbers(self, sql: str, known: Known | None = None) -> tuple[int, ...]:
        """The one row of a query that counts; otherwise as ``few``."""

    def parts(self) -> dict[Part, str]:
        """All that the schema says beside the names of tables, each thing with its wording.

        Two schemas that say the same in other words (quotes, blanks, the order of columns) have equal parts.
        """

    def count(
        self, table: str, *, digest: bool, like: str | None = None, columns: tuple[str, ...] | None = None
    ) -> TableCount:
        """Rows of a table and, if asked, the digest of their content, or of that of some ``columns``.

        A digest begins with its kind and a colon where an engine has several. It is of the kind of ``like``, another
        digest that it should be compared with, if it can be taken here.
        """

    def counters(self) -> dict[str, Counter]:
        """The generators of keys by name, where the engine has some that stand in no table; {} if not."""

    def contents_beside(self, *, digest: bool) -> dict[str, TableCount]:
        """What the database holds beside its tables, large objects say, by what it is; {} where there is nothing."""

    def complaints(self) -> tuple[str, ...]:
        """What the engine's own integrity check finds wrong, orphans apart (P-07)."""

    def half_built(self) -> dict[str, str]:
        """Indexes whose making was cut short so that the engine does not use them, each with the words that drop it."""

    def chosen(self, table: str, columns: tuple[str, ...], rows: Iterable[Row]) -> AbstractContextManager[str]:
        """A relation that holds ``rows``, values of these columns of the table, as k0, k1, ...; SQL to follow FROM.

        Its column n numbers them from 1: a value need not come out of it as it would of the table.
        """

    def revision(self) -> tuple[str, ...]:
        """The Alembic revisions that the database says it is at; () where it knows none."""
