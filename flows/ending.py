"""How a run shows itself in Prefect when it has ended: its state, in one line and without a traceback of a plain no."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from prefect.client.schemas.objects import State
from prefect.exceptions import Abort
from prefect.states import Cancelled, Completed, Failed

from upkeep.errors import UpkeepError
from upkeep.report import RunReport

P = ParamSpec("P")
R = TypeVar("R")


class Ended(Abort):
    """What a run came to that was not completed, for who called it: its report, or the error that stopped it.

    What a Failed or Cancelled state holds Prefect raises again at the end of the run's process, and writes it into the
    run's log with its traceback, as a fault of the program. It does not where that is an Abort.
    """

    def __init__(self, told: RunReport | UpkeepError) -> None:
        super().__init__()
        self.told = told


def state_of(report: RunReport) -> State[Any]:
    """How the run shows itself in Prefect; the report goes with it, for ``told_by``."""
    if report.verdict and not report.verdict.passed:
        return Failed(message=report.ended, data=Ended(report))
    if report.plan and not report.plan.is_empty and report.ended.startswith("nothing was performed"):
        return Cancelled(message=report.ended, data=Ended(report))
    return Completed(message=report.ended, data=report)


def stopped_in_words(function: Callable[P, R]) -> Callable[P, R | State[Any]]:
    """Have a flow that one of our errors stops end Failed with what it says, for a person to read."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R | State[Any]:
        try:
            return function(*args, **kwargs)
        except UpkeepError as fault:
            return Failed(message=str(fault), data=Ended(fault))

    return run


def told_by(state: State[Any]) -> Any:
    """What a flow gave to who called it with ``return_state``; raises the error that stopped it."""
    found = state.result(raise_on_failure=False)
    told = found.told if isinstance(found, Ended) else found
    if isinstance(told, BaseException):
        raise told
    return told
