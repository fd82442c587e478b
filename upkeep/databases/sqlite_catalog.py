"""The catalog of a SQLite database, read with nothing but SQL."""

import hashlib
import sqlite3
from dataclasses import replace
from itertools import groupby
from typing import Any

from upkeep.catalog import Catalog, ForeignKey, Table, Trigger, told_once
from upkeep.databases.sqlite_ddl import Clause, clauses_of
from upkeep.databases.sqlite_dialect import folded
from upkeep.databases.sqlite_keys import judge_among, judge_key
from upkeep.databases.sqlite_shapes import Shape, read_found, read_layout, read_shapes
from upkeep.databases.sqlite_text import event_of, normalised, unnamed_checks
from upkeep.values import canonical

__all__ = ["judge_key", "read_catalog"]

_KEPT = 8
_known: dict[tuple[Any, ...], Catalog] = {}
"""The catalogs that were asked for last, each by all that the schema says."""


def read_catalog(connection: sqlite3.Connection) -> Catalog:
    """Tables and declared foreign keys of the main schema, in one look if the caller holds a transaction.

    Views, virtual tables with their shadows, and SQLite's own tables are left out. Raises sqlite3.DatabaseError.

    All of it follows from what the schema says, and to follow takes far longer than to read that: a run, which opens
    the database, its copy and each older backup, does it once for each schema that it meets.
    """
    said = tuple(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2, 3").fetchall())
    known = _known.pop(said, None) or _follow(connection)
    _known[said] = known
    for old in list(_known)[:-_KEPT]:
        _known.pop(old, None)
    return known


def _follow(connection: sqlite3.Connection) -> Catalog:
    shapes = read_shapes(connection)
    ours = sorted(
        (shape for shape in shapes.values() if shape.kind == "table" and not folded(shape.name).startswith("sqlite_")),
        key=lambda shape: shape.name,
    )
    triggers = _triggers(connection)
    return Catalog(
        tables={shape.name: _table(connection, shape, triggers.get(folded(shape.name), ())) for shape in ours},
        keys=tuple(key for shape in ours for key in _keys(connection, shapes, shape)),
        schema_digest=_schema_digest(connection),
    )


def _table(connection: sqlite3.Connection, shape: Shape, triggers: tuple[Trigger, ...]) -> Table:
    layout = read_layout(connection, shape)
    indexes = read_found(connection, shape.name)
    checks = unnamed_checks(_statement(connection, shape.name))
    return Table(shape.name, layout.columns, layout.primary_key, layout.locator, triggers, indexes, checks)


def _keys(connection: sqlite3.Connection, shapes: dict[str, Shape], child: Shape) -> tuple[ForeignKey, ...]:
    """The declared keys of one table in the order of their declaration; one that is declared twice stands once."""
    found = connection.execute(
        """SELECT id, "table", "from", "to", on_delete FROM pragma_foreign_key_list(?, 'main') ORDER BY id DESC, seq""",
        (child.name,),
    ).fetchall()
    declared = []
    names = [clause.name for clause in read_clauses(connection, child.name)]
    for place, (_, rows) in enumerate(groupby(found, key=lambda row: row[0])):
        _, parents, columns, named, actions = zip(*rows, strict=True)
        # "to" is NULL where the statement names no parent columns: the primary key is meant (P-39).
        stated = ForeignKey(child.name, columns, parents[0], () if None in named else named, actions[0])
        declared.append(replace(judge_among(connection, shapes, stated), names=tuple(names[place : place + 1])))
    return told_once(declared)


def read_clauses(connection: sqlite3.Connection, table: str) -> tuple[Clause, ...]:
    """Where the keys of one table stand in its statement, in the order in which it declares them.

    No pragma tells a key's name. () where the pragmas count otherwise than the text: then nobody knows which is which.
    """
    clauses = clauses_of(_statement(connection, table))
    told = connection.execute(
        """SELECT "table", "from" FROM pragma_foreign_key_list(?, 'main') WHERE seq = 0 ORDER BY id DESC""", (table,)
    ).fetchall()
    written = [(folded(clause.parent), folded(clause.columns[0])) for clause in clauses]
    return clauses if written == [(folded(parent), folded(column)) for parent, column in told] else ()


def _statement(connection: sqlite3.Connection, table: str) -> str:
    sql = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
    found = connection.execute(sql, (table,)).fetchone()
    return str(found[0]) if found else ""


def _triggers(connection: sqlite3.Connection) -> dict[str, tuple[Trigger, ...]]:
    """The triggers of each table, by the table's folded name."""
    found = connection.execute("SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name")
    triggers: dict[str, tuple[Trigger, ...]] = {}
    for table, name, sql in found.fetchall():
        triggers[folded(table)] = (*triggers.get(folded(table), ()), Trigger(name, event_of(sql)))
    return triggers


def _schema_digest(connection: sqlite3.Connection) -> str:
    """SHA-256 over what the schema says; SQLite's own tables and indexes follow from it or come with ANALYZE."""
    found = connection.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master"
        " WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    said = sorted([kind, name, table, normalised(sql)] for kind, name, table, sql in found.fetchall())
    return hashlib.sha256(canonical(said)).hexdigest()
