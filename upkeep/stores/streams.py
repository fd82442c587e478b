"""Reading that neither stops early nor runs too far."""

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO

PIECE = 1 << 20  # bytes that are moved at once


def pieces(source: BinaryIO, limit: int | None = None) -> Iterator[bytes]:
    """What ``source`` gives, piece by piece, until its end or until ``limit`` bytes.

    A pipe gives less than it is asked for, which is not its end (P-123); only empty bytes are. A source that is set
    not to block answers None when it has nothing yet: taken for the end, that would cut a backup short.
    """
    left = limit
    while left is None or left > 0:
        piece = source.read(PIECE if left is None else min(PIECE, left))
        if piece is None:
            raise BlockingIOError("the source of a put has nothing to give yet and does not wait for it")
        if not piece:
            return
        left = None if left is None else left - len(piece)
        yield piece


def filled(source: BinaryIO, size: int) -> io.BytesIO:
    """The next ``size`` bytes of ``source``, fewer only at its end, rewound."""
    buffer = io.BytesIO()
    for piece in pieces(source, size):
        buffer.write(piece)
    buffer.seek(0)
    return buffer


class Window(io.RawIOBase):
    """At most ``length`` bytes of an open file from where it stands; without ``length`` all that follow."""

    def __init__(
        self, file: io.FileIO, length: int | None, refusals: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._file = file
        self._left = length
        self._refusals = refusals  # what turns an error of the disk into one of ours

    def readable(self) -> bool:
        """It is; io asks."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's WriteableBuffer is private
        """Fill the buffer with what the file and the window still hold; 0 at the end."""
        wanted = len(buffer) if self._left is None else min(len(buffer), self._left)
        with self._refusals(), memoryview(buffer) as whole, whole[:wanted] as part:
            read = self._file.readinto(part) or 0
        self._left = None if self._left is None else self._left - read
        return read
