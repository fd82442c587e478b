"""Before anything is done: is everything there that the run needs?"""

import shutil
from pathlib import Path

from tasks.gate import refuse_half_built, refuse_leftovers, refuse_narrowness
from tasks.migration import pending_migration
from tasks.step import step
from upkeep.databases import Identity
from upkeep.downgrade import refuse_downgrade
from upkeep.equipment import Equipment
from upkeep.errors import Refused
from upkeep.finding import keys_of
from upkeep.plan import Migration


@step("preflight", retried=True)
def preflight(
    equipment: Equipment, workplace: Path, *, migrate: bool, restores: bool = True, performs: bool = False
) -> tuple[Identity, Migration | None]:
    """Look at the database, the store, the disk and the migrations before the first effect.

    A run that does not restore looks at its replica too, where there is one, and needs less room. One that performs
    is refused before an operator is asked where the engine cannot take a migration back.
    """
    identity = equipment.database.identity()
    if restores:
        equipment.database.probe_scratch()
    else:
        equipment.observable.identity()
    equipment.store.probe()
    equipment.refuse_without_holds()
    refuse_downgrade(equipment.store, equipment.settings.database, equipment.keyring)
    free = shutil.disk_usage(workplace).free
    needed = (equipment.database.copies if restores else equipment.database.copies_to_observe) * identity.size
    if free < needed:
        raise Refused(
            f"the scratch folder has room for {free >> 20} MiB, {needed >> 20} MiB are needed",
            "free some room or set UPKEEP_SCRATCH to another disk; nothing was done",
        )
    with equipment.database.reading() as reading:
        if not reading.catalog().tables:
            raise Refused(f"the database {identity.place} has no tables", "check DATABASE_URL: is this the right one?")
        keys_of(reading, equipment.policy, equipment.models)
        found = reading.revision()
        catalog, half_built = reading.catalog(), reading.half_built() if performs else {}
    migration = pending_migration(equipment.settings, equipment.database, found, workplace) if migrate else None
    if migration:
        refuse_leftovers(catalog)
        if performs:
            refuse_half_built(half_built)
            refuse_narrowness(equipment.database)
    if migration and performs and equipment.database.unmigratable:
        raise Refused(
            equipment.database.unmigratable,
            "run `upkeep backup`, then Alembic in a maintenance window; `upkeep maintain --no-migrate` repairs rows; "
            "nothing was done",
        )
    return identity, migration
