"""What a run saw of the orphans, small enough to be kept, and how it differs from what another saw."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from upkeep.diagnosis import Diagnosis

POINTS = 20
"""So many moments at which the count of a key had changed are remembered; the first is never forgotten."""
LISTED = 10_000
"""Of a key with more orphans than these only the number is remembered."""


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Moment(_Frozen):
    """When a run looked, and the backup that it took of what it saw. ``taken`` is UTC."""

    run: str
    taken: datetime
    backup: str | None = None

    def __str__(self) -> str:
        return f"{self.taken:%Y-%m-%d %H:%M} UTC"

    @property
    def day(self) -> str:
        """The day alone, where there is no room for more."""
        return f"{self.taken:%Y-%m-%d}"


class Point(_Frozen):
    """How many orphans a key had at a moment."""

    moment: Moment
    orphans: int


class Trail(_Frozen):
    """How a key's orphans came: the last moment without any, then each moment at which they were more or fewer."""

    clean: Moment | None = None
    points: tuple[Point, ...] = ()

    def and_then(self, moment: Moment, orphans: int) -> "Trail":
        """The trail with one moment more."""
        if orphans == 0:
            return Trail(clean=moment)
        if self.points and self.points[-1].orphans == orphans:
            return self
        points = (*self.points, Point(moment=moment, orphans=orphans))
        return self.model_copy(update={"points": points if len(points) <= POINTS else (points[0], *points[2:])})


class SeenRow(_Frozen):
    """One orphan: the locator of its row in JSON, and a keyed digest of what it points with."""

    row: tuple[Any, ...]
    pointing: str


class How(StrEnum):
    """What the parent of a child was when it was looked at last, though it is there today."""

    MISSED = "was not there"
    ANOTHER = "was made at another time, so it was another row"


class Adopted(_Frozen):
    """A row that finds a parent which is not the one that it pointed at: its number was given again (P-53).

    ``pointing`` is a keyed digest of what it points with, ``before`` when something else was seen, and ``how``.
    """

    row: tuple[Any, ...]
    pointing: str
    before: Moment
    how: How


class Newest(_Frozen):
    """The rows of a table with the highest numbers: each with a keyed digest of the moment at which it was made."""

    table: str
    rows: tuple[tuple[Any, str], ...]


class SeenKey(_Frozen):
    """One foreign key that was asked. ``rows`` are all of its orphans, None where they are too many or have no name.

    ``adopted`` are rows that are none any more because another row has the number of their parent.
    """

    key: str
    child: str
    columns: tuple[str, ...]
    orphans: int
    missing_keys: int
    diagnosis: str
    rows: tuple[SeenRow, ...] | None = ()
    trail: Trail = Trail()
    adopted: tuple[Adopted, ...] = ()

    @property
    def is_faulty(self) -> bool:
        """Is something wrong with the key itself, whatever its rows?"""
        return self.diagnosis in (Diagnosis.PARENT_TABLE_MISSING, Diagnosis.UNUSABLE_KEY, Diagnosis.MISDECLARED)


class Record(_Frozen):
    """What one look saw. ``salt`` is part of the key of its digests, ``mark`` tells whether one has the same key.

    ``unasked`` are the keys that could not be asked. A key of which nothing is said was not there. ``is_after``: seen
    after the performance of its run. ``newest`` is by what a number that is given again is known, ``examined`` are the
    older backups that were looked into for such.
    """

    format: int = 1
    database: str
    salt: str
    mark: str
    moment: Moment | None = None
    is_after: bool = False
    seen: tuple[SeenKey, ...] = ()
    unasked: tuple[str, ...] = ()
    newest: tuple[Newest, ...] = ()
    examined: tuple[str, ...] = ()

    def of(self, key: str) -> SeenKey | None:
        """What was seen of a key by its name."""
        return next((seen for seen in self.seen if seen.key == key), None)

    @property
    def orphans(self) -> int:
        """All of them, in pairs."""
        return sum(seen.orphans for seen in self.seen)

    def at(self, moment: Moment, *, is_after: bool = False) -> "Record":
        """The record as it is kept: seen at this moment, which every trail then ends with."""
        seen = (k.model_copy(update={"trail": k.trail.and_then(moment, k.orphans)}) for k in self.seen)
        return self.model_copy(update={"moment": moment, "is_after": is_after, "seen": tuple(seen)})


