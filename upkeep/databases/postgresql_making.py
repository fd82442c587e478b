"""How PostgreSQL makes a table: statements from the catalog, in the server's own words where it has some."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from psycopg import Connection

from upkeep.databases.postgresql_asking import fetched, quoted, without_search_path
from upkeep.databases.postgresql_dialect import Relation, quote
from upkeep.databases.postgresql_made_of import columns_of, comments_of, filled, odds_of, sequences_of
from upkeep.databases.postgresql_schema import settled
from upkeep.errors import Refused
from upkeep.making import Bond, Making

# What is made of more than one table, or by somebody else, is no table that these statements could make.
_UNLIKE = """
SELECT CASE WHEN c.relkind = 'p' OR c.relispartition THEN 'is partitioned'
  WHEN EXISTS (SELECT FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)) THEN 'inherits'
  WHEN c.reloftype <> 0 THEN 'is made after a type'
  WHEN EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    THEN 'belongs to an extension' END,
  CASE WHEN c.relpersistence = 'u' THEN 'CREATE UNLOGGED TABLE' ELSE 'CREATE TABLE' END,
  CASE WHEN m.amname <> 'heap' THEN FORMAT(' USING %I', m.amname) ELSE '' END
FROM pg_class c LEFT JOIN pg_am m ON m.oid = c.relam WHERE c.oid = {oid}"""

# Rows may violate what is NOT VALID, so that it can only come after them. Other NOT NULL stand with their columns.
_CHECKS = """
SELECT k.conname, pg_get_constraintdef(k.oid), k.convalidated FROM pg_constraint k
WHERE k.conrelid = {oid} AND (k.contype = 'c' OR k.contype = 'n' AND NOT k.convalidated)
ORDER BY k.contype, k.conname"""
_UNIQUE = """
SELECT k.conname, pg_get_constraintdef(k.oid) FROM pg_constraint k
WHERE k.conrelid = {oid} AND k.contype IN ('p', 'u', 'x') ORDER BY k.conname"""
_INDEXES = """
SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
WHERE i.indrelid = {oid} AND i.indisvalid
AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
ORDER BY x.relname"""
_KEYS = """
SELECT k.conname, pg_get_constraintdef(k.oid), k.condeferrable FROM pg_constraint k
WHERE k.conrelid = {oid} AND k.contype = 'f' AND k.conparentid = 0 ORDER BY k.conname"""
_BONDS = """
SELECT c.oid, FORMAT('%I.%I', n.nspname, c.relname), c.relkind, k.conname, pg_get_constraintdef(k.oid),
  obj_description(k.oid, 'pg_constraint'), ARRAY_TO_JSON(ARRAY(
    SELECT a.attname FROM UNNEST(k.conkey) WITH ORDINALITY AS u (attnum, n)
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum ORDER BY u.n))
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.confrelid = {oid} AND k.conrelid <> k.confrelid AND k.contype = 'f' AND k.conparentid = 0 ORDER BY 2, 4"""

NOT_VALID_ON_PARTITIONED = 180000
_ENABLED = {"D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}
_TRIGGERS = """
SELECT g.tgname, pg_get_triggerdef(g.oid), g.tgenabled FROM pg_trigger g
WHERE g.tgrelid = {oid} AND NOT g.tgisinternal ORDER BY g.tgname"""
_RULES = """
SELECT r.rulename, pg_get_ruledef(r.oid), r.ev_enabled FROM pg_rewrite r WHERE r.ev_class = {oid} ORDER BY r.rulename"""
_POLICIES = """
SELECT FORMAT('CREATE POLICY %I ON {full} AS %s FOR %s TO %s', p.polname,
  CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
  CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
    ELSE 'ALL' END,
  ARRAY_TO_STRING(ARRAY(SELECT CASE WHEN r = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r)::text) END
    FROM UNNEST(p.polroles) AS r ORDER BY 1), ', '))
  || COALESCE(' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', '')
  || COALESCE(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')
FROM pg_policy p WHERE p.polrelid = {oid} ORDER BY p.polname"""
_ROW_SECURITY = "SELECT c.relrowsecurity, c.relforcerowsecurity FROM pg_class c WHERE c.oid = {oid}"

# A copy is one role's, whatever belonged to whom. Where all the tables beside it are one role's, so was this one. Those
# that are made or altered in this very transaction say nothing of that while they are ours.
_OWNER = """
DO $upkeep$
DECLARE owners oid[];
BEGIN
  SELECT ARRAY_AGG(DISTINCT c.relowner) INTO owners FROM pg_class c
  WHERE c.relkind IN ('r', 'p') AND c.oid <> {name}::regclass AND c.relnamespace = (
    SELECT relnamespace FROM pg_class WHERE oid = {name}::regclass)
  AND (c.relowner <> current_user::regrole OR age(c.xmin) > 0);
  IF CARDINALITY(owners) = 1 AND ((SELECT rolsuper FROM pg_roles WHERE rolname = current_user) OR (
    pg_has_role(owners[1], CASE WHEN {is_old} THEN 'MEMBER' ELSE 'SET' END) AND has_schema_privilege(owners[1], (
      SELECT relnamespace FROM pg_class WHERE oid = {name}::regclass), 'CREATE')))
  THEN
    EXECUTE FORMAT('ALTER TABLE %s OWNER TO %I', {name}, pg_get_userbyid(owners[1]));
  END IF;
END $upkeep$"""
_IS_OLD = "current_setting('server_version_num')::int < 160000"
"""Before this version who is a member of a role may always become it."""
LACKS = ("its grants, and its place in publications: a copy has neither, so say GRANT and ALTER PUBLICATION again",)


def read_making(connection: Connection[Any], table: Relation, shown: Mapping[str, Relation]) -> Making:
    """What makes ``table`` again; Refused for one that these statements could not make as it is.

    ``shown`` are the tables by the names that people see.
    """
    with without_search_path(connection):
        ((unlike, create, using),) = fetched(connection, filled(_UNLIKE, table))
        if unlike:
            raise Refused(
                f"{table.name} {unlike!s}, so that no plan makes it",
                "restore the backup to another database, and bring the table over with pg_dump -t",
            )
        names = {relation.oid: name for name, relation in shown.items()}
        return _Made(connection, table, names, str(create), str(using)).making()


class _Made:
    """One table, asked part by part."""

    def __init__(
        self, connection: Connection[Any], table: Relation, shown: Mapping[int, str], create: str, using: str
    ) -> None:
        self._connection, self._table, self._create, self._using = connection, table, create, using
        self._shown = shown
        self._alter = f"ALTER TABLE ONLY {table.full}"

    def _asked(self, sql: str) -> list[tuple[str, ...]]:
        found = fetched(self._connection, filled(sql, self._table))
        return [tuple("" if word is None else str(word) for word in row) for row in found]

    def making(self) -> Making:
        """All of it."""
        columns, sequences = columns_of(self._connection, self._table), sequences_of(self._connection, self._table)
        checks, late = self._checks()
        keys, triggers = self._asked(_KEYS), self._asked(_TRIGGERS)
        rules = self._asked(_RULES)
        dropped = [f"DROP TRIGGER {quote(name)} ON {self._table.full}" for name, *_ in triggers]
        dropped += [f"DROP RULE {quote(name)} ON {self._table.full}" for name, *_ in rules]
        return Making(
            make=(
                *sequences.make,
                f"{self._create} {self._table.full} ({', '.join([*columns, *checks])}){self._using}",
                *sequences.own,
                *(f"{self._alter} ADD CONSTRAINT {quote(name)} {said}" for name, said in self._asked(_UNIQUE)),
                *(settled(said) for (said,) in self._asked(_INDEXES)),
                *odds_of(self._connection, self._table),
            ),
            counters=sequences.reached,
            tie=tuple(self._tied(keys)),
            finish=(
                *(f"{self._alter} ALTER CONSTRAINT {quote(name)} NOT DEFERRABLE" for name in _stiff(keys)),
                *late,
                *self._firing(triggers, rules),
                *self._row_security(),
                *comments_of(self._connection, self._table),
                _OWNER.format(name=quoted(self._table.full), is_old=_IS_OLD),
            ),
            loosen=(*(f"{self._alter} DROP CONSTRAINT {quote(name)}" for name, *_ in keys), *dropped),
            drop=(f"DROP TABLE {self._table.full}",),
            bonds=tuple(self._bonds()),
            lacks=(*LACKS, *self._lost_bonds()),
        )

    def _checks(self) -> tuple[list[str], list[str]]:
        """Those that every row keeps, for the table's own statement; those that rows may violate, to be added after."""
        checks, late = [], []
        for name, said, is_valid in self._asked(_CHECKS):
            if is_valid == "t":
                checks.append(f"CONSTRAINT {quote(name)} {settled(said)}")
            else:
                late.append(f"{self._alter} ADD CONSTRAINT {quote(name)} {settled(said)}")
        return checks, late

    def _tied(self, keys: list[tuple[str, ...]]) -> Iterator[str]:
        """Its foreign keys. They can wait until its rows are there: with others in a circle they come together only."""
        for name, said, _ in keys:
            yield f"{self._alter} ADD CONSTRAINT {quote(name)} {said}"
        for name in _stiff(keys):
            yield f"{self._alter} ALTER CONSTRAINT {quote(name)} DEFERRABLE"

    def _firing(self, triggers: list[tuple[str, ...]], rules: list[tuple[str, ...]]) -> Iterator[str]:
        for kind, several in (("TRIGGER", triggers), ("RULE", rules)):
            for name, said, enabled in several:
                yield said.rstrip(";")
                if enabled in _ENABLED:
                    yield f"ALTER TABLE {self._table.full} {_ENABLED[enabled]} {kind} {quote(name)}"

    def _row_security(self) -> Iterator[str]:
        yield from (said for (said,) in self._asked(_POLICIES))
        ((enabled, forced),) = self._asked(_ROW_SECURITY)
        if enabled == "t":
            yield f"ALTER TABLE {self._table.full} ENABLE ROW LEVEL SECURITY"
        if forced == "t":
            yield f"ALTER TABLE {self._table.full} FORCE ROW LEVEL SECURITY"

    def _bonds(self) -> Iterator[Bond]:
        """What others point by. Added without a look at their rows, for which writers would have to wait (P-84)."""
        for oid, child, kind, name, said, comment, columns in self._asked(_BONDS):
            if self._must_look(kind) or int(oid) not in self._shown:
                continue
            plain = said.removesuffix(" NOT VALID")
            add = [
                f"ALTER TABLE {'' if kind == 'p' else 'ONLY '}{child} ADD CONSTRAINT {quote(name)} {plain} NOT VALID"
            ]
            if comment:
                add.append(f"COMMENT ON CONSTRAINT {quote(name)} ON {child} IS {quoted(comment)}")
            drop = f"ALTER TABLE IF EXISTS {child} DROP CONSTRAINT IF EXISTS {quote(name)}"
            of = self._shown[int(oid)], tuple(json.loads(columns))
            yield Bond(*of, tuple(add), (drop,), was_believed=plain == said)

    def _must_look(self, kind: str) -> bool:
        return kind == "p" and self._connection.info.server_version < NOT_VALID_ON_PARTITIONED

    def _lost_bonds(self) -> Iterator[str]:
        for _, child, kind, name, *_ in self._asked(_BONDS):
            if self._must_look(kind):
                yield f"the foreign key {name} of {child}: one of a partitioned table has to look at all its rows"


def _stiff(keys: list[tuple[str, ...]]) -> list[str]:
    return [name for name, said, is_deferrable in keys if is_deferrable != "t" and "NOT ENFORCED" not in said]
