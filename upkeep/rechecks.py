"""Is the database still what the plan was drawn up for? Asked of the plan's rows, inside the transaction (P-52, P-97)."""

from collections import defaultdict

from upkeep.catalog import Catalog, ForeignKey
from upkeep.databases import Reading
from upkeep.errors import Refused
from upkeep.orphans import among, bereaved, condition
from upkeep.plan import Plan, Repair
from upkeep.policy import Action
from upkeep.rows import images_of
from upkeep.values import Row, encode, row_digest

_AGAIN = "nothing was done; run it again for a new plan"


def unchanged(reading: Reading, catalog: Catalog, name: str, repairs: list[Repair]) -> dict[Row, Row]:
    """The rows of the plan in the table ``name`` as they are now; Refused unless each is what it was."""
    if name not in catalog.tables:
        raise Refused(f"the table {name} of the plan is gone", _AGAIN)
    images = images_of(reading, catalog.tables[name], {repair.row for repair in repairs})
    for repair in repairs:
        image = images.get(repair.row)
        if image is None or row_digest(image) != repair.before:
            what = "is gone" if image is None else "has changed"
            raise Refused(f"row {told(repair.row)} of {name} {what} since the rehearsal", _AGAIN)
    return images


def told(row: Row) -> str:
    """The locator of a row for a message."""
    return ", ".join(str(encode(value)) for value in row)


def still_orphans(reading: Reading, catalog: Catalog, plan: Plan, keys: tuple[ForeignKey, ...]) -> None:
    """A row that was an orphan must be one now: its parent may have come back since."""
    by_name = {str(key): key for key in keys}
    groups: dict[str, list[Repair]] = defaultdict(list)
    for repair in plan.repairs:
        if repair.wave == 0:
            groups[repair.key].append(repair)
    for name, repairs in groups.items():
        key = by_name.get(name)
        if key is None:
            raise Refused(f"the foreign key {name} of the plan is gone", _AGAIN)
        locator, dialect = catalog.tables[key.child].locator, reading.dialect
        with reading.chosen({repair.row for repair in repairs}, len(locator)) as relation:
            sql = (
                f"SELECT COUNT(*) FROM {dialect.source(key.child)} AS c "
                f"WHERE {among('c', locator, relation, dialect)} AND {condition(key, dialect)}"
            )
            ((orphans,),) = reading.rows(sql)
        if orphans != len(repairs):
            raise Refused(f"rows of {name} are no orphans any more: a parent came back since the rehearsal", _AGAIN)


def nobody_left_behind(reading: Reading, catalog: Catalog, plan: Plan, keys: tuple[ForeignKey, ...]) -> None:
    """Every row that would lose its parent must be in the plan: a child that came since would be a new orphan (P-65)."""
    in_plan = {(repair.table, repair.row, key) for repair in plan.repairs for key in (repair.key, None)}
    gone_rows = {(r.table, r.row) for r in plan.repairs if r.action is Action.DELETE}
    for name in sorted({table for table, _ in gone_rows}):
        gone = [row for table, row in gone_rows if table == name]
        above = catalog.tables[name].locator
        for key in catalog.children_of(name, keys):
            below = catalog.tables[key.child].locator
            if not key.askable or not below:
                continue
            with reading.chosen(gone, len(above)) as relation:
                found = list(reading.rows(bereaved(key, below, above, relation, reading.dialect)))
            for row in found:
                child = row[: len(below)]
                if (key.child, child) not in gone_rows and (key.child, child, str(key)) not in in_plan:
                    raise Refused(
                        f"row {told(child)} of {key.child} has come to point at a row of {name} that would go", _AGAIN
                    )
