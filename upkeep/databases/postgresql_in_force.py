"""PostgreSQL: foreign keys brought into force beside an application, NOT VALID at once, VALIDATE when all is clean.

To add a key that is NOT VALID, or to switch its triggers on, takes a lock against writers and no look at any row; to
validate it takes a look at every row and a lock that no reader and no writer minds. In one transaction the strong lock
would be held while the rows are looked at (P-84), so it is two.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection

from upkeep.catalog import ForeignKey
from upkeep.databases.postgresql_asking import fetched, run, settle, without_search_path
from upkeep.databases.postgresql_dialect import PostgresqlDialect, Relation, quote, shown_names
from upkeep.databases.postgresql_errors import speaking
from upkeep.databases.postgresql_locks import begin_work, patient
from upkeep.databases.postgresql_partitions import leaves_below
from upkeep.databases.postgresql_place import Place
from upkeep.databases.postgresql_shapes import read_relations
from upkeep.enforcement import Enforced, How, Lapse
from upkeep.errors import Refused

_LONGEST_NAME = 63
_ON_PARTITIONED = 180000
"""From this version on a key of a partitioned table may be NOT VALID."""
_CONSTRAINTS = """
WITH RECURSIVE chain (top, oid) AS (
  SELECT oid, oid FROM pg_constraint WHERE contype = 'f' AND conparentid = 0
  UNION ALL SELECT h.top, k.oid FROM pg_constraint k JOIN chain h ON k.conparentid = h.oid WHERE k.contype = 'f')
SELECT k.conrelid, k.confrelid, k.conname, k.convalidated, {enforced}, (
  SELECT JSON_AGG(JSON_BUILD_ARRAY(c.attname, p.attname)) FROM UNNEST(k.conkey, k.confkey) AS u (child, parent)
  JOIN pg_attribute c ON c.attrelid = k.conrelid AND c.attnum = u.child
  JOIN pg_attribute p ON p.attrelid = k.confrelid AND p.attnum = u.parent), (
  SELECT JSON_AGG(JSON_BUILD_ARRAY(t.tgrelid::regclass::text, t.tgname)) FROM chain h
  JOIN pg_trigger t ON t.tgconstraint = h.oid WHERE h.top = k.oid AND t.tgenabled NOT IN ('O', 'A'))
FROM pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0 ORDER BY k.conname, k.oid"""
_NAMES = "SELECT conname FROM pg_constraint WHERE conrelid = {oid}"
_RIGHTS = """
SELECT pg_has_role(c.relowner, 'USAGE'), has_table_privilege({parent}, 'REFERENCES'),
  (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) FROM pg_class c WHERE c.oid = {child}"""


@dataclass(frozen=True)
class _Constraint:
    """One constraint as the server knows it; ``off`` are its triggers that do not fire, each with its table."""

    relation: Relation
    parent: int
    name: str
    is_valid: bool
    is_enforced: bool
    pairs: frozenset[tuple[str, str]]
    off: tuple[tuple[str, str], ...]


class _Look:
    """The tables and constraints of one moment."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        settle(connection)
        with without_search_path(connection) as home:
            relations = read_relations(connection)
            self.shown = shown_names(relations.values(), home)
            self._constraints = tuple(_constraints(connection, relations))
        self._leaves = leaves_below(relations)

    def of(self, key: ForeignKey) -> tuple[_Constraint, ...]:
        """The constraints that declare the key: one, or one of each partition; () where it is not declared whole."""
        child, parent = self.shown.get(key.child), self.shown.get(key.parent)
        if child is None or parent is None or len(key.columns) != len(key.parent_columns):
            return ()
        pairs = frozenset(zip(key.columns, key.parent_columns, strict=True))
        found = [one for one in self._constraints if (one.parent, one.pairs) == (parent.oid, pairs)]
        if own := tuple(one for one in found if one.relation.oid == child.oid):
            return own
        parts = tuple(one for one in found if child.oid in one.relation.line)
        covered = {leaf for one in parts for leaf in self._leaves[one.relation.oid]}
        return parts if covered and covered >= self._leaves[child.oid] else ()

    def lapse(self, key: ForeignKey) -> Lapse | None:
        """What is lacking of the key; None where it is in force and believed."""
        declared = self.of(key)
        names = ", ".join(sorted({one.name for one in declared}))
        owns, refers, is_super = self._rights(key)
        no_owner = "" if owns else f"this role does not own {key.child}: use the one that does, or GRANT it"
        if not declared:
            lacking = "" if refers else f"this role may not refer to {key.parent}: GRANT REFERENCES ON it"
            return Lapse(How.ADD, self._free_name(key), no_owner or lacking or self._why_no_new_one(key))
        if not all(one.is_enforced for one in declared):
            return Lapse(How.ENABLE, names, "it is declared NOT ENFORCED: ALTER CONSTRAINT it in a migration")
        if any(one.off for one in declared):
            return Lapse(How.ENABLE, names, "" if is_super else "only a superuser may switch its triggers on again")
        return None if all(one.is_valid for one in declared) else Lapse(How.VALIDATE, names, no_owner)

    def _why_no_new_one(self, key: ForeignKey) -> str:
        child = self.shown.get(key.child)
        if child and child.is_partitioned and self._connection.info.server_version < _ON_PARTITIONED:
            return f"before PostgreSQL 18 no key of a partitioned table, as {key.child} is, can be NOT VALID"
        return ""

    def _rights(self, key: ForeignKey) -> tuple[bool, bool, bool]:
        """Does the role own the child, may it refer to the parent, may it do everything?"""
        child, parent = self.shown.get(key.child), self.shown.get(key.parent)
        if child is None or parent is None:
            return False, False, False
        ((owns, refers, is_super),) = fetched(self._connection, _RIGHTS.format(child=child.oid, parent=parent.oid))
        return owns == "t", refers == "t", is_super == "t"

    def _free_name(self, key: ForeignKey) -> str:
        """The name that the server itself would give; with a number where the table has one of that name."""
        child = self.shown.get(key.child)
        if child is None:
            return ""
        taken = {str(name) for (name,) in fetched(self._connection, _NAMES.format(oid=child.oid))}
        end, number = "_fkey", 0
        while (name := _cut(f"{child.name}_{'_'.join(key.columns)}", end)) in taken:
            number += 1
            end = f"_fkey{number}"
        return name


