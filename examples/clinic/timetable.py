"""The simulated calendar: working days, the nights between the weeks, and a clock that only goes forward."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

FOUNDED = datetime(2026, 2, 2, 6, tzinfo=UTC)
QUIET_WEEKS = 2
DAYS_A_WEEK = 6


@dataclass
class Clock:
    """Simulated time in UTC."""

    now: datetime = FOUNDED

    def move(self, moment: datetime) -> None:
        """Go on to a moment; one that has passed already changes nothing."""
        self.now = max(self.now, moment)

    def tick(self) -> datetime:
        """A moment that nothing else has."""
        self.now += timedelta(milliseconds=1)
        return self.now


def working_days(week: int) -> Iterator[datetime]:
    """The mornings from Monday to Saturday of a week, counted from the founding."""
    for day in range(DAYS_A_WEEK):
        yield FOUNDED + timedelta(days=7 * week + day)


def night_after(week: int) -> datetime:
    """Sunday, two in the morning, after a week: when the backup is taken."""
    return (FOUNDED + timedelta(days=7 * week + DAYS_A_WEEK)).replace(hour=2)
