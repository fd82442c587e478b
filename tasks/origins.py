"""Looking into older backups for missing parents: each is brought back into a scratch while it is looked at."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import takewhile
from pathlib import Path

from tasks.migration import MigrationFailed, alembic, pending_migration
from upkeep.backups import bring_back
from upkeep.databases import Database, Reading
from upkeep.encryption import CANNOT_READ
from upkeep.equipment import Equipment
from upkeep.errors import Refused
from upkeep.finding import keys_of
from upkeep.lost_tables import LostTables, look_for_tables
from upkeep.manifests import Manifest, list_backups, newest_first
from upkeep.older_backups import CannotTell, Older
from upkeep.origins import Origins
from upkeep.proofs import receipt_of
from upkeep.recall import Recall
from upkeep.remaking import CannotMake, as_if_made
from upkeep.searching import search
from upkeep.vanishing import rows_touched


def origins_for(equipment: Equipment, target: Database, manifest: Manifest) -> Origins:
    """What backups older than ``manifest`` give back of the parents that rows of ``target``, made from it, miss.

    Where nothing is missed that a rule would restore no backup is opened.
    """
    with target.reading() as reading:
        revision = reading.revision()
        recall = equipment.recall(reading)
        older = [_older(equipment, one, revision, recall) for one in older_than(equipment, manifest)]
        keys = keys_of(reading, equipment.policy, equipment.models)
        lost = look_for_tables(reading, keys, equipment.policy, older, target.unmakeable)
    lost = _that_can_be_made(target, lost)
    with as_if_made(target, [one.comeback for one in lost.found]) as reading:
        keys = keys_of(reading, equipment.policy, equipment.models)
        origins = search(
            reading,
            keys,
            equipment.policy,
            older,
            lost.found,
            recall.memory(manifest.id),
            partial(rows_touched, equipment.store, equipment.settings.database),
        )
        return replace(origins, gone=lost.why_not)


def _older(equipment: Equipment, manifest: Manifest, revision: tuple[str, ...], recall: Recall) -> Older:
    opens = partial(opened, equipment, manifest, revision)
    return Older(manifest.id, opens, _tables(manifest, revision), recall.memory(manifest.id))


def _tables(manifest: Manifest, revision: tuple[str, ...]) -> frozenset[str] | None:
    """Which tables a backup has, by its census; where its schema is another only a look at what it comes to tells."""
    here = manifest.census.revision == revision
    return frozenset(name.lower() for name in manifest.census.tables) if here else None


def _that_can_be_made(target: Database, lost: LostTables) -> LostTables:
    """Without those whose statements fail by now: an index of the same name may belong to another table.

    They are made together, for they may point at each other; what needs one that cannot be made fails in its turn.
    """
    found, why_not = {one.comeback.table: one for one in lost.found}, dict(lost.why_not)
    while found:
        try:
            with as_if_made(target, [one.comeback for one in found.values()]):
                break
        except CannotMake as fault:
            del found[fault.table]
            why_not[fault.table] = f"the table is gone and cannot be made again: {fault.message}"
    return LostTables(tuple(found.values()), why_not)


def older_than(equipment: Equipment, manifest: Manifest) -> list[Manifest]:
    """Newest first. One of another engine ends the history: its rows are not comparable with those of today."""
    known = newest_first(list_backups(equipment.store, equipment.settings.database))
    older = (one for one in known if one.order < manifest.order)
    return list(takewhile(lambda one: one.engine == manifest.engine, older))


@contextmanager
def opened(equipment: Equipment, manifest: Manifest, revision: tuple[str, ...]) -> Iterator[Reading]:
    """An older backup, brought back and to the revision; raises CannotTell where it cannot be brought there.

    Raises Damaged where it is not what the ledger says of it.
    """
    if not equipment.keyring.reads(manifest.sealed):
        raise CannotTell(CANNOT_READ)
    if manifest.census.revision != revision:
        _refuse_without_a_way(equipment, manifest, revision)
    receipt_of(equipment.store, manifest)  # Damaged where that says otherwise
    with equipment.workplace("older") as folder:
        scratch = equipment.database.scratch(folder)
        try:
            bring_back(equipment.store, manifest, scratch, equipment.keyring)
            if manifest.census.revision != revision:
                _bring_up(equipment, scratch, manifest, revision)
            with scratch.reading() as reading:
                yield reading
        finally:
            scratch.discard()


def _standing(manifest: Manifest, revision: tuple[str, ...]) -> str:
    found = ", ".join(manifest.census.revision) or "no revision"
    return f"backup {manifest.id} is at {found}, the database at {', '.join(revision) or 'none'}"


def _refuse_without_a_way(equipment: Equipment, manifest: Manifest, revision: tuple[str, ...]) -> None:
    """Before the backup is fetched at all."""
    if equipment.settings.alembic_ini is None or len(revision) != 1:
        raise CannotTell(f"{_standing(manifest, revision)}, and no Alembic project is set that leads there")


def _bring_up(equipment: Equipment, scratch: Database, manifest: Manifest, revision: tuple[str, ...]) -> None:
    """Let the application's own migrations make an older schema the present one (P-73)."""
    with equipment.workplace("bring-up") as folder:
        try:
            apart = _leaves_the_transaction(equipment, scratch, manifest, folder)
            bench_of = scratch.beside if apart else scratch.exchanged
            with alembic(equipment.settings, folder) as door, bench_of(folder) as bench, bench.lent() as lent:
                door.upgrade(lent, revision[0])
        except MigrationFailed as fault:
            raise CannotTell(f"{_standing(manifest, revision)}, and cannot be brought there: {fault.message}") from None


def _leaves_the_transaction(equipment: Equipment, scratch: Database, manifest: Manifest, folder: Path) -> bool:
    """Can some revision on its way be done in no transaction? Scripts in which that cannot be told find out."""
    try:
        way = pending_migration(equipment.settings, scratch, manifest.census.revision, folder)
    except Refused:
        return False
    return way is not None and any(one.apart for one in way.revisions)