def lapses(connection: Connection[Any], keys: Collection[ForeignKey]) -> dict[str, Lapse]:
    """What the database lacks of each key, by the key's name."""
    look = _Look(connection)
    return {str(key): lapse for key in keys if (lapse := look.lapse(key))}


def hold_back(place: Place, work: int, keys: Collection[Enforced]) -> None:
    """Each key in a short transaction of its own; ``work`` is the key of the lock on being at work.

    Raises Busy where writers do not let go of the table in time: each try waits briefly, then lets all go on.
    """
    for one in keys:
        with _transaction(place, work) as connection, _refusing(one):
            statements = _holding_back(_Look(connection), one)
            patient(connection, partial(list, statements), place.patience)


def validate(place: Place, work: int, keys: Collection[Enforced]) -> None:
    """Let the server look at the old rows; a key that rows violate stays NOT VALID.

    SHARE UPDATE EXCLUSIVE, for which it may wait as long as its patience: nobody who reads or writes waits behind it.
    """
    for one in keys:
        with _transaction(place, work) as connection, _refusing(one):
            look = _Look(connection)
            for constraint in look.of(one.key):
                if not constraint.is_valid:
                    statement = f"{_altering(constraint.relation)} VALIDATE CONSTRAINT {quote(constraint.name)}"
                    with suppress(psycopg.errors.ForeignKeyViolation), connection.transaction():
                        run(connection, statement)


def _holding_back(look: _Look, one: Enforced) -> list[str]:
    """What is lacking now, which may be less than when the plan was drawn up, and is nothing the second time."""
    declared = look.of(one.key)
    if declared:
        return [f"ALTER TABLE {table} ENABLE TRIGGER {quote(name)}" for con in declared for table, name in con.off]
    dialect = PostgresqlDialect(look.shown)
    columns, parents = (", ".join(map(quote, names)) for names in (one.key.columns, one.key.parent_columns))
    return [
        f"{_altering(look.shown[one.key.child])} ADD CONSTRAINT {quote(one.constraint)} FOREIGN KEY ({columns})"
        f" REFERENCES {dialect.table(one.key.parent)} ({parents}) ON DELETE {one.ondelete or 'NO ACTION'} NOT VALID"
    ]


def _altering(relation: Relation) -> str:
    return f"ALTER TABLE {'' if relation.is_partitioned else 'ONLY '}{relation.full}"


@contextmanager
def _transaction(place: Place, work: int) -> Iterator[Connection[Any]]:
    with speaking(str(place)), closing(place.connect(autocommit=True)) as connection, connection.transaction():
        begin_work(connection, work)
        yield connection


@contextmanager
def _refusing(one: Enforced) -> Iterator[None]:
    """What the server says against the key itself, in the words that name it."""
    try:
        yield
    except (psycopg.errors.SyntaxErrorOrAccessRuleViolation, psycopg.errors.FeatureNotSupported) as fault:
        raise Refused(
            f"{one.key} cannot be enforced: {fault.diag.message_primary}",
            "correct that, or take `enforce` out of its rule in the policy",
        ) from None


def _constraints(connection: Connection[Any], relations: Mapping[int, Relation]) -> Iterator[_Constraint]:
    enforced = "k.conenforced" if connection.info.server_version >= _ON_PARTITIONED else "true"
    for of, to, name, valid, is_enforced, pairs, off in fetched(connection, _CONSTRAINTS.format(enforced=enforced)):
        relation = relations.get(int(str(of)))
        if relation is not None:
            yield _Constraint(
                relation,
                int(str(to)),
                str(name),
                valid == "t",
                is_enforced == "t",
                frozenset((child, parent) for child, parent in json.loads(str(pairs))),
                tuple((table, trigger) for table, trigger in json.loads(str(off or "[]"))),
            )


def _cut(begin: str, end: str) -> str:
    """So many characters of the begin as leave room for the end; the server counts bytes."""
    room = _LONGEST_NAME - len(end)
    return begin.encode()[:room].decode(errors="ignore") + end
