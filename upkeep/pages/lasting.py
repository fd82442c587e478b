"""What receipts say of rows that no undo could put back once a migration was done."""

from collections.abc import Iterable, Sequence

from upkeep.pages import frames
from upkeep.pages.contents import number, parts, text
from upkeep.pages.page import Column, Section
from upkeep.pages.runs import Run
from upkeep.pages.sections import RECEIPTS, ROWS, RUN, Row


def lasting_rows(runs: Iterable[Run]) -> list[Row]:
    """One row for each table and reason, as it was said before anybody was asked."""
    return [
        {
            "day": plan.day,
            "run": run.name,
            "table": text(one, "table"),
            "rows": number(one, "rows"),
            "why": text(one, "why"),
            "performed": run.done is not None,
            "receipts": (plan.number,),
        }
        for run in runs
        if (plan := run.plan)
        for one in parts(plan.contents, "lasting")
    ]


def lasting(rows: Sequence[Row]) -> Section:
    """What was known to stay as the run made it."""
    columns = (
        RUN,
        Column("table", "table"),
        ROWS,
        Column("why", "why"),
        Column("performed", "performed", "answer"),
        RECEIPTS,
    )
    told = (
        "Tried in the rehearsal, after its migration, and said to whoever approved. The rows as they were stand in the "
        "store below repairs/ and in the backup."
    )
    return Section(
        "What an undo could not put back", frames.table("lasting", columns, rows), told, "nothing of the kind was seen"
    )
