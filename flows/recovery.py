"""Finding out what runs that died had begun; safe to run at any time."""

from prefect import flow

from flows.ending import stopped_in_words
from tasks.recovery import recover_runs
from upkeep.equipment import equip
from upkeep.workplaces import sweep


@flow(name="recover", persist_result=False, log_prints=False)
@stopped_in_words
def recover(database: str = "") -> tuple[str, ...]:
    """Settle the journal of one database and remove the scratches of runs that died; a line for each."""
    equipment = equip(database)
    name = equipment.settings.database
    with equipment.database.held("recover"):
        told = recover_runs(equipment)
        swept = (*sweep(equipment.settings.scratch, name), *equipment.database.sweep())
    return (*told, *(f"the scratch {left} of a run that died was removed" for left in swept))
