"""The ledger: receipts in a hash chain, as values, in the one form that is hashed and signed."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from upkeep.values import canonical

START = "0" * 64
"""What the first receipt names as the hash of the one before."""

Kind = Literal[
    "begun",
    "rehearsed",
    "looked",
    "performing",
    "performed",
    "ended",
    "died",
    "backup",
    "proof",
    "pruning",
    "restored",
    "reviewed",
]
ENDS = ("ended", "died")
STAGES = ("begun", "rehearsed", "looked", "performing", "performed")
"""Of a run that has come so far and not to its end. With ``begun`` and ``performing`` it holds the database's lock."""
UNDER_LOCK = ("begun", "performing")


class Evidence(BaseModel):
    """One object of the store as it was when a receipt named it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    bytes: int
    sha256: str


class Receipt(BaseModel):
    """Who did what, when, to what: one link, of which every field is hashed (P-102).

    ``before`` is the hash of the receipt before; ``id`` is chance, so that no two are equal; ``written`` is UTC by the
    clock of the machine that wrote it. ``open`` says of each run that has not ended how far it has come, this receipt
    included: so one receipt tells what the whole chain says. No number in it has a fraction, for the same fraction is
    written otherwise elsewhere.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal[1] = 1
    number: int
    before: str
    id: str
    database: str
    kind: Kind
    run: str
    written: str
    contents: dict[str, Any]
    evidence: list[Evidence]
    open: dict[str, Kind]
    signed_by: str | None

    @field_validator("contents")
    @classmethod
    def _without_fractions(cls, contents: dict[str, Any]) -> dict[str, Any]:
        if _has_fraction(contents):
            raise ValueError("a receipt holds no fractions")
        return contents

    @property
    def hash(self) -> str:
        """SHA-256, in hex, over the canonical form of all its fields."""
        return hashlib.sha256(canonical(self.model_dump(mode="json"))).hexdigest()


@dataclass(frozen=True)
class Link:
    """A receipt with its signature, as it stands in the store."""

    receipt: Receipt
    signature: str | None = None

    @property
    def hash(self) -> str:
        """The receipt's hash, by which the next one names it."""
        return self.receipt.hash

    @property
    def content(self) -> bytes:
        """The object's bytes: canonical JSON and nothing else."""
        receipt = self.receipt.model_dump(mode="json")
        return canonical({"hash": self.hash, "receipt": receipt, "signature": self.signature})


def name_of(database: str, number: int) -> str:
    """Where a receipt stands in the store; digits enough that names come in the order of numbers."""
    return f"{database}/ledger/{number:08d}.json"


def number_of(database: str, name: str) -> int | None:
    """The number of the receipt that stands under this name; None where it is no receipt's."""
    digits = name.removeprefix(f"{database}/ledger/").removesuffix(".json")
    number = int(digits) if digits.isascii() and digits.isdigit() else 0
    return number if number and name == name_of(database, number) else None


def link_of(content: bytes) -> Link:
    """The link that these bytes are; ValueError, in words, if they are none or not in the one form that links have."""
    try:
        document = json.loads(content)
        link = Link(Receipt.model_validate_json(json.dumps(document["receipt"])), document["signature"])
    except (ValueError, KeyError, TypeError, RecursionError) as fault:
        kind = "a field is not what it should be" if isinstance(fault, ValidationError) else type(fault).__name__
        raise ValueError(f"is no receipt of format 1: {kind}") from None
    if document.get("hash") != link.hash:
        raise ValueError("was changed: its content has another hash than it says")
    if link.content != content:
        raise ValueError("is not in canonical form")
    return link


def opened(before: Mapping[str, Kind], kind: Kind, run: str) -> dict[str, Kind]:
    """Which runs have not ended after a receipt of this kind, where ``before`` had not ended before it."""
    others = {name: stage for name, stage in before.items() if name != run or kind not in (*STAGES, *ENDS)}
    return others | {run: kind} if kind in STAGES else others


def _has_fraction(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_fraction(one) for one in value.values())
    if isinstance(value, list | tuple):
        return any(_has_fraction(one) for one in value)
    return isinstance(value, float)
