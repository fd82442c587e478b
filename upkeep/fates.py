"""What older backups come to for each orphan, kept on disk: orphans may be many, what they come to is little."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from copy import copy
from typing import NamedTuple

from upkeep.fixpoint import Orphan, Spot
from upkeep.numbered import Numbered
from upkeep.spilled import Spill, flat, raised

_KILOBYTES = 4000
_TABLE = "CREATE TABLE fates (key INTEGER, row BLOB, fate INTEGER, PRIMARY KEY (key, row)) WITHOUT ROWID"
_FATE = "SELECT fate FROM fates WHERE key = ? AND row = ?"


class Fate(NamedTuple):
    """The row that an orphan finds if that is put back, and why it is not for its sake; None if it may be."""

    parent: Spot | None = None
    why_not: str | None = None


class Fates:
    """The fate of each orphan of whose parent backups were asked; of two under one locator, the first that is told."""

    def __init__(self, told: Iterable[tuple[Orphan, Fate]] = ()) -> None:
        self._spill = Spill(_TABLE, kilobytes=_KILOBYTES)
        self._keys: Numbered[tuple[str, str]] = Numbered()
        fates: Numbered[Fate] = Numbered()
        lines = (
            (self._keys.number((orphan.key, orphan.spot.table)), flat(orphan.spot.row), fates.number(fate))
            for orphan, fate in told
        )
        self._spill.run_for_each("INSERT OR IGNORE INTO fates VALUES (?, ?, ?)", lines)
        self._fates = tuple(fates)

    def of(self, orphan: Orphan) -> Fate | None:
        """That of one; None where nobody asked."""
        which = self._keys.number((orphan.key, orphan.spot.table)), flat(orphan.spot.row)
        return next((self._fates[number] for (number,) in self._spill.rows(_FATE, which)), None)

    def finding(self, parents: Collection[Spot]) -> Iterator[tuple[Orphan, Fate]]:
        """Those that find one of these rows."""
        found = {number for number, fate in enumerate(self._fates) if fate.parent in parents}
        if not found:
            return
        for key, row, number in self._spill.rows("SELECT key, row, fate FROM fates"):
            if number in found:
                name, table = self._keys[key]
                yield Orphan(Spot(table, raised(row)), name), self._fates[number]

    def why_not(self) -> Counter[str]:
        """For how many of them which reasons speak against it."""
        counted = self._spill.rows("SELECT fate, COUNT(*) FROM fates GROUP BY fate")
        reasons: Counter[str] = Counter()
        for number, orphans in counted:
            if (reason := self._fates[number].why_not) is not None:
                reasons[reason] += orphans
        return reasons

    def without(self, refused: Mapping[Spot, str]) -> "Fates":
        """The same where some rows cannot be put back, for the reasons given."""
        other = copy(self)
        reasons = (refused.get(one.parent) if one.parent else None for one in self._fates)
        other._fates = tuple(
            Fate(None, reason) if reason is not None else one for one, reason in zip(self._fates, reasons, strict=True)
        )
        return other
