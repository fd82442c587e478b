"""PostgreSQL's protocol as far as a lent session needs it: the borrower's transactions become savepoints of ours."""

import re
import struct
from collections.abc import Iterator

_HEAD = struct.Struct("!cI")
_CONTROL = re.compile(
    rb"\s*(?:(?P<begin>BEGIN|START\s+TRANSACTION)\b|(?P<commit>COMMIT|END)\s*(?:WORK|TRANSACTION)?\s*;?\s*$"
    rb"|(?P<rollback>ROLLBACK|ABORT)\s*(?:WORK|TRANSACTION)?\s*;?\s*$)",
    re.IGNORECASE,
)
_SEVERAL = re.compile(rb";\s*\S")
_NOTHING = b"UNLISTEN *"
"""Changes nothing, answers without rows, and may stand in any transaction."""
_SAVEPOINT = b"upkeep_lent"

Message = tuple[bytes, bytes]


def message(kind: bytes, body: bytes) -> bytes:
    """One message as it is sent: its kind, its length, its body."""
    return _HEAD.pack(kind, len(body) + 4) + body


class Splitter:
    """Bytes as they come, cut into messages."""

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def is_between(self) -> bool:
        """Has every message that was begun come to its end?"""
        return not self._held

    def fed(self, piece: bytes) -> Iterator[Message]:
        """The messages that are whole with ``piece``: kind and body."""
        self._held += piece
        at = 0
        while len(self._held) - at >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._held, at)
            if len(self._held) - at <= length:
                break
            yield kind, bytes(self._held[at + _HEAD.size : at + 1 + length])
            at += 1 + length
        del self._held[:at]


class Borrowed:
    """What a borrower believes of its transactions, and what is said to the server in their place.

    The server is in one transaction of ours all the time. ``has_escaped`` says that it is not any more: a statement
    that hides a COMMIT from this reading, in a string of several, has ended it.
    """

    def __init__(self) -> None:
        self._in_transaction = False
        self._has_failed = False
        self._waiting = 0
        self._unanswered = False
        self.has_escaped = False

    @property
    def is_quiet(self) -> bool:
        """Does the server owe the borrower no answer?"""
        return self._waiting == 0 and not self._unanswered

    @property
    def undoing(self) -> bytes | None:
        """What undoes the transaction that a borrower left open, as a message; None where there is none."""
        return message(b"Q", b"ROLLBACK TO SAVEPOINT " + _SAVEPOINT + b"\0") if self._in_transaction else None

    def asked(self, kind: bytes, body: bytes) -> bytes:
        """What is sent to the server for a message of the borrower's."""
        self._waiting += kind in b"QSF"
        self._unanswered = kind not in b"QSF"
        if kind == b"Q":
            return message(kind, self._instead(body[:-1]) + b"\0")
        if kind == b"P":
            name, query, types = body.split(b"\0", 2)
            return message(kind, name + b"\0" + self._instead(query) + b"\0" + types)
        return message(kind, body)

    def answered(self, kind: bytes, body: bytes) -> bytes:
        """What the borrower is told for a message of the server's."""
        if kind != b"Z":
            return message(kind, body)
        self._waiting -= 1
        self._has_failed = body == b"E"
        self.has_escaped |= body == b"I"
        return message(kind, body if self._in_transaction else b"I")

    def _instead(self, query: bytes) -> bytes:
        found = _CONTROL.match(query)
        if found is None or _SEVERAL.search(query):
            return query
        was, self._in_transaction = self._in_transaction, found["begin"] is not None
        if found["begin"]:
            return _NOTHING if was else b"SAVEPOINT " + _SAVEPOINT
        if not was:
            return _NOTHING
        # To commit what has failed is to undo it, without an error.
        kept = found["commit"] and not self._has_failed
        return (b"RELEASE SAVEPOINT " if kept else b"ROLLBACK TO SAVEPOINT ") + _SAVEPOINT
