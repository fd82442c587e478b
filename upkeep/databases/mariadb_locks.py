"""Locks of MariaDB beside a working application: by name for a whole run, on rows in brief tries, never at its cost."""

import hashlib
import time
from collections.abc import Callable, Iterable

import pymysql

from upkeep.databases.mariadb_asking import Conversation, quoted
from upkeep.databases.mariadb_errors import code_of
from upkeep.errors import Busy, Unreachable

_PAUSE_SECONDS = 0.25
_PASSES = {1205, 1213, 1020}
"""Somebody has the lock, was quicker, or has changed the row since."""
_PATIENCE = "SELECT @@innodb_lock_wait_timeout, @@lock_wait_timeout"
_WAIT = "SET SESSION innodb_lock_wait_timeout = {}, lock_wait_timeout = {}"


def patient(conversation: Conversation, locks: Callable[[], Iterable[str]], patience: float) -> None:
    """Begin a transaction and run the statements in it, each of which takes locks; all or none are held.

    One try waits for nothing (on MySQL, which knows no shorter time, for a second) and lets all of them go: whoever
    waits behind it goes on, and it is never the application that is chosen to lose a deadlock. After ``patience`` in
    seconds the server's own error is raised.
    """
    (before,) = conversation.words(_PATIENCE)
    until = time.monotonic() + patience
    conversation.run(_WAIT.format(*(("0", "0") if conversation.is_mariadb else ("1", "1"))))
    while True:
        conversation.run("START TRANSACTION")
        try:
            for lock in locks():
                conversation.fetched(lock)
        except pymysql.MySQLError as fault:
            if code_of(fault) not in _PASSES or time.monotonic() >= until:
                raise
            conversation.run("ROLLBACK")
            time.sleep(_PAUSE_SECONDS)
        else:
            conversation.run(_WAIT.format(*before))
            return


def lock_name(words: str) -> str:
    """The name of a lock; the server takes no more than 64 characters."""
    return f"upkeep:{hashlib.sha256(words.encode()).hexdigest()[:40]}"


def locked(conversation: Conversation, words: str, seconds: float = 0) -> bool:
    """Take a lock that ends with the connection; False if somebody else has it for so long."""
    ((got,),) = conversation.words(f"SELECT GET_LOCK({quoted(lock_name(words))}, {round(seconds)})")
    return got == "1"


def release(conversation: Conversation, words: str) -> None:
    """Let go of a lock before the connection ends."""
    conversation.run(f"DO RELEASE_LOCK({quoted(lock_name(words))})")


def begin_work(conversation: Conversation, words: str, place: str, patience: float) -> None:
    """Let others know, for as long as the server works for this connection, that it may still change something.

    A server does not notice a client that was killed while it works for it: a commit that waits is still made, and
    who looked at the rows before would take the run for one that changed nothing. It lets go of the lock only after it
    has committed or undone what the connection had sent. Raises Busy where another one is not done in time.
    """
    if not locked(conversation, words, max(1.0, patience)):
        raise Busy(f"{place} is locked by another program", "try again when its transaction has ended")


def wait_for_work(conversation: Conversation, words: str, place: str, patience: float) -> None:
    """Wait until no transaction of a run is left; raises Busy after ``patience`` in seconds."""
    begin_work(conversation, words, place, patience)
    release(conversation, words)


def keeping(conversation: Conversation, place: str) -> Callable[[], None]:
    """Is the connection's lock still there? Raises Unreachable where it went with it."""

    def look() -> None:
        try:
            conversation.run("DO 1")
        except pymysql.MySQLError:
            raise Unreachable(
                f"the lock against a second Upkeep on {place} was lost with its connection", "run it again"
            ) from None

    return look
