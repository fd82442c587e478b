"""The answer of an engine on which no revision has to leave the transaction in which it is kept or undone."""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NoReturn

from upkeep.databases.verbs.benches import Bench
from upkeep.revisions import Apart


class ApartNothing:
    """None does, so nothing is done apart and nothing can be left of it."""

    def apart(self, sql: Sequence[str]) -> None:
        """No."""
        del sql

    def beside(self, workplace: Path) -> AbstractContextManager[Bench]:
        """Nobody asks for it."""
        _refuse(workplace)

    def standing(self, apart: Apart) -> tuple[str, ...]:
        """Nobody asks for it."""
        _refuse(apart)

    def take_back(self, apart: Apart, there: Collection[str]) -> tuple[str, ...]:
        """Nobody asks for it."""
        _refuse((apart, there))


def _refuse(what: object) -> NoReturn:
    raise AssertionError(f"no revision leaves the transaction here: {what}")
