"""How proven the backups of a database are: was tonight's restored, when was one last, and is one due."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from upkeep.manifests import Manifest, Proof, folder, list_backups, newest_first
from upkeep.policy import Restores
from upkeep.stores import Store
from upkeep.verdict import Check

WEEK = timedelta(days=7)
SLACK = timedelta(hours=12)
"""A night begins at another minute than the one a week ago, in another season even an hour earlier."""
LONGEST = timedelta(days=14)
"""Where the policy says weekly: for so long may no backup have been proven."""


@dataclass(frozen=True)
class Proven:
    """One backup that was restored and found whole: when it was taken, and when it was proven; UTC."""

    backup: str
    taken: datetime
    proven: datetime


@dataclass(frozen=True)
class Assurance:
    """What is known at ``now`` (UTC), as a run begins: what the policy wants, and the last proven backup.

    ``tonight`` says that it is the backup of this very run.
    """

    wanted: Restores
    now: datetime
    last: Proven | None = None
    tonight: bool = False

    @property
    def age(self) -> timedelta | None:
        """How long ago a backup was proven; None where none ever was."""
        return max(self.now - self.last.proven, timedelta()) if self.last else None

    @property
    def is_due(self) -> bool:
        """Must this run restore its backup? By the time of the last proof, not by the day of the week."""
        if self.wanted == "weekly":
            return self.age is None or self.age >= WEEK - SLACK
        return self.wanted == "nightly"

    def __str__(self) -> str:
        if self.tonight:
            return "the backup of this run was proven"
        return f"the backup of this run was not proven: the policy says {self.wanted}; {self.when_last()}"

    def when_last(self) -> str:
        """Which backup was the last proven one, and when that was."""
        if self.last is None or self.age is None:
            return "no backup was ever proven"
        when = f"{self.last.proven:%Y-%m-%d %H:%M} UTC"
        return f"the last proven one is {self.last.backup}, {ago(self.age)}, on {when}"

    def document(self) -> dict[str, Any]:
        """Both as JSON, to stand among what a report says; ages are days."""
        return {"verified": self.tonight, "last_proven": self._document()}

    def _document(self) -> dict[str, Any] | None:
        if self.last is None or self.age is None:
            return None
        return {
            "backup": self.last.backup,
            "taken": self.last.taken.isoformat(),
            "proven": self.last.proven.isoformat(),
            "age_days": round(self.age / timedelta(days=1), 2),
        }


def ago(age: timedelta) -> str:
    """An age as a person says it."""
    days, hours = age.days, age.seconds // 3600
    if days:
        return f"{days} day{'' if days == 1 else 's'} ago"
    return f"{hours} hour{'' if hours == 1 else 's'} ago" if hours else "less than an hour ago"


def find_assurance(store: Store, database: str, *, wanted: Restores, now: datetime) -> Assurance:
    """What the store says: the newest verified backup whose proof can be read and is not from the future.

    A proof of tomorrow speaks of a wrong clock, and would put off the next one for who knows how long (P-30).
    """
    for manifest in newest_first(one for one in list_backups(store, database) if one.verified):
        proven = _proven_when(store, database, manifest.id)
        if proven is not None and max(manifest.taken, proven) <= now:
            return Assurance(wanted, now, Proven(manifest.id, manifest.taken, proven))
    return Assurance(wanted, now)


def proven_tonight(assurance: Assurance, manifest: Manifest, now: datetime) -> Assurance:
    """The assurance after the backup of this run was restored and found whole."""
    return Assurance(assurance.wanted, now, Proven(manifest.id, manifest.taken, now), tonight=True)


def _proven_when(store: Store, database: str, backup: str) -> datetime | None:
    with store.get(f"{folder(database, backup)}/verified.json") as file:
        try:
            proof = Proof.model_validate_json(file.read())
        except ValidationError:
            return None
    return proof.proven if proof.backup == backup else None


def judge_assurance(assurance: Assurance) -> Check:
    """May the verdict of a run that restored nothing pass? It never says of this run's backup that it is proven."""
    if assurance.wanted == "never":
        seen = assurance.when_last()
        return Check(claim="the policy says that no night proves a backup", holds=True, seen=seen)
    holds = assurance.age is not None and assurance.age <= LONGEST
    return Check(claim=f"a backup was proven within {LONGEST.days} days", holds=holds, seen=assurance.when_last())
