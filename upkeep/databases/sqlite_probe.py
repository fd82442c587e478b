"""Whether a SQLite connection that enforces foreign keys refuses a violation: tried, not believed."""

import sqlite3

from upkeep.catalog import ForeignKey
from upkeep.databases.sqlite_dialect import SqliteDialect
from upkeep.databases.violation import first_tried

_NOWHERE = -987654321987654321


def try_a_violation(connection: sqlite3.Connection, keys: tuple[ForeignKey, ...]) -> tuple[bool, str]:
    """Point rows of a child table at nothing, with enforcement on, in a throw-away database.

    A deferred key refuses at the commit, so the commit has to be tried; where it succeeds the change stays.
    """
    connection.execute("PRAGMA foreign_keys = ON")
    if connection.execute("PRAGMA foreign_keys").fetchone() != (1,):
        return False, "this build of SQLite does not enforce foreign keys"
    return first_tried(keys, lambda key: _is_refused(connection, key))


def _is_refused(connection: sqlite3.Connection, key: ForeignKey) -> bool | None:
    """None where it could not be tried: no row points anywhere, or something else refuses the change."""
    quote = SqliteDialect().quote
    child, column = quote(key.child), quote(key.columns[0])
    connection.execute("BEGIN IMMEDIATE")
    try:
        smallest = f"(SELECT MIN({column}) FROM {child})"
        changed = connection.execute(
            f"UPDATE {child} SET {column} = ? WHERE {column} = {smallest}", (_NOWHERE,)
        ).rowcount
        if not changed:
            return None
        connection.execute("COMMIT")
    except sqlite3.IntegrityError as fault:
        return True if "FOREIGN KEY" in str(fault) else None
    finally:
        if connection.in_transaction:
            connection.rollback()
    return False
