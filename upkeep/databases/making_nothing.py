"""The answer of an engine on which a table that is gone cannot be made again by a plan; the reason stands beside it."""

from collections.abc import Sequence
from typing import NoReturn

from upkeep.errors import Refused
from upkeep.making import Making


class MakingNothing:
    """No; see ``Database.unmakeable``."""

    def making(self, table: str) -> Making:
        """No."""
        self._refuse(table)

    def define(self, statements: Sequence[str]) -> None:
        """No."""
        self._refuse(" ".join(statements[:1]))

    def _refuse(self, what: str) -> NoReturn:
        raise Refused(
            f"a plan cannot make a table here: {what}",
            "restore the backup to another database with `upkeep restore`, and bring the table over by hand",
        )
