"""A digest over what a PostgreSQL schema says, the same for a database and for one restored from its dump."""

import hashlib
import re
from typing import Any

from psycopg import Connection

from upkeep.databases.postgresql_asking import fetched
from upkeep.databases.postgresql_shapes import OURS
from upkeep.values import canonical

_NOT_OF_EXTENSION = (
    "NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = '{catalog}'::regclass AND d.objid = {oid}"
    " AND d.deptype = 'e')"
)


def _own(catalog: str, oid: str) -> str:
    return f"{OURS} AND {_NOT_OF_EXTENSION.format(catalog=catalog, oid=oid)}"


_TABLE = f"pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND {_own('pg_class', 'c.oid')}"
_TYPE = f"pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace AND {_own('pg_type', 't.oid')}"
_NAME = "n.nspname, c.relname"

# Each gives a name first, then what is said of it. Numbers that the server gives out (oid, attnum) stand in none.
# Nor does it whether a foreign key is valid: one that rows violate can only be restored NOT VALID (P-13).
# One of a partitioned table is told partition by partition: before PostgreSQL 18 it can be put back only so. Of the
# constraints below it those alone count that point where it points itself, not at a partition of the parent's.
SAID = {
    "schema": f"SELECT n.nspname FROM pg_namespace n WHERE {_own('pg_namespace', 'n.oid')}",
    "table": f"""SELECT {_NAME}, c.relkind, c.relpersistence, c.relrowsecurity, c.relforcerowsecurity,
        pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid),
        (SELECT STRING_AGG(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno) FROM pg_inherits i
         WHERE i.inhrelid = c.oid) FROM {_TABLE} WHERE c.relkind IN ('r', 'p', 'f')""",
    "column": f"""SELECT {_NAME}, ROW_NUMBER() OVER (PARTITION BY c.oid ORDER BY a.attnum), a.attname,
        format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
        pg_get_expr(e.adbin, e.adrelid), a.attcollation::regcollation FROM {_TABLE}
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef e ON e.adrelid = c.oid AND e.adnum = a.attnum WHERE c.relkind IN ('r', 'p', 'f', 'c')""",
    "constraint": f"""SELECT {_NAME}, k.conname, pg_get_constraintdef(k.oid) FROM {_TABLE}
        JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype <> 'f'""",
    "foreign key": f"""WITH RECURSIVE chain (oid, conrelid, confrelid, root, conname, target) AS (
          SELECT oid, conrelid, confrelid, oid, conname, confrelid FROM pg_constraint
          WHERE contype = 'f' AND conparentid = 0 UNION ALL
          SELECT k.oid, k.conrelid, k.confrelid, h.root, h.conname, h.target
          FROM pg_constraint k JOIN chain h ON k.conparentid = h.oid WHERE k.contype = 'f')
        SELECT {_NAME}, k.conname, REGEXP_REPLACE(pg_get_constraintdef(k.oid), ' NOT VALID$', '') FROM {_TABLE}
        JOIN chain k ON k.conrelid = c.oid AND k.confrelid = k.target WHERE c.relkind <> 'p'
        OR NOT EXISTS (SELECT FROM pg_partition_tree(c.oid) l WHERE l.isleaf AND l.relid <> c.oid)""",
    "index": f"""SELECT {_NAME}, pg_get_indexdef(i.indexrelid) FROM {_TABLE}
        JOIN pg_index i ON i.indrelid = c.oid WHERE i.indisvalid""",
    "trigger": f"""SELECT {_NAME}, g.tgname, g.tgenabled, pg_get_triggerdef(g.oid) FROM {_TABLE}
        JOIN pg_trigger g ON g.tgrelid = c.oid WHERE NOT g.tgisinternal""",
    "view": f"""SELECT {_NAME}, c.relkind, pg_get_viewdef(c.oid) FROM {_TABLE} WHERE c.relkind IN ('v', 'm')""",
    "rule": f"""SELECT {_NAME}, r.rulename, r.ev_enabled, pg_get_ruledef(r.oid) FROM {_TABLE}
        JOIN pg_rewrite r ON r.ev_class = c.oid WHERE c.relkind IN ('r', 'p')""",
    "policy": f"""SELECT {_NAME}, p.polname, p.polcmd, p.polpermissive, pg_get_expr(p.polqual, p.polrelid),
        pg_get_expr(p.polwithcheck, p.polrelid) FROM {_TABLE} JOIN pg_policy p ON p.polrelid = c.oid""",
    "sequence": f"""SELECT {_NAME}, format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax,
        s.seqcache, s.seqcycle FROM {_TABLE} JOIN pg_sequence s ON s.seqrelid = c.oid""",
    "function": f"""SELECT n.nspname, f.proname, pg_get_function_identity_arguments(f.oid), f.prokind,
        CASE WHEN f.prokind IN ('f', 'p') THEN pg_get_functiondef(f.oid) END
        FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace AND {_own("pg_proc", "f.oid")}""",
    "enum": f"""SELECT n.nspname, t.typname, (SELECT STRING_AGG(QUOTE_LITERAL(e.enumlabel), ', ' ORDER BY
        e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid) FROM {_TYPE} WHERE t.typtype = 'e'""",
    "domain": f"""SELECT n.nspname, t.typname, format_type(t.typbasetype, t.typtypmod), t.typnotnull, t.typdefault,
        (SELECT STRING_AGG(k.conname || ' ' || pg_get_constraintdef(k.oid), ', ' ORDER BY k.conname)
         FROM pg_constraint k WHERE k.contypid = t.oid) FROM {_TYPE} WHERE t.typtype = 'd'""",
    # Not those on foreign keys: one that has to be put back was not there when its comment came.
    "comment": f"""SELECT i.type, i.identity, s.description FROM pg_description s JOIN (
          SELECT 'pg_class'::regclass AS catalog, oid, relnamespace AS space FROM pg_class UNION ALL
          SELECT 'pg_proc'::regclass, oid, pronamespace FROM pg_proc UNION ALL
          SELECT 'pg_type'::regclass, oid, typnamespace FROM pg_type UNION ALL
          SELECT 'pg_constraint'::regclass, oid, connamespace FROM pg_constraint WHERE contype <> 'f' UNION ALL
          SELECT 'pg_trigger'::regclass, g.oid, relnamespace FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
          UNION ALL SELECT 'pg_namespace'::regclass, oid, oid FROM pg_namespace WHERE nspname <> 'public'
        ) AS o ON o.catalog = s.classoid AND o.oid = s.objoid JOIN pg_namespace n ON n.oid = o.space AND {OURS}
        CROSS JOIN LATERAL pg_identify_object(s.classoid, s.objoid, s.objsubid) AS i
        WHERE NOT EXISTS (SELECT FROM pg_depend d
          WHERE d.classid = s.classoid AND d.objid = s.objoid AND d.deptype = 'e')""",
    "extension": "SELECT e.extname FROM pg_extension e",
}

