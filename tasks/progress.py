"""Progress of a long step: as an artifact that moves while one looks at it, or as lines in its log."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import TaskRunContext
from prefect.logging import get_logger, get_run_logger

from upkeep.telling import Tell

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]
_PAUSE_SECONDS = 5.0


@contextmanager
def progress_of(step: str, parts: int) -> Iterator[Callable[[str], None]]:
    """A callback that is told of each of ``parts`` parts as it begins: its name, never a value; full at a good end."""
    artifact = create_progress_artifact(0.0, key=f"progress-{step.replace(' ', '-')}", description=step)
    begun = 0
    shown = 0.0

    def tell(part: str) -> None:
        nonlocal begun, shown
        percent = min(99.0, 100.0 * begun / max(parts, 1))
        begun += 1
        if percent - shown >= 10:  # each call is a request to the server
            shown = percent
            update_progress_artifact(artifact, percent, description=f"{step}: {part}")  # type: ignore[arg-type]  # says UUID, gives UUID

    yield tell
    update_progress_artifact(artifact, 100.0, description=f"{step}: done")  # type: ignore[arg-type]  # says UUID, gives UUID


def log_of_step() -> Log:
    """The log of the step that runs, or of the program where none does."""
    return get_run_logger() if TaskRunContext.get() else get_logger("upkeep")


def told_in_log(pause: float = _PAUSE_SECONDS) -> Tell:
    """Writes every few seconds how many rows are done; a step that is over before says nothing."""
    log = log_of_step()
    counts: Counter[str] = Counter()
    last = time.monotonic()

    def tell(what: str, rows: int) -> None:
        nonlocal last
        counts[what] += rows
        if time.monotonic() - last >= pause:
            last = time.monotonic()
            log.info("%s rows %s so far", f"{counts[what]:,}", what)

    return tell
