"""Foreign keys of a MariaDB database: those that it declares, and one that the policy states."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from upkeep.catalog import Comparison, ForeignKey, Table
from upkeep.databases.mariadb_asking import Conversation, quoted
from upkeep.databases.mariadb_dialect import Relation
from upkeep.databases.mariadb_shapes import Index, Kind

_DECLARED = """
SELECT k.TABLE_NAME, k.CONSTRAINT_NAME, k.COLUMN_NAME, k.REFERENCED_TABLE_SCHEMA, k.REFERENCED_TABLE_NAME,
  k.REFERENCED_COLUMN_NAME, r.DELETE_RULE
FROM information_schema.KEY_COLUMN_USAGE k JOIN information_schema.REFERENTIAL_CONSTRAINTS r
  ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND r.TABLE_NAME = k.TABLE_NAME
WHERE k.TABLE_SCHEMA = {database} AND r.CONSTRAINT_SCHEMA = {database} AND k.REFERENCED_TABLE_NAME IS NOT NULL
ORDER BY k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION"""
_FROM_ELSEWHERE = """
SELECT DISTINCT REFERENCED_TABLE_NAME FROM information_schema.KEY_COLUMN_USAGE
WHERE REFERENCED_TABLE_SCHEMA = {database} AND TABLE_SCHEMA <> {database}"""


@dataclass(frozen=True)
class Side:
    """One table as a side of a key."""

    table: Table
    kinds: Mapping[str, Kind]
    indexes: tuple[Index, ...]

    def has_index(self, columns: tuple[str, ...]) -> bool:
        """Has it a unique index over these columns, or any that begins with them? InnoDB wants no more of a parent."""
        return self.is_unique(columns) or any(index.columns[: len(columns)] == columns for index in self.indexes)

    def is_unique(self, columns: tuple[str, ...]) -> bool:
        """Has it a unique index over these columns?"""
        return any(index.is_unique and sorted(map(str, index.columns)) == sorted(columns) for index in self.indexes)


def read_foreign_keys(conversation: Conversation, database: str) -> Iterator[tuple[ForeignKey, str]]:
    """Every declared key with the schema of its parent; MATCH FULL is parsed and forgotten by the server (P-40)."""
    parts: dict[tuple[Any, ...], list[tuple[str, str]]] = defaultdict(list)
    for child, name, column, schema, parent, parent_column, action in conversation.fetched(
        _DECLARED.format(database=quoted(database))
    ):
        parts[child, name, schema, parent, action].append((str(column), str(parent_column)))
    for (child, name, schema, parent, action), pairs in parts.items():
        columns, named = zip(*pairs, strict=True)
        yield ForeignKey(str(child), columns, str(parent), named, str(action), names=(str(name),)), str(schema)


def pointed_at_from_elsewhere(conversation: Conversation, database: str) -> set[str]:
    """Tables that keys of other databases point at, as far as the role may see those."""
    return {str(row[0]) for row in conversation.fetched(_FROM_ELSEWHERE.format(database=quoted(database)))}


def judge_key(key: ForeignKey, sides: Mapping[str, Side], relations: Mapping[str, Relation]) -> ForeignKey:
    """The key with the real spelling of its names, and with parent_missing, fault, askable and comparisons told.

    Names may be written without regard to case. Without parent columns the key means the parent's primary key.
    """
    child, parent = _spelt(key.child, sides), _spelt(key.parent, sides)
    if child is None:
        return replace(key, parent_missing=parent is None, fault=f"there is no table {key.child}", askable=False)
    key = replace(key, child=child, columns=_columns(sides[child], key.columns))
    lacking = _lacking(sides[child], key.columns)
    if lacking or parent is None:
        is_there = key.parent in relations  # in another database, where the role sees nothing of it
        fault = lacking or (f"{key.parent} is gone, or this role may not read it" if is_there else None)
        return replace(key, parent_missing=parent is None and not is_there, fault=fault, askable=fault is None)
    named = _columns(sides[parent], key.parent_columns) or sides[parent].table.primary_key
    key = replace(key, parent=parent, parent_columns=named, parent_missing=False)
    fault = _lacking(sides[parent], named) or _ill_matched(key)
    if fault:
        return replace(key, fault=fault, askable=False)
    return _with_comparisons(key, sides[child], sides[parent])


def _with_comparisons(key: ForeignKey, child: Side, parent: Side) -> ForeignKey:
    compare = _as_innodb_does if key.declared else _as_sql_does
    kinds = [(parent.kinds[p], child.kinds[c]) for p, c in zip(key.parent_columns, key.columns, strict=True)]
    found = [compare(*pair) for pair in kinds]
    comparisons = tuple(one for one in found if one is not None)
    if len(comparisons) < len(found):
        told = ", ".join(f"{_told(p)} and {_told(c)}" for p, c in kinds)
        return replace(key, fault=f"its two sides cannot be compared: {told}", askable=False)
    # As the unique index itself compares: of wider numbers SQL could take two for one (P-116).
    single = parent.is_unique(key.parent_columns) and all(_as_innodb_does(*pair) == Comparison("=") for pair in kinds)
    key = replace(key, comparisons=() if set(comparisons) == {Comparison("=")} else comparisons, single=single)
    if parent.has_index(key.parent_columns):
        return key
    named = f"{key.parent}({', '.join(key.parent_columns)})"
    return replace(key, fault=f"{named} is neither its primary key nor unique, and has no index")


def _as_innodb_does(parent: Kind, child: Kind) -> Comparison | None:
    """InnoDB compares what it keeps: the numbers of an ENUM's words, the bytes of a moment.

    It lets any two types be keyed that it keeps as bytes of one sort, a DECIMAL and a DATETIME too; and where checks
    were off, any two at all. SQL cannot say what it sees there.
    """
    if parent.is_numbered and child.is_numbered:
        return Comparison("=", " + 0", " + 0")
    if parent.is_numbered or child.is_numbered:
        return None
    if parent.clan == child.clan == "text":
        pads = parent.name == child.name or "nopad" not in str(parent.collation)
        return Comparison("=") if parent.collation == child.collation and pads else None
    if parent.clan == child.clan == "bytes" and "bit" not in (parent.name, child.name):
        return Comparison("=")
    return Comparison("=") if _kept(parent) == _kept(child) else None


def _kept(kind: Kind) -> tuple[str, str]:
    if kind.clan == "whole number":  # its length in digits is how wide it is shown
        return kind.name, "unsigned" if "unsigned" in kind.full else ""
    return kind.name, kind.full


def _as_sql_does(parent: Kind, child: Kind) -> Comparison | None:
    """A key that nobody declared may join any two columns that hold values of one sort, by the parent's collation."""
    numbers = ("whole number", "decimal", "real number")
    if parent.clan in numbers and child.clan in numbers:
        return Comparison("=")
    moments = ("datetime", "timestamp", "date")
    if parent.clan != child.clan and not (parent.clan in moments and child.clan in moments):
        return None
    if parent.clan != "text" or parent.collation == child.collation:
        return Comparison("=")
    return Comparison("=", "", f" COLLATE {parent.collation}") if parent.charset == child.charset else None


def _told(kind: Kind) -> str:
    return f"{kind.full} {kind.collation}" if kind.collation else kind.full


def _spelt(name: str, among: Mapping[str, Any]) -> str | None:
    if name in among:
        return name
    return next((spelt for spelt in among if spelt.lower() == name.lower()), None)


def _columns(side: Side, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_spelt(name, side.kinds) or name for name in names)


def _lacking(side: Side, names: tuple[str, ...]) -> str | None:
    lacking = next((name for name in names if name not in side.kinds), None)
    return None if lacking is None else f"{side.table.name} has no column {lacking}"


def _ill_matched(key: ForeignKey) -> str | None:
    if not key.parent_columns:
        return f"{key.parent} has no primary key"
    if len(key.columns) != len(key.parent_columns):
        return f"the key has {len(key.columns)} columns, the parent's side {len(key.parent_columns)}"
    return None
