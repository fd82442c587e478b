"""Removing backups that are past their time, and what killed runs left half stored."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from upkeep.manifests import list_backups, remove_backup, unfinished_backups
from upkeep.retention import Judgement, judge_retention
from upkeep.stores import Store

UNFINISHED_FOR = timedelta(days=1)
"""What has no manifest after this time was left by a run that died: no upload takes as long."""


@dataclass(frozen=True)
class Pruning:
    """What retention says of one database's backups: each judged, and the half stored ones of runs that died."""

    database: str
    judged: tuple[Judgement, ...]
    unfinished: tuple[str, ...]

    @property
    def going(self) -> tuple[str, ...]:
        """The ids of everything that goes."""
        return (*(one.id for one in self.judged if not one.kept), *self.unfinished)


def judge_store(store: Store, database: str, *, days: int, now: datetime) -> Pruning:
    """What retention of ``days`` says at ``now`` (UTC) of the backups in ``store``; nothing is removed."""
    judged = judge_retention(list_backups(store, database), days=days, now=now)
    return Pruning(database, judged, unfinished_backups(store, database, before=now - UNFINISHED_FOR))


def remove_old(store: Store, pruning: Pruning) -> tuple[str, ...]:
    """Remove what was judged so; the ids of what is gone."""
    for backup in pruning.going:
        remove_backup(store, pruning.database, backup)
    return pruning.going
