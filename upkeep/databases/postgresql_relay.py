"""A session of a PostgreSQL server that its owner can lend to another program, on a socket that only we can reach.

An Alembic migration runs in a process of its own, and what one process does in its session cannot be undone together
with what another does in another. So there is one session: the owner's. Between two statements of his a borrower, who
believes to have a connection of his own, speaks in it, and his COMMIT does not end the owner's transaction.
"""

import socket
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Condition, Thread

from upkeep.databases.postgresql_wire import Borrowed, Splitter, message

_SIZE = 1 << 16
_SECONDS = 30
PORT = 5432
"""Nobody listens there: it is in the socket's name, by which programs find it without being told more."""
_SSL_OR_GSS = (80877103, 80877104)
_CANCEL = 80877102
_ONE_AT_A_TIME = b"SERROR\0VERROR\0C53300\0Mthis session is lent to one connection at a time\0\0"
_FORGET = message(b"Q", b"DEALLOCATE ALL\0")
"""Prepared statements outlive the borrower who named them."""


class Relay:
    """The session behind ``server``, a socket on which nothing was said yet. The first who connects owns it."""

    def __init__(self, server: socket.socket, listener: socket.socket, folder: Path) -> None:
        self._server, self._listener, self.folder = server, listener, folder
        self._greeting: list[bytes] = []
        self._changed = Condition()
        self._owner: socket.socket | None = None
        self._borrower: socket.socket | None = None
        self._borrowed = Borrowed()
        self._swallow = 0
        self.has_escaped = False

    def run(self) -> None:
        """Pass on what the owner and the borrowers say until the session ends."""
        with suppress(OSError):
            self._owner, _ = self._listener.accept()
            for speaking in (self._answer, self._lend):
                Thread(target=speaking, name="upkeep-relay", daemon=True).start()
            while piece := self._owner.recv(_SIZE):
                with self._changed:
                    # He speaks again only when the borrower's process has ended; its last word may still be on the way.
                    self._changed.wait_for(lambda: self._borrower is None, _SECONDS)
                self._server.sendall(piece)
        self.close()

    def close(self) -> None:
        """End the session: what was not committed in it is undone."""
        for one in (self._listener, self._server, self._owner, self._borrower):
            if one is not None:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()

    def _answer(self) -> None:
        """What the server says goes to whom it is for."""
        splitter = Splitter()
        with suppress(OSError):
            while piece := self._server.recv(_SIZE):
                if self._borrower is None and not self._swallow and self._is_greeted:
                    self._to_owner(piece)
                    continue
                for kind, body in splitter.fed(piece):
                    self._deliver(kind, body)
        self.close()

    @property
    def _is_greeted(self) -> bool:
        return bool(self._greeting) and self._greeting[-1].startswith(b"Z")

    def _to_owner(self, piece: bytes) -> None:
        assert self._owner is not None  # noqa: S101  # nobody has asked anything before he came
        self._owner.sendall(piece)

    def _deliver(self, kind: bytes, body: bytes) -> None:
        with self._changed:
            if self._swallow:
                self._swallow -= kind == b"Z"
                self._changed.notify_all()
            elif self._borrower is not None:
                self._borrower.sendall(self._borrowed.answered(kind, body))
                if self._borrowed.has_escaped:
                    self.has_escaped = True
                    raise OSError("the transaction that was lent is over")
            else:
                if kind in b"SKZ":
                    self._greeting.append(message(kind, body))
                if kind == b"R":
                    # The encryption is the relay's with the server, so the password cannot be bound to it.
                    body = body.replace(b"SCRAM-SHA-256-PLUS\0", b"")
                self._to_owner(message(kind, body))

    def _lend(self) -> None:
        """Let one borrower after the other speak, and refuse who comes while another does: he would wait for ever."""
        with suppress(OSError):
            while True:
                borrower, _ = self._listener.accept()
                Thread(target=self._serve, args=(borrower,), name="upkeep-relay-borrower", daemon=True).start()

    def _serve(self, borrower: socket.socket) -> None:
        with borrower, suppress(OSError):
            borrower.settimeout(_SECONDS)
            if not _says_hello(borrower):
                return
            with self._changed:
                # The one before may have left already, and its going not have been heard.
                if not self._changed.wait_for(lambda: self._borrower is None, 1):
                    borrower.sendall(message(b"E", _ONE_AT_A_TIME))
                    return
                self._borrowed, self._borrower = Borrowed(), borrower
            try:
                self._say(_FORGET)
                greeting = [one for one in self._greeting if not one.startswith(b"Z")]
                borrower.sendall(b"".join([message(b"R", bytes(4)), *greeting, message(b"Z", b"I")]))
                borrower.settimeout(None)
                self._pass_on(borrower)
            finally:
                with self._changed:
                    self._borrower = None
                    self._changed.notify_all()

    def _pass_on(self, borrower: socket.socket) -> None:
        """Pass on what a borrower says until he goes; what he has left open is undone."""
        splitter, borrowed = Splitter(), self._borrowed
        left = False
        while not left and (piece := borrower.recv(_SIZE)):
            for kind, body in splitter.fed(piece):
                left = kind == b"X"
                if not left:
                    self._server.sendall(borrowed.asked(kind, body))
        if not (splitter.is_between and borrowed.is_quiet):
            self.close()  # he went in the middle of a sentence, and nobody knows what the server makes of it
        elif undoing := borrowed.undoing:
            self._say(undoing)

    def _say(self, words: bytes) -> None:
        """Say something of one's own to the server, and wait until it has answered."""
        with self._changed:
            self._swallow += 1
            self._server.sendall(words)
            self._changed.wait_for(lambda: not self._swallow, _SECONDS)


def _says_hello(borrower: socket.socket) -> bool:
    """Hear a program out that opens a connection; whatever it asks for, it gets the session as it is."""
    while True:
        length, code = struct.unpack("!II", _exactly(borrower, 8))
        _exactly(borrower, length - 8)
        if code not in _SSL_OR_GSS:
            break
        borrower.sendall(b"N")
    if code >> 16 == 3 and code & 0xFFFF:
        borrower.sendall(message(b"v", struct.pack("!II", 3 << 16, 0)))
    return bool(code != _CANCEL)


def _exactly(one: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size:
        piece = one.recv(size - len(got))
        if not piece:
            raise OSError("it went before it had said what it wants")
        got += piece
    return got


@contextmanager
def relayed(server: socket.socket) -> Iterator[Relay]:
    """A relay for the session on ``server``, in a folder of its own that is short enough for a socket's name."""
    with tempfile.TemporaryDirectory(prefix="upkeep-") as name, server, socket.socket(socket.AF_UNIX) as listener:
        folder = Path(name)
        listener.bind(str(folder / f".s.PGSQL.{PORT}"))
        listener.listen()
        relay = Relay(server, listener, folder)
        running = Thread(target=relay.run, name="upkeep-relay", daemon=True)
        running.start()
        try:
            yield relay
        finally:
            relay.close()
            running.join(_SECONDS)
