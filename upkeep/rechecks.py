"""Whether the rows of a plan are still what they were, asked inside the transaction (P-52, P-97)."""

from collections.abc import Iterator
from itertools import chain

from upkeep.catalog import Catalog, ForeignKey
from upkeep.databases import Reading
from upkeep.errands import Errand
from upkeep.errors import Refused
from upkeep.gathered import Gathered
from upkeep.orphans import bereaved
from upkeep.outdated import AGAIN, Outdated, orphans_of, told
from upkeep.plan import Plan, Repair
from upkeep.policy import Action
from upkeep.rows import images_of, orphans_among
from upkeep.values import Row, row_digest


def unchanged(
    reading: Reading, catalog: Catalog, name: str, errands: list[Errand], outdated: Outdated
) -> Iterator[Row | None]:
    """These rows of the plan in the table ``name`` as they are now; each that is not what it was is ``outdated``.

    One that is to be inserted was not there, and is None.
    """
    if name not in catalog.tables:
        raise Refused(f"the table {name} of the plan is gone", AGAIN)
    images = images_of(reading, catalog.tables[name], [errand.row for errand in errands])
    for errand in errands:
        image = images.get(errand.row)
        if what := _otherwise(errand, image):
            outdated.add([f"row {told(errand.row)} of {name} {what} since the rehearsal"])
        yield image


def _otherwise(errand: Errand, image: Row | None) -> str:
    """What has become of a row since, in words; "" if it is what it was."""
    for comes, before in errand.found:
        if comes and image is not None:
            return "stands there again"
        if not comes and (image is None or row_digest(image) != before):
            return "is gone" if image is None else "has changed"
    return ""


def still_orphans(reading: Reading, catalog: Catalog, plan: Plan, keys: tuple[ForeignKey, ...]) -> None:
    """A row that was an orphan must be one now: its parent may have come back since."""
    by_name = {str(key): key for key in keys}
    outdated = Outdated()
    found = ((one.key, one.row) for one in plan.repairs if one.wave == 0 and one.action is not Action.RESTORE)
    for name, rows in Gathered(chain(found, ((one.key, one.row) for one in plan.healed))).items():
        key = by_name.get(name)
        if key is None:
            raise Refused(f"the foreign key {name} of the plan is gone", AGAIN)
        locator = catalog.tables[key.child].locator
        if more := len(rows) - orphans_among(reading, key, locator, rows):
            what = f"of {key.child} is no orphan of {key} any more: its parent came back since, or it points elsewhere"
            outdated.add(
                (f"row {told(row)} {what}" for row in orphans_of(reading, key, locator, rows, are=False)), more
            )
    outdated.refuse()


def healed(reading: Reading, catalog: Catalog, plan: Plan, keys: tuple[ForeignKey, ...]) -> None:
    """When all is done: has each orphan the parent that the plan gives it, and each row that was put back its own?

    The engine need not enforce its keys here, and who points by a stated key is never refused (P-70).
    """
    if not plan.healed:
        return
    outdated, rows = Outdated(), Gathered((one.key, one.row) for one in plan.healed)
    restored = Gathered((one.table, one.row) for one in plan.repairs if one.action is Action.RESTORE)
    for key in keys:
        asked = [rows.get(str(key)), restored.get(key.child) if key.askable and not key.deleted else None]
        locator = catalog.tables[key.child].locator if key.child in catalog.tables else ()
        for several in filter(None, asked):
            if left := orphans_among(reading, key, locator, several):
                what = f"of {key.child} would still be an orphan of {key} when the plan is done"
                outdated.add(
                    (f"row {told(row)} {what}" for row in orphans_of(reading, key, locator, several, are=True)), left
                )
    outdated.refuse()


def nobody_left_behind(reading: Reading, catalog: Catalog, plan: Plan, keys: tuple[ForeignKey, ...]) -> None:
    """Every row that would lose its parent is in the plan: a child that came since would be a new orphan (P-65)."""
    outdated = Outdated()
    losing = [name for name, action in plan.errands.by_table if action is Action.DELETE]
    asked = {name: [key for key in catalog.children_of(name, keys) if _can_lose(key, catalog)] for name in losing}
    children = {key.child for several in asked.values() for key in several}
    dealt_with = Gathered((_of_key(one), one.row) for one in plan.repairs if one.table in children)
    for name in sorted(asked):
        above = catalog.tables[name].locator
        for key in asked[name]:
            below = catalog.tables[key.child].locator
            going = (one.row for one in plan.errands.of_table(name) if one.goes)
            with reading.chosen(name, above, going) as relation:
                for found in reading.rows(bereaved(key, below, above, relation, reading.dialect)):
                    child = found[: len(below)]
                    if not any(dealt_with.holds(of, child) for of in (key.child, f"{key} of {key.child}")):
                        what = f"of {key.child} has come to point at a row of {name} that would go"
                        outdated.add([f"row {told(child)} {what}"])
    outdated.refuse()


def _can_lose(key: ForeignKey, catalog: Catalog) -> bool:
    return key.askable and key.child in catalog.tables


def _of_key(repair: Repair) -> str:
    """A row that goes is dealt with for every key; a row that is put back is told for a key of another table's."""
    return repair.table if repair.action is Action.DELETE else f"{repair.key} of {repair.table}"
