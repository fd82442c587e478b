"""Foreign keys of a PostgreSQL database: those that it declares, and one that the policy states."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import Connection

from upkeep.catalog import Catalog, Comparison, ForeignKey
from upkeep.databases.postgresql_asking import fetched
from upkeep.databases.postgresql_dialect import PostgresqlDialect, Relation
from upkeep.orphans import pointing

_ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}

# As ri_triggers.c compares: by the key's own operators, cast where they want another type, by the parent's collation.
_DECLARED = """
SELECT k.conrelid, k.confrelid, k.confdeltype, k.confmatchtype = 'f', {temporal}, (
  SELECT JSON_AGG(JSON_BUILD_ARRAY(c.attname, p.attname,
    FORMAT('OPERATOR(%I.%s)', s.nspname, o.oprname),
    CASE WHEN p.atttypid <> o.oprleft THEN '::' || format_type(o.oprleft, -1) ELSE '' END,
    CASE WHEN c.atttypid <> o.oprright THEN '::' || format_type(o.oprright, -1) ELSE '' END
    || CASE WHEN p.attcollation <> c.attcollation AND p.attcollation <> 0
       THEN FORMAT(' COLLATE %I.%I', l.nspname, y.collname) ELSE '' END) ORDER BY u.n)
  FROM UNNEST(k.conkey, k.confkey, k.conpfeqop) WITH ORDINALITY AS u (child, parent, operator, n)
  JOIN pg_attribute c ON c.attrelid = k.conrelid AND c.attnum = u.child
  JOIN pg_attribute p ON p.attrelid = k.confrelid AND p.attnum = u.parent
  JOIN pg_operator o ON o.oid = u.operator JOIN pg_namespace s ON s.oid = o.oprnamespace
  LEFT JOIN pg_collation y ON y.oid = p.attcollation LEFT JOIN pg_namespace l ON l.oid = y.collnamespace),
  EXISTS (SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
    WHERE i.indrelid = k.conrelid AND i.indisvalid AND i.indpred IS NULL AND i.indkey[0] = ANY (k.conkey)
    AND m.amname IN ('btree', 'hash')), k.conname, k.convalidated, ARRAY_TO_JSON(ARRAY(SELECT a.attname
    FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = ANY ({emptied}) ORDER BY a.attnum))
