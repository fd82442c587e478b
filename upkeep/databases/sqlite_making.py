"""How SQLite makes a table: the statements that it keeps of it, as they were written."""

import sqlite3

from upkeep.databases.sqlite_dialect import SqliteDialect
from upkeep.making import Making


def read_making(connection: sqlite3.Connection, table: str) -> Making:
    """What makes ``table`` again, how far AUTOINCREMENT had come too, so that no number is given twice (P-53, P-69)."""
    quote = SqliteDialect().quote
    found = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL"
        " ORDER BY type <> 'table', name",
        (table,),
    ).fetchall()
    plain = tuple(sql for kind, _, sql in found if kind in ("table", "index"))
    triggers = [(name, sql) for kind, name, sql in found if kind == "trigger"]
    return Making(
        make=plain,
        counters=_counters(connection, table),
        finish=tuple(sql for _, sql in triggers),
        loosen=tuple(f"DROP TRIGGER {quote(name)}" for name, _ in triggers),
        drop=(f"DROP TABLE {quote(table)}",),
    )


def _counters(connection: sqlite3.Connection, table: str) -> tuple[str, ...]:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").fetchone():
        return ()
    given = connection.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()[0]
    if given is None:
        return ()
    named = table.replace("'", "''")
    return (f"INSERT INTO sqlite_sequence (name, seq) VALUES ('{named}', {int(given)})",)
