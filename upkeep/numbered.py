"""Things by number, equal ones once, on disk: what stands beside each of many rows is then a number."""

import marshal
from collections.abc import Iterator
from hashlib import blake2b
from typing import Generic, TypeVar

from upkeep.spilled import Form, Spill, flat

T = TypeVar("T")
_TABLE = "CREATE TABLE things (n INTEGER PRIMARY KEY, thing BLOB, digest BLOB UNIQUE)"
_KILOBYTES = 4000


class Numbered(Generic[T]):
    """Things in the order in which they first came; the numbers begin with 0."""

    def __init__(self, form: Form[T], *first: T) -> None:
        self._spill = Spill(_TABLE, kilobytes=_KILOBYTES)
        self._form = form
        self._next = 0
        for thing in first:
            self.number(thing)

    def number(self, thing: T) -> int:
        """Its number, the next one if it is new."""
        raw = flat(self._form.plain(thing))
        digest = blake2b(raw, digest_size=16).digest()  # long things make a slow index
        found = self._spill.first("SELECT n FROM things WHERE digest = ?", (digest,))
        if found:
            return int(found[0])
        self._spill.run("INSERT INTO things VALUES (?, ?, ?)", (self._next, raw, digest))
        self._next += 1
        return self._next - 1

    def __getitem__(self, number: int) -> T:
        return self._thing(self._spill.first("SELECT thing FROM things WHERE n = ?", (number,))[0])

    def __iter__(self) -> Iterator[T]:
        return (self._thing(raw) for (raw,) in self._spill.rows("SELECT thing FROM things ORDER BY n"))

    def _thing(self, raw: bytes) -> T:
        return self._form.made(marshal.loads(raw))  # noqa: S302  # ours: a file without a name
