"""What is tried on the scratch once a migration has passed there: the way back, and whether the models agree."""

from pathlib import Path

from tasks.migration import MigrationFailed, alembic
from tasks.step import step
from upkeep.catalog import Part
from upkeep.databases import Bench, Database
from upkeep.equipment import Equipment
from upkeep.plan import Plan
from upkeep.settings import Settings
from upkeep.verdict import Check

_LONGEST = 1000


def there_and_back(equipment: Equipment, scratch: Database, workplace: Path, plan: Plan) -> tuple[Check, ...]:
    """Downgrade to where the database was and upgrade again, where the settings ask for it (P-89)."""
    if plan.migration is None or not equipment.settings.rehearse_downgrade:
        return ()
    claim = "the migration can be taken back and done once more"
    if len(plan.migration.found) != 1:
        seen = f"the database stands on {len(plan.migration.found)} branches, and Alembic goes back to one revision"
        return (Check(claim=claim, holds=None, seen=seen),)
    (found,), head = plan.migration.found, plan.migration.head
    try:
        apart = any(one.apart for one in plan.migration.revisions)  # then its downgrade wants no transaction either
        with scratch.beside(workplace) if apart else scratch.exchanged(workplace) as bench:
            before = _schema(bench)
            _move(equipment.settings, bench, workplace, "downgrade", found)
            _move(equipment.settings, bench, workplace, "upgrade", head)
            same = _schema(bench) == before
    except MigrationFailed as fault:
        return (Check(claim=claim, holds=False, seen=fault.message),)
    return (Check(claim=claim, holds=same, seen="the schema is the same" if same else "the schema is another"),)


@step("alembic check")
def find_drift(equipment: Equipment, scratch: Database, workplace: Path) -> tuple[str, ...]:
    """What `alembic check` says of the migrated scratch, as a hint: it does not see everything (P-85)."""
    try:
        with scratch.exchanged(workplace) as bench:
            _move(equipment.settings, bench, workplace, "check", "head")
    except MigrationFailed as fault:
        said = " ".join(fault.message.removeprefix("the migration failed: ").split())[:_LONGEST]
        return (f"`alembic check` finds that the models say otherwise: {said}",) if "Diffs" in said else ()
    return ()


def _move(settings: Settings, bench: Bench, workplace: Path, verb: str, to: str) -> None:
    with alembic(settings, workplace) as door, bench.lent() as lent:
        door.move(lent, verb, to)


def _schema(bench: Bench) -> dict[Part, str]:
    """Part by part: the same table may be written in other words when it is made anew."""
    with bench.reading() as reading:
        return reading.parts()
