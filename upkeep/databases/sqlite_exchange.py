"""Working on a copy of a SQLite file and putting it in the original's place, all or nothing.

A migration runs in another process and commits when it likes, so it may not touch the original (P-79). It works on a
copy that is made under the original's write lock. The finished copy is written back through SQLite's own pager, page by
page in one transaction: the file, its owner and the application's open handles stay (P-81), and a kill leaves a
journal that the next reader rolls back.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from upkeep.databases.sqlite_copy import copy_pages, within
from upkeep.errors import Unreachable


@contextmanager
def exchange(original: sqlite3.Connection, copy: Path, patience: float) -> Iterator[None]:
    """Lock ``original`` for writers, copy it, and when the context ends well write the copy back.

    The backup API cannot write into a connection that is in a transaction, so between the lock's end and the first page
    there is a moment in which somebody could write. That is not prevented but noticed, after the new lock
    is had and before anything is committed: then nothing is written back and Unreachable says to try again.
    """
    file = original.execute("SELECT file FROM pragma_database_list WHERE name = 'main'").fetchone()[0]
    with (
        closing(sqlite3.connect(file, isolation_level=None, timeout=patience)) as watcher,
        _commits_seen(file, watcher) as commits,
    ):
        original.execute("BEGIN IMMEDIATE")
        try:
            before = commits()
            copy_pages(watcher, copy, patience)
            yield
        finally:
            original.rollback()
        try:
            with closing(sqlite3.connect(copy, isolation_level=None)) as finished:
                _write_back(finished, original, lambda: commits() == before, patience)
        finally:
            copy.unlink(missing_ok=True)


@contextmanager
def _commits_seen(file: str, watcher: sqlite3.Connection) -> Iterator[Callable[[], bytes]]:
    """A function whose answer changes when somebody commits, and that can be asked while ``original`` is locked.

    In WAL mode another connection may look. Otherwise writing back begins with an exclusive lock that no connection can
    pass, but the file's change counter (bytes 24 to 27) can be read. Closing the file would end every lock that this
    process has on it (P-09), so it stays open until all is done.
    """
    if watcher.execute("PRAGMA journal_mode").fetchone() == ("wal",):
        yield lambda: repr(watcher.execute("PRAGMA data_version").fetchone()).encode()
        return
    descriptor = os.open(file, os.O_RDONLY)
    try:
        yield lambda: os.pread(descriptor, 4, 24)
    finally:
        os.close(descriptor)


def _write_back(
    finished: sqlite3.Connection, original: sqlite3.Connection, nobody_wrote: Callable[[], bool], patience: float
) -> None:
    waiting = within(patience, "the database")
    checked = False

    def look(status: int, _remaining: int, total: int) -> None:
        nonlocal checked
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            waiting(status, 1, total)
        elif not checked:
            checked = True
            if not nobody_wrote():
                raise Unreachable(
                    "the application wrote in the moment before the change was put in place; nothing was changed",
                    "run it again",
                )

    # One page a step: the first step takes the write lock, and `look` is called before the last one commits.
    finished.backup(original, pages=1, progress=look, sleep=0.01)
