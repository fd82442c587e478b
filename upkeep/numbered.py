"""Things by number, equal ones once: what stands beside each of many rows on disk is then a number."""

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

H = TypeVar("H", bound=Hashable)


class Numbered(Generic[H]):
    """Things in the order in which they first came; the numbers begin with 0."""

    def __init__(self, *first: H) -> None:
        self._numbers = {thing: number for number, thing in enumerate(first)}
        self._things = list(first)

    def number(self, thing: H) -> int:
        """Its number, the next one if it is new."""
        number = self._numbers.setdefault(thing, len(self._things))
        if number == len(self._things):
            self._things.append(thing)
        return number

    def __getitem__(self, number: int) -> H:
        return self._things[number]

    def __iter__(self) -> Iterator[H]:
        return iter(self._things)
