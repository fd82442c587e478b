"""A backup: taken with the manifest last, brought back with every byte compared, and proven by that."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from upkeep.census import differences, take_census, unless_set_back
from upkeep.clock import named_by_time
from upkeep.companions import damaged_companions, store_companions
from upkeep.databases import Database
from upkeep.documents import put_document
from upkeep.encryption import PLAIN, Keyring
from upkeep.errors import Damaged, Refused
from upkeep.manifests import Manifest, Proof, folder
from upkeep.readers import buffered
from upkeep.stores import Store
from upkeep.streams import CODEC, Packing, Unpacking


def take_backup(
    database: Database,
    store: Store,
    workplace: Path,
    *,
    run: str,
    now: datetime,
    progress: Callable[[str], None] = lambda _: None,
    keyring: Keyring = PLAIN,
) -> Manifest:
    """Dump a frozen copy into the store, encrypted to ``keyring``, and write the manifest when all of it is there.

    ``now`` is UTC. Raises Refused for a database without tables: an empty one backs up very well (P-35, P-96).
    """
    identity = database.identity()
    backup = named_by_time(now)
    name = f"{folder(database.name, backup)}/dump.{CODEC}{keyring.suffix}"
    progress("copying")
    # The dump goes to the store in a thread of its own while the same state is counted; where one of the two fails the
    # other is not waited for: without its snapshot a dump breaks off.
    with (
        ThreadPoolExecutor(1) as beside,
        database.snapshot(workplace) as snapshot,
        snapshot.reading() as reading,
        snapshot.dump() as dump,
    ):
        if not reading.catalog().tables:
            raise Refused(f"the database {database.name} has no tables", "check DATABASE_URL: is this the right one?")
        progress("compressing and storing")
        packing = Packing(dump, keyring)
        storing = beside.submit(_put, store, name, packing, snapshot.size)
        census = take_census(
            reading, digests=not snapshot.dump_is_the_content, progress=lambda _: _raise_if_failed(storing)
        )
        stored = storing.result()
        companions = store_companions(snapshot, store, f"{folder(database.name, backup)}/", keyring)
    if census.counters:
        with database.reading() as again:
            census = unless_set_back(census, again.counters())
    if stored != packing.stored.size:
        raise Damaged(
            f"the store holds {stored} bytes of {name}, not {packing.stored.size}",
            "look at the store; nothing was kept",
        )
    manifest = Manifest(
        id=backup,
        database=database.name,
        engine=identity.engine,
        engine_version=identity.version,
        place=identity.place,
        taken=now,
        run=run,
        dump=name,
        plain_bytes=packing.plain.size,
        plain_sha256=packing.plain.sha256,
        stored_bytes=stored,
        stored_sha256=packing.stored.sha256,
        census=census,
        companions=companions,
        sealed=keyring.sealed,
    )
    name = f"{folder(database.name, backup)}/manifest.json"
    put_document(store, name, manifest.model_dump(mode="json"), only_if_absent=True)
    return manifest


def _put(store: Store, name: str, packing: Packing, expected_size: int) -> int:
    with buffered(packing) as packed:
        return store.put(name, packed, expected_size=expected_size)


def _raise_if_failed(storing: Future[int]) -> None:
    if storing.done():
        storing.result()


def bring_back(store: Store, manifest: Manifest, target: Database, keyring: Keyring = PLAIN) -> tuple[str, ...]:
    """Restore the dump into ``target``, which must be empty; Damaged if one byte is not what was stored.

    The answer tells what the engine could not bring back as it was, although the content is whole. Raises Refused where
    the dump is encrypted and ``keyring`` has no key that reads it.
    """
    what = f"backup {manifest.id}"
    keyring.refuse_unreadable(manifest.sealed, what)
    with store.get(manifest.dump) as stored:
        unpacking = Unpacking(
            stored,
            plain_sha256=manifest.plain_sha256,
            stored_sha256=manifest.stored_sha256,
            what=what,
            sealed=manifest.sealed,
            keyring=keyring,
        )
        with buffered(unpacking) as plain:
            return target.restore(plain)


def prove(
    store: Store,
    manifest: Manifest,
    restored: Database,
    *,
    run: str,
    now: datetime,
    seconds: float,
    remarks: tuple[str, ...] = (),
    progress: Callable[[str], None] = lambda _: None,
    keyring: Keyring = PLAIN,
) -> tuple[Proof, tuple[str, ...]]:
    """Compare what was restored with the manifest; with no difference and no complaint the backup is marked verified.

    The answer is the proof and what speaks against it, in words. ``remarks`` are those of ``bring_back``. Content
    digests are taken here and not with the dump where that is the database's own bytes: their digest already proves
    the content, and nobody waits for it.
    """
    with restored.reading() as reading:
        progress("integrity check")
        against = list(reading.complaints())
        census = take_census(reading, digests=True, like=manifest.census, progress=progress)
    against += differences(manifest.census, census)
    against += damaged_companions(store, manifest.companions, manifest.sealed, keyring)
    proof = Proof(
        backup=manifest.id,
        run=run,
        proven=now,
        seconds=seconds,
        census=census,
        remarks=remarks,
        uncompared=restored.uncompared,
    )
    if not against:
        name = f"{folder(manifest.database, manifest.id)}/verified.json"
        if not store.exists(name):
            put_document(store, name, proof.model_dump(mode="json"), only_if_absent=True)
    return proof, tuple(against)


@contextmanager
def proving_again(store: Store, manifest: Manifest) -> Iterator[None]:
    """A backup that is found Damaged in this context is not called verified any more, even if it was before."""
    try:
        yield
    except Damaged:
        store.delete(f"{folder(manifest.database, manifest.id)}/verified.json")
        raise
