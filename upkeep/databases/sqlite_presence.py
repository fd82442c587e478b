"""When and how SQLite's rows are told to have a parent without looking each parent up in its table."""

import sqlite3

from upkeep.catalog import ForeignKey
from upkeep.databases.sqlite_dialect import SqliteDialect
from upkeep.orphans import Known

_FEW = 10_000
"""Rows of a child that are asked in no time anyway."""
_PARENTS_PER_CHILD = 10
"""Reading a parent's number costs about a tenth of looking one up."""


def known_parents(connection: sqlite3.Connection, key: ForeignKey, dialect: SqliteDialect) -> Known | None:
    """The numbers of the parents of a key that is alike: its child holds integers, its parent's column is the rowid."""
    (column,), (rowid,) = key.columns, key.parent_columns
    parent = f"{dialect.quote(rowid)} FROM {dialect.source(key.parent)}"
    (last,) = connection.execute(f"SELECT MAX({dialect.quote(rowid)}) FROM {dialect.source(key.parent)}").fetchone()
    enough = max(_FEW, (last or 0) // _PARENTS_PER_CHILD)
    child = f"SELECT 1 FROM {dialect.source(key.child)} LIMIT {enough}"
    (rows,) = connection.execute(f"SELECT COUNT(*) FROM ({child})").fetchone()
    if rows < enough:
        return None
    value = f"c.{dialect.quote(column)}"
    # A real number that is whole is no other than the integer; one that is not differs from what | makes of it.
    integer = f"{value} BETWEEN 1 AND LENGTH(:there) AND ({value} | 0) = {value}"
    return Known(f"{integer} AND SUBSTR(:there, {value}, 1) = x'01'", f"SELECT {parent}")
