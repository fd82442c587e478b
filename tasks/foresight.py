"""What a later undo would meet, tried on the scratch once clean-up and migration are done there, and taken back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from tasks.work import Worked
from upkeep.changes import Refusal, RowsRefused
from upkeep.databases import Database, Reading
from upkeep.equipment import Equipment
from upkeep.errors import Refused
from upkeep.finding import keys_of
from upkeep.gathered import Gathered
from upkeep.lasting import Lasting, lasting_of, left_without_value
from upkeep.numbers import several
from upkeep.plan import Plan
from upkeep.policy import Action
from upkeep.remaking import try_out
from upkeep.repair import ACTIONS
from upkeep.spilled import Form, Spilled
from upkeep.undoing import Deed, draw_back

MOST_TRIED = 10_000
"""So many rows are put back to see whether they can be: of those that are refused each costs statements of its own."""


@dataclass(frozen=True)
class Foreseen:
    """What no undo could put back once the migration is done; ``untold`` says what of it nobody has asked."""

    lasting: tuple[Lasting, ...] = ()
    untold: tuple[str, ...] = ()


def foresee_undo(
    equipment: Equipment, scratch: Database, plan: Plan, worked: Worked, attempts: int, most: int = MOST_TRIED
) -> Foreseen:
    """Draw up the undo of what was ``worked`` and do it, then take it back; a run without a migration needs none.

    It costs what the plan's rows cost and does not grow with the database. Beyond so many rows as ``most`` it is judged
    by the schema alone.
    """
    if worked.migrated is None or not worked.mended.changes:
        return Foreseen()
    deed = _deed(plan, worked)
    if len(deed.changes) > most:
        return _by_the_schema(equipment, scratch, deed)
    refusals: tuple[Refusal, ...] = ()
    for _ in range(attempts):
        back = _drawn_back(equipment, scratch, deed, refusals)
        try:
            try_out(scratch, back, partial(keys_of, policy=equipment.policy, models=equipment.models))
        except RowsRefused as fault:
            refusals += fault.refusals
        except Refused as fault:
            return Foreseen(_all_of(back, fault.message))
        else:
            return Foreseen(lasting_of(back.undo.conflicts if back.undo else ()))
    return Foreseen(_all_of(back, f"after {attempts} plans there are still rows that refuse"))


def _deed(plan: Plan, worked: Worked) -> Deed:
    """What the run will be on record for; see ``tasks.undoing.read_deed``."""
    orphans = (one for one in plan.repairs if one.key and one.wave == 0 and one.action is not Action.RESTORE)
    missed = Gathered((one.key, one.row) for one in orphans)
    return Deed("", worked.mended.changes, missed, tables=plan.tables)


def _drawn_back(equipment: Equipment, scratch: Database, deed: Deed, refusals: Sequence[Refusal]) -> Plan:
    with scratch.reading() as reading:
        keys = keys_of(reading, equipment.policy, equipment.models)
        return draw_back(reading, equipment.settings.database, deed, keys, refusals)


def _all_of(plan: Plan, why: str) -> tuple[Lasting, ...]:
    told = f"an undo would be refused as a whole: {why}"
    conflicts = lasting_of(plan.undo.conflicts if plan.undo else ())
    return (*(Lasting(table, rows, told) for table, rows in sorted(plan.errands.rows_of.items())), *conflicts)


def _by_the_schema(equipment: Equipment, scratch: Database, deed: Deed) -> Foreseen:
    with scratch.reading() as reading:
        refusals = Spilled(_wanting(reading, deed), _REFUSALS)
    back = _drawn_back(equipment, scratch, deed, refusals)
    rows = several(len(deed.changes), "row")
    untold = (
        f"whether an undo could put back all {rows} once the migration is done: so many were judged by the schema and "
        "not tried, and what UNIQUE, CHECK and triggers would say nobody knows"
    )
    return Foreseen(lasting_of(back.undo.conflicts if back.undo else ()), (untold,))


def _wanting(reading: Reading, deed: Deed) -> Iterator[Refusal]:
    """Rows that would have to come back into a table that wants a value which they never had."""
    tables = reading.catalog().tables
    for change in deed.changes:
        comes_back = change.after is None and change.table in tables
        if comes_back and (wanted := left_without_value(tables[change.table], change.columns)):
            said = f"{change.table} wants a value for {', '.join(wanted)} by then"
            yield Refusal(change.table, change.row, Action.RESTORE, said)


_REFUSALS: Form[Refusal] = Form(
    lambda one: (one.table, one.row, one.action.value, one.said),
    lambda plain: Refusal(plain[0], plain[1], ACTIONS[plain[2]], plain[3]),
)
