"""Folders for what must not outlive a run: scratch databases and temporary files with rows of people (P-106)."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from upkeep.errors import NO_ROOM, Refused

_LOCK = "in-use"


@contextmanager
def workplace(root: Path, database: str, label: str) -> Iterator[Path]:
    """A folder of one's own below ``root``, gone at the end.

    Folders of runs that died are removed first: each is locked by its owner for as long as that lives. Raises Refused
    where the disk is full, whoever wrote to it: some who do are libraries, which say no more than that.
    """
    above = root / database
    try:
        above.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone(above):
            _sweep(above)
            folder = above / f"{label}-{os.getpid()}"
            folder.mkdir(mode=0o700)
            lock = (folder / _LOCK).open("w")
            fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as fault:
        raise Refused(
            f"the scratch folder {above} cannot be made: {fault.strerror}", "set UPKEEP_SCRATCH to a folder with room"
        ) from None
    with lock:
        try:
            yield folder
        except OSError as fault:
            if fault.errno in NO_ROOM:
                raise Refused(f"the disk of {root} is full", "free some room, or set UPKEEP_SCRATCH") from fault
            raise
        finally:
            with _alone(above):
                shutil.rmtree(folder)


@contextmanager
def _alone(above: Path) -> Iterator[None]:
    """Nobody else makes or removes a folder there: between the two acts of either it looks like one of a dead run."""
    place = os.open(above, os.O_RDONLY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)


def _remove(folder: Path) -> None:
    """Remove all of it, also while a child of the run that died is writing its last file there."""
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def sweep(root: Path, database: str) -> tuple[str, ...]:
    """Remove what runs that died left behind; the names of the folders that were removed."""
    above = root / database
    if not above.is_dir():
        return ()
    with _alone(above):
        return _sweep(above)


def _sweep(above: Path) -> tuple[str, ...]:
    removed = []
    for folder in sorted(above.glob("*/")):
        try:
            with (folder / _LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            pass  # killed between making the folder and its lock
        except BlockingIOError:
            continue
        _remove(folder)
        removed.append(folder.name)
    return tuple(removed)
