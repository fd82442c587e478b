"""Doing what a plan says inside one transaction: the one function that rehearses and performs."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from upkeep.astray import as_foreseen, foresee
from upkeep.catalog import Catalog, ForeignKey, Table, tables_below
from upkeep.changes import Change, Mended, Refusal, RowsRefused
from upkeep.databases import Writing
from upkeep.errors import Refused, RowRefused, TransactionEnded
from upkeep.plan import Plan, Repair
from upkeep.policy import Action
from upkeep.rechecks import healed, nobody_left_behind, still_orphans, told, unchanged
from upkeep.rows import images_of
from upkeep.values import Row, Value, in_pieces

Spot = tuple[str, Row]
"""A table and the locator of a row of it."""


def mend(writing: Writing, plan: Plan, keys: tuple[ForeignKey, ...]) -> Mended:
    """Check every row of the plan, change it, and compare with what was promised.

    Raises Refused, with the row named, if one is no longer what it was when the plan was drawn up, or if somebody
    points at a row that would go; RowsRefused if the database refuses. The caller's transaction is then undone.
    """
    catalog = writing.catalog()
    by_table: dict[str, list[Repair]] = defaultdict(list)
    for repair in plan.repairs:
        by_table[repair.table].append(repair)
    with ExitStack() as stack:
        if astray := foresee(writing, plan, keys) if plan.undo else None:
            # Before any row is held: tables are locked for it, and who held one of those rows would wait for us.
            stack.enter_context(writing.unenforced(astray.passed_over))
        _hold(writing, catalog, plan, keys)
        before = {name: unchanged(writing, catalog, name, repairs) for name, repairs in by_table.items()}
        if astray is None:
            still_orphans(writing, catalog, plan, keys)
            nobody_left_behind(writing, catalog, plan, keys)
        begun = writing.changed_in_all()
        refusals = [refusal for group in _groups(plan, catalog, keys) for refusal in _apply(writing, group)]
        if refusals:
            raise RowsRefused(tuple(refusals))
        done = writing.changed_in_all() - begun
        healed(writing, catalog, plan, keys)
        left = astray.counted(writing) if astray else ()
        as_foreseen(plan, left)
    changes = [
        change
        for name in sorted(before)
        for change in _changes(writing, catalog.tables[name], before[name], by_table[name])
    ]
    return Mended(tuple(changes), done, left)


def _hold(writing: Writing, catalog: Catalog, plan: Plan, keys: tuple[ForeignKey, ...]) -> None:
    """Lock the plan's rows, and the tables into which a parent could come back."""
    rows: dict[str, set[Row]] = defaultdict(set)
    for repair in plan.repairs:
        if repair.table in catalog.tables:
            rows[repair.table].add(repair.row)
    for one in plan.healed:
        rows[one.table].add(one.row)
    orphaned = {repair.key for repair in plan.repairs if repair.wave == 0 or repair.action is Action.RESTORE}
    writing.hold(rows, {key.parent for key in keys if str(key) in orphaned and not key.parent_missing})


@dataclass(frozen=True)
class _Group:
    """Rows of one table to which one thing is done, those of one piece by one statement.

    ``columns`` are nullified, or set to the values of each row; those of a row that is inserted are all that it has.
    """

    table: Table
    action: Action
    columns: tuple[str, ...]
    pieces: list[list[Row]]
    values: Mapping[Row, Row] = field(default_factory=dict)


def _groups(plan: Plan, catalog: Catalog, keys: tuple[ForeignKey, ...]) -> Iterator[_Group]:
    """What one kind of statement can do. A row that is set for two keys is changed once.

    First rows are inserted, parents before children, then others are set, then rows go, children before parents: so
    an engine that enforces foreign keys refuses none and cascades to none. Among tables that point at each other in a
    circle the wave decides. Rows of a table that points at itself may need each other there, or gone, so that they are
    one piece however many they are.
    """
    by_itself = {key.child for key in keys if key.child == key.parent}
    below = {action: _below(plan, action, keys) for action in (Action.RESTORE, Action.DELETE)}
    settings: dict[Spot, dict[str, Value]] = defaultdict(dict)
    actions: dict[Spot, Action] = {}
    waves: dict[Spot, int] = {}
    for repair in plan.repairs:
        spot = (repair.table, repair.row)
        settings[spot].update(zip(repair.columns, repair.values or (None,) * len(repair.columns), strict=True))
        # One that is nullified for another key too is set in one statement.
        actions[spot] = repair.action if repair.action is Action.REASSIGN else actions.get(spot, repair.action)
        waves.setdefault(spot, repair.wave)
    groups: dict[tuple[str, Action, tuple[str, ...], int], list[Row]] = defaultdict(list)
    for (name, row), action in actions.items():
        columns = tuple(settings[name, row])
        wave = waves[name, row] if name in below.get(action, _NOWHERE).circular else 0
        groups[name, action, columns if action is Action.RESTORE else tuple(sorted(columns)), wave].append(row)

    def order(group: tuple[str, Action, tuple[str, ...], int]) -> tuple[int, int, int]:
        name, action, _, wave = group
        if action not in below:
            return (1, 0, 0)
        depth = len(below[action].tables[name])
        return (0, -depth, -wave) if action is Action.RESTORE else (2, depth, -wave)

    for group in sorted(groups, key=order):
        name, action, columns, _ = group
        rows = groups[group]
        values = (
            {row: tuple(settings[name, row][column] for column in columns) for row in rows}
            if action in (Action.RESTORE, Action.REASSIGN)
            else {}
        )
        pieces = [rows] if name in by_itself else list(in_pieces(rows))
        yield _Group(catalog.tables[name], action, columns, pieces, values)


