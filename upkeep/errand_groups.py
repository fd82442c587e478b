"""What of a plan can be done together: rows of one table to which one thing is done, and in which order that is."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby

from upkeep.catalog import Catalog, ForeignKey, Table, tables_below
from upkeep.errands import ERRANDS, Errand, Errands, Kind
from upkeep.policy import Action
from upkeep.spilled import Form, Spilled, arranged
from upkeep.values import Row, in_pieces


@dataclass(frozen=True, slots=True)
class Setting:
    """A row by its locator, and to what its columns are set where they are not to be NULL."""

    row: Row
    values: Row = ()


class Locators(Collection[Row]):
    """The locators of rows to which something is done, in memory only one by one."""

    def __init__(self, settings: Sequence[Setting | Errand]) -> None:
        self._settings = settings

    def __len__(self) -> int:
        return len(self._settings)

    def __iter__(self) -> Iterator[Row]:
        return (one.row for one in self._settings)

    def __contains__(self, row: object) -> bool:
        return any(one == row for one in self)


@dataclass(frozen=True)
class Group:
    """Rows of one table to which one thing is done, those of one piece by one statement.

    ``columns`` are nullified, or set to the values of each row; those of a row that is inserted are all that it has.
    """

    table: Table
    action: Action
    columns: tuple[str, ...]
    pieces: Iterator[Sequence[Setting]]


SETTINGS: Form[Setting] = Form(lambda one: (one.row, one.values), lambda plain: Setting(*plain))


def groups_of(errands: Errands, catalog: Catalog, keys: tuple[ForeignKey, ...]) -> Iterator[Group]:
    """What one kind of statement can do, in the order in which it is done; each is to be used up before the next.

    First rows are inserted, parents before children, then others are set, then rows go, children before parents: so
    an engine that enforces foreign keys refuses none and cascades to none. Among tables that point at each other in a
    circle the wave decides. Rows of a table that points at itself may need each other there, or gone, so that they are
    one piece however many they are.
    """
    by_itself = {key.child for key in keys if key.child == key.parent}
    below = {action: _below(errands.kinds, action, keys) for action in (Action.RESTORE, Action.DELETE)}
    group_of = {kind: kind if _is_circular(kind, below) else (*kind[:3], 0) for kind in errands.kinds}
    first: dict[Kind, int] = {}
    for kind, place in errands.kinds.items():
        first[group_of[kind]] = min(place, first.get(group_of[kind], place))
    groups = sorted(first, key=lambda group: (*_order(group, below), first[group]))
    number = {group: number for number, group in enumerate(groups)}
    ordered = arranged(errands.of_rows, lambda errand: (number[group_of[errand.kind]], errand.place), 2, ERRANDS)
    for (name, action, columns, _), several in groupby(ordered, lambda errand: group_of[errand.kind]):
        settings = (_setting(errand, action, columns) for errand in several)
        yield Group(
            catalog.tables[name], action, columns, _as_one(settings) if name in by_itself else in_pieces(settings)
        )


def _is_circular(kind: Kind, below: Mapping[Action, "_Below"]) -> bool:
    name, action, _, _ = kind
    return action in below and name in below[action].circular


def _order(kind: Kind, below: Mapping[Action, "_Below"]) -> tuple[int, int, int]:
    name, action, _, wave = kind
    if action not in below:
        return (1, 0, 0)
    depth = len(below[action].tables[name])
    return (0, -depth, -wave) if action is Action.RESTORE else (2, depth, -wave)


def _setting(errand: Errand, action: Action, columns: tuple[str, ...]) -> Setting:
    if action not in (Action.RESTORE, Action.REASSIGN):
        return Setting(errand.row)
    values = dict(zip(errand.columns, errand.values, strict=True))
    return Setting(errand.row, tuple(values[column] for column in columns))


def _as_one(settings: Iterator[Setting]) -> Iterator[Sequence[Setting]]:
    """One piece of all, in memory only if it is small."""
    first = next(in_pieces(settings))
    beyond = next(settings, None)
    yield first if beyond is None else Spilled(chain(first, [beyond], settings), SETTINGS)


@dataclass(frozen=True)
class _Below:
    """Tables with those below each of them, and which point at each other in a circle."""

    tables: dict[str, set[str]]
    circular: frozenset[str]


def _below(kinds: Iterable[Kind], action: Action, keys: tuple[ForeignKey, ...]) -> _Below:
    """How the tables stand to each other to which the plan does ``action``."""
    tables = tables_below({name for name, done, _, _ in kinds if done is action}, keys)
    circular = {name for name in tables if any(name in tables[other] for other in tables[name] - {name})}
    return _Below(tables, frozenset(circular))
