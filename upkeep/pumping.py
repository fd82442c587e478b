"""What pushes its bytes into a writer, turned into something to read."""

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, Queue
from typing import Protocol

from upkeep.readers import Reader

_AHEAD = 32
"""So many pieces the pump may be ahead of who reads; those of age are 64 KiB."""


class Writer(Protocol):
    """As much of a file as a pump needs."""

    def write(self, piece: bytes, /) -> int:
        """Take a piece, all of it."""

    def flush(self) -> None:
        """Nothing is held back."""


class Pumped(Reader):
    """Reads what ``pump`` writes. The pump runs in a thread of its own, which waits where nobody reads.

    The end is reported only after the pump has ended well (P-124); an error of it is raised to who reads, each time
    that more is asked for. Close it where it may not be read to its end: else the thread would wait for ever.
    """

    def __init__(self, pump: Callable[[Writer], None]) -> None:
        super().__init__()
        self._pump = pump
        self._pieces: Queue[bytes] = Queue(_AHEAD)
        self._fault: BaseException | None = None
        self._ended = self._unwanted = False
        self._thread: threading.Thread | None = None

    def write(self, piece: bytes, /) -> int:  # type: ignore[override]  # typeshed asks for a Buffer
        """What the pump calls."""
        if self._unwanted:
            raise BrokenPipeError
        if piece:
            self._pieces.put(bytes(piece))
        return len(piece)

    def _run(self) -> None:
        try:
            self._pump(self)
        except BaseException as fault:  # noqa: BLE001  # it is raised where somebody reads
            self._fault = fault
        self._pieces.put(b"")

    def _next(self) -> bytes:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="pump", daemon=True)
            self._thread.start()
        piece = b"" if self._ended else self._pieces.get()
        if not piece:
            self._ended = True
            if self._fault is not None:
                raise self._fault
        return piece

    def close(self) -> None:
        """End the pump, and wait until it has ended."""
        self._unwanted = True
        while self._thread is not None and self._thread.is_alive():
            with suppress(Empty):
                self._pieces.get(timeout=0.05)
        super().close()
