"""Whether PostgreSQL refuses a violation of a foreign key: tried, not believed."""

import psycopg

from upkeep.catalog import ForeignKey
from upkeep.databases.postgresql_place import Connection
from upkeep.databases.violation import first_tried
from upkeep.orphans import Dialect

_NOWHERE = (
    "-987654321987654321",
    "-2147483645",
    "-32765",
    "upkeep: nowhere",
    "~",
    "5eed0000-0000-4000-8000-00000000dead",
    "0001-01-01",
)
"""Written as text, of which PostgreSQL makes the column's own type; the first that it can is tried."""


def try_a_violation(connection: Connection, dialect: Dialect, keys: tuple[ForeignKey, ...]) -> tuple[bool, str]:
    """Point a row of a child table at nothing, in the transaction of the connection, and undo that."""
    return first_tried(keys, lambda key: _is_refused(connection, dialect, key))


def _is_refused(connection: Connection, dialect: Dialect, key: ForeignKey) -> bool | None:
    """None where it could not be tried: no row points anywhere, or something else refuses the change."""
    child, column = dialect.source(key.child), dialect.quote(key.columns[0])
    one = f"(SELECT tableoid, ctid FROM {child} WHERE {column} IS NOT NULL LIMIT 1)"
    for value in _NOWHERE:
        try:
            with connection.transaction(force_rollback=True):
                connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
                changed = connection.execute(
                    f"UPDATE {child} SET {column} = '{value}' WHERE (tableoid, ctid) = {one}".encode()
                ).rowcount
        except psycopg.errors.ForeignKeyViolation:
            return True
        except psycopg.errors.DataError:
            continue
        except (psycopg.IntegrityError, psycopg.errors.RaiseException, psycopg.errors.GeneratedAlways):
            return None
        return False if changed else None
    return None
