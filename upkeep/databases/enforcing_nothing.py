"""The answer of an engine that can bring no foreign key into force while an application writes."""

from collections.abc import Collection
from typing import ClassVar, NoReturn

from upkeep.catalog import ForeignKey
from upkeep.enforcement import Enforced, How, Lapse
from upkeep.errors import Refused


class EnforcingNothing:
    """No, with the reason that stands beside the engine in ``unenforceable``."""

    unenforceable: ClassVar[str]

    def lapses(self, keys: Collection[ForeignKey]) -> dict[str, Lapse]:
        """That a key is not declared, which stays so; one that is declared is in force with every connection."""
        return {str(key): Lapse(How.ADD, "", self.unenforceable) for key in keys if not key.declared}

    def hold_back(self, keys: Collection[Enforced]) -> None:
        """No."""
        del keys
        self._refuse()

    def validate(self, keys: Collection[Enforced]) -> None:
        """No."""
        del keys
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise Refused(self.unenforceable, "take `enforce` out of the policy, and declare the key in a migration")
