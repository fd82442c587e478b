"""The errors of MariaDB and MySQL in our words, with no statement, value or password repeated (P-24, P-100)."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pymysql

from upkeep.databases.own_words import UNTOLD
from upkeep.errors import Busy, Damaged, Refused, RowRefused, Unreachable, UpkeepError

_LOST = {0, 1053, 1079, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 2002, 2003, 2006, 2012, 2013, 2055, 4031}
_FULL = {1021, 1030, 1037, 1038, 1040, 1041, 1114, 1135, 1203, 1226}
_LOCKED = {1205}
_TOO_LONG = {1969, 3024}
_CHANGED_MEANWHILE = {1020, 1213, 1412}
_DENIED = {1044, 1142, 1143, 1227, 1370, 1419, 1449}
_BROKEN = {1033, 1034, 1035, 1194, 1195, 1459, 1712, 1817, 1877}
_TOLD = {
    1048: "a column that it nulls may not be NULL",
    1062: "another row has the same value where it must be unique",
    1364: "a column without a default may not be NULL",
    1451: "another row points at it",
    1452: "its foreign key points at nothing",
}
_WORDS_OF_A_TRIGGER = {1644}
_CHANGE = "change the rule for these rows, or the rows by hand"
_CONSTRAINT = re.compile(r"CONSTRAINT `([^`]+)`")


@contextmanager
def speaking(place: str) -> Iterator[None]:
    """Errors of a connection that was made, as ours."""
    try:
        yield
    except pymysql.MySQLError as fault:
        if (said := refusal_of(fault, place)) is None:
            raise
        raise said from None


def code_of(fault: pymysql.MySQLError) -> int:
    """The server's or the driver's number; 0 where the driver gives none, for a connection that is closed."""
    code = fault.args[0] if fault.args else 0
    return code if isinstance(code, int) else 0


def refusal_of(fault: pymysql.MySQLError, place: str) -> UpkeepError | None:
    """What an error means for the caller; None for one that is a fault of ours. By number: words are translated."""
    code = code_of(fault)
    if code in _LOST:
        return Unreachable(f"the connection to {place} was lost", "try again when the server runs")
    if code in _LOCKED:
        return Busy(f"{place} is locked by another program", "try again when its transaction has ended")
    if code in _TOO_LONG:
        return Unreachable(
            f"a statement took {place} longer than it may",
            "try again when the server has less to do, or set UPKEEP_LOCK_SECONDS to more: a statement may take "
            "twenty times as long",
        )
    if code in _CHANGED_MEANWHILE:
        return Busy(f"another program changed the same rows of {place}", "nothing was kept; run it again")
    if code in _FULL:
        return Unreachable(
            f"the server of {place} has no room: disk, memory or connections (error {code})",
            "free some, then run it again",
        )
    if code in _DENIED:
        return Refused(
            f"{place} refuses: the role of DATABASE_URL lacks a right (error {code})",
            "GRANT ALL ON the database to it, or what the server's own error log names",
        )
    if code in _BROKEN:
        return Damaged(f"{place} is not whole (error {code})", "restore the newest verified backup to another name")
    if code in _TOLD:
        return Refused(
            f"{place} refuses the change: {_TOLD[code]}", "see the plan for the table, or correct the row by hand"
        )
    return None


def row_refusal(fault: pymysql.MySQLError, place: str, stands: Callable[[str], bool]) -> Exception:
    """What a row's constraint or trigger said, without the values that the server repeats; else what happened.

    ``stands``: are these words in a trigger's source as they are? Its code may fail in any way, which is an error like
    any other (P-119).
    """
    code = code_of(fault)
    if code in _LOST | _FULL | _LOCKED | _TOO_LONG | _CHANGED_MEANWHILE | _DENIED | _BROKEN:
        return refusal_of(fault, place) or fault
    message = str(fault.args[1]) if len(fault.args) > 1 else ""
    if code in _WORDS_OF_A_TRIGGER:
        return RowRefused(message if stands(message) else UNTOLD, _CHANGE)
    said = _TOLD.get(code, f"the server's error {code}")
    if code in _TOLD and (constraint := _CONSTRAINT.search(message)):
        said += f" ({constraint[1]})"
    return RowRefused(said, _CHANGE)


def why_no_connection(fault: Exception, place: str, user: str) -> UpkeepError:
    """What it means that no connection could be made."""
    if not isinstance(fault, pymysql.MySQLError):  # the driver lacks a library for this way to log in
        return Refused(f"the driver cannot log in to {place}: {fault}", "pip install cryptography, or use TLS")
    code = code_of(fault)
    if code in (1045, 1698, 1862, 1820, 1251, 4151):
        return Refused(f"{place} refuses the password of role {user}", "correct user and password in DATABASE_URL")
    if code == 1049:
        return Refused(f"there is no database at {place}", "correct the URL of the database")
    if code in (1044, 1130, 1142):
        return Refused(f"{place} lets role {user} not in", "GRANT it rights, or correct the URL of the database")
    if code in _FULL:
        return Unreachable(f"the server of {place} has no room for one more connection", "try again later")
    return Unreachable(
        f"no MariaDB or MySQL server answers at {place}", "look whether it runs and whether host and port are right"
    )
