"""What a plan did to rows: each before and after, and those that refused."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from upkeep.encryption import PLAIN, Keyring, Sealed
from upkeep.errors import Damaged, Refused
from upkeep.policy import Action
from upkeep.readers import buffered, reader_of
from upkeep.spilled import Form, Plain
from upkeep.stores import Store
from upkeep.streams import Packing, Unpacking
from upkeep.values import Row, canonical, decode, digest_of_list, encode


@dataclass(frozen=True)
class Refusal:
    """A row that refused an action, and what it said: a CHECK, a trigger (P-119).

    ``otherwise`` are the columns that came out otherwise than they were set to, of a row that was changed all the same.
    """

    table: str
    row: Row
    action: Action
    said: str
    otherwise: tuple[str, ...] = ()


class RowsRefused(Refused):
    """Rows of a plan that the database refuses to change; ``refusals`` names each."""

    def __init__(self, refusals: tuple[Refusal, ...]) -> None:
        first = refusals[0]
        super().__init__(
            f"{len(refusals)} {'row refuses' if len(refusals) == 1 else 'rows refuse'} to change; "
            f"{first.action} in {first.table}: {first.said}",
            "rehearse again: the plan will do otherwise for these rows",
        )
        self.refusals = refusals


class Change(NamedTuple):
    """One row before and after, stored columns in the table's order; None where it was not there, or is gone.

    ``source`` says where the values of a row come from that was put back.
    """

    table: str
    row: Row
    columns: tuple[str, ...]
    before: Row | None
    after: Row | None
    source: str = ""

    def document(self) -> dict[str, Any]:
        """The change as JSON, exact both ways. It holds values of rows: for the store only."""
        return {
            "table": self.table,
            "row": [encode(value) for value in self.row],
            "columns": list(self.columns),
            "before": _encoded(self.before),
            "after": _encoded(self.after),
            **({"source": self.source} if self.source else {}),
        }

    def plain(self) -> Plain:
        """All of it as plain values."""
        return tuple(self)

    @classmethod
    def made(cls, plain: Plain) -> "Change":
        """The change that was ``plain``."""
        return cls(*plain)


CHANGES = Form(Change.plain, Change.made)


@dataclass(frozen=True)
class Mended:
    """What was done: every row of the plan before and after, and rows changed in all, those by triggers included.

    The rows may be more than fit into memory.
    ``astray``: how many rows an undo has left pointing at nothing, by key.
    """

    changes: Sequence[Change] = ()
    changed_in_all: int = 0
    astray: tuple[tuple[str, int], ...] = ()

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all changes."""
        return digest_of_list(change.document() for change in self.changes)

    @property
    def beside_the_plan(self) -> int:
        """Rows that triggers changed and that no record here holds."""
        return self.changed_in_all - len(self.changes)


class Record(BaseModel):
    """Where the changes of a run stand in the store, how many, and the SHA-256 of their plain and stored bytes.

    ``sealed`` says to whom they are encrypted, None where they are not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    rows: int
    plain_sha256: str
    stored_sha256: str
    sealed: Sealed | None = None


def put_changes(store: Store, name: str, changes: Sequence[Change], keyring: Keyring = PLAIN) -> Record:
    """Write changes as JSON lines, compressed, encrypted to ``keyring``, and read them back.

    Unread, they are no record to commit on. What is encrypted stands under a name that says so.
    """
    name += keyring.suffix
    packing = Packing(reader_of(canonical(change.document()) + b"\n" for change in changes), keyring)
    with buffered(packing) as packed:
        store.put(name, packed)
    record = Record(
        name=name,
        rows=len(changes),
        plain_sha256=packing.plain.sha256,
        stored_sha256=packing.stored.sha256,
        sealed=keyring.sealed,
    )
    if sum(1 for _ in stored_changes(store, record, keyring)) != len(changes):
        raise Damaged(f"the store did not keep {name} as it was written", "look at the store; nothing was changed")
    return record


def stored_changes(store: Store, record: Record, keyring: Keyring = PLAIN) -> Iterator[Change]:
    """The changes of a run, one by one; Damaged if they are not what was written, Refused if no key reads them."""
    with store.get(record.name) as packed:
        reader = Unpacking(
            packed,
            plain_sha256=record.plain_sha256,
            stored_sha256=record.stored_sha256,
            what=record.name,
            sealed=record.sealed,
            keyring=keyring,
        )
        with buffered(reader) as lines:
            for line in lines:
                yield _change(json.loads(line))


def _change(said: dict[str, Any]) -> Change:
    return Change(
        said["table"],
        tuple(decode(value) for value in said["row"]),
        tuple(said["columns"]),
        _decoded(said["before"]),
        _decoded(said["after"]),
        said.get("source", ""),
    )


def _encoded(image: Row | None) -> list[Any] | None:
    return None if image is None else [encode(value) for value in image]


def _decoded(said: list[Any] | None) -> Row | None:
    return None if said is None else tuple(decode(value) for value in said)
