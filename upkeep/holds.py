"""What a store may know of its objects beyond their bytes: that nobody may change one, and what it was before."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Hold:
    """Until when (UTC) nobody may change or remove an object.

    ``is_final``: nobody at all may shorten that (S3's COMPLIANCE); else who has a right of its own may (GOVERNANCE).
    """

    until: datetime
    is_final: bool

    def __str__(self) -> str:
        who = "nobody" if self.is_final else "nobody without the right to bypass it"
        return f"until {self.until:%Y-%m-%d} {who} may change or remove it"


@dataclass(frozen=True)
class Version:
    """One state of a name that the store still keeps: what was written, or (``is_removal``) that it was removed."""

    name: str
    is_removal: bool


def hold_for(lock: str | None, days: int, now: datetime) -> Hold | None:
    """What a receipt is held by that is written ``now`` (UTC), by the words of the settings; None without a lock."""
    return Hold(now + timedelta(days=days), is_final=lock == "compliance") if lock else None
