"""Whether a SQLite connection that enforces foreign keys refuses a violation: tried, not believed."""

import sqlite3

from upkeep.catalog import ForeignKey
from upkeep.databases.sqlite_dialect import SqliteDialect

_NOWHERE = -987654321987654321


def try_a_violation(connection: sqlite3.Connection, keys: tuple[ForeignKey, ...]) -> tuple[bool, str]:
    """Point one row of the first child table that has rows at nothing, with enforcement on, and undo it."""
    connection.execute("PRAGMA foreign_keys = ON")
    if connection.execute("PRAGMA foreign_keys").fetchone() != (1,):
        return False, "this build of SQLite does not enforce foreign keys"
    quote = SqliteDialect().quote
    for key in keys:
        if key.fault or key.parent_missing or len(key.columns) > 1:
            continue
        child, column = quote(key.child), quote(key.columns[0])
        if not connection.execute(f"SELECT EXISTS (SELECT 1 FROM {child})").fetchone()[0]:
            continue
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(
                f"UPDATE {child} SET {column} = ? WHERE {column} = (SELECT MIN({column}) FROM {child})", (_NOWHERE,)
            )
            if connection.total_changes:
                connection.execute("COMMIT")
                return False, f"a row of {key.child} could be pointed at a {key.parent} that is not there"
        except sqlite3.IntegrityError as fault:
            if "FOREIGN KEY" in str(fault):
                return True, f"pointing a row of {key.child} at a {key.parent} that is not there was refused"
        finally:
            if connection.in_transaction:
                connection.rollback()
    return True, "no foreign key has a row to try it with"
