"""The tables of a PostgreSQL database with their columns, locators and triggers, read from pg_catalog."""

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from psycopg import Connection

from upkeep.catalog import Column, Index, Trigger
from upkeep.databases.postgresql_asking import fetched
from upkeep.databases.postgresql_dialect import Relation

OURS = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'"

_RELATIONS = f"""
SELECT c.oid, n.nspname, c.relname, c.relkind, COALESCE(pg_partition_root(c.oid), c.oid::regclass)::oid,
  (SELECT JSON_AGG(a.relid::oid::bigint) FROM pg_partition_ancestors(c.oid) AS a),
  EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND {OURS} ORDER BY 2, 3"""

_COLUMNS = f"""
WITH RECURSIVE base (oid, base, required) AS (
  SELECT oid, oid, false FROM pg_type WHERE typtype <> 'd' UNION ALL
  SELECT t.oid, b.base, b.required OR t.typnotnull FROM pg_type t JOIN base b ON b.oid = t.typbasetype
  WHERE t.typtype = 'd')
SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), format_type(b.base, -1),
  NOT (a.attnotnull OR b.required), a.attgenerated <> '',
  CASE WHEN a.attidentity <> '' THEN 'identity' ELSE pg_get_expr(e.adbin, e.adrelid) END
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN base b ON b.oid = a.atttypid LEFT JOIN pg_attrdef e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND {OURS} ORDER BY a.attrelid, a.attnum"""

# A column may be marked NOT NULL by a constraint that was never validated (from PostgreSQL 18 on): then it may be NULL.
_UNIQUE = f"""
SELECT i.indrelid, i.indisprimary, ARRAY_TO_JSON(k.names), k.required, i.indimmediate
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class x ON x.oid = i.indexrelid CROSS JOIN LATERAL (
  SELECT ARRAY_AGG(a.attname::text ORDER BY u.n) AS names, BOOL_AND(a.attnotnull AND NOT EXISTS (
    SELECT FROM pg_constraint r WHERE r.conrelid = i.indrelid AND r.contype = 'n' AND NOT r.convalidated
    AND r.conkey[1] = a.attnum)) AS required
  FROM UNNEST(i.indkey) WITH ORDINALITY AS u (attnum, n)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.attnum WHERE u.n <= i.indnkeyatts) AS k
WHERE i.indisunique AND i.indisvalid AND i.indislive AND i.indpred IS NULL AND i.indexprs IS NULL AND {OURS}
ORDER BY i.indrelid, i.indisprimary DESC, i.indimmediate DESC, i.indnkeyatts, x.relname"""

# What is left out by WHERE column IS NOT NULL nobody finds by a value. Foreign keys look by equality: btree and hash.
_INDEXES = f"""
SELECT i.indrelid, x.relname, i.indisunique, i.indpred IS NULL OR (i.indnkeyatts = 1 AND
  pg_get_expr(i.indpred, i.indrelid) = FORMAT('(%I IS NOT NULL)', COALESCE((SELECT a.attname
  FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = i.indkey[0]), ''))),
  (SELECT JSON_AGG(a.attname ORDER BY u.n)
  FROM UNNEST(i.indkey) WITH ORDINALITY AS u (attnum, n) LEFT JOIN pg_attribute a
  ON a.attrelid = i.indrelid AND a.attnum = u.attnum AND u.attnum > 0 AND i.indisvalid AND m.amname IN ('btree', 'hash')
  WHERE u.n <= i.indnkeyatts)
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam WHERE {OURS} ORDER BY i.indrelid, x.relname"""

_TRIGGERS = f"""
SELECT t.tgrelid, t.tgname, t.tgtype & 4 <> 0, t.tgtype & 8 <> 0, t.tgtype & 16 <> 0
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgenabled IN ('O', 'A') AND {OURS}
UNION ALL SELECT r.ev_class, r.rulename, r.ev_type = '3', r.ev_type = '4', r.ev_type = '2'
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND r.ev_enabled IN ('O', 'A') AND {OURS} ORDER BY 2, 1"""


def read_relations(connection: Connection[Any]) -> dict[int, Relation]:
    """All tables, partitions too, by oid; those of the system and temporary ones are left out."""
    return {
        int(str(oid)): Relation(
            int(str(oid)),
            str(schema),
            str(name),
            kind == "p",
            int(str(root)),
            extension == "t",
            tuple(json.loads(str(line or f"[{oid!s}]"))),
        )
        for oid, schema, name, kind, root, line, extension in fetched(connection, _RELATIONS)
    }


def read_columns(connection: Connection[Any]) -> dict[int, dict[str, tuple[Column, str]]]:
    """The columns of each table in their order, each with its type without domain or length, for casts."""
    return {
        table: {
            str(name): (
                Column(str(name), str(kind), nullable == "t", generated == "t", _default(generated, said), _kind(base)),
                base,
            )
            for name, kind, base, nullable, generated, said in rows
        }
        for table, rows in _by_table(fetched(connection, _COLUMNS))
    }


def read_keys(connection: Connection[Any]) -> tuple[dict[int, tuple[str, ...]], dict[int, tuple[str, ...]]]:
    """The primary key and the locator of each table that has them.

    A row is told by its primary key, or by a unique index over columns that are never NULL. Not by ctid: the row of
    a plan must be found again in another database, or after an UPDATE of somebody else's.
    """
    primary: dict[int, tuple[str, ...]] = {}
    locators: dict[int, tuple[str, ...]] = {}
    for table, rows in _by_table(fetched(connection, _UNIQUE)):
        for is_primary, names, required, _ in rows:
            columns = tuple(json.loads(str(names)))
            if is_primary == "t":
                primary[table] = columns
            if required == "t":
                locators.setdefault(table, columns)
    return primary, locators


def read_indexes(connection: Connection[Any]) -> dict[int, tuple[Index, ...]]:
    """The indexes of each table by name."""
    return {
        table: tuple(
            Index(str(name), tuple(json.loads(str(columns))), is_unique == "t", is_whole == "t")
            for name, is_unique, is_whole, columns in rows
        )
        for table, rows in _by_table(fetched(connection, _INDEXES))
    }


def read_triggers(connection: Connection[Any], relations: dict[int, Relation]) -> dict[int, tuple[Trigger, ...]]:
    """The triggers and rules that can fire on each table, once for each event; a partition's are its root's too."""
    triggers: dict[int, dict[Trigger, None]] = {}
    for oid, name, *fires in fetched(connection, _TRIGGERS):
        table = int(str(oid))
        for event, does in zip(("INSERT", "DELETE", "UPDATE"), fires, strict=True):
            if does == "t" and table in relations:
                for one in {table, relations[table].root}:
                    triggers.setdefault(one, {})[Trigger(str(name), event)] = None
    return {table: tuple(found) for table, found in triggers.items()}


def _kind(base: object) -> str:
    """The type by which keys compare: varchar is compared as text."""
    return "text" if base == "character varying" else str(base)


def _default(generated: object, said: object) -> str | None:
    return None if said is None or generated == "t" else str(said)


def _by_table(rows: list[tuple[Any, ...]]) -> Iterator[tuple[int, list[tuple[Any, ...]]]]:
    for oid, several in groupby(rows, key=lambda row: row[0]):
        yield int(oid), [row[1:] for row in several]
