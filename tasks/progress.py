"""Progress of a long step as an artifact that moves while one looks at it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prefect.artifacts import create_progress_artifact, update_progress_artifact


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
