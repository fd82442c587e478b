"""What a rehearsal has shown of each pending revision, and what the migration takes that nothing brings back."""

from itertools import zip_longest

from tasks.work import Worked
from upkeep.numbers import several
from upkeep.plan import Migration
from upkeep.revisions import Explained, Lint


def explained(migration: Migration, worked: Worked, lints: tuple[Lint, ...]) -> tuple[Explained, ...]:
    """Each pending revision with what was seen of it, and what a linter says of each, where there is one."""
    migrated = worked.migrated
    ran = {one.revision: one for one in migrated.ran} if migrated else {}
    losses = migrated.losses if migrated else ()
    return tuple(
        Explained(one, ran.get(one.name), tuple(loss.what for loss in losses if loss.by == one.name), lint)
        for one, lint in zip_longest(migration.revisions, lints)
    )


def taken_for_good(worked: Worked) -> tuple[str, ...]:
    """What the migration takes that no undo brings back, in words; () where that is nothing."""
    losses = worked.migrated.losses if worked.migrated else ()
    counted = {loss: f" ({several(loss.rows, 'row')})" if loss.rows else "" for loss in losses if loss.is_for_good}
    return tuple(f"{loss}{rows}" for loss, rows in counted.items())
