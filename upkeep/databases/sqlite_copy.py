"""Copying the pages of one SQLite database into another file while an application uses it."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from upkeep.errors import Refused, Unreachable


def copy_pages(source: sqlite3.Connection, target: Path, patience: float) -> None:
    """One consistent copy, in one step: copying in pieces begins again at every write (P-02).

    ``patience`` (seconds) bounds the wait for a lock; without it the driver would try for ever.
    """
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        # The copy is of no use before it is whole, so neither a journal nor fsync would save anything.
        copy.execute("PRAGMA journal_mode = OFF")
        copy.execute("PRAGMA synchronous = OFF")
        try:
            source.backup(copy, pages=-1, progress=within(patience, target.name), sleep=0.05)
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorname != "SQLITE_FULL":
                raise
            # It is the copy's disk that is full, and not the database's, whose path the caller would name.
            raise Refused(f"the disk of {target.parent} is full", "free some room, or set UPKEEP_SCRATCH") from None
    target.chmod(0o600)


def within(patience: float, what: str) -> Callable[[int, int, int], None]:
    """A progress callback that gives up after ``patience`` seconds of waiting for a lock."""
    deadline = time.monotonic() + patience

    def progress(_status: int, remaining: int, _total: int) -> None:
        if remaining and time.monotonic() > deadline:
            raise Unreachable(
                f"no lock could be had for {what} within {patience:.0f} s", "try again when the application is quieter"
            )

    return progress
