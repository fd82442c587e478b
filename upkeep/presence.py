"""Which whole numbers there are, one byte for each: looked up far faster than rows of a table are."""

from collections.abc import Iterable

LIMIT = 64 << 20
"""Numbers above it, and those below 1, are left out: whoever looks for one must ask the table itself."""


def presence(rows: Iterable[tuple[int]]) -> bytes:
    """Byte n-1 is 1 where n is among the numbers, which come as rows of one; at most ``LIMIT`` bytes."""
    there = bytearray(1024)
    for (number,) in rows:
        if 0 < number <= LIMIT:
            if number > len(there):
                there.extend(bytes(min(LIMIT, 2 * number) - len(there)))
            there[number - 1] = 1
    return bytes(there)