FROM pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0 ORDER BY k.conname, k.oid"""

_UNIQUE = """
SELECT ARRAY_TO_JSON(ARRAY(SELECT a.attname::text FROM UNNEST(i.indkey) WITH ORDINALITY AS u (attnum, n)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.attnum WHERE u.n <= i.indnkeyatts ORDER BY u.n))
FROM pg_index i WHERE i.indrelid = {oid} AND i.indisunique AND i.indisvalid AND i.indimmediate
  AND i.indpred IS NULL AND i.indexprs IS NULL"""

_TEMPORAL = "it is temporal (PERIOD), which Upkeep does not know how to ask"


def read_foreign_keys(
    connection: Connection[Any], relations: Mapping[int, Relation]
) -> Iterator[tuple[Relation, Relation, ForeignKey]]:
    """Every declared key with child and parent, whose names in it are to be replaced by the shown ones.

    One of a partitioned table comes once, not for each partition again. Valid or not, disabled or not: what the
    server believes of it is no matter, its rows are asked (P-46).
    """
    temporal = "k.conperiod" if connection.info.server_version >= 180000 else "false"
    emptied = "k.confdelsetcols" if connection.info.server_version >= 150000 else "'{}'::int2[]"
    for child, parent, action, full, is_temporal, said, indexed, name, validated, columns in fetched(
        connection, _DECLARED.format(temporal=temporal, emptied=emptied)
    ):
        of, to = relations.get(int(str(child))), relations.get(int(str(parent)))
        if of is None or to is None:
            continue
        pairs = json.loads(str(said))
        key = ForeignKey(
            of.name,
            tuple(pair[0] for pair in pairs),
            to.name,
            tuple(pair[1] for pair in pairs),
            _ACTIONS[str(action)],
            comparisons=tuple(Comparison(*pair[2:]) for pair in pairs),
            is_full=full == "t",
            indexed=indexed == "t",
            names=(str(name),),
            validated=validated == "t",
            emptied=tuple(json.loads(str(columns))),
        )
        yield of, to, replace(key, fault=_TEMPORAL, askable=False) if is_temporal == "t" else key


def judge_key(
    connection: Connection[Any], catalog: Catalog, shown: Mapping[str, Relation], key: ForeignKey
) -> ForeignKey:
    """The key with the real spelling of its names, and with parent_missing, fault and askable told.

    Names may be written as shown, or without regard to case, as SQL itself does. Without parent columns the key means
    the parent's primary key.
    """
    child, parent = _spelt(key.child, shown), _spelt(key.parent, shown)
    key = replace(key, parent_missing=parent is None)  # another look may have found otherwise
    if child is None or child not in catalog.tables:
        return replace(key, fault=f"there is no table {key.child}", askable=False)
    names = _columns(catalog, child, (key.array,) if key.elements else key.columns)
    key = replace(key, child=child, columns=(f"{names[0]}[]",) if key.elements else names)
    lacking = _lacking(catalog, child, names) or _no_array(catalog, key)
    if lacking or parent is None or parent not in catalog.tables:
        return replace(key, fault=lacking, askable=lacking is None)
    named = _columns(catalog, parent, key.parent_columns) or catalog.tables[parent].primary_key
    key = replace(key, parent=parent, parent_columns=named)
    fault = _lacking(catalog, parent, named) or _ill_matched(key) or _incomparable(connection, shown, key)
    if fault:
        return replace(key, fault=fault, askable=False)
    found = fetched(connection, _UNIQUE.format(oid=shown[parent].oid))
    is_unique = any(sorted(json.loads(str(names))) == sorted(named) for (names,) in found)
    told = f"{parent}({', '.join(named)}) is neither its primary key nor unique"
    return key if is_unique else replace(key, fault=told)


def _no_array(catalog: Catalog, key: ForeignKey) -> str | None:
    column = catalog.tables[key.child].column(key.array)
    if not key.elements or column is None or column.kind.endswith("[]"):
        return None
    instead = ": elements of JSON are not asked" if "json" in column.kind else ""
    return f"{key.child}.{column.name} is no array but {column.type}{instead}"


def _spelt(name: str, among: Mapping[str, Any]) -> str | None:
    return next((spelt for spelt in (name, name.lower()) if spelt in among), None)


def _columns(catalog: Catalog, table: str, names: tuple[str, ...]) -> tuple[str, ...]:
    there = {column.name: None for column in catalog.tables[table].columns}
    return tuple(_spelt(name, there) or name for name in names)


def _lacking(catalog: Catalog, table: str, names: tuple[str, ...]) -> str | None:
    lacking = next((name for name in names if catalog.tables[table].column(name) is None), None)
    return None if lacking is None else f"{table} has no column {lacking}"


def _ill_matched(key: ForeignKey) -> str | None:
    if not key.parent_columns:
        return f"{key.parent} has no primary key"
    if len(key.columns) != len(key.parent_columns):
        return f"the key has {len(key.columns)} columns, the parent's side {len(key.parent_columns)}"
    return None


def _incomparable(connection: Connection[Any], shown: Mapping[str, Relation], key: ForeignKey) -> str | None:
    """Why PostgreSQL cannot compare the two sides, in its words; None if it can."""
    dialect = PostgresqlDialect(shown)
    pairs = " AND ".join(
        dialect.same(f"p.{dialect.quote(parent)}", f"c.{dialect.quote(child)}")
        for parent, child in zip(key.parent_columns, key.columns, strict=True)
    )
    try:
        with connection.transaction():
            fetched(
                connection,
                f"SELECT 1 FROM {pointing(key, dialect)} AS c, {dialect.source(key.parent)} AS p WHERE {pairs} LIMIT 0",
            )
    except psycopg.errors.InsufficientPrivilege:
        raise
    except psycopg.ProgrammingError as fault:
        return f"its two sides cannot be compared: {fault.diag.message_primary}"
    return None
