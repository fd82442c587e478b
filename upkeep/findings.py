"""What was found about one foreign key, and why: the diagnosis."""

from dataclasses import dataclass
from enum import StrEnum

from upkeep.catalog import ForeignKey
from upkeep.values import Row


class Diagnosis(StrEnum):
    """Why a foreign key has orphans."""

    NONE = "none"
    PARENTS_MISSING = "parents missing"
    PARENT_TABLE_MISSING = "parent table missing"
    UNUSABLE_KEY = "unusable key"


@dataclass(frozen=True)
class Finding:
    """One foreign key and its orphans.

    ``orphans`` counts pairs of a row and this key, ``missing_keys`` the distinct keys that they point at. Both are
    None where the key could not be asked: that is not a zero. ``rows`` are the locators of the first orphans.
    """

    key: ForeignKey
    orphans: int | None
    missing_keys: int | None = None
    rows: tuple[Row, ...] = ()
    unasked: str | None = None

    @property
    def diagnosis(self) -> Diagnosis:
        """The judgement over what is known of the key."""
        return diagnose(self.key, self.orphans)


def diagnose(key: ForeignKey, orphans: int | None) -> Diagnosis:
    """Why ``key`` has so many ``orphans``; a key that the engine cannot use is told even without any."""
    if key.parent_missing:
        return Diagnosis.PARENT_TABLE_MISSING
    if key.fault is not None:
        return Diagnosis.UNUSABLE_KEY
    return Diagnosis.PARENTS_MISSING if orphans else Diagnosis.NONE
