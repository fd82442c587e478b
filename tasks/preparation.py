"""Before anything is done: is everything there that the run needs?"""

import shutil
from pathlib import Path

from tasks.gate import refuse_half_built, refuse_leftovers, refuse_narrowness
from tasks.migration import pending_migration
from tasks.progress import log_of_step
from tasks.step import step
from upkeep.databases import Identity
from upkeep.detected import Detected
from upkeep.downgrade import refuse_downgrade
from upkeep.equipment import Equipment
from upkeep.errors import Refused
from upkeep.finding import keys_of
from upkeep.numbers import several
from upkeep.plan import Migration
from upkeep.policy import Policy

_MORE_ROOM = "free some room or set UPKEEP_SCRATCH to another disk"
_OF_A_ROW = 1 << 10
"""So many bytes the files of a plan may take on disk for each of its rows, where these are small.

Measured for an orphan on SQLite: nothing where it is kept or no backup has its parent, 470 where parents come back that
it shares with many, 550 where it goes or is nullified, 790 where its parent comes back, 1,100 where another row goes
with it; of rows of a kilobyte 2,300 to 4,800. Which of these it will be nobody knows before there is a plan.
"""


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
    copies = equipment.database.copies if restores else equipment.database.copies_to_observe
    if lack := _lack_of_room(workplace.parent, copies * identity.size, "copies of the database"):
        raise Refused(lack, f"{_MORE_ROOM}; nothing was done")
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


def orphans_to_plan(policy: Policy, detected: Detected) -> int:
    """How many orphans a plan may do something about: those of keys by which the policy keeps none."""
    return sum(one.orphans or 0 for one in detected.findings if not policy.keeps(one.key))


def told_if_narrow(equipment: Equipment, rows: int) -> tuple[str, ...]:
    """Whether a plan for so many rows may fill the disk, told before it is drawn up, in the log too; () where not.

    No refusal: many a plan takes far less, and where the disk is full that is told when it is met, before any change.
    """
    scratch, what = equipment.settings.scratch, f"a plan for {several(rows, 'row')}"
    # While the folder is not there the files lie elsewhere, see spilled.py.
    lack = _lack_of_room(scratch, rows * _OF_A_ROW, what) if scratch.is_dir() else ""
    if not lack:
        return ()
    told = f"{lack} if all of them are changed: {_MORE_ROOM}, should it end for want of room"
    log_of_step().warning(told)
    return (told,)


def _lack_of_room(folder: Path, needed: int, what: str) -> str:
    """What is there and what is needed, in words; '' where there is room."""
    free = shutil.disk_usage(folder).free
    if free >= needed:
        return ""
    return f"the scratch folder {folder} has room for {free >> 20} MiB, {needed >> 20} MiB are needed for {what}"
