"""What one would do by hand to find orphans: the measure for ours."""

import json
from contextlib import closing
from typing import Any

from tests.bench.watch import Said, Watch

_FOREIGN_KEYS = """
    SELECT c.conrelid::regclass::text, a.attname, c.confrelid::regclass::text, p.attname FROM pg_constraint c
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
    JOIN pg_attribute p ON p.attrelid = c.confrelid AND p.attnum = c.confkey[1]
    WHERE c.contype = 'f' AND cardinality(c.conkey) = 1 ORDER BY 1, 2
"""


def _counting(child: str, column: str, parent: str, named: str) -> str:
    """The best that one writes by hand: one NOT EXISTS for each key."""
    return (
        f"SELECT COUNT(*) FROM {child} AS c WHERE c.{column} IS NOT NULL "
        f"AND NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE p.{named} = c.{column})"
    )


def plain_sqlite(database: str) -> Said:
    """One query for each key."""
    with closing(_sqlite(database)) as connection:
        keys = [
            (table, *key)
            for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for key in connection.execute(
                """SELECT "from", "table", "to" FROM pragma_foreign_key_list(?)""", (table,)
            ).fetchall()
        ]
        watch = Watch()
        orphans = [connection.execute(_counting(*key)).fetchone()[0] for key in keys]
        return {**watch.said(), "orphans": sum(orphans)}


def foreign_key_check(database: str) -> Said:
    """What SQLite itself offers."""
    with closing(_sqlite(database)) as connection:
        watch = Watch()
        orphans = sum(1 for _ in connection.execute("PRAGMA foreign_key_check"))
        return {**watch.said(), "orphans": orphans}


def plain_postgresql(database: str) -> Said:
    """One query for each key, for which the server may use several processes."""
    with closing(_postgresql(database)) as connection:
        keys = connection.execute(_FOREIGN_KEYS).fetchall()
        watch = Watch()
        orphans = [connection.execute(_counting(*key).encode()).fetchone()[0] for key in keys]
        return {**watch.said(), "orphans": sum(orphans)}


def workers(database: str) -> Said:
    """How many processes beside its own a PostgreSQL server uses for all keys, by hand and by the kernel's query."""
    from upkeep.databases.opening import open_database
    from upkeep.finding import keys_of
    from upkeep.orphans import counting
    from upkeep.policy import Policy

    with open_database("bench", database).reading() as reading:
        ours = [counting(key, reading.dialect) for key in keys_of(reading, Policy())]
    with closing(_postgresql(database)) as connection:
        by_hand = [_counting(*key) for key in connection.execute(_FOREIGN_KEYS).fetchall()]
        return {
            name: sum(_launched(connection, sql) for sql in asked)
            for name, asked in (("ours", ours), ("by_hand", by_hand))
        }


def _launched(connection: Any, sql: str) -> int:
    (told,) = connection.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}".encode()).fetchone()
    return _count(told if isinstance(told, list) else json.loads(told))


def _count(node: Any) -> int:
    """All "Workers Launched" of a plan."""
    if isinstance(node, list):
        return sum(map(_count, node))
    if isinstance(node, dict):
        return int(node.get("Workers Launched", 0)) + sum(map(_count, node.values()))
    return 0


def _sqlite(database: str) -> Any:
    import sqlite3

    return sqlite3.connect(database.removeprefix("sqlite:///"))


def _postgresql(database: str) -> Any:
    import psycopg

    return psycopg.connect(database.replace("+psycopg", ""), autocommit=True)
