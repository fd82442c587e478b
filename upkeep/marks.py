"""How rows stood before and after a change, by keyed digests: for a run that may not read their values."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from upkeep.changes import Change
from upkeep.readers import buffered, reader_of
from upkeep.stores import Store
from upkeep.streams import Packing, Unpacking
from upkeep.values import Row, canonical, decode, encode
from upkeep.vanishing import Secret


@dataclass(frozen=True, slots=True)
class Mark:
    """One row, by its locator, with the digest of what it was before a change and after it; None: it was not there."""

    table: str
    row: Row
    before: str | None
    after: str | None

    def document(self) -> list[Any]:
        """As JSON."""
        return [self.table, [encode(value) for value in self.row], self.before, self.after]


class Marks(BaseModel):
    """Where the marks of a run stand, with the digests of their bytes, and by what their secret is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    plain_sha256: str
    stored_sha256: str
    salt: str
    secret: str

    def known_by(self, secret: str) -> Secret | None:
        """The secret of the marks, if it is that of the settings; None where those name another by now."""
        same = Secret(self.salt, secret)
        return same if same.mark == self.secret else None


def marks_of(changes: Iterable[Change], secret: Secret) -> Iterator[Mark]:
    """The marks of changes."""
    for one in changes:
        yield Mark(one.table, one.row, marked(one.before, secret), marked(one.after, secret))


def marked(image: Row | None, secret: Secret) -> str | None:
    """The digest of a row as it stands; None for one that does not."""
    return None if image is None else secret.digest(map(encode, image))


def put_marks(store: Store, name: str, changes: Iterable[Change], secret: Secret) -> Marks:
    """Write the marks of changes as JSON lines, compressed; they hold no value but primary keys, so they are plain."""
    packing = Packing(reader_of(canonical(mark.document()) + b"\n" for mark in marks_of(changes, secret)))
    with buffered(packing) as packed:
        store.put(name, packed)
    return Marks(
        name=name,
        plain_sha256=packing.plain.sha256,
        stored_sha256=packing.stored.sha256,
        salt=secret.salt,
        secret=secret.mark,
    )


def stored_marks(store: Store, marks: Marks) -> Iterator[Mark]:
    """The marks of a run, one by one; Damaged if they are not what was written."""
    with store.get(marks.name) as packed:
        reader = Unpacking(packed, plain_sha256=marks.plain_sha256, stored_sha256=marks.stored_sha256, what=marks.name)
        with buffered(reader) as lines:
            for line in lines:
                table, row, before, after = json.loads(line)
                yield Mark(table, tuple(decode(value) for value in row), before, after)
