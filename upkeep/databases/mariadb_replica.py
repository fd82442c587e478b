"""MariaDB: is this server a replica of that one, and how much of what that one has written is still missing here?"""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pymysql

from upkeep.databases import Behind
from upkeep.databases.mariadb_asking import Conversation
from upkeep.databases.mariadb_errors import code_of, speaking
from upkeep.databases.mariadb_place import Place
from upkeep.errors import Refused, Unreachable

_CATCH_UP_SECONDS = 5.0
_PAUSE_SECONDS = 0.1
_NO_RIGHT = 1227
_RIGHTS_THERE = "BINLOG MONITOR, REPLICATION MASTER ADMIN"
_RIGHTS_HERE = "REPLICA MONITOR"
_NUMBER = "SELECT @@server_id"
_LEAVES_OUT = ("Binlog_Do_DB", "Binlog_Ignore_DB", "Replicate_Do_DB", "Replicate_Ignore_DB", "Replicate_Do_Table",
               "Replicate_Ignore_Table", "Replicate_Wild_Do_Table", "Replicate_Wild_Ignore_Table",
               "Replicate_Rewrite_DB", "Replicate_Do_Domain_Ids", "Replicate_Ignore_Domain_Ids")  # fmt: skip
_THREADS = (("Slave_IO_Running", "Last_IO_Errno"), ("Slave_SQL_Running", "Last_SQL_Errno"))
_GO_AND_CORRECT = "correct UPKEEP_REPLICA_URL, or remove it: then the live database is looked at"

Told = dict[str, str]
"""One row of what a server tells of itself."""


def refuse_strangers(conversation: Conversation, place: Place, follows: Place) -> Told:
    """How the server follows the live database's, by its own word; raises Refused where it does not.

    The two must name each other: the numbers by which servers tell each other apart are given by hand, and a stranger
    may well have the same one. A replica that has stopped is named by nobody: Unreachable.
    """
    if not conversation.is_mariadb:
        raise Refused(f"{place} is MySQL, whose replicas Upkeep does not know", "remove UPKEEP_REPLICA_URL")
    with _asking(follows, _RIGHTS_THERE) as live:
        ((number,),) = live.words(_NUMBER)
        listed = {told["Server_id"] for told in live.told("SHOW REPLICA HOSTS")}
        (written,) = live.told("SHOW BINLOG STATUS") or ({},)
    status = _status(conversation, place, number)
    if status is None:
        raise Refused(f"{place} is not a replica of {follows}: it does not follow that server", _GO_AND_CORRECT)
    for what, errors in _THREADS:
        if status[what] != "Yes":
            raise Unreachable(
                f"the replica {place} does not follow any more: {what} is {status[what]} (error {status[errors]})",
                "mend there what SHOW REPLICA STATUS names, then START REPLICA",
            )
    ((own,),) = conversation.words(_NUMBER)
    if own not in listed:
        raise Refused(f"{place} is not a replica of {follows}: that server knows no replica {own}", _GO_AND_CORRECT)
    left_out = [name for name in _LEAVES_OUT if (written | status).get(name)]
    if left_out:
        raise Refused(f"{place} is not the whole of {follows}: {left_out[0]} leaves tables out", _GO_AND_CORRECT)
    if place.database != follows.database:
        raise Refused(f"{place} is not a replica of {follows}: its database is another one", _GO_AND_CORRECT)
    return status


def caught_up(conversation: Conversation, place: Place, follows: Place) -> Behind:
    """Wait a little for what the live database has written by now; what is still missing before the look begins.

    Raises Refused or Unreachable where it is no replica of it, or has stopped.
    """
    begun = refuse_strangers(conversation, place, follows)
    number = begun["Master_Server_Id"]
    status: Told | None = begun
    with _asking(follows, _RIGHTS_THERE) as live:
        logs = {log["Log_name"]: int(log["File_size"]) for log in live.told("SHOW BINARY LOGS")}
    until = time.monotonic() + _CATCH_UP_SECONDS
    while status is not None and (missing := _missing(logs, status)) and time.monotonic() < until:
        time.sleep(_PAUSE_SECONDS)
        status = _status(conversation, place, number)
    if status is None:
        raise Unreachable(f"{place} stopped being a replica while it was asked", "run it again")
    since = status["Seconds_Behind_Master"]
    return Behind(missing, 0.0 if not missing else float(since) if since else None)


def _status(conversation: Conversation, place: Place, number: str) -> Told | None:
    """How the server follows the one that has this number; None where it does not."""
    with _allowed(place, _RIGHTS_HERE):
        all_that_it_follows = conversation.told("SHOW ALL REPLICAS STATUS")
    return next((told for told in all_that_it_follows if told["Master_Server_Id"] == number), None)


def _missing(logs: dict[str, int], status: Told) -> int:
    """Bytes of the live server's binary logs that have not been carried out; the names of logs stand in order."""
    reached, at = status["Relay_Master_Log_File"], int(status["Exec_Master_Log_Pos"])
    return sum(size for name, size in logs.items() if name > reached) + max(logs.get(reached, 0) - at, 0)


@contextmanager
def _asking(place: Place, rights: str) -> Iterator[Conversation]:
    with closing(place.connect()) as conversation, speaking(str(place)), _allowed(place, rights):
        yield conversation


@contextmanager
def _allowed(place: Place, rights: str) -> Iterator[None]:
    """The error of a role that may not ask how replication stands, with the rights that it lacks."""
    try:
        yield
    except pymysql.MySQLError as fault:
        if code_of(fault) != _NO_RIGHT:
            raise
        raise Refused(
            f"the role {place.user} may not ask {place} how replication stands", f"GRANT {rights} ON *.* TO it there"
        ) from None
