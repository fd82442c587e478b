"""What is new against a baseline: the state of a database that somebody began with and does not want to hear of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from upkeep.history import Change, Record, changes_between


@dataclass(frozen=True)
class Against:
    """How a look differs from its baseline: orphans by key; ``faults`` are keys that could be used then.

    ``adopted`` is by key the number of rows whose parent's number is another row's now, and was not then.
    """

    baseline: Record
    changes: tuple[Change, ...]
    faults: tuple[str, ...]
    adopted: Mapping[str, int] = field(default_factory=dict)

    @property
    def new(self) -> int:
        """Orphans that the baseline does not have."""
        return sum(change.new for change in self.changes)

    @property
    def gone(self) -> int:
        """Orphans of the baseline that are none any more."""
        return sum(change.gone for change in self.changes)

    @property
    def holds(self) -> bool:
        """Is nothing new?"""
        return not self.new and not self.faults and not self.adopted

    def document(self) -> dict[str, Any]:
        """The difference as JSON."""
        moment = self.baseline.moment
        return {
            "taken": moment.model_dump(mode="json") if moment else None,
            "orphans": self.baseline.orphans,
            "new": self.new,
            "gone": self.gone,
            "new_by_key": {change.key: change.new for change in self.changes if change.new},
            "faults": list(self.faults),
            "adopted": dict(self.adopted),
        }


def against(baseline: Record, now: Record) -> Against:
    """The difference. A key that could not be asked and now can has orphans that nobody has seen: they are new."""
    asked_first = tuple(
        Change(seen.key, seen.orphans, 0, is_listed=False)
        for seen in now.seen
        if seen.key in baseline.unasked and seen.orphans
    )
    silent = (key for key in now.unasked if key not in baseline.unasked)
    faulty = (seen.key for seen in now.seen if seen.is_faulty and not _was_faulty(baseline, seen.key))
    changes = (*changes_between(baseline, now), *asked_first)
    return Against(baseline, changes, (*silent, *faulty), _adopted(baseline, now))


def _adopted(baseline: Record, now: Record) -> dict[str, int]:
    new = {}
    for seen in now.seen:
        then = baseline.of(seen.key)
        known = {repr(one.row) for one in (then.adopted if then else ())}
        new[seen.key] = sum(repr(one.row) not in known for one in seen.adopted)
    return {key: number for key, number in new.items() if number}


def _was_faulty(baseline: Record, key: str) -> bool:
    seen = baseline.of(key)
    return key in baseline.unasked or (seen is not None and seen.is_faulty)
