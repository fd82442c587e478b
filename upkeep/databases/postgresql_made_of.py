"""What a PostgreSQL table is made of beside its constraints: columns, sequences of theirs, settings, comments."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from upkeep.databases.postgresql_asking import fetched
from upkeep.databases.postgresql_dialect import Relation
from upkeep.databases.postgresql_schema import settled

_HOLES = re.compile(r"\{oid\}|'TABLE \{full\}'|\{full\}")
_STEPS = """FORMAT('START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s %s', s.seqstart,
  s.seqincrement, s.seqmin, s.seqmax, s.seqcache, CASE WHEN s.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END)"""

# The newer servers keep NOT NULL as a constraint with a name, which the older ones read and forget.
_COLUMNS = f"""
SELECT FORMAT('%I %s', a.attname, format_type(a.atttypid, a.atttypmod))
  || CASE WHEN a.attcollation <> t.typcollation THEN FORMAT(' COLLATE %I.%I', ln.nspname, l.collname) ELSE '' END,
  CASE WHEN a.attgenerated <> '' THEN FORMAT(' GENERATED ALWAYS AS (%s) %s', pg_get_expr(e.adbin, e.adrelid),
    CASE a.attgenerated WHEN 's' THEN 'STORED' ELSE 'VIRTUAL' END)
  WHEN a.attidentity <> '' THEN FORMAT(' GENERATED %s AS IDENTITY (SEQUENCE NAME %I.%I %s)',
    CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END, qn.nspname, q.relname, {_STEPS})
  WHEN e.adbin IS NOT NULL THEN ' DEFAULT ' || pg_get_expr(e.adbin, e.adrelid) ELSE '' END,
  CASE WHEN k.conname IS NOT NULL THEN FORMAT(' CONSTRAINT %I NOT NULL', k.conname)
    || CASE WHEN k.connoinherit THEN ' NO INHERIT' ELSE '' END
  WHEN a.attnotnull AND current_setting('server_version_num')::int < 180000 THEN ' NOT NULL' ELSE '' END
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
LEFT JOIN pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'i'
  AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum AND a.attidentity <> ''
LEFT JOIN pg_constraint k ON k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey[1] = a.attnum AND k.convalidated
LEFT JOIN pg_sequence s ON s.seqrelid = d.objid LEFT JOIN pg_class q ON q.oid = d.objid
LEFT JOIN pg_namespace qn ON qn.oid = q.relnamespace
WHERE a.attrelid = {{oid}} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""

_SEQUENCES = f"""
SELECT FORMAT('%I.%I', n.nspname, q.relname), d.deptype,
  FORMAT('CREATE %sSEQUENCE %I.%I AS %s %s', CASE WHEN q.relpersistence = 'u' THEN 'UNLOGGED ' ELSE '' END,
    n.nspname, q.relname, format_type(s.seqtypid, NULL), {_STEPS}),
  FORMAT('ALTER SEQUENCE %I.%I OWNED BY %s.%I', n.nspname, q.relname, d.refobjid::regclass, a.attname)
FROM pg_depend d JOIN pg_sequence s ON s.seqrelid = d.objid JOIN pg_class q ON q.oid = d.objid
JOIN pg_namespace n ON n.oid = q.relnamespace
JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
AND d.refobjid = {{oid}} AND d.refobjsubid > 0 ORDER BY 1"""

# Settings that no definition tells, each as a statement of its own.
_ODDS = """
SELECT FORMAT('ALTER TABLE ONLY {full} ALTER COLUMN %I SET STORAGE %s', a.attname, CASE a.attstorage
  WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END), 1, a.attnum
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped AND a.attstorage <> t.typstorage
UNION ALL SELECT FORMAT('ALTER TABLE ONLY {full} ALTER COLUMN %I SET STATISTICS %s', a.attname, a.attstattarget),
  2, a.attnum FROM pg_attribute a
WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped AND a.attstattarget >= 0
UNION ALL SELECT FORMAT('ALTER TABLE ONLY {full} ALTER COLUMN %I SET (%s)', a.attname, (
  SELECT STRING_AGG(FORMAT('%I = %L', o.option_name, o.option_value), ', ') FROM pg_options_to_table(a.attoptions) o)),
  3, a.attnum FROM pg_attribute a
WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped AND a.attoptions IS NOT NULL
UNION ALL SELECT FORMAT('ALTER TABLE ONLY {full} SET (%s)', STRING_AGG(FORMAT('%s%I = %L', o.space, o.name, o.value),
  ', ' ORDER BY o.space, o.name)), 5, 0 FROM (
  SELECT '' AS space, option_name AS name, option_value AS value FROM pg_class c, pg_options_to_table(c.reloptions)
  WHERE c.oid = {oid} UNION ALL SELECT 'toast.', option_name, option_value
  FROM pg_class c JOIN pg_class h ON h.oid = c.reltoastrelid, pg_options_to_table(h.reloptions) WHERE c.oid = {oid}
) AS o HAVING COUNT(*) > 0
UNION ALL SELECT FORMAT('ALTER INDEX %s SET (%s)', i.indexrelid::regclass, (
  SELECT STRING_AGG(FORMAT('%I = %L', o.option_name, o.option_value), ', ') FROM pg_options_to_table(x.reloptions) o)),
  6, i.indexrelid::bigint FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
WHERE i.indrelid = {oid} AND x.reloptions IS NOT NULL
UNION ALL SELECT FORMAT('ALTER TABLE {full} CLUSTER ON %I', x.relname), 7, 0
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = {oid} AND i.indisclustered
UNION ALL SELECT FORMAT('ALTER TABLE ONLY {full} REPLICA IDENTITY %s', CASE c.relreplident
  WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' ELSE FORMAT('USING INDEX %I', (SELECT x.relname
  FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid AND i.indisreplident)) END), 8, 0
FROM pg_class c WHERE c.oid = {oid} AND c.relreplident <> 'd'
UNION ALL SELECT pg_get_statisticsobjdef(oid), 9, oid::bigint FROM pg_statistic_ext WHERE stxrelid = {oid}
ORDER BY 2, 3, 1"""
_COMPRESSED = """
SELECT FORMAT('ALTER TABLE ONLY {full} ALTER COLUMN %I SET COMPRESSION %s', a.attname,
  CASE a.attcompression WHEN 'l' THEN 'lz4' ELSE 'pglz' END) FROM pg_attribute a
WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped AND a.attcompression <> '' ORDER BY a.attnum"""
_COMPRESSES = 140000
"""From this version on a column may say how it is compressed."""

