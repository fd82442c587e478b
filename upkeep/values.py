"""Raw values of rows as canonical JSON, exact both ways (P-61, P-120)."""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar

Value = None | int | float | str | bytes
Row = tuple[Value, ...]
T = TypeVar("T")
_PIECE = 5000
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)
"""Made once: json.dumps would make one for every row."""


def encode(value: Value) -> Any:
    """A raw value as JSON: numbers and text as they are, floats by their bits, bytes and broken text in base64."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return {"real": value.hex()}
    if isinstance(value, bytes):
        return {"blob": base64.b64encode(value).decode()}
    if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
        return {"text": base64.b64encode(value.encode("utf-8", "surrogateescape")).decode()}
    return value


def decode(value: Any) -> Value:
    """The raw value that ``encode`` was given."""
    if not isinstance(value, dict):
        return value  # type: ignore[no-any-return]  # JSON gives None, int or str here
    ((kind, text),) = value.items()
    if kind == "real":
        return float.fromhex(text)
    raw = base64.b64decode(text)
    return raw if kind == "blob" else raw.decode("utf-8", "surrogateescape")


def canonical(document: Any) -> bytes:
    """One JSON document as bytes that are equal when it is equal: sorted keys, no spaces, ASCII (P-102)."""
    return _ENCODER.encode(document).encode()


def digest(document: Any) -> str:
    """SHA-256, in hex, over the canonical form of a JSON document."""
    return hashlib.sha256(canonical(document)).hexdigest()


def row_digest(row: Row) -> str:
    """SHA-256, in hex, over the raw values of one row."""
    return digest([encode(value) for value in row])


def digest_in_parts(document: Mapping[str, Any]) -> str:
    """The ``digest`` of a document in which a list may be an iterator, at any depth: its items come one by one."""
    taken = hashlib.sha256()
    for part in _canonical_parts(document):
        taken.update(part)
    return taken.hexdigest()


def _canonical_parts(value: Any) -> Iterator[bytes]:
    if isinstance(value, Iterator):
        yield from _canonical_list(value)
    elif isinstance(value, Mapping):
        yield b"{"
        for number, (name, inner) in enumerate(sorted(value.items())):
            yield b"," * (number > 0) + canonical(name) + b":"
            yield from _canonical_parts(inner)
        yield b"}"
    else:
        yield canonical(value)


def digest_of_list(items: Iterable[Any]) -> str:
    """The ``digest`` of a list whose items come one by one: it may be longer than what fits into memory twice."""
    taken = hashlib.sha256()
    for part in _canonical_list(items):
        taken.update(part)
    return taken.hexdigest()


def _canonical_list(items: Iterable[Any]) -> Iterator[bytes]:
    yield b"["
    for number, item in enumerate(items):
        yield b"," * (number > 0) + canonical(item)
    yield b"]"


def in_pieces(rows: Iterable[T]) -> Iterator[list[T]]:
    """Rows by the thousand, in their order: so many as one statement names.

    One that named every row of a large plan would meet a server's limits on its length and on the time that it takes.
    """
    remaining = iter(rows)
    while piece := list(islice(remaining, _PIECE)):
        yield piece