class Gone(StrEnum):
    """Why an orphan is none any more."""

    REPAIRED = "repaired by Upkeep"
    HEALED = "its parent is there again"
    REPOINTED = "it points elsewhere now"
    EMPTIED = "its pointer was emptied"
    DELETED = "its row was deleted"
    UNKNOWN = "nobody knows why"


@dataclass(frozen=True)
class Change:
    """How the orphans of one key differ from those of another look: how many came, which went, and why if it is known.

    ``is_listed``: by the rows themselves; else only by their number.
    """

    key: str
    new: int
    gone: int
    rows: tuple[SeenRow, ...] = ()
    is_listed: bool = True


@dataclass(frozen=True)
class History:
    """What was seen now and before, what is new and what is gone. ``before`` is None where nobody has looked yet.

    ``healed_rows`` are by key the orphans whose parent is there again; ``found_back`` says of how many rows of each key
    the last run's own backup tells the same, which were no orphans then; ``silent`` are older backups that are damaged,
    ``waiting`` how many no run has looked into yet, None where nobody has looked back.
    """

    now: Record
    before: Record | None = None
    changes: tuple[Change, ...] = ()
    why: Mapping[str, Mapping[Gone, int]] | None = None
    healed_rows: Mapping[str, tuple[SeenRow, ...]] | None = None
    found_back: Mapping[str, int] | None = None
    silent: tuple[str, ...] = ()
    waiting: int | None = None

    @property
    def new(self) -> int:
        """Orphans that were not there before."""
        return sum(change.new for change in self.changes)

    def new_of(self, key: str) -> int:
        """The same of one key."""
        return sum(change.new for change in self.changes if change.key == key)

    @property
    def healed(self) -> Mapping[str, int]:
        """By key the orphans whose parent is there again, though nobody of us has brought it back (P-53)."""
        return {key: reasons[Gone.HEALED] for key, reasons in (self.why or {}).items() if Gone.HEALED in reasons}

    def document(self) -> dict[str, Any]:
        """What is new and what is gone, as JSON; all None where nobody has looked before."""
        moment = self.before.moment if self.before else None
        return {
            "before": moment.model_dump(mode="json") if moment else None,
            "new": self.new if self.before else None,
            "gone": {reason.value: number for reason, number in self.gone.items()} if self.before else None,
            "changes": [{"key": c.key, "new": c.new, "gone": c.gone} for c in self.changes],
        }

    @property
    def gone(self) -> Mapping[Gone, int]:
        """Orphans that are none any more, by the reason."""
        counts: dict[Gone, int] = {}
        for reasons in (self.why or {}).values():
            for reason, number in reasons.items():
                counts[reason] = counts.get(reason, 0) + number
        return {reason: counts[reason] for reason in Gone if counts.get(reason)}


def changes_between(before: Record, now: Record) -> tuple[Change, ...]:
    """What is new and what is gone, key by key.

    Nothing is said of a key that could not be asked on both sides, nor of one that nobody asks any more: without the
    models or a line of the policy its orphans are not gone.
    """
    found = (_change(seen.key, before.of(seen.key), seen) for seen in now.seen if seen.key not in before.unasked)
    return tuple(change for change in found if change.new or change.gone)


def _change(name: str, before: SeenKey | None, now: SeenKey) -> Change:
    had, has = _rows(before), _rows(now)
    if had is None or has is None:
        more = now.orphans - (before.orphans if before else 0)
        return Change(name, max(more, 0), max(-more, 0), is_listed=False)
    gone = tuple(row for where, row in had.items() if where not in has)
    return Change(name, sum(where not in had for where in has), len(gone), gone)


def _rows(seen: SeenKey | None) -> dict[str, SeenRow] | None:
    """The orphans by their locators; an orphan that points at something else now is the same orphan."""
    if seen is None:
        return {}
    return None if seen.rows is None else {repr(row.row): row for row in seen.rows}
