"""What was found about one foreign key: its orphans, and why they are there."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from upkeep.catalog import ForeignKey
from upkeep.diagnosis import Cause, Diagnosis, causes, diagnose
from upkeep.facts import Facts, Share, Trait
from upkeep.history import Adopted
from upkeep.values import Row

__all__ = ["Cause", "Diagnosis", "Finding"]


@dataclass(frozen=True)
class Finding:
    """One foreign key and its orphans.

    ``orphans`` counts pairs of a row and this key, ``missing_keys`` the distinct keys that they point at. Both are
    None where the key could not be asked: that is not a zero. ``rows`` are the locators of the first orphans.
    ``facts`` are what was gathered of them; without any they are just missing. ``adopted`` are rows that are no
    orphans and should be: another row has the number of their parent.
    """

    key: ForeignKey
    orphans: int | None
    missing_keys: int | None = None
    rows: tuple[Row, ...] = ()
    unasked: str | None = None
    facts: Facts = field(default=Facts(), compare=False)
    adopted: tuple[Adopted, ...] = field(default=(), compare=False)

    @property
    def diagnosis(self) -> Diagnosis:
        """The one word for why."""
        found = diagnose(self.key, self.orphans, self._known)
        return Diagnosis.REUSED_ID if found is Diagnosis.NONE and self.adopted else found

    @property
    def is_at_fault(self) -> bool:
        """Is something wrong beside re-used ids, which are a finding of their own with a past of its own?"""
        return self.orphans is None or self.diagnosis not in (Diagnosis.NONE, Diagnosis.REUSED_ID)

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Why, part by part."""
        return causes(self.key, self.orphans, self._known)

    @property
    def _known(self) -> Facts:
        if self.facts.shares:
            return self.facts
        return Facts({Trait.MISSING: Share(self.orphans or 0, self.missing_keys or 0)})


def count_open(findings: Iterable[Finding]) -> int:
    """How many findings these are to a reviewer: what is wrong with a key is one, its re-used ids are another."""
    return sum(one.is_at_fault + bool(one.adopted) for one in findings)
