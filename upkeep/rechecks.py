"""Whether the rows of a plan are still what they were, asked inside the transaction (P-52, P-97)."""

from collections import defaultdict

from upkeep.catalog import Catalog, ForeignKey
from upkeep.databases import Reading
from upkeep.errors import Refused
from upkeep.orphans import bereaved
from upkeep.plan import Plan, Repair
from upkeep.policy import Action
from upkeep.rows import images_of, orphans_among
from upkeep.values import Row, encode, row_digest

_AGAIN = "nothing was done; run it again for a new plan"


def unchanged(reading: Reading, catalog: Catalog, name: str, repairs: list[Repair]) -> dict[Row, Row | None]:
    """The rows of the plan in the table ``name`` as they are now; Refused unless each is what it was.

    One that is to be inserted was not there, and is None.
    """
    if name not in catalog.tables:
        raise Refused(f"the table {name} of the plan is gone", _AGAIN)
    images = images_of(reading, catalog.tables[name], {repair.row for repair in repairs})
    for repair in repairs:
        image = images.get(repair.row)
        if repair.action is Action.RESTORE:
            if image is not None:
                raise Refused(f"row {told(repair.row)} of {name} stands there again since the rehearsal", _AGAIN)
        elif image is None or row_digest(image) != repair.before:
            what = "is gone" if image is None else "has changed"
            raise Refused(f"row {told(repair.row)} of {name} {what} since the rehearsal", _AGAIN)
    return {repair.row: images.get(repair.row) for repair in repairs}


def told(row: Row) -> str:
    """The locator of a row for a message."""
    return ", ".join(str(encode(value)) for value in row)


def still_orphans(reading: Reading, catalog: Catalog, plan: Plan, keys: tuple[ForeignKey, ...]) -> None:
    """A row that was an orphan must be one now: its parent may have come back since."""
    by_name = {str(key): key for key in keys}
    groups: dict[str, set[Row]] = defaultdict(set)
    for repair in plan.repairs:
        if repair.wave == 0 and repair.action is not Action.RESTORE:
            groups[repair.key].add(repair.row)
    for one in plan.healed:
        groups[one.key].add(one.row)
    for name, rows in groups.items():
        key = by_name.get(name)
        if key is None:
            raise Refused(f"the foreign key {name} of the plan is gone", _AGAIN)
        if orphans_among(reading, key, catalog.tables[key.child].locator, rows) != len(rows):
            raise Refused(f"rows of {name} are no orphans any more: a parent came back since the rehearsal", _AGAIN)


def healed(reading: Reading, catalog: Catalog, plan: Plan, keys: tuple[ForeignKey, ...]) -> None:
    """When all is done: has each orphan the parent that the plan gives it, and each row that was put back its own?

    The engine need not enforce its keys here, and who points by a stated key is never refused (P-70).
    """
    rows: dict[str, set[Row]] = defaultdict(set)
    for one in plan.healed:
        rows[one.key].add(one.row)
    restored: dict[str, set[Row]] = defaultdict(set)
    for repair in plan.repairs:
        if repair.action is Action.RESTORE:
            restored[repair.table].add(repair.row)
    for key in keys:
        asked = rows[str(key)] | (restored[key.child] if key.askable and not key.deleted and plan.healed else set())
        if asked and orphans_among(reading, key, catalog.tables[key.child].locator, asked):
            raise Refused(f"rows of {key} would still be orphans when the plan is done; nothing was done", _AGAIN)


def nobody_left_behind(reading: Reading, catalog: Catalog, plan: Plan, keys: tuple[ForeignKey, ...]) -> None:
    """Every row that would lose its parent is in the plan: a child that came since would be a new orphan (P-65)."""
    nullified = {(repair.table, repair.row, repair.key) for repair in plan.repairs}
    going: dict[str, set[Row]] = defaultdict(set)
    for repair in plan.repairs:
        if repair.action is Action.DELETE:
            going[repair.table].add(repair.row)
    for name, rows in sorted(going.items()):
        above = catalog.tables[name].locator
        for key in catalog.children_of(name, keys):
            if not key.askable or key.child not in catalog.tables:
                continue
            below = catalog.tables[key.child].locator
            with reading.chosen(name, above, rows) as relation:
                found = list(reading.rows(bereaved(key, below, above, relation, reading.dialect)))
            for child in (row[: len(below)] for row in found):
                if child not in going.get(key.child, ()) and (key.child, child, str(key)) not in nullified:
                    raise Refused(
                        f"row {told(child)} of {key.child} has come to point at a row of {name} that would go", _AGAIN
                    )
