"""What really happened to the clinic's database, known from the writing of it and not from asking an engine."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from examples.clinic.application import Cell, Key


@dataclass(frozen=True)
class Orphan:
    """A row and a reference of it that finds nothing in the table that the database (or the policy) names.

    `meant` is the table that the models name; `missing` the value; `happened` the moment (UTC) since which it has been
    so; `backups` the nights whose backup holds the very row that was meant, `beside` those among them in which this
    row stood beside it and pointed at it already.
    """

    table: str
    key: Key
    columns: tuple[str, ...]
    parent: str
    meant: str
    kind: str
    missing: Cell
    happened: datetime
    backups: tuple[datetime, ...]
    beside: tuple[datetime, ...]

    @property
    def held(self) -> bool:
        """Whether any night's backup still holds the row that was meant."""
        return bool(self.backups)


@dataclass(frozen=True)
class Hidden(Orphan):
    """A row and a reference that finds a row, but somebody else's; no engine calls it an orphan."""


@dataclass(frozen=True)
class Truth:
    """Everything that a test may want to know about one build."""

    seed: int
    scale: int
    kinds: frozenset[str]
    nights: tuple[datetime, ...]
    orphans: tuple[Orphan, ...]
    hidden: tuple[Hidden, ...]
    dropped: tuple[str, ...]
    planted: tuple[str, ...]

    def write(self, path: Path) -> None:
        """Write it as JSON: moments in ISO 8601, sets and tuples as sorted lists."""
        path.write_text(json.dumps(asdict(self), default=_plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def planted_values(path: Path) -> tuple[str, ...]:
    """Every invented name, address and number of a build, of people who are gone too; `path` is its truth.json."""
    written: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return tuple(written["planted"])


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"nothing of the truth is a {type(value).__name__}")
