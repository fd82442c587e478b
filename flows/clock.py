"""How long each step took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from upkeep.report import Step


class Clock:
    """The steps of a run in their order, with the seconds that each took."""

    def __init__(self) -> None:
        self._steps: list[Step] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time what stands in the context, also when it fails."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self._steps.append(Step(name, time.monotonic() - begun))

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps so far."""
        return tuple(self._steps)
