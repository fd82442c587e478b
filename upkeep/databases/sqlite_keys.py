"""Whether SQLite could use a foreign key, decided as the engine decides it (its sqlite3FkLocateIndex)."""

import sqlite3
from dataclasses import replace

from upkeep.catalog import ForeignKey
from upkeep.databases.sqlite_dialect import folded
from upkeep.databases.sqlite_shapes import Index, Layout, Shape, read_collation, read_layout, read_shapes


def judge_key(connection: sqlite3.Connection, key: ForeignKey) -> ForeignKey:
    """The key with the real spelling of its names, and with parent_missing, fault and askable told.

    Without parent columns the key means the parent's primary key, as in SQL.
    """
    return judge_among(connection, read_shapes(connection), key)


def judge_among(connection: sqlite3.Connection, shapes: dict[str, Shape], key: ForeignKey) -> ForeignKey:
    """``judge_key`` where the shapes of the database are known already."""
    child, parent = shapes.get(folded(key.child)), shapes.get(folded(key.parent))
    key = replace(key, parent_missing=parent is None)
    if child is None or not child.is_stored:
        return _unaskable(key, f"there is no table {key.child}")
    try:
        below = read_layout(connection, child)
        key = _with_child(key, below)
        if not key.askable or parent is None:
            return key
        key = replace(key, indexed=_is_indexed(connection, key, below))
        above = read_layout(connection, parent)
        key = _with_parent(connection, key, above)
        return replace(key, alike=key.askable and _alike(key, below, above))
    except sqlite3.OperationalError as error:
        # A view over a table that is gone, a virtual table without its module, a collation that nobody registered.
        return _unaskable(key, f"{key.parent} cannot be read: {error}")


def _alike(key: ForeignKey, child: Layout, parent: Layout) -> bool:
    """Does a column of INTEGER affinity point at a rowid? Then neither affinity nor collation can differ (P-116)."""
    if key.parent_columns != (parent.rowid_alias,):
        return False
    return all("INT" in c.type.upper() and not c.generated for c in child.columns if c.name in key.columns)


def _is_indexed(connection: sqlite3.Connection, key: ForeignKey, child: Layout) -> bool:
    """Does an index begin with one of the key's columns, or is one the rowid? One that covers some rows is none."""
    if child.rowid_alias in key.columns:
        return True
    led = connection.execute(
        "SELECT x.name FROM pragma_index_list(?, 'main') AS i, pragma_index_xinfo(i.name, 'main') AS x"
        " WHERE NOT i.partial AND x.seqno = 0",
        (child.shape.name,),
    )
    return any(column in key.columns for (column,) in led)


def _unaskable(key: ForeignKey, fault: str) -> ForeignKey:
    return replace(key, fault=fault, askable=False)


def _with_child(key: ForeignKey, child: Layout) -> ForeignKey:
    key = replace(key, child=child.shape.name, columns=_spelt(child, key.columns))
    lacking = _lacking(child, key.columns)
    return _unaskable(key, lacking) if lacking else key


def _with_parent(connection: sqlite3.Connection, key: ForeignKey, parent: Layout) -> ForeignKey:
    implied = not key.parent_columns
    named = parent.primary_key if implied else _spelt(parent, key.parent_columns)
    key = replace(key, parent=parent.shape.name, parent_columns=named)
    obstacle = _lacking(parent, named) or _ill_matched(key, implied)
    if obstacle:
        return _unaskable(key, _not_a_table(parent) or obstacle)
    # The rowid itself holds integers alone and its expressions have no collation: what an index says of it is right.
    texts = [column for column in named if column != parent.rowid_alias]
    collations = {column: read_collation(connection, parent.shape.name, column) for column in texts}
    if implied:
        return replace(key, collations=_of_primary_key(parent, collations))
    return replace(key, fault=_not_a_table(parent) or _not_unique(parent, named, collations))


def _spelt(layout: Layout, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(layout.spelt(name) or name for name in names)


def _lacking(layout: Layout, names: tuple[str, ...]) -> str | None:
    """A column that is not there. It must not be asked for: SQLite may take its quoted name for the rowid."""
    lacking = next((name for name in names if layout.spelt(name) is None), None)
    return None if lacking is None else f"{layout.shape.name} has no column {lacking}"


def _ill_matched(key: ForeignKey, implied: bool) -> str | None:
    if len(key.columns) == len(key.parent_columns):
        return None
    if not key.parent_columns:
        return f"{key.parent} has no primary key"
    where = f"the primary key of {key.parent}" if implied else "the parent's side"
    return f"the key has {len(key.columns)} columns, {where} {len(key.parent_columns)}"


def _not_a_table(parent: Layout) -> str | None:
    if parent.shape.is_stored:
        return None
    kind = "a view" if parent.shape.kind == "view" else "a virtual table"
    return f"{parent.shape.name} is {kind}: SQLite follows foreign keys to tables alone"


def _of_primary_key(parent: Layout, collations: dict[str, str]) -> tuple[str, ...]:
    """The collations of the primary key's index, which an implied key uses, if they are not those of the columns."""
    index = next((index for index in parent.indexes if index.primary), None)
    if index is None or all(
        collations.get(str(c)) == by for c, by in zip(index.columns, index.collations, strict=True)
    ):
        return ()
    return index.collations


def _not_unique(parent: Layout, named: tuple[str, ...], collations: dict[str, str]) -> str | None:
    if named == (parent.rowid_alias,):
        return None
    near = [index for index in parent.indexes if len(index.columns) == len(named) and set(index.columns) <= set(named)]
    reasons = [_unfit(index, collations) for index in near]
    if None in reasons:
        return None
    told = f"{parent.shape.name}({', '.join(named)}) is neither its primary key nor unique"
    return "; ".join([told, *filter(None, reasons)])


def _unfit(index: Index, collations: dict[str, str]) -> str | None:
    """Why a unique index over the right columns does not serve a key that names these columns; None if it does."""
    if index.partial:
        return f"the index {index.name} covers only the rows of its WHERE"
    for column, collation in zip(index.columns, index.collations, strict=True):
        own = collations.get(str(column), collation)
        if collation != own:
            return f"the index {index.name} compares {column} by {collation}, the column itself by {own}"
    return None
