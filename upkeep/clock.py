"""The time in UTC, and names that sort by it."""

import secrets
from datetime import UTC, datetime, timedelta

PARTS = 0x10000
"""Into how many a second is cut in a name."""


def utc_now() -> datetime:
    """The time, in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def named_by_time(now: datetime) -> str:
    """A name for a backup or a run, which sorts by the time in UTC and which nobody else gives.

    ``now`` is to the second, and two backups of one second must not change places: the newer one may be taken for
    older, and a row be sought in it. So the part of the second that has passed stands in the name, before what is left
    to chance; a second that is over by now counts as passed.
    """
    late = min(max(datetime.now(UTC) - now, timedelta()) / timedelta(seconds=1), 1)
    return f"{now:%Y%m%dT%H%M%SZ}-{min(int(late * PARTS), PARTS - 1):04x}{secrets.token_hex(2)}"


def begun_at(name: str) -> datetime:
    """When a run began (UTC), which its name begins with; one with another name began long ago."""
    try:
        return datetime.strptime(name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def as_written(moment: datetime) -> str:
    """A moment in UTC as receipts say it, so that they sort by time."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
