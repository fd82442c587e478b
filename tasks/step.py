"""A step: one effect as a Prefect task that is retried only where that may help and shows Prefect no argument."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Failed

from upkeep.errors import Unreachable, UpkeepError

P = ParamSpec("P")
R = TypeVar("R")


def step(name: str, *, retried: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function a Prefect task called ``name``; ``retried`` for those that only look (P-93).

    Prefect sees one opaque call and no argument, so that it neither walks through a plan of many rows nor keeps
    anything of it (P-100). Outside a flow call the function under ``__wrapped__``.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        def call(work: Callable[[], R]) -> R | State[Any]:
            try:
                return work()
            except UpkeepError as fault:
                if retried and isinstance(fault, Unreachable):
                    raise
                # What is raised here Prefect writes into the log with its traceback; what is returned it raises below.
                return Failed(message=str(fault), data=fault)

        prefect_task: Any = task(
            name=name,
            task_run_name=name,
            description=(function.__doc__ or name).splitlines()[0],
            cache_policy=NO_CACHE,
            persist_result=False,
            retries=2 if retried else 0,
            retry_delay_seconds=[2, 15],
            retry_condition_fn=_may_help,
        )(call)

        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            result: R | State[Any] = prefect_task(partial(function, *args, **kwargs))
            if isinstance(result, State):
                raise result.result(raise_on_failure=False)
            return result

        return run

    return decorate


def _may_help(_task: Any, _run: Any, state: Any) -> bool:
    return isinstance(state.result(raise_on_failure=False), Unreachable)
