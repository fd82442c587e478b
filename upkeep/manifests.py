"""What a store holds of backups: their manifests and proofs, how they are found, and how one goes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict, ValidationError

from upkeep import __version__
from upkeep.census import Census
from upkeep.companions import Companion
from upkeep.encryption import Sealed
from upkeep.errors import Damaged, Refused
from upkeep.stores import Store
from upkeep.streams import CODEC


class Manifest(BaseModel):
    """The record beside a dump, written last and never changed: no manifest, no backup (P-28, P-31).

    ``taken`` is UTC. Sizes are bytes; digests are SHA-256 in hex, over the plain and the stored bytes. ``sealed`` says
    to whom the dump and its companions are encrypted, None where they are not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = 1
    id: str
    database: str
    engine: str
    engine_version: str
    place: str
    upkeep: str = __version__
    taken: datetime
    run: str
    codec: str = CODEC
    dump: str
    plain_bytes: int
    plain_sha256: str
    stored_bytes: int
    stored_sha256: str
    census: Census
    companions: tuple[Companion, ...] = ()
    sealed: Sealed | None = None

    @property
    def order(self) -> tuple[datetime, str]:
        """What sorts backups from the oldest to the newest, those of one second too."""
        return self.taken, self.id


class Proof(BaseModel):
    """That a backup was restored and found whole, when, by which run, with the content digest of each table.

    ``remarks`` tell what the engine could not bring back as it was, although the content is whole; ``uncompared`` what
    this engine's census does not look at, so that it is not proven.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    backup: str
    run: str
    proven: datetime
    seconds: float
    census: Census
    remarks: tuple[str, ...] = ()
    uncompared: tuple[str, ...] = ()


@dataclass(frozen=True)
class Backup:
    """One backup of the store. ``fault`` says why its manifest cannot be read; such a one is never used nor removed."""

    id: str
    manifest: Manifest | None
    verified: bool
    fault: str | None = None


def folder(database: str, backup: str = "") -> str:
    """Where backups of a database are in its store."""
    return f"{database}/backups/{backup}"


def list_backups(store: Store, database: str, since: str = "") -> tuple[Backup, ...]:
    """All backups that have a manifest, oldest first; ``since`` is how the name of the first may begin."""
    names = {entry.name for entry in store.list(folder(database)) if entry.name >= folder(database, since)}
    return tuple(_backups(store, database, names))


def _backups(store: Store, database: str, names: set[str]) -> Iterator[Backup]:
    for name in sorted(n for n in names if n.endswith("/manifest.json")):
        backup = name.split("/")[-2]
        verified = f"{folder(database, backup)}/verified.json" in names
        try:
            with store.get(name) as file:
                manifest = Manifest.model_validate_json(file.read())
        except ValidationError:
            yield Backup(backup, None, verified=False, fault="its manifest cannot be read")
            continue
        fault = None if manifest.id == backup and manifest.database == database else "its manifest is of another backup"
        if fault is None and manifest.dump not in names:
            fault = "its dump is gone"
        yield Backup(backup, None if fault else manifest, verified and not fault, fault)


def newest_first(backups: Iterable[Backup]) -> list[Manifest]:
    """The manifests of those that can be used."""
    return sorted((one.manifest for one in backups if one.manifest), key=lambda one: one.order, reverse=True)


def find_backup(store: Store, database: str, wanted: str) -> Manifest:
    """The manifest of a backup by its id, or of the newest one that was verified for ``latest``."""
    backups = list_backups(store, database)
    if wanted == "latest":
        good = newest_first(one for one in backups if one.verified)
        if not good:
            raise Refused(
                f"there is no verified backup of {database} in {store.url}",
                "run `upkeep verify latest`, or name one of `upkeep backups`" if backups else "run `upkeep backup`",
            )
        return good[0]
    for backup in backups:
        if backup.id == wanted:
            if backup.manifest is None:
                raise Damaged(
                    f"backup {wanted} cannot be used: {backup.fault}", "use another one, see `upkeep backups`"
                )
            return backup.manifest
    raise Refused(
        f"there is no backup {wanted} of {database} in {store.url}", "see `upkeep backups` for those that there are"
    )


def remove_backup(store: Store, database: str, backup: str) -> None:
    """Remove a backup, its manifest first: what is killed half way is no backup any more (P-29)."""
    for part in ("manifest.json", "verified.json"):
        store.delete(f"{folder(database, backup)}/{part}")
    for entry in list(store.list(f"{folder(database, backup)}/")):
        store.delete(entry.name)


def unfinished_backups(store: Store, database: str, *, before: datetime) -> tuple[str, ...]:
    """Folders without a manifest whose newest object is older than ``before``: left by runs that died."""
    newest: dict[str, datetime] = {}
    whole = set()
    for entry in store.list(folder(database)):
        backup = entry.name.split("/")[2]
        newest[backup] = max(entry.written, newest.get(backup, entry.written))
        if entry.name.endswith("/manifest.json"):
            whole.add(backup)
    return tuple(sorted(backup for backup, written in newest.items() if backup not in whole and written < before))
