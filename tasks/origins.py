"""Looking into older backups for missing parents: each is brought back into a scratch while it is looked at."""

from collections.abc import Iterator
from contextlib import contextmanager

from tasks.migration import MigrationFailed, alembic
from upkeep.backups import Manifest, bring_back, list_backups
from upkeep.databases import Database, Reading
from upkeep.equipment import Equipment
from upkeep.finding import keys_of
from upkeep.origins import Origins
from upkeep.searching import CannotTell, Older, search


def origins_for(equipment: Equipment, target: Database, manifest: Manifest) -> Origins:
    """What backups older than ``manifest`` give back of the parents that rows of ``target``, made from it, miss.

    Where nothing is missed that a rule would restore no backup is opened.
    """
    with target.reading() as reading:
        revision = reading.revision()
        older = [
            Older(one.id, lambda one=one: _opened(equipment, one, revision))  # type: ignore[misc]  # the loop's own
            for one in _older_than(equipment, manifest)
        ]
        keys = keys_of(reading, equipment.policy, equipment.models)
        return search(reading, keys, equipment.policy, older)


def _older_than(equipment: Equipment, manifest: Manifest) -> list[Manifest]:
    """Newest first. One of another engine ends the history: its rows are not comparable with those of today."""
    backups = list_backups(equipment.store, equipment.settings.database)
    older = [b.manifest for b in backups if b.manifest and (b.manifest.taken, b.id) < (manifest.taken, manifest.id)]
    newest_first = sorted(older, key=lambda one: (one.taken, one.id), reverse=True)
    ends = next((n for n, one in enumerate(newest_first) if one.engine != manifest.engine), len(newest_first))
    return newest_first[:ends]


@contextmanager
def _opened(equipment: Equipment, manifest: Manifest, revision: tuple[str, ...]) -> Iterator[Reading]:
    with equipment.workplace("older") as folder:
        scratch = equipment.database.scratch(folder)
        try:
            bring_back(equipment.store, manifest, scratch)
            if manifest.census.revision != revision:
                _bring_up(equipment, scratch, manifest, revision)
            with scratch.reading() as reading:
                yield reading
        finally:
            scratch.discard()


def _bring_up(equipment: Equipment, scratch: Database, manifest: Manifest, revision: tuple[str, ...]) -> None:
    """Let the application's own migrations make an older schema the present one (P-73)."""
    found = ", ".join(manifest.census.revision) or "no revision"
    said = f"backup {manifest.id} is at {found}, the database at {', '.join(revision) or 'none'}"
    if equipment.settings.alembic_ini is None or len(revision) != 1:
        raise CannotTell(f"{said}, and no Alembic project is set that leads there")
    with equipment.workplace("bring-up") as folder, alembic(equipment.settings, folder) as door:
        try:
            with scratch.exchanged(folder) as bench, bench.lent() as lent:
                door.upgrade(lent, revision[0])
        except MigrationFailed as fault:
            raise CannotTell(f"{said}, and cannot be brought there: {fault.message}") from None
