"""A digest over rows that says the same for the same rows in any order."""

import hashlib
from typing import Any

from psycopg import Connection

_MODULUS = 1 << 256


class RowSum:
    """The sum of the SHA-256 of every row as COPY writes it, and how many rows there were.

    To order rows would cost a sort that spills to the disk, and by text another order where the library that collates
    is another; and not every table has a key. It is made to find what was lost or damaged, not to withstand someone
    who looks for rows of the same sum.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._total = 0

    def add_all(self, connection: Connection[Any], sql: str) -> None:
        """Add the rows of a query, one by one as they come."""
        copied = f"COPY ({sql}) TO STDOUT"
        rows = total = 0
        with connection.cursor() as cursor, cursor.copy(copied.encode("utf-8", "surrogateescape")) as copy:
            for line in copy:  # the protocol has one message for each row
                rows += 1
                total += int.from_bytes(hashlib.sha256(line).digest())
        self.rows += rows
        self._total += total

    @property
    def digest(self) -> str:
        """SHA-256 over the number of rows and their sum."""
        return hashlib.sha256(f"{self.rows} {self._total % _MODULUS:x}".encode()).hexdigest()
