"""What older backups come to for each orphan, kept on disk: orphans, and the rows that they find, may be many."""

from collections.abc import Container, Iterable, Iterator, Mapping
from copy import copy
from itertools import chain
from typing import NamedTuple

from upkeep.fixpoint import SPOTS, Orphan, Spot
from upkeep.numbered import Numbered
from upkeep.spilled import Form, Plain, Spill, flat, raised
from upkeep.spilled_mapping import TEXTS, SpilledMapping

_KILOBYTES = 4000
_TABLES = (
    "CREATE TABLE fates (key INTEGER, row BLOB, fate INTEGER, PRIMARY KEY (key, row)) WITHOUT ROWID",
    "CREATE INDEX by_fate ON fates (fate)",
)


class Fate(NamedTuple):
    """The row that an orphan finds if that is put back, and why it is not for its sake; None if it may be."""

    parent: Spot | None = None
    why_not: str | None = None

    def plain(self) -> Plain:
        """As plain values, to keep it on disk."""
        return self.parent and SPOTS.plain(self.parent), self.why_not

    @classmethod
    def made(cls, plain: Plain) -> "Fate":
        """The fate that was ``plain``."""
        parent, why_not = plain
        return cls(parent and SPOTS.made(parent), why_not)


_FATES = Form(Fate.plain, Fate.made)


class Fates:
    """The fate of each orphan of whose parent backups were asked; of two under one locator, the first that is told."""

    def __init__(self, told: Iterable[tuple[Orphan, Fate]] = ()) -> None:
        self._spill = Spill(*_TABLES, kilobytes=_KILOBYTES)
        self._keys: dict[tuple[str, str], int] = {}
        self._fates = Numbered(_FATES)
        self._refused: Mapping[Spot, str] = {}
        lines = ((self._key(orphan), flat(orphan.spot.row), self._fates.number(fate)) for orphan, fate in told)
        self._spill.run_for_each("INSERT OR IGNORE INTO fates VALUES (?, ?, ?)", lines)

    def _key(self, orphan: Orphan) -> int:
        return self._keys.setdefault((orphan.key, orphan.spot.table), len(self._keys))

    def of(self, orphan: Orphan) -> Fate | None:
        """That of one; None where nobody asked."""
        which = self._key(orphan), flat(orphan.spot.row)
        found = self._spill.first("SELECT fate FROM fates WHERE key = ? AND row = ?", which)
        return found and self._by_now(self._fates[found[0]])

    def _by_now(self, fate: Fate) -> Fate:
        reason = self._refused.get(fate.parent) if fate.parent else None
        return fate if reason is None else Fate(None, reason)

    def finding(self, parents: Container[Spot]) -> Iterator[tuple[Orphan, Fate]]:
        """Those that find one of these rows."""
        keys = [*self._keys]
        for number, fate in enumerate(map(self._by_now, self._fates)):
            if fate.parent is not None and fate.parent in parents:
                for key, row in self._spill.rows("SELECT key, row FROM fates WHERE fate = ?", (number,)):
                    name, table = keys[key]
                    yield Orphan(Spot(table, raised(row)), name), fate

    def why_not(self) -> Iterator[tuple[str, int]]:
        """Which reasons speak against it, and for how many of them; a reason may come more than once."""
        for number, orphans in self._spill.rows("SELECT fate, COUNT(*) FROM fates GROUP BY fate"):
            reason = self._by_now(self._fates[number]).why_not
            if reason is not None:
                yield reason, orphans

    def without(self, refused: Mapping[Spot, str]) -> "Fates":
        """The same where some rows cannot be put back, for the reasons given."""
        other = copy(self)
        other._refused = SpilledMapping(SPOTS, TEXTS, chain(refused.items(), self._refused.items()))
        return other
