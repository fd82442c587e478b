"""Doing what a plan says inside one transaction: the one function that rehearses and performs."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from upkeep.catalog import Catalog, ForeignKey, Table, tables_below
from upkeep.changes import Change, Mended, Refusal, RowsRefused
from upkeep.databases import Writing
from upkeep.errors import Refused, RowRefused, TransactionEnded
from upkeep.orphans import among
from upkeep.plan import Plan, Repair
from upkeep.policy import Action
from upkeep.rechecks import nobody_left_behind, still_orphans, told, unchanged
from upkeep.rows import images_of
from upkeep.values import Row, in_pieces


def mend(writing: Writing, plan: Plan, keys: tuple[ForeignKey, ...]) -> Mended:
    """Check every row of the plan, change it, and compare with what was promised.

    Raises Refused, with the row named, if one is no longer what it was when the plan was drawn up, or if somebody
    points at a row that would go; RowsRefused if the database refuses. The caller's transaction is then undone.
    """
    catalog = writing.catalog()
    by_table: dict[str, list[Repair]] = defaultdict(list)
    for repair in plan.repairs:
        by_table[repair.table].append(repair)
    _hold(writing, catalog, plan, keys)
    before = {name: unchanged(writing, catalog, name, repairs) for name, repairs in by_table.items()}
    still_orphans(writing, catalog, plan, keys)
    nobody_left_behind(writing, catalog, plan, keys)
    begun = writing.changed_in_all()
    refusals = [refusal for group in _groups(plan, catalog, keys) for refusal in _apply(writing, group)]
    if refusals:
        raise RowsRefused(tuple(refusals))
    done = writing.changed_in_all() - begun
    changes = [
        change
        for name in sorted(before)
        for change in _changes(writing, catalog.tables[name], before[name], by_table[name])
    ]
    return Mended(tuple(changes), done)


def _hold(writing: Writing, catalog: Catalog, plan: Plan, keys: tuple[ForeignKey, ...]) -> None:
    """Lock the plan's rows, and the tables into which a parent could come back."""
    rows: dict[str, set[Row]] = defaultdict(set)
    for repair in plan.repairs:
        if repair.table in catalog.tables:
            rows[repair.table].add(repair.row)
    orphaned = {repair.key for repair in plan.repairs if repair.wave == 0}
    writing.hold(rows, {key.parent for key in keys if str(key) in orphaned and not key.parent_missing})


@dataclass(frozen=True)
class _Group:
    """Rows of one table that are deleted, or nullified in ``columns``; those of one piece by one statement."""

    table: Table
    action: Action
    columns: tuple[str, ...]
    pieces: list[list[Row]]


def _groups(plan: Plan, catalog: Catalog, keys: tuple[ForeignKey, ...]) -> Iterator[_Group]:
    """What one kind of statement can do. A row that is nullified for two keys is changed once.

    What is nullified comes first, then rows go, children before parents, so that an engine that enforces foreign keys
    refuses none and cascades to none. Among tables that point at each other in a circle the wave decides. Rows of a
    table that points at itself may need each other gone, so that they are one piece however many they are.
    """
    by_itself = {key.child for key in keys if key.child == key.parent}
    going = {repair.table for repair in plan.repairs if repair.action is Action.DELETE}
    below = tables_below(going, keys)
    circular = {name for name in going if any(name in below[other] for other in below[name] - {name})}
    columns: dict[tuple[str, Row], set[str]] = defaultdict(set)
    for repair in plan.repairs:
        columns[repair.table, repair.row].update(repair.columns)
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    entered = set()
    for repair in plan.repairs:
        spot = (repair.table, repair.row)
        if spot not in entered:
            entered.add(spot)
            wave = repair.wave if repair.table in circular and repair.action is Action.DELETE else 0
            groups[repair.table, repair.action, tuple(sorted(columns[spot])), wave].append(repair.row)

    def order(group: tuple[Any, ...]) -> tuple[int, int]:
        name, action, _, wave = group
        return (len(below[name]), -wave) if action is Action.DELETE else (0, 0)

    for group in sorted(groups, key=order):
        name, action, nulled, _ = group
        rows = groups[group]
        yield _Group(catalog.tables[name], action, nulled, [rows] if name in by_itself else list(in_pieces(rows)))


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
            refusals += _left_as_they_were(writing, group, rows)
    return refusals


def _left_as_they_were(writing: Writing, group: _Group, rows: list[Row]) -> Iterator[Refusal]:
    for row, image in images_of(writing, group.table, rows).items():
        if not _is_done(group, image):
            yield _refusal(group, row, "a trigger leaves the row as it is")


def _refusal(group: _Group, row: Row, said: str) -> Refusal:
    return Refusal(group.table.name, row, group.action, said)


def _is_done(group: _Group, image: Row) -> bool:
    """Has a row that is still there become what the group wants?"""
    at = [group.table.stored.index(name) for name in group.columns]
    return group.action is Action.NULLIFY and all(image[i] is None for i in at)


def _change(writing: Writing, group: _Group, rows: list[Row]) -> None:
    dialect = writing.dialect
    name = group.table.name
    with writing.chosen(name, group.table.locator, rows) as relation:
        which = among(dialect.table(name), group.table.locator, relation, dialect)
        if group.action is Action.DELETE:
            sql = f"DELETE FROM {dialect.source(name)} WHERE {which}"
        else:
            columns = ", ".join(f"{dialect.quote(column)} = NULL" for column in group.columns)
            sql = f"UPDATE {dialect.source(name)} SET {columns} WHERE {which}"
        changed = writing.change(sql)
    if changed > len(rows):
        raise Refused(
            f"{changed} rows of {name} changed where the plan says {len(rows)}; nothing was done",
            f"the locator ({', '.join(group.table.locator)}) does not tell its rows apart: mend them by hand",
        )


def _changes(writing: Writing, table: Table, before: dict[Row, Row], repairs: list[Repair]) -> Iterator[Change]:
    """Every row of the plan in one table with what has become of it; Refused if that is not what was promised."""
    after = images_of(writing, table, before)
    place = {name: number for number, name in enumerate(table.stored)}
    nulled: dict[Row, set[str]] = defaultdict(set)
    going = {repair.row for repair in repairs if repair.action is Action.DELETE}
    for repair in repairs:
        nulled[repair.row].update(repair.columns)
    for row in sorted(before, key=repr):
        image = after.get(row)
        as_promised = (row in going) == (image is None) and (
            image is None or all(image[place[name]] is None for name in nulled[row])
        )
        if not as_promised:
            raise Refused(
                f"row {told(row)} of {table.name} did not become what the plan says; nothing was done",
                "look at the table's triggers, then run it again",
            )
        yield Change(table.name, row, table.stored, before[row], image)
