"""JSON documents in the store, written and read the same way wherever they come from; long ones part by part."""

import codecs
import json
from collections.abc import Collection, Iterator, Mapping
from io import BytesIO
from itertools import chain
from typing import Any, BinaryIO

from upkeep.errors import Damaged, Taken
from upkeep.readers import CHUNK, reader_of
from upkeep.stores import Store
from upkeep.values import canonical

_BLANK = " \t\r\n"
_DECODER = json.JSONDecoder()


def put_document(store: Store, name: str, document: Any, *, only_if_absent: bool = False) -> None:
    """Write a JSON document under ``name``, keys sorted, whole or not at all.

    With ``only_if_absent`` raises Taken where the name holds anything else. The same document is no other: a write
    whose acknowledgement was lost is answered as if somebody had been there before (P-126).
    """
    content = json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"
    try:
        store.put(name, BytesIO(content), only_if_absent=only_if_absent)
    except Taken:
        with store.get(name) as there:
            if there.read() != content:
                raise


def put_in_parts(store: Store, name: str, document: Mapping[str, Any]) -> None:
    """Write a document in which a list may be an iterator: its items come one by one, and stand in a line each.

    So may a list in a mapping that the document holds.
    """
    with reader_of(chain(_in_lines(document, "\n"), [b"\n"])) as lines:
        store.put(name, lines)


def _in_lines(value: Any, end: str) -> Iterator[bytes]:
    """A value whose last line begins with ``end``, what is in it one blank further in."""
    line = f"{end} ".encode()
    if isinstance(value, Iterator):
        yield b"["
        for number, item in enumerate(value):
            yield b"," * (number > 0) + line + canonical(item)
        yield f"{end}]".encode()
    elif isinstance(value, Mapping) and value:
        for number, (name, inner) in enumerate(sorted(value.items())):
            yield (b"," if number else b"{") + line + canonical(name) + b": "
            yield from _in_lines(inner, f"{end} ")
        yield f"{end}}}".encode()
    else:
        yield json.dumps(value, indent=1, sort_keys=True).replace("\n", end).encode()


def read_in_parts(file: BinaryIO, one_by_one: Collection[str], what: str) -> Iterator[tuple[str, Any]]:
    """The values of a document by their names; of the lists ``one_by_one`` each item for itself.

    A list may be one in an object, "undo.conflicts": then the values of that are told by such names too.
    However it is spaced. Raises Damaged where it is no JSON object.
    """
    text = _Text(file, what)
    text.expect("{")
    yield from _members(text, one_by_one, "")


def _members(text: "_Text", one_by_one: Collection[str], above: str) -> Iterator[tuple[str, Any]]:
    """Those of an object that has begun; ``above`` is what stands before their names."""
    if text.passes("}"):
        return
    while True:
        name = above + str(text.value())
        text.expect(":")
        if name in one_by_one and text.passes("["):
            if not text.passes("]"):
                yield name, text.value()
                while text.passes(","):
                    yield name, text.value()
                text.expect("]")
        elif any(one.startswith(f"{name}.") for one in one_by_one) and text.passes("{"):
            yield from _members(text, one_by_one, f"{name}.")
        else:
            yield name, text.value()
        if not text.passes(","):
            text.expect("}")
            return


class _Text:
    """The text of a file from where it is read on; so much of it in memory as the next value needs."""

    def __init__(self, file: BinaryIO, what: str) -> None:
        self._file, self._what = file, what
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text, self._at, self._is_whole = "", 0, False

    def passes(self, mark: str) -> bool:
        """Is this the next thing? Then it is passed."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _BLANK:
                self._at += 1
            if self._at < len(self._text) or not self._more():
                break
        is_next = self._text.startswith(mark, self._at)
        self._at += len(mark) * is_next
        return is_next

    def expect(self, mark: str) -> None:
        """Pass it; Damaged if it is not there."""
        if not self.passes(mark):
            raise self._damaged()

    def value(self) -> Any:
        """The next value, which is whole only once something follows it: of a number more digits may come."""
        self.passes("")
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except ValueError:
                if not self._more():
                    raise self._damaged() from None
                continue
            if end < len(self._text) or not self._more():
                self._at = end
                return value

    def _more(self) -> bool:
        """Read on; False at the end. A long value is read by more and more, or it would be looked at too often."""
        if self._is_whole:
            return False
        rest = self._text[self._at :]
        raw = self._file.read(max(CHUNK, len(rest)))
        self._is_whole = not raw
        try:
            self._text, self._at = rest + self._decoder.decode(raw, final=not raw), 0
        except UnicodeDecodeError:
            raise self._damaged() from None
        return not self._is_whole

    def _damaged(self) -> Damaged:
        return Damaged(f"{self._what} is no document of Upkeep", "run `upkeep ledger verify`: who changed it?")