@dataclass(frozen=True)
class _Below:
    """Tables with those below each of them, and which point at each other in a circle."""

    tables: dict[str, set[str]]
    circular: frozenset[str]


_NOWHERE = _Below({}, frozenset())


def _below(plan: Plan, action: Action, keys: tuple[ForeignKey, ...]) -> _Below:
    """How the tables stand to each other to which the plan does ``action``."""
    tables = tables_below({repair.table for repair in plan.repairs if repair.action is action}, keys)
    circular = {name for name in tables if any(name in tables[other] for other in tables[name] - {name})}
    return _Below(tables, frozenset(circular))


def _apply(writing: Writing, group: _Group) -> list[Refusal]:
    """Change the group, piece by piece; where one is refused, find out by whom, by halves. The answer is who refused.

    Row by row would be as many statements as a large plan has rows.
    """
    refusals: list[Refusal] = []
    remaining = group.pieces[::-1]
    while remaining:
        rows = remaining.pop()
        try:
            _change(writing, group, rows)
        except TransactionEnded as fault:
            # Nothing is left to try the others in, and what came next would be committed at once (P-119).
            untried = [row for piece in (rows, *remaining) for row in piece]
            raise RowsRefused((*refusals, *(_refusal(group, row, fault.message) for row in untried))) from None
        except RowRefused as fault:
            if len(rows) == 1:
                refusals.append(_refusal(group, rows[0], fault.message))
            else:
                middle = len(rows) // 2
                remaining += [rows[middle:], rows[:middle]]
        else:
            refusals += _that_came_out_otherwise(writing, group, rows)
    return refusals


def _that_came_out_otherwise(writing: Writing, group: _Group, rows: list[Row]) -> Iterator[Refusal]:
    images = images_of(writing, group.table, rows)
    for row in images if group.action is not Action.RESTORE else ():
        if not _is_done(group, row, images[row]):
            yield _refusal(group, row, "a trigger leaves the row as it is")
    for row in rows if group.action is Action.RESTORE else ():
        if row not in images or not _is_done(group, row, images[row]):
            yield _refusal(group, row, "a trigger, or the table by now, keeps the row from being what it was")


def _refusal(group: _Group, row: Row, said: str) -> Refusal:
    return Refusal(group.table.name, row, group.action, said)


def _is_done(group: _Group, row: Row, image: Row) -> bool:
    """Has a row that is there become what the group wants?"""
    wanted = group.values.get(row, (None,) * len(group.columns))
    set_to = tuple(image[group.table.stored.index(name)] for name in group.columns)
    return group.action is not Action.DELETE and set_to == wanted


def _change(writing: Writing, group: _Group, rows: list[Row]) -> None:
    changed = _do(writing, group, rows)
    if changed > len(rows):
        raise Refused(
            f"{changed} rows of {group.table.name} changed where the plan says {len(rows)}; nothing was done",
            f"the locator ({', '.join(group.table.locator)}) does not tell its rows apart: mend them by hand",
        )


def _do(writing: Writing, group: _Group, rows: list[Row]) -> int:
    table = group.table
    if group.action is Action.RESTORE:
        # The number by which SQLite tells rows apart is no column of theirs.
        beside = [i for i, name in enumerate(table.locator) if table.column(name) is None]
        columns = (*(table.locator[i] for i in beside), *group.columns)
        return writing.insert(table.name, columns, [(*(r[i] for i in beside), *group.values[r]) for r in rows])
    if group.action is Action.REASSIGN:
        return writing.assign(table.name, group.columns, {row: group.values[row] for row in rows})
    if group.action is Action.DELETE:
        return writing.delete(table.name, rows)
    return writing.nullify(table.name, group.columns, rows)


def _changes(writing: Writing, table: Table, before: dict[Row, Row | None], repairs: list[Repair]) -> Iterator[Change]:
    """Every row of the plan in one table with what has become of it; Refused if that is not what was promised."""
    after = images_of(writing, table, before)
    place = {name: number for number, name in enumerate(table.stored)}
    wanted: dict[Row, dict[str, Value]] = defaultdict(dict)
    going = {repair.row for repair in repairs if repair.action is Action.DELETE}
    sources = {repair.row: repair.source for repair in repairs}
    for repair in repairs:
        wanted[repair.row].update(zip(repair.columns, repair.values or (None,) * len(repair.columns), strict=True))
    for row in sorted(before, key=repr):
        image = after.get(row)
        as_promised = (row in going) == (image is None) and (
            image is None or all(image[place[name]] == value for name, value in wanted[row].items())
        )
        if not as_promised:
            raise Refused(
                f"row {told(row)} of {table.name} did not become what the plan says; nothing was done",
                "look at the table's triggers, then run it again",
            )
        yield Change(table.name, row, table.stored, before[row], image, sources.get(row, ""))
