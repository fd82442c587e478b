"""Files to read that are made of pieces, whoever makes those."""

import io
from collections.abc import Iterable, Iterator
from typing import BinaryIO

CHUNK = 1 << 20


class Reader(io.RawIOBase):
    """Reads pieces from ``_next`` until it returns b'' and hands them out in the sizes that are asked for."""

    def __init__(self) -> None:
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """It is; io asks."""
        return True

    def _next(self) -> bytes:
        raise io.UnsupportedOperation

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed asks for a Buffer
        """Fill the buffer with what is left of a piece, or with the next one; 0 at the end."""
        if not self._rest:
            self._rest = memoryview(self._next())
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def buffered(reader: Reader) -> BinaryIO:
    """The reader with every read filled up to the size asked for (P-123); closing it closes the reader."""
    return io.BufferedReader(reader, CHUNK)


class _Pieces(Reader):
    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces

    def _next(self) -> bytes:
        return next(self._pieces, b"")


def reader_of(pieces: Iterable[bytes]) -> BinaryIO:
    """Pieces of bytes, none of them empty, as one file to read."""
    return buffered(_Pieces(iter(pieces)))
