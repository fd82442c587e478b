"""What no undo could put back once a plan's migration is done, as sentences: before somebody approves it."""

from collections.abc import Sequence

from upkeep.lasting import Lasting
from upkeep.numbers import several
from upkeep.plan import Plan

_WHAT_TO_DO = (
    "To keep the undo whole, approve a run without the migration first (`upkeep maintain --no-migrate`; in the Prefect "
    "UI the parameter `migrate` off): it stays whole until a migration follows. Or accept it: as they were, these rows "
    "stand in the store and in the backup, and a person would bring them back by hand."
)


def lasting_in_short(lasting: Sequence[Lasting], plan: Plan | None) -> str:
    """How many rows, and of how many."""
    rows = sum(one.rows for one in lasting)
    of = f"{rows:,} of the {several(plan.rows, 'row')}" if plan else several(rows, "row")
    return f"once the migration is done, an undo of this run could not put back {of}"


def lasting_told(lasting: Sequence[Lasting], plan: Plan | None) -> str:
    """All of it for a page: how many rows of which table, why, and what to do."""
    short = lasting_in_short(lasting, plan)
    lines = [f"{short[0].upper()}{short[1:]}:\n", *(f"- {one}" for one in lasting), f"\n{_WHAT_TO_DO}"]
    return "\n".join(lines)


def lasting_for_shell(lasting: Sequence[Lasting], plan: Plan | None) -> str:
    """The same in one line."""
    told = "; ".join(map(str, lasting))
    return f"{lasting_in_short(lasting, plan)}: {told}. {_WHAT_TO_DO}"
