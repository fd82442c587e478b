"""A revision for what the policy wants of the schema: drafted, rehearsed on a scratch, put among the scripts."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tasks.drafting import Drafted, downgrade, place, upgrade, write_and_run
from tasks.migration import MigrationFailed, pending_migration
from upkeep.databases import Database, Reading
from upkeep.drafts import Draft
from upkeep.equipment import Equipment
from upkeep.errors import Refused
from upkeep.schema_change import Change
from upkeep.schema_difference import Difference, Seen, Written, not_taken_back, unmeant

Subject = Callable[[Reading], Change]


def write_revision(equipment: Equipment, subject: Subject) -> Written:
    """Write the revision that ``subject`` wants of the schema at the head of the migrations.

    Raises Refused where there is no Alembic project or it has several heads, where pending migrations fail, and where
    the revision does anything else than was meant; then nothing is written.
    """
    settings, live = equipment.settings, equipment.database
    with live.reading() as reading:
        found = reading.revision()
    with equipment.workplace("revision") as workplace:
        pending = pending_migration(settings, live, found, workplace, required=True)
        live.probe_scratch()
        scratch = _copied(live, workplace)
        if pending:
            _bring_to_head(equipment, scratch, workplace)
        before, change = _look(scratch, subject)
        if not change.draft.upgrade:
            return Written(left_out=_told(change.draft))
        drafted = _rehearsed(equipment, scratch, workplace, before, change)
        place(drafted)
    models = _of_models(drafted.differences, change)
    return Written(drafted.place, drafted.revision, drafted.head, _told(change.draft), models, drafted.unasked)


def _told(draft: Draft) -> tuple[str, ...]:
    return tuple(f"{key}: {reason}" for key, reason in draft.left_out.items())


def _copied(live: Database, workplace: Path) -> Database:
    """A scratch of what a backup of this moment would hold; the newest in the store may have another schema."""
    scratch = live.scratch(workplace)
    with live.snapshot(workplace) as snapshot, snapshot.dump() as dump:
        scratch.restore(dump)
    return scratch


def _bring_to_head(equipment: Equipment, scratch: Database, workplace: Path) -> None:
    try:
        upgrade(equipment.settings, workplace, scratch)
    except MigrationFailed as fault:
        raise Refused(
            f"migrations that are still to come fail on a copy of the database: {fault.message}",
            "run `upkeep maintain`, which says what is in their way; a new revision can only follow them",
        ) from None


def _look(scratch: Database, subject: Subject) -> tuple[Seen, Change]:
    with scratch.reading() as reading:
        return _seen(reading), subject(reading)


def _seen(reading: Reading) -> Seen:
    catalog = reading.catalog()
    rows = {name: reading.count(name, digest=False).rows for name in catalog.tables}
    return Seen(catalog, rows, reading.complaints())


def _rehearsed(equipment: Equipment, scratch: Database, workplace: Path, before: Seen, change: Change) -> Drafted:
    """Forth and back, and looked at both times."""
    settings = equipment.settings
    try:
        drafted = write_and_run(settings, workplace, scratch, change.message, change.draft)
        with scratch.reading() as reading:
            _refuse(unmeant(replace(before, catalog=change.meant), _seen(reading)), "does more than was meant")
        downgrade(settings, workplace, scratch, drafted)
    except MigrationFailed as fault:
        raise Refused(
            f"the revision fails on a copy of the database: {fault.message}",
            "nothing was written; correct what it complains of",
        ) from None
    with scratch.reading() as reading:
        _refuse(not_taken_back(before, _seen(reading)), "cannot be taken back")
    return drafted


def _refuse(differing: tuple[str, ...], what: str) -> None:
    if differing:
        few = "; ".join(differing[:3])
        more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
        raise Refused(f"the revision {what}: {few}{more}", "nothing was written; change this schema by hand")


def _of_models(found: tuple[Difference, ...], change: Change) -> tuple[Difference, ...]:
    """Where the models say otherwise than the policy; they are the application's, so they are no reason to refuse."""
    told = [one for one in found if (one.table, one.columns) in change.about]
    added = {(one.table, one.columns) for one in told if one.does == "add_fk"}
    # A key that the models have and say otherwise is removed and added again: once is enough.
    return tuple(one for one in told if one.does != "remove_fk" or (one.table, one.columns) not in added)
