"""PostgreSQL: foreign keys that rows may violate until the transaction is nearly done, those keys and nothing else."""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from upkeep.catalog import ForeignKey
from upkeep.databases.postgresql_asking import fetched, quoted, run
from upkeep.databases.postgresql_dialect import Relation, quote
from upkeep.databases.postgresql_locks import patient
from upkeep.errors import Refused

_CONSTRAINTS = """
SELECT k.oid, k.conname, pg_get_constraintdef(k.oid), obj_description(k.oid, 'pg_constraint'),
  ARRAY_TO_JSON(ARRAY(SELECT a.attname::text FROM UNNEST(k.conkey) WITH ORDINALITY AS u (attnum, n)
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum ORDER BY u.n)),
  ARRAY_TO_JSON(ARRAY(SELECT a.attname::text FROM UNNEST(k.confkey) WITH ORDINALITY AS u (attnum, n)
    JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum ORDER BY u.n))
FROM pg_constraint k WHERE k.contype = 'f' AND k.conrelid = {child} AND k.confrelid = {parent} ORDER BY k.conname"""

_TRIGGERS = """
WITH RECURSIVE family (oid) AS (
  SELECT oid FROM pg_constraint WHERE oid = {oid} UNION
  SELECT k.oid FROM pg_constraint k JOIN family f ON k.conparentid = f.oid)
SELECT FORMAT('%I.%I', n.nspname, c.relname), FORMAT('%I', t.tgname), t.tgenabled
FROM pg_trigger t JOIN family f ON f.oid = t.tgconstraint
JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE t.tgenabled IN ('O', 'A') ORDER BY 1, 2"""

_IS_SUPERUSER = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"


@dataclass(frozen=True)
class _Constraint:
    """One foreign key as the server has it, with the tables at its two ends."""

    oid: str
    name: str
    definition: str
    comment: str | None
    child: Relation
    parent: Relation


@contextmanager
def unenforced(
    connection: Connection[Any], relations: Mapping[str, Relation], keys: Collection[ForeignKey], patience: float
) -> Iterator[None]:
    """Rows may come that violate ``keys``, or go although others need them by these, and no cascade of these acts.

    A superuser has the triggers of those very keys sleep, so that the schema stays what it is; session_replication_role
    would silence every trigger (P-57). Who owns the tables can only drop the keys and add them NOT VALID, as they would
    come back from a dump too (P-14). Where an error leaves the context the transaction is undone, and this with it.
    """
    constraints = [one for key in keys for one in _constraints(connection, relations, key)]
    if not constraints:
        yield
        return
    ((is_superuser,),) = fetched(connection, _IS_SUPERUSER)
    if is_superuser == "t":
        yield from _asleep(connection, constraints, patience)
    else:
        yield from _dropped(connection, constraints, patience)


def _constraints(
    connection: Connection[Any], relations: Mapping[str, Relation], key: ForeignKey
) -> Iterator[_Constraint]:
    child, parent = relations[key.child], relations[key.parent]
    for oid, name, said, comment, ours, theirs in fetched(
        connection, _CONSTRAINTS.format(child=child.oid, parent=parent.oid)
    ):
        if (*json.loads(str(ours)),) == key.columns and (*json.loads(str(theirs)),) == key.parent_columns:
            told = None if comment is None else str(comment)
            yield _Constraint(str(oid), str(name), str(said), told, child, parent)


def _asleep(connection: Connection[Any], constraints: list[_Constraint], patience: float) -> Iterator[None]:
    triggers = sorted({trigger for one in constraints for trigger in _triggers(connection, one)})
    tables = sorted({table for table, _, _ in triggers})
    locks = [f"LOCK TABLE ONLY {table} IN SHARE ROW EXCLUSIVE MODE" for table in tables]
    patient(connection, lambda: locks, patience)
    for table, name, _ in triggers:
        run(connection, f"ALTER TABLE ONLY {table} DISABLE TRIGGER {name}")
    yield
    for table, name, enabled in triggers:
        run(connection, f"ALTER TABLE ONLY {table} ENABLE {'ALWAYS ' if enabled == 'A' else ''}TRIGGER {name}")


def _triggers(connection: Connection[Any], constraint: _Constraint) -> Iterator[tuple[str, str, str]]:
    """Table, name and state of those that enforce it, at both ends and at each partition."""
    for table, name, enabled in fetched(connection, _TRIGGERS.format(oid=constraint.oid)):
        yield str(table), str(name), str(enabled)


def _dropped(connection: Connection[Any], constraints: list[_Constraint], patience: float) -> Iterator[None]:
    for one in constraints:
        if one.child.is_partitioned:
            raise Refused(
                f"the foreign key {one.name} of {one.child.name}, which is partitioned, refuses these rows",
                "nothing was done; let a superuser do it: set DATABASE_URL to one for this run",
            )
    tables = sorted({table.full for one in constraints for table in (one.child, one.parent)})
    locks = [f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE" for table in tables]
    patient(connection, lambda: locks, patience)
    for one in constraints:
        run(connection, f"ALTER TABLE {one.child.full} DROP CONSTRAINT {quote(one.name)}")
    yield
    for one in constraints:
        said = f"{quote(one.name)} {one.definition.removesuffix(' NOT VALID')} NOT VALID"
        run(connection, f"ALTER TABLE {one.child.full} ADD CONSTRAINT {said}")
        if one.comment is not None:
            told = quoted(one.comment)
            run(connection, f"COMMENT ON CONSTRAINT {quote(one.name)} ON {one.child.full} IS {told}")
