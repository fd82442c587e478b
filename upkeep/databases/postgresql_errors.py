"""PostgreSQL's errors in our words, with no statement, value or password repeated (P-24, P-100)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from upkeep.errors import Busy, Damaged, Refused, Unreachable, UpkeepError

_FULL = re.compile(r"too many (clients|connections)|connection slots")
_COMES_AND_GOES = re.compile(r"starting up|shutting down|recovery mode")
_SETTLED = re.compile(
    r"FATAL: |no password supplied|certificate|SSL|invalid (connection option|.* value)|password file"
)

LOCKED = ("55P03",)
"""A lock that was not had in time."""
CUT_SHORT = ("57014",)
"""A statement that the server ended: by its timeout, or because somebody cancelled it."""
RACED = ("40001", "40P01")
"""Somebody else was first: serialization and deadlocks."""


@contextmanager
def speaking(place: str) -> Iterator[None]:
    """Errors of a connection that was made, as ours."""
    try:
        yield
    except psycopg.Error as fault:
        if (said := refusal_of(fault, place)) is None:
            raise
        raise said from None


def refusal_of(fault: psycopg.Error, place: str) -> UpkeepError | None:
    """What an error means for the caller; None for one that is a fault of ours. By SQLSTATE: words are translated."""
    state = fault.sqlstate or ""
    primary = (fault.diag.message_primary or "").strip()
    if state.startswith(("08", "57P")) or (not state and isinstance(fault, psycopg.OperationalError)):
        return Unreachable(f"the connection to {place} was lost", "try again when the server runs")
    if state in LOCKED:
        return Busy(f"{place} is locked by another program", "try again when its transaction has ended")
    if state in CUT_SHORT:
        return Busy(
            f"a statement took {place} longer than it may, or somebody cancelled it; nothing was kept",
            "try again when the server has less to do, or set UPKEEP_LOCK_SECONDS to more: a statement may take "
            "twenty times as long",
        )
    if state in RACED:
        return Busy(f"another program changed the same rows of {place}", "nothing was kept; run it again")
    if state.startswith("53"):
        full = "the disk is full" if state == "53100" else "too many connections or too little memory"
        return Unreachable(f"the server of {place} has no room: {full}", "free some, then run it again")
    if state == "42501":
        return Refused(f"{place} refuses: {primary}", "grant the role of DATABASE_URL what is missing")
    if state.startswith("23"):
        return Refused(
            f"{place} refuses the change: {primary}", "see the plan for the table, or correct the row by hand"
        )
    if state.startswith(("XX001", "XX002", "58")):
        return Damaged(f"{place} is not whole: {primary}", "restore the newest verified backup to another name")
    return None


def why_no_connection(fault: psycopg.Error, place: str, user: str, called: str) -> UpkeepError:
    """What it means that no connection could be made by the URL that is so called.

    libpq gives no SQLSTATE here, so its words must do.
    """
    said = str(fault)
    if _FULL.search(said):
        return Unreachable(
            f"{place} has no connection left for role {user}", "try again when one is free, or allow it more"
        )
    if _COMES_AND_GOES.search(said) or not _SETTLED.search(said):
        return Unreachable(
            f"no PostgreSQL server answers at {place}", "look whether it runs and whether host and port are right"
        )
    if "password" in said or "authentication" in said:
        return Refused(f"{place} refuses the password of role {user}", f"correct user and password in {called}")
    if "does not exist" in said:
        return Refused(f"there is no database at {place}, or no role {user}", f"correct {called}")
    reason = said.rpartition("FATAL: ")[2].strip().splitlines()[0]
    return Refused(f"{place} lets role {user} not in: {reason}", f"correct {called}, or the server's rules")
