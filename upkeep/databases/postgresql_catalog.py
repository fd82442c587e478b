"""The catalog of a PostgreSQL database: its tables by the names that people see, and its foreign keys."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from psycopg import Connection

from upkeep.catalog import Catalog, ForeignKey, Table, told_once
from upkeep.databases.postgresql_asking import fetched, without_search_path
from upkeep.databases.postgresql_dialect import Relation, shown_names
from upkeep.databases.postgresql_keys import read_foreign_keys
from upkeep.databases.postgresql_partitions import Declared, gathered
from upkeep.databases.postgresql_schema import read_schema_digest
from upkeep.databases.postgresql_shapes import (
    read_columns,
    read_indexes,
    read_keys,
    read_relations,
    read_triggers,
)
from upkeep.errors import Refused


@dataclass(frozen=True)
class Look:
    """The catalog, with every table that a name stands for, and the types by which values are cast back."""

    catalog: Catalog
    relations: dict[str, Relation]
    types: dict[tuple[str, str], str]


def look(connection: Connection[Any], home: str | None = None) -> Look:
    """Tables and declared foreign keys of all schemas but the system's, in one look if the caller holds a snapshot.

    ``home`` is the schema whose tables go by their plain names; the first of the search path if it is not given.
    A partition is part of its table; it stands for itself only where a key of its own needs it. Tables of extensions
    are left out. Raises Refused if the role cannot see every row of every table (P-47).
    """
    with without_search_path(connection) as first:
        relations = read_relations(connection)
        shown = shown_names(relations.values(), home or first)
        named = {relation.oid: name for name, relation in shown.items()}
        declared = gathered(read_foreign_keys(connection, relations), relations)
        tables = _tables(relations, declared)
        _refuse_blindness(connection, {oid: named[oid] for oid in tables})
        columns = read_columns(connection)
        catalog = Catalog(
            tables=dict(_described(connection, relations, tables, named, declared)),
            keys=_keys(declared, tables, named),
            schema_digest=read_schema_digest(connection),
        )
    types = {(named[oid], name): base for oid in tables for name, (_, base) in columns.get(oid, {}).items()}
    return Look(catalog, shown, types)


def _tables(relations: dict[int, Relation], declared: list[Declared]) -> set[int]:
    """What stands in the catalog: all but partitions and what belongs to an extension."""
    own = {relation.oid for child, parent, _ in declared for relation in (child, parent) if _is_partition(relation)}
    return own | {r.oid for r in relations.values() if not _is_partition(r) and not r.is_of_extension}


def _is_partition(relation: Relation) -> bool:
    return relation.root != relation.oid


def _keys(declared: list[Declared], tables: set[int], named: dict[int, str]) -> tuple[ForeignKey, ...]:
    keys = [
        replace(key, child=named[child.oid], parent=named[parent.oid])
        for child, parent, key in declared
        if child.oid in tables
    ]
    return told_once(sorted(keys, key=lambda key: key.child))


def _described(
    connection: Connection[Any],
    relations: dict[int, Relation],
    tables: set[int],
    named: dict[int, str],
    declared: list[Declared],
) -> list[tuple[str, Table]]:
    columns = read_columns(connection)
    primary, locators = read_keys(connection)
    triggers = read_triggers(connection, relations)
    indexes = read_indexes(connection)
    untold = _untold(declared)
    return sorted(
        (
            named[oid],
            Table(
                named[oid],
                tuple(column for column, _ in columns.get(oid, {}).values()),
                primary.get(oid, ()),
                () if relations[oid].root in untold else locators.get(oid, ()),
                triggers.get(oid, ()),
                indexes.get(oid, ()),
            ),
        )
        for oid in tables
    )


def _untold(declared: list[Declared]) -> set[int]:
    """Tables whose rows no plan may name, so that they can only be kept.

    Where a key belongs to one partition, a row has two names, and the plan would take it for two rows. What points by
    a key that cannot be asked would go with its parent, and nobody would know.
    """
    own = {relation.root for child, parent, _ in declared for relation in (child, parent) if _is_partition(relation)}
    return own | {parent.root for _, parent, key in declared if not key.askable}


def _refuse_blindness(connection: Connection[Any], tables: dict[int, str]) -> None:
    asked = ", ".join(map(str, tables)) or "0"
    blinded = _names_of(
        connection, tables, f"SELECT oid FROM pg_class WHERE oid IN ({asked}) AND row_security_active(oid)"
    )
    if blinded:
        raise Refused(
            f"row security hides rows of {_some(blinded)} from this role",
            "use the role that owns the tables, or say ALTER ROLE ... BYPASSRLS",
        )
    closed = _names_of(
        connection,
        tables,
        f"SELECT oid FROM pg_class WHERE oid IN ({asked}) AND NOT (has_table_privilege(oid, 'SELECT')"
        " AND has_schema_privilege(relnamespace, 'USAGE'))",
    )
    if closed:
        raise Refused(
            f"this role may not read {_some(closed)}", "say GRANT pg_read_all_data TO it, or GRANT SELECT ON them"
        )


def _names_of(connection: Connection[Any], tables: dict[int, str], sql: str) -> list[str]:
    return sorted(tables[int(str(oid))] for (oid,) in fetched(connection, sql))


def _some(names: Collection[str]) -> str:
    few = ", ".join(list(names)[:3])
    return few if len(names) <= 3 else f"{few} and {len(names) - 3} more"
