"""What no undo could put back once a plan's migration is done, as sentences: before somebody approves it, and after."""

from collections.abc import Sequence

from upkeep.lasting import Lasting
from upkeep.numbers import several
from upkeep.plan import Plan

_WHERE = "as they were, these rows stand in the store and in the backup, and a person would bring them back by hand"
_WHAT_TO_DO = (
    "To keep the undo whole, approve a run without the migration first (`upkeep maintain --no-migrate`; in the Prefect "
    f"UI the parameter `migrate` off): it stays whole until a migration follows. Or accept it: {_WHERE}."
)


def lasting_told(lasting: Sequence[Lasting], plan: Plan, *, performed: bool = False) -> str:
    """All of it for a page: how many rows of which table, why, and what to do."""
    short, rest = _in_short(lasting, plan, performed=performed), _rest(performed=performed)
    return "\n".join([f"{short}:\n", *(f"- {one}" for one in lasting), f"\n{rest}"])


def lasting_for_shell(lasting: Sequence[Lasting], plan: Plan, *, performed: bool) -> str:
    """The same in one line."""
    told = "; ".join(map(str, lasting))
    return f"{_in_short(lasting, plan, performed=performed)}: {told}. {_rest(performed=performed)}"


def _in_short(lasting: Sequence[Lasting], plan: Plan, *, performed: bool) -> str:
    of = f"{sum(one.rows for one in lasting):,} of the {several(plan.rows, 'row')}"
    if performed:
        return f"Since the migration is done, an undo of this run cannot put back {of}"
    return f"Once the migration is done, an undo of this run could not put back {of}"


def _rest(*, performed: bool) -> str:
    return f"{_WHERE[0].upper()}{_WHERE[1:]}." if performed else _WHAT_TO_DO