_COMMENTS = """
SELECT FORMAT('COMMENT ON %s IS %L', o.thing, s.description) FROM (
  SELECT 'pg_class'::regclass AS catalog, {oid}::oid AS oid, 0 AS part, 'TABLE {full}' AS thing
  UNION ALL SELECT 'pg_class'::regclass, a.attrelid, a.attnum, FORMAT('COLUMN {full}.%I', a.attname)
  FROM pg_attribute a WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL SELECT 'pg_class'::regclass, i.indexrelid, 0, FORMAT('INDEX %s', i.indexrelid::regclass)
  FROM pg_index i WHERE i.indrelid = {oid}
  UNION ALL SELECT 'pg_class'::regclass, d.objid, 0, FORMAT('SEQUENCE %s', d.objid::regclass) FROM pg_depend d
  JOIN pg_sequence q ON q.seqrelid = d.objid WHERE d.refobjid = {oid} AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
  UNION ALL SELECT 'pg_constraint'::regclass, oid, 0, FORMAT('CONSTRAINT %I ON {full}', conname)
  FROM pg_constraint WHERE conrelid = {oid}
  UNION ALL SELECT 'pg_trigger'::regclass, oid, 0, FORMAT('TRIGGER %I ON {full}', tgname)
  FROM pg_trigger WHERE tgrelid = {oid}
  UNION ALL SELECT 'pg_rewrite'::regclass, oid, 0, FORMAT('RULE %I ON {full}', rulename)
  FROM pg_rewrite WHERE ev_class = {oid}
  UNION ALL SELECT 'pg_policy'::regclass, oid, 0, FORMAT('POLICY %I ON {full}', polname)
  FROM pg_policy WHERE polrelid = {oid}
  UNION ALL SELECT 'pg_statistic_ext'::regclass, e.oid, 0, FORMAT('STATISTICS %I.%I', n.nspname, e.stxname)
  FROM pg_statistic_ext e JOIN pg_namespace n ON n.oid = e.stxnamespace WHERE e.stxrelid = {oid}
) AS o JOIN pg_description s ON s.classoid = o.catalog AND s.objoid = o.oid AND s.objsubid = o.part ORDER BY 1"""


@dataclass(frozen=True)
class Sequences:
    """Statements about the sequences of a table's columns: to make them, to give them to it, to let them go on."""

    make: tuple[str, ...]
    own: tuple[str, ...]
    reached: tuple[str, ...]


def columns_of(connection: Connection[Any], table: Relation) -> list[str]:
    """Each column as it stands in CREATE TABLE."""
    return ["".join(map(settled, map(str, row))) for row in fetched(connection, filled(_COLUMNS, table))]


def sequences_of(connection: Connection[Any], table: Relation) -> Sequences:
    """Those of serial and of identity columns; these are made by the column itself."""
    found = [tuple(map(str, row)) for row in fetched(connection, filled(_SEQUENCES, table))]
    serial = [(make, own) for _, kind, make, own in found if kind == "a"]
    reached = [_reached(connection, name) for name, *_ in found]
    return Sequences(tuple(make for make, _ in serial), tuple(own for _, own in serial), tuple(reached))


def _reached(connection: Connection[Any], sequence: str) -> str:
    """Read from the sequence itself, as pg_dump does: one that has given nothing stands at its start (P-69)."""
    ((last, is_called),) = fetched(connection, f"SELECT last_value, is_called FROM {sequence}")
    named = sequence.replace("'", "''")
    return f"SELECT pg_catalog.setval('{named}', {last!s}, {'true' if is_called == 't' else 'false'})"


def odds_of(connection: Connection[Any], table: Relation) -> Iterator[str]:
    """Storage, statistics, settings, what it is clustered and replicated by."""
    yield from (str(said) for said, *_ in fetched(connection, filled(_ODDS, table)))
    if connection.info.server_version >= _COMPRESSES:
        yield from (str(said) for (said,) in fetched(connection, filled(_COMPRESSED, table)))


def comments_of(connection: Connection[Any], table: Relation) -> Iterator[str]:
    """Those on the table and on all that belongs to it."""
    yield from (str(said) for (said,) in fetched(connection, filled(_COMMENTS, table)))


def filled(sql: str, table: Relation) -> str:
    """The query for one table, whose name stands in it within strings, some of which are formats."""
    named = table.full.replace("'", "''")
    words = {"{oid}": str(table.oid), "'TABLE {full}'": f"'TABLE {named}'", "{full}": named.replace("%", "%%")}
    return _HOLES.sub(lambda hole: words[hole[0]], sql)
