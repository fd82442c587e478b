"""In which stages a migration is done: revisions that are kept together, and those that leave every transaction."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from upkeep.plan import Plan
from upkeep.revisions import Apart, Revision


@dataclass(frozen=True)
class Stage:
    """A stretch of a migration: ``revisions`` by name, kept together, or the one that is done ``apart``.

    One without revisions is the clean-up alone. ``arrives`` is what alembic_version holds after it, and ``there`` what
    was standing before it of what it makes, where a rehearsal has shown that.
    """

    revisions: tuple[str, ...]
    apart: Apart | None = None
    arrives: tuple[str, ...] = ()
    there: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join(self.revisions) or "the clean-up"


def stages_of(plan: Plan) -> tuple[Stage, ...]:
    """The stages of a plan that migrates, in their order; one, unless a revision leaves the transaction.

    Rows are changed with the first revisions; alone, where the first of them leaves the transaction.
    """
    if plan.migration is None:
        return ()
    apart = {one.name: one.apart for one in plan.migration.revisions}
    stages = list(_stretches(plan.migration.pending, apart))
    if stages[0].apart and (plan.repairs or plan.tables):
        stages.insert(0, Stage(()))
    return tuple(stages)


def _stretches(pending: tuple[str, ...], apart: dict[str, Apart | None]) -> Iterator[Stage]:
    for leaves, names in groupby(pending, key=lambda name: apart.get(name)):
        if leaves is None:
            yield Stage(tuple(names))
        else:
            yield from (Stage((name,), leaves) for name in names)


def wrong_in(revisions: tuple[Revision, ...]) -> tuple[str, ...]:
    """Why revisions that leave the transaction may not be performed, each by its name."""
    return tuple(f"{one.name} {one.apart.wrong}" for one in revisions if one.apart and one.apart.wrong)
