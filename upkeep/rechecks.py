"""Whether the rows of a plan are still what they were, asked inside the transaction (P-52, P-97)."""

from collections.abc import Collection, Iterator
from itertools import chain

from upkeep.catalog import Catalog, ForeignKey
from upkeep.changes import Refusal
from upkeep.databases import Reading
from upkeep.errands import Errand
from upkeep.errors import Refused
from upkeep.gathered import Gathered
from upkeep.orphans import bereaved
from upkeep.outdated import AGAIN, Outdated, orphans_of, told
from upkeep.plan import Plan, Repair
from upkeep.policy import Action
from upkeep.repair import Healed
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


def still_orphans(
    reading: Reading, catalog: Catalog, plan: Plan, keys: tuple[ForeignKey, ...], *, with_healed: bool = True
) -> None:
    """A row that was an orphan must be one now: its parent may have come back since.

    Asked again once the plan's own parents are back, of those alone that are to be changed: an engine may take for a
    row's parent what nobody foresaw.
    """
    by_name = {str(key): key for key in keys}
    outdated = Outdated()
    found = ((one.key, one.row) for one in plan.repairs if one.wave == 0 and one.action is not Action.RESTORE)
    healed = ((one.key, one.row) for one in plan.healed) if with_healed else ()
    for name, rows in Gathered(chain(found, healed)).items():
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


def not_healed(reading: Reading, catalog: Catalog, plan: Plan, keys: tuple[ForeignKey, ...]) -> Iterator[Refusal]:
    """When all is done: has each orphan the parent that the plan gives it, and each row that was put back its own?

    What does not come to that, as rows that refuse. The engine need not enforce its keys here, and who points by a
    stated key is never refused (P-70). A parent that is back and only marked as deleted is none where a key says so.
    """
    if not plan.healed:
        return
    rows = Gathered((one.key, one.row) for one in plan.healed)
    restored = Gathered((one.table, one.row) for one in plan.repairs if one.action is Action.RESTORE)
    for key in keys:
        if not (key.askable and key.child in catalog.tables):
            continue
        locator = catalog.tables[key.child].locator
        for name in {str(other) for other in keys if other == key or (key.deleted and key.is_apart_from(other))}:
            astray = set(_orphans_among(reading, key, locator, rows.get(name, ())))
            orphans = (one for one in plan.healed if one.key == name and one.row in astray)
            yield from (_without_effect(one, key, restored) for one in orphans) if astray else ()
        for row in _orphans_among(reading, key, locator, restored.get(key.child, ())):
            yield Refusal(key.child, row, Action.RESTORE, f"it would be an orphan of {key} itself")


def _orphans_among(reading: Reading, key: ForeignKey, locator: tuple[str, ...], rows: Collection[Row]) -> Iterator[Row]:
    if rows and orphans_among(reading, key, locator, rows):
        yield from orphans_of(reading, key, locator, rows, are=True)


def _without_effect(one: Healed, key: ForeignKey, restored: Gathered) -> Refusal:
    """What was to give an orphan its parent: a row that is put back, or its own new pointer."""
    said = f"who points at it would still be an orphan of {key}"
    if restored.holds(*one.parent):
        return Refusal(*one.parent, Action.RESTORE, said)
    return Refusal(one.table, one.row, Action.REASSIGN, said)


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
