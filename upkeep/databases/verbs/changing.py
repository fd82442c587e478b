"""How an engine changes rows, in one transaction."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from upkeep.catalog import ForeignKey
from upkeep.databases.verbs.looks import Reading
from upkeep.values import Row


class Writing(Reading, Protocol):
    """One transaction that changes rows; it commits when its context ends well and is undone otherwise."""

    def hold(self, rows: Mapping[str, Collection[Row]], steady: Collection[str]) -> None:
        """Until the end nobody else changes these rows (by table), points at them, or writes to the tables ``steady``.

        What is asked after this is still so when the changes are made. Raises Unreachable where a lock is not to be
        had in time.
        """

    def change(self, sql: str) -> int:
        """Run one statement and return the number of rows that it named; raises RowRefused where a row refuses it."""

    def delete(self, table: str, rows: Collection[Row]) -> int:
        """Remove rows by their locators, and lock no other; how many went.

        Raises RowRefused where one refuses it; the transaction is then as it was.
        """

    def nullify(self, table: str, columns: tuple[str, ...], rows: Collection[Row]) -> int:
        """Set these columns of rows, by their locators, to NULL, and lock no other row; how many rows that named.

        Raises RowRefused where one refuses it; the transaction is then as it was.
        """

    def insert(self, table: str, columns: tuple[str, ...], rows: Sequence[Row]) -> int:
        """Insert rows of raw values as they are, identity columns too, never over another row; how many there came.

        Raises RowRefused where a row is refused; the transaction is then as it was.
        """

    def assign(self, table: str, columns: tuple[str, ...], rows: Mapping[Row, Row]) -> int:
        """Set these columns of rows, by their locators, to the raw values of each; how many rows that named.

        Raises RowRefused where a row refuses it; the transaction is then as it was.
        """

    def define(self, statements: Sequence[str]) -> None:
        """Run statements of ``Reading.making``, which are undone with the transaction; raises Refused if one fails."""

    def unenforced(self, keys: Collection[ForeignKey]) -> AbstractContextManager[None]:
        """Within it rows may violate these keys, those and no others, and no cascade of theirs acts.

        Nobody else violates them meanwhile. What is done in it ends with ``changed_in_all``. Raises Refused where the
        engine enforces one of them and does not let it be.
        """

    def changed_in_all(self) -> int:
        """Rows inserted, updated or deleted so far in this transaction, by triggers too (P-58).

        What the engine had put off to the end of the transaction is done first; raises RowRefused if that fails.
        """
