"""Which backups may go and which stay, and why."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from upkeep.manifests import Backup

MOST_AT_ONCE = 50
"""No run removes more backups than this: a wrong clock or a wrong setting does not empty a store (P-30)."""


@dataclass(frozen=True)
class Judgement:
    """One backup, whether it is kept, and the reason."""

    id: str
    taken: datetime | None
    verified: bool
    kept: bool
    reason: str


def judge_retention(backups: tuple[Backup, ...], *, days: int, now: datetime) -> tuple[Judgement, ...]:
    """Keep what is younger than ``days``, what nobody can judge, and always the last verified backup (P-30).

    Without any verified backup nothing is removed at all. Backups from the future speak of a wrong clock: they are
    kept, and the newest verified one is sought among the others as well. ``now`` is UTC.
    """
    verified = [b.manifest for b in backups if b.verified and b.manifest]
    past = [manifest for manifest in verified if manifest.taken <= now]
    last = {max(several, key=lambda manifest: manifest.order).id for several in (verified, past) if several}
    judged = []
    removed = 0
    for backup in backups:
        reason = _reason_to_keep(backup, last, days=days, now=now)
        if reason is None and removed >= MOST_AT_ONCE:
            reason = f"{MOST_AT_ONCE} others are removed in this run already"
        removed += reason is None
        taken = backup.manifest.taken if backup.manifest else None
        judged.append(
            Judgement(backup.id, taken, backup.verified, reason is not None, reason or f"older than {days} days")
        )
    return tuple(judged)


def _reason_to_keep(backup: Backup, last: set[str], *, days: int, now: datetime) -> str | None:
    if backup.manifest is None:
        return f"cannot be judged: {backup.fault}"
    if not last:
        return "no backup was verified yet"
    if backup.id in last:
        return "the last verified backup"
    if backup.manifest.taken > now:
        return "from the future: is a clock wrong?"
    if now - backup.manifest.taken <= timedelta(days=days):
        return f"younger than {days} days"
    return None
