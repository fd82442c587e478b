"""All that a SQLite schema says, thing by thing: what Alembic's batch mode leaves out of a table that it makes anew."""

import sqlite3
from collections.abc import Iterator

from upkeep.catalog import Catalog, ForeignKey, Part
from upkeep.databases.sqlite_dialect import folded
from upkeep.databases.sqlite_shapes import Layout, read_collation, read_layout, read_shapes
from upkeep.databases.sqlite_text import tokens

_MADE = r"""
    SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
"""


def read_parts(connection: sqlite3.Connection, catalog: Catalog) -> dict[Part, str]:
    """Every part with its wording; names are folded there and without quotes, for a batch may spell them otherwise."""
    parts: dict[Part, str] = {}
    for kind, name, table, sql in connection.execute(_MADE).fetchall():
        if kind == "table" and name in catalog.tables:
            parts |= _of_text(name, [_plain(token) for token in tokens(sql)])
        else:
            parts[Part(kind, name, table if kind in ("index", "trigger") else "")] = _wording(sql)
    for shape in read_shapes(connection).values():
        if shape.name in catalog.tables:
            parts |= dict(_of_layout(connection, read_layout(connection, shape)))
    return parts | dict(map(part_of_key, catalog.keys))


def _of_layout(connection: sqlite3.Connection, layout: Layout) -> Iterator[tuple[Part, str]]:
    """What the pragmas tell of one table. What is usual is no part: that NULL may stand there, say."""
    table = layout.shape.name
    for column in layout.columns:
        yield Part("column", column.name, table, column.name), column.type.upper()
        if not column.nullable:
            yield Part("NOT NULL", column.name, table, column.name), "NOT NULL"
        if column.default is not None:
            yield Part("default", column.name, table, column.name), column.default
        if column.generated:
            yield Part("GENERATED", column.name, table, column.name), "GENERATED"
        collation = read_collation(connection, table, column.name)
        if collation != "BINARY":
            yield Part(f"collation {collation}", column.name, table, column.name), collation
    if layout.primary_key:
        yield Part("primary key", f"({', '.join(layout.primary_key)})", table), ""
    for index in layout.indexes:
        if index.name.startswith("sqlite_autoindex") and not index.primary:
            columns = ", ".join(f"{c}" for c in index.columns)
            yield Part("unique", f"({columns})", table), ", ".join(index.collations)


def part_of_key(key: ForeignKey) -> tuple[Part, str]:
    """A foreign key as a part, with its wording."""
    told = f"({', '.join(key.columns)}) -> {key.parent}({', '.join(key.parent_columns)})"
    return Part("foreign key", told, key.child), f"ON DELETE {key.ondelete}"


def _of_text(table: str, words: list[str]) -> dict[Part, str]:
    """What stands in the statement alone: CHECK, AUTOINCREMENT, and the table's own options behind its last bracket."""
    parts = {}
    for at, word in enumerate(words):
        if word == "check" and words[at + 1 : at + 2] == ["("]:
            said = " ".join(_bracket(words, at + 1))
            named = words[at - 2] == "constraint" if at >= 2 else False
            parts[Part("check", words[at - 1] if named else said, table)] = said
        elif word == "autoincrement":
            parts[Part("AUTOINCREMENT", "", table)] = word
    if ")" in words:
        behind = words[len(words) - words[::-1].index(")") :]
        parts |= {Part(word.upper(), "", table): word for word in behind if word in ("strict", "rowid")}
    return {Part("WITHOUT ROWID", "", p.table) if p.kind == "ROWID" else p: said for p, said in parts.items()}


def _bracket(words: list[str], begin: int) -> list[str]:
    """From one bracket to the one that closes it."""
    depth = 0
    for at in range(begin, len(words)):
        depth += {"(": 1, ")": -1}.get(words[at], 0)
        if not depth:
            return words[begin : at + 1]
    return words[begin:]


def _wording(sql: str) -> str:
    return " ".join(_plain(token) for token in tokens(sql))


def _plain(token: str) -> str:
    """A name without its quotes and in small letters; text as it is."""
    if token[0] == "'":
        return token
    return folded(token[1:-1] if token[0] in '"`[' and len(token) > 1 else token)