UNCOMPARED = (
    "owners and grants: a scratch has neither, for its server need not know the roles",
    "settings by ALTER DATABASE ... SET and ALTER ROLE ... SET; the dump and its companion hold them",
    "versions of extensions, and rows of tables that belong to one",
    "publications, subscriptions, event triggers, foreign servers and the rows behind them",
    "operators, casts, collations, text search, extended statistics, how aggregates and ranges are defined",
    "default privileges, security labels, comments on foreign keys",
    "storage settings of tables and columns, tablespaces, replica identity, which index a table is clustered by",
    "rows of materialized views: they are computed anew",
)
"""What neither the digest nor the census looks at after a restore."""

# So is x IN ('a', 'b') of a varchar printed; once it is restored from that, the cast stands at each item instead.
_CAST_LIST = re.compile(r"\(ARRAY\[((?:'(?:[^']|'')*'::character varying(?:, )?)+)\]\)::text\[\]")
_CAST_ITEM = re.compile(r"('(?:[^']|'')*'::character varying)")


def read_schema_digest(connection: Connection[Any]) -> str:
    """SHA-256 over the schema, extensions by name alone. The search path must be empty: names come with schemas."""
    said = sorted(
        [kind, *("" if word is None else settled(str(word)) for word in row)]
        for kind, sql in SAID.items()
        for row in fetched(connection, sql)
    )
    return hashlib.sha256(canonical(said)).hexdigest()


def settled(definition: str) -> str:
    """A definition as PostgreSQL prints it once more after it was read back from its own words."""
    return _CAST_LIST.sub(lambda found: "ARRAY[" + _CAST_ITEM.sub(r"(\1)::text", found[1]) + "]", definition)
