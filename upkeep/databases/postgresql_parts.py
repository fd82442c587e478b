"""All that a PostgreSQL schema says, thing by thing, with who may do what: what a table made anew does not have."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from psycopg import Connection

from upkeep.catalog import Part
from upkeep.databases.postgresql_asking import fetched, without_search_path
from upkeep.databases.postgresql_dialect import Relation
from upkeep.databases.postgresql_schema import SAID, settled
from upkeep.databases.postgresql_shapes import OURS

_INDEX = re.compile(r'INDEX ("(?:[^"]|"")+"|\S+) ON')
_OF_TABLE = ("constraint", "foreign key", "trigger", "rule", "policy")
_COLUMN_SAYS = ("NOT NULL", "identity", "GENERATED", "default", "collation")
_GRANTS = f"""
    SELECT n.nspname, c.relname, a.privilege_type || ' to ' || COALESCE(r.rolname, 'everybody')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL aclexplode(c.relacl) a
    LEFT JOIN pg_roles r ON r.oid = a.grantee
    WHERE {OURS} AND a.grantee <> c.relowner AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
"""
"""Who may do what beside the owner. A scratch has none of it, so only the live run can tell that it is gone."""
_OWNERS = f"""
    SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {OURS} AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""


_OF_COLUMNS = """
    SELECT n.nspname, c.relname FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE d.classid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
"""
"""Sequences that belong to a column: they come and go with it, and its default or identity says so."""


def read_parts(connection: Connection[Any], relations: Iterable[tuple[str, Relation]]) -> dict[Part, str]:
    """Every part with its wording; tables by the names that ``relations`` gives them."""
    shown = {(relation.schema, relation.name): name for name, relation in relations}

    def named(schema: object, name: object) -> str:
        plain = str(name) if schema == "public" else f"{schema}.{name}"
        return shown.get((str(schema), str(name)), plain)

    with without_search_path(connection):
        owned = set(fetched(connection, _OF_COLUMNS))
        parts = {
            part: said
            for kind, sql in SAID.items()
            for row in fetched(connection, sql)
            if kind != "sequence" or row[:2] not in owned
            for part, said in _parts(kind, named(*row[:2]) if len(row) > 1 else "", row)
        }
        parts |= {Part("grant", str(to), named(*of)): "" for *of, to in fetched(connection, _GRANTS)}
        parts |= {Part("owner", "", named(*of)): str(who) for *of, who in fetched(connection, _OWNERS)}
    return parts


def _parts(kind: str, thing: str, row: tuple[Any, ...]) -> Iterator[tuple[Part, str]]:
    said = " ".join("" if word is None else settled(str(word)) for word in row[2:])
    if kind == "column":
        _, _, _, name, of_type, *more = row
        yield Part("column", name, thing, name), str(of_type)
        for what, word in zip(_COLUMN_SAYS, more, strict=True):
            if word not in (None, "", "f", "-", '"default"', 'pg_catalog."default"'):
                yield Part(what, name, thing, name), str(word)
    elif kind in _OF_TABLE:
        yield Part(kind, str(row[2]), thing), " ".join(map(str, row[3:]))
    elif kind == "index":
        found = _INDEX.search(said)
        yield Part("index", found[1].strip('"') if found else said, thing), said
    elif kind == "function":
        yield Part("function", f"{thing}({row[2]})"), said
    elif kind == "comment":
        yield Part(f"comment on {row[0]}", str(row[1])), str(row[2])
    elif len(row) == 1:
        yield Part(kind, str(row[0])), ""
    else:
        yield Part(kind, thing), said
