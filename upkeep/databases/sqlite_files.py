"""SQLite files on disk: errors in our words, and a file that appears whole."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from upkeep.errors import NO_ROOM, Damaged, Refused, Unreachable


@contextmanager
def speaking(path: Path) -> Iterator[None]:
    """SQLite's errors as ours, by what the caller can do; no statement and no value is repeated (P-100)."""
    try:
        yield
    except sqlite3.IntegrityError as fault:
        raise Refused(
            f"{path.name} refuses the change: {fault}", "see the plan for the table, and correct the row by hand"
        ) from None
    except sqlite3.DatabaseError as fault:
        name = getattr(fault, "sqlite_errorname", "") or ""
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise Unreachable(
                f"{path.name} is locked by another program", "try again when its transaction has ended"
            ) from None
        if name == "SQLITE_FULL":
            raise Refused(f"the disk of {path.parent} is full", "free some room; nothing was changed") from None
        if name in ("SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_CORRUPT_INDEX") or "file is not a database" in str(
            fault
        ):
            raise Damaged(
                f"{path} is not a whole SQLite database: {fault}", "restore the newest verified backup to another name"
            ) from None
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            raise Refused(
                f"{path} cannot be opened: {fault}", "let Upkeep read and write the file and its folder"
            ) from None
        raise


def refuse_disk_faults(fault: OSError, folder: Path) -> Refused:
    """A failed write in ``folder`` as a refusal with what to do."""
    if fault.errno == errno.ENOENT:
        return Refused(f"the folder {folder} is not there", f"make it: mkdir -p {folder}")
    full = fault.errno in (*NO_ROOM, errno.EFBIG)
    said = "is full" if full else f"cannot be written: {fault.strerror}"
    return Refused(f"the folder {folder} {said}", "free some room" if full else "correct its owner or mode")


def place_whole(source: BinaryIO, target: Path) -> None:
    """Write ``source`` to ``target``, which must be absent or empty, so that it appears whole or not at all."""
    if target.is_dir():
        raise Refused(f"{target} is a folder", "name a file that is not there yet")
    if target.exists() and target.stat().st_size:
        raise Refused(f"{target} is not empty", "restore to another name; Upkeep never writes over a database")
    # Asked last: nobody is told to move the log of a database away that stands there.
    leftovers = [p for end in ("-wal", "-shm", "-journal") if (p := target.with_name(target.name + end)).exists()]
    if leftovers:
        raise Refused(
            f"{leftovers[0]} would be taken for part of what is restored", "move it away, or restore to another name"
        )
    beside = target.with_name(f".{target.name}.{os.getpid()}.restoring")
    try:
        with os.fdopen(os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
        sync_folder(target.parent)
    except OSError as fault:
        raise refuse_disk_faults(fault, target.parent) from None
    finally:
        beside.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
