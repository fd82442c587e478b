"""What a PostgreSQL server knows, and says only when asked, to be wrong with a database."""

from typing import Any

from psycopg import Connection

from upkeep.databases.postgresql_asking import fetched
from upkeep.databases.postgresql_shapes import OURS

# On a partitioned table an index is invalid until every partition has one: that is a way to build it, not a fault.
_INVALID = f"""
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT (i.indisvalid AND i.indisready) AND c.relkind = 'r' AND {OURS}"""
_INDEXES = (
    "SELECT FORMAT('the index %s of %s is not valid: REINDEX it, or drop it', i.indexrelid::regclass,"
    f" i.indrelid::regclass) {_INVALID}"
)

_KEYS = f"""
SELECT DISTINCT FORMAT('the foreign key %s of %s is not enforced: triggers of %s are disabled; ENABLE TRIGGER ALL',
  QUOTE_IDENT(k.conname), k.conrelid::regclass, g.tgrelid::regclass)
FROM pg_trigger g JOIN pg_constraint k ON k.oid = g.tgconstraint AND k.contype = 'f'
JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE g.tgenabled IN ('D', 'R') AND {OURS}"""

_PAGES = """
SELECT FORMAT('%s pages were read with a wrong checksum, the last %s', checksum_failures, checksum_last_failure)
FROM pg_stat_database WHERE datname = CURRENT_DATABASE() AND checksum_failures > 0"""


def read_half_built(connection: Connection[Any]) -> dict[str, str]:
    """Indexes that are not valid, with the words that drop each beside a working application."""
    names = (str(row[0]) for row in fetched(connection, f"SELECT i.indexrelid::regclass::text {_INVALID} ORDER BY 1"))
    return {name: f"DROP INDEX CONCURRENTLY {name}" for name in names}


def read_complaints(connection: Connection[Any]) -> tuple[str, ...]:
    """Indexes that are not valid, foreign keys whose triggers are disabled (P-46), pages with a wrong checksum.

    A key that is NOT VALID is no complaint: the schema says so of itself, and its rows are asked like any other's.
    """
    return tuple(str(row[0]) for sql in (_PAGES, _INDEXES, _KEYS) for row in sorted(fetched(connection, sql)))
