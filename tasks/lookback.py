"""Looking back into older backups that no run has looked into, each once, for numbers that were given again (P-53)."""

from collections.abc import Iterator
from itertools import chain

from tasks.origins import older_than, opened
from upkeep.adopting import LookedBack, Then, adopted_since
from upkeep.births import given_again, newest_rows
from upkeep.catalog import ForeignKey
from upkeep.databases import Database, Reading
from upkeep.encryption import CANNOT_READ
from upkeep.equipment import Equipment
from upkeep.errors import Damaged
from upkeep.finding import keys_of
from upkeep.history import Moment, Newest, Record
from upkeep.manifests import Manifest
from upkeep.older_backups import CannotTell
from upkeep.remembering import latest_record, runs_that_looked
from upkeep.vanishing import Secret, repaired_since


def look_back(equipment: Equipment, target: Database, manifest: Manifest) -> LookedBack:
    """What older backups tell of rows of ``target``, made from ``manifest``, that find a parent which is not theirs.

    The backup of the last run is opened only where a number was given again since; of those that no run has looked
    into so many as the policy says, newest first. So no night opens what another has opened.
    """
    before = latest_record(equipment.store, equipment.settings.database)
    secret = equipment.key_of(before)
    waiting = _waiting(equipment, manifest, before)
    # One that no key here reads waits for a run that has the key, and keeps no night from passing.
    readable = [one for one in waiting if equipment.keyring.reads(one.sealed)]
    first = readable[: equipment.policy.run.look_back]
    told = LookedBack(waiting=len(waiting) - len(first))
    with target.reading() as now:
        keys = tuple(key for key in keys_of(now, equipment.policy, equipment.models) if key.askable)
        for older in chain(_of_the_last_run(equipment, manifest, before, now, secret), first):
            told = told.and_then(_told_by(equipment, older, manifest, now, keys, secret))
    return told


def _of_the_last_run(
    equipment: Equipment, manifest: Manifest, before: Record | None, now: Reading, secret: Secret
) -> Iterator[Manifest]:
    last = before.moment.backup if before and before.moment else None
    if before and secret.mark == before.mark and given_again(before.newest, now, secret):
        yield from (one for one in older_than(equipment, manifest) if one.id == last)


def _waiting(equipment: Equipment, manifest: Manifest, before: Record | None) -> list[Manifest]:
    """Backups that no run has looked into."""
    examined = {*before.examined} if before else set()
    looked = runs_that_looked(equipment.store, equipment.settings.database)
    return [one for one in older_than(equipment, manifest) if one.id not in examined and one.run not in looked]


def _told_by(
    equipment: Equipment,
    older: Manifest,
    manifest: Manifest,
    now: Reading,
    keys: tuple[ForeignKey, ...],
    secret: Secret,
) -> LookedBack:
    """What one backup tells. One that cannot be compared or read is not opened again."""
    changed = _changed(older, manifest)
    asked = [key for key in keys if {key.child, key.parent} & changed]
    if not asked:
        return LookedBack(examined=(older.id,))
    if not equipment.keyring.reads(older.sealed):  # numbers were given again since, and nobody can say to whom (P-96)
        return LookedBack(silent=(f"who found another parent since backup {older.id}: {CANNOT_READ}",))
    store, name = equipment.store, equipment.settings.database
    moment = Moment(run=older.run, taken=older.taken, backup=older.id)
    try:
        with opened(equipment, older, now.revision()) as reading:
            again = given_again(_newest(reading, asked, secret), now, secret)
            ours = repaired_since(store, name, _since(older), is_after=False)
            then = Then(reading, moment, again, ours)
            adopted = {str(key): adopted_since(then, now, key, secret) for key in asked}
    except CannotTell:  # what it cannot be compared by is gone: with it ends what anybody can know
        return LookedBack(examined=(older.id,))
    except Damaged as fault:
        return LookedBack(examined=(older.id,), silent=(fault.message,))
    return LookedBack({key: rows for key, rows in adopted.items() if rows}, (older.id,))


def _since(older: Manifest) -> str:
    """The run that took it, if it was one that may have changed rows after it; both names begin with their moment."""
    return min(older.id, older.run) if older.run[:1].isdigit() else older.id


def _newest(reading: Reading, keys: list[ForeignKey], secret: Secret) -> tuple[Newest, ...]:
    tables = reading.catalog().tables
    return newest_rows(reading, (key for key in keys if key.parent in tables), secret)


def _changed(older: Manifest, manifest: Manifest) -> set[str]:
    """The tables whose rows are not proven to be the same in both; where a census has no digests, all."""
    then, today = older.census.tables, manifest.census.tables
    same = {name for name in then.keys() & today.keys() if then[name].digest and then[name] == today[name]}
    return {*then, *today} - same
