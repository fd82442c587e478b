"""All that a plan does to each row, told once for a row, and how many rows that are: by table, by action, by rule."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from upkeep.policy import Action
from upkeep.repair import ACTIONS, Repair
from upkeep.spilled import Form, Plain, Spilled, arranged
from upkeep.values import Row

Kind = tuple[str, Action, tuple[str, ...], int]


class Errand(NamedTuple):
    """What becomes of one row: ``columns`` are set to ``values``, or it goes, or it comes with them.

    ``wave`` and ``place`` are those of its first repair, ``place`` counts them in the plan. Of its different repairs
    ``found`` says whether it is to come and the digest of what it was before, ``told`` the rule and the action.
    """

    table: str
    row: Row
    action: Action
    columns: tuple[str, ...]
    values: Row
    wave: int
    place: int
    source: str
    goes: bool
    found: tuple[tuple[bool, str], ...]
    told: tuple[tuple[int, str], ...]

    @property
    def kind(self) -> Kind:
        """What errands share that can be done together: table, action, columns that are set, and the wave."""
        columns = self.columns if self.action is Action.RESTORE else tuple(sorted(self.columns))
        return self.table, self.action, columns, self.wave

    def plain(self) -> Plain:
        """All of it as plain values."""
        return (*self[:2], self.action.value, *self[3:])

    @classmethod
    def made(cls, plain: Plain) -> "Errand":
        """The errand that was ``plain``."""
        table, row, action, *others = plain
        return cls(table, row, ACTIONS[action], *others)


ERRANDS = Form(Errand.plain, Errand.made)


class Errands:
    """The errands of a plan, by table and then by the ``repr`` of the row; counted, each row once.

    ``pairs`` counts the repairs by key, table, action, and whether they are of the first wave; ``kinds`` says of each
    kind of errand where in the plan the first one stands. ``sources`` counts what comes back by what proves it.
    """

    def __init__(self, repairs: Sequence[Repair]) -> None:
        self.by_table: Counter[tuple[str, Action]] = Counter()
        self.by_rule: Counter[tuple[int, str, str]] = Counter()
        self.rows_of: Counter[str] = Counter()
        self.pairs: Counter[tuple[str, str, Action, bool]] = Counter()
        self.sources: Counter[str] = Counter()
        self.kinds: dict[Kind, int] = {}
        self.of_rows: Sequence[Errand] = Spilled(self._told(repairs), ERRANDS)

    def of_table(self, name: str) -> Sequence[Errand]:
        """Those of one table."""
        before = sum(rows for table, rows in self.rows_of.items() if table < name)
        return self.of_rows[before : before + self.rows_of[name]]

    def _told(self, repairs: Sequence[Repair]) -> Iterator[Errand]:
        single = (self._counted(place, repair) for place, repair in enumerate(repairs))
        ordered = arranged(single, lambda errand: (errand.table, repr(errand.row)), 2, ERRANDS)
        for table, several in groupby(ordered, lambda errand: errand.table):
            for errand in _once(several):
                self.rows_of[table] += 1
                for rule, action in errand.told:
                    self.by_rule[rule, table, action] += 1
                for action in {action for _, action in errand.told}:
                    self.by_table[table, ACTIONS[action]] += 1
                if errand.action is Action.RESTORE:
                    self.sources[errand.source] += 1
                self.kinds[errand.kind] = min(errand.place, self.kinds.get(errand.kind, errand.place))
                yield errand

    def _counted(self, place: int, repair: Repair) -> Errand:
        self.pairs[repair.key, repair.table, repair.action, repair.wave == 0] += 1
        goes, comes = repair.action is Action.DELETE, repair.action is Action.RESTORE
        return Errand(
            repair.table,
            repair.row,
            repair.action,
            repair.columns,
            repair.values or (None,) * len(repair.columns),
            repair.wave,
            place,
            repair.source,
            goes,
            ((comes, repair.before),),
            ((repair.rule, repair.action.value),),
        )


def _once(errands: Iterator[Errand]) -> Iterator[Errand]:
    """Those of one row as one: it is set for all of its keys at once, and one that assigns it counts for the others."""
    last: Errand | None = None
    for errand in errands:
        if last is None or last.row != errand.row:
            if last is not None:
                yield last
            last = errand
        else:
            last = _merged(last, errand)
    if last is not None:
        yield last


def _merged(one: Errand, other: Errand) -> Errand:
    settings = dict(zip(one.columns, one.values, strict=True)) | dict(zip(other.columns, other.values, strict=True))
    return one._replace(
        action=Action.REASSIGN if other.action is Action.REASSIGN else one.action,
        columns=tuple(settings),
        values=tuple(settings.values()),
        source=other.source,
        goes=one.goes or other.goes,
        found=tuple(dict.fromkeys(one.found + other.found)),
        told=tuple(dict.fromkeys(one.told + other.told)),
    )
