"""Doing what a plan says inside one transaction: the one function that rehearses and performs."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from upkeep.catalog import ForeignKey, Table
from upkeep.changes import Change, Mended, Refusal, RowsRefused
from upkeep.databases import Writing
from upkeep.errors import Refused, RowRefused
from upkeep.orphans import among
from upkeep.plan import Plan, Repair
from upkeep.policy import Action
from upkeep.rechecks import nobody_left_behind, still_orphans, told, unchanged
from upkeep.rows import images_of
from upkeep.values import Row


def mend(writing: Writing, plan: Plan, keys: tuple[ForeignKey, ...]) -> Mended:
    """Check every row of the plan, change it, and compare with what was promised.

    Raises Refused, with the row named, if one is no longer what it was when the plan was drawn up, or if somebody
    points at a row that would go; RowsRefused if the database refuses. The caller's transaction is then undone.
    """
    catalog = writing.catalog()
    by_table: dict[str, list[Repair]] = defaultdict(list)
    for repair in plan.repairs:
        by_table[repair.table].append(repair)
    before = {name: unchanged(writing, catalog, name, repairs) for name, repairs in by_table.items()}
    still_orphans(writing, catalog, plan, keys)
    nobody_left_behind(writing, catalog, plan, keys)
    begun = writing.changed_in_all()
    for group in _groups(plan):
        _apply(writing, catalog.tables[group[0].table], group)
    done = writing.changed_in_all() - begun
    changes = [
        change
        for name in sorted(before)
        for change in _changes(writing, catalog.tables[name], before[name], by_table[name])
    ]
    return Mended(tuple(changes), done)


def _groups(plan: Plan) -> Iterator[list[Repair]]:
    """Repairs that one statement can do, in the order of the plan: same wave, table, action and columns."""
    groups: dict[tuple[Any, ...], list[Repair]] = defaultdict(list)
    for repair in plan.repairs:
        groups[repair.action, repair.wave, repair.table, repair.columns].append(repair)
    yield from groups.values()


def _apply(writing: Writing, table: Table, group: list[Repair]) -> None:
    """One statement for the group; if it is refused, find out by whom, row by row."""
    rows = sorted({repair.row for repair in group}, key=repr)
    try:
        _change(writing, table, group[0], rows)
    except RowRefused:
        refusals = []
        for row in rows:
            try:
                _change(writing, table, group[0], [row])
            except RowRefused as fault:
                refusals.append(Refusal(table.name, row, group[0].action, fault.message))
        if refusals:
            raise RowsRefused(tuple(refusals)) from None


def _change(writing: Writing, table: Table, repair: Repair, rows: list[Row]) -> None:
    dialect = writing.dialect
    source = dialect.source(table.name)
    with writing.chosen(rows, len(table.locator)) as relation:
        which = among(dialect.quote(table.name), table.locator, relation, dialect)
        if repair.action is Action.DELETE:
            sql = f"DELETE FROM {source} WHERE {which}"
        else:
            columns = ", ".join(f"{dialect.quote(column)} = NULL" for column in repair.columns)
            sql = f"UPDATE {source} SET {columns} WHERE {which}"
        changed = writing.change(sql)
    if changed != len(rows):
        raise Refused(
            f"{changed} rows of {table.name} changed where the plan says {len(rows)}; nothing was done",
            "look at the table's triggers, then run it again",
        )


def _changes(writing: Writing, table: Table, before: dict[Row, Row], repairs: list[Repair]) -> Iterator[Change]:
    """Every row of the plan in one table with what has become of it; Refused if that is not what was promised."""
    after = images_of(writing, table, before)
    nulled: dict[Row, set[str]] = defaultdict(set)
    going = {repair.row for repair in repairs if repair.action is Action.DELETE}
    for repair in repairs:
        nulled[repair.row].update(repair.columns)
    for row in sorted(before, key=repr):
        image = after.get(row)
        as_promised = (row in going) == (image is None) and (
            image is None or all(image[table.stored.index(name)] is None for name in nulled[row])
        )
        if not as_promised:
            raise Refused(
                f"row {told(row)} of {table.name} did not become what the plan says; nothing was done",
                "look at the table's triggers, then run it again",
            )
        yield Change(table.name, row, table.stored, before[row], image)
