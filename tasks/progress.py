"""Progress of a long step as an artifact that moves while one looks at it."""

from collections.abc import Callable

from prefect.artifacts import create_progress_artifact, update_progress_artifact


def progress_of(step: str, parts: int) -> Callable[[str], None]:
    """A callback that is told of each of ``parts`` parts as it begins; what it is told is a name, never a value."""
    artifact = create_progress_artifact(0.0, key=f"progress-{step.replace(' ', '-')}", description=step)
    begun = 0
    shown = 0.0

    def tell(part: str) -> None:
        nonlocal begun, shown
        percent = min(100.0, 100.0 * begun / max(parts, 1))
        begun += 1
        if percent - shown >= 10 or begun in (1, parts):  # each call is a request to the server
            shown = percent
            update_progress_artifact(artifact, percent, description=f"{step}: {part}")  # type: ignore[arg-type]  # says UUID, gives UUID

    return tell
