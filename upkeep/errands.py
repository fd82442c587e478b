"""All that a plan does to each row, told once for a row, and how many rows that are: by table, by action, by rule."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from upkeep.policy import Action
from upkeep.repair import ACTIONS, Repair
from upkeep.spilled import Form, Plain, Spilled, arranged
from upkeep.values import Row, Value

Kind = tuple[str, Action, tuple[str, ...], int]


class Errand(NamedTuple):
    """What becomes of one row: ``columns`` are set to ``values``, or it goes, or it comes with them.

    ``wave`` and ``place`` are those of its first repair, ``place`` counts them in the plan. ``found`` says for each
    different repair of it whether it is to come, and the digest of what it was before.
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

    ``kinds`` says of each kind of them where in the plan the first one stands.
    """

    def __init__(self, repairs: Sequence[Repair]) -> None:
        self.by_table: Counter[tuple[str, Action]] = Counter()
        self.by_rule: Counter[tuple[int, str, str]] = Counter()
        self.rows_of: Counter[str] = Counter()
        self.kinds: dict[Kind, int] = {}
        self.of_rows: Sequence[Errand] = Spilled(self._told(repairs), ERRANDS)

    def of_table(self, name: str) -> Sequence[Errand]:
        """Those of one table."""
        before = sum(rows for table, rows in self.rows_of.items() if table < name)
        return self.of_rows[before : before + self.rows_of[name]]

    def _told(self, repairs: Sequence[Repair]) -> Iterator[Errand]:
        ordered = arranged(enumerate(repairs), lambda one: (one[1].table, repr(one[1].row)), 2, _NUMBERED)
        for (table, _), several in groupby(ordered, lambda one: (one[1].table, one[1].row)):
            of_row = list(several)
            self.rows_of[table] += 1
            self.by_table.update({(table, repair.action) for _, repair in of_row})
            self.by_rule.update({(repair.rule, table, repair.action.value) for _, repair in of_row})
            errand = _merged([repair for _, repair in of_row], of_row[0][0])
            self.kinds[errand.kind] = min(errand.place, self.kinds.get(errand.kind, errand.place))
            yield errand


_NUMBERED: Form[tuple[int, Repair]] = Form(
    lambda one: (one[0], *one[1].plain()), lambda plain: (plain[0], Repair.made(plain[1:]))
)


def _merged(repairs: list[Repair], place: int) -> Errand:
    """One row: it is set for all of its keys at once, and what sets one column to a value counts for all of them."""
    first = repairs[0]
    settings: dict[str, Value] = {}
    for repair in repairs:
        settings.update(zip(repair.columns, repair.values or (None,) * len(repair.columns), strict=True))
    assigns = any(repair.action is Action.REASSIGN for repair in repairs)
    return Errand(
        first.table,
        first.row,
        Action.REASSIGN if assigns else first.action,
        tuple(settings),
        tuple(settings.values()),
        first.wave,
        place,
        repairs[-1].source,
        any(repair.action is Action.DELETE for repair in repairs),
        tuple(dict.fromkeys((repair.action is Action.RESTORE, repair.before) for repair in repairs)),
    )
