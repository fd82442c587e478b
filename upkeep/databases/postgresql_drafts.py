"""The lines of a revision that change what keys say on delete, so that PostgreSQL locks strongly for a moment only."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from upkeep.catalog import ForeignKey
from upkeep.databases.postgresql_asking import fetched, quoted, without_search_path
from upkeep.databases.postgresql_dialect import Relation, quote
from upkeep.drafts import Draft, executed, indented

# Names are printed with their schema but for those of ``home``, as the application's own revisions write them.
_KEY = """
SELECT k.conrelid::regclass::text, quote_ident(k.conname), pg_get_constraintdef(k.oid), k.convalidated,
  c.relkind = 'p', obj_description(k.oid, 'pg_constraint')
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE k.contype = 'f' AND k.conrelid = {oid} AND k.conname = {name}"""

_COLUMNS = r"(?: \([^()]*\))?"
_ACTION = rf"(?:NO ACTION|RESTRICT|CASCADE|SET NULL{_COLUMNS}|SET DEFAULT{_COLUMNS})"
_DEFINITION = re.compile(
    rf"(?P<before>FOREIGN KEY \(.*?\) REFERENCES .*?\)(?: MATCH FULL)?(?: ON UPDATE {_ACTION})?)"
    rf"(?: ON DELETE {_ACTION})?(?P<after>(?: DEFERRABLE)?(?: INITIALLY DEFERRED)?)(?: NOT VALID)?",
    re.DOTALL,
)


@dataclass(frozen=True)
class _Constraint:
    table: str
    name: str
    definition: str
    is_validated: bool
    is_partitioned: bool
    comment: str | None


def draft_ondelete(
    connection: Connection[Any], relations: Mapping[str, Relation], home: str | None, wanted: Mapping[ForeignKey, str]
) -> Draft:
    """Each key dropped and added in one statement, NOT VALID, and then held against its rows (P-84).

    So no row can slip in between, the strong lock lasts for a moment, and rows are read under a weak one. What was not
    valid stays so: rows may violate it, as they do where a backup could be restored in no other way (P-13).
    """
    done, back, left_out = list[str](), list[str](), dict[ForeignKey, str]()
    with without_search_path(connection) as first:
        if plain := home or first:
            connection.execute("SELECT set_config('search_path', %s, true)", [quote(plain)])
        for key, ondelete in wanted.items():
            constraints = [_read(connection, relations[key.child], name) for name in key.names]
            if None in constraints or not constraints:
                left_out[key] = "each partition declares it for itself: change it there by hand"
                continue
            for one in filter(None, constraints):
                done += [f"# {key}: {key.ondelete} becomes {ondelete}", *_replaced(one, _saying(one, ondelete))]
                back += _replaced(one, one.definition.removesuffix(" NOT VALID"))
    return Draft(tuple(_alone(done)), tuple(_alone(back)), left_out)


def _read(connection: Connection[Any], relation: Relation, name: str) -> _Constraint | None:
    found = fetched(connection, _KEY.format(oid=relation.oid, name=quoted(name)))
    if not found:
        return None
    table, called, definition, validated, partitioned, comment = found[0]
    said = None if comment is None else str(comment)
    return _Constraint(str(table), str(called), str(definition), validated == "t", partitioned == "t", said)


def _saying(constraint: _Constraint, ondelete: str) -> str:
    found = _DEFINITION.fullmatch(constraint.definition)
    if found is None:
        raise AssertionError(f"PostgreSQL prints a foreign key in words not known: {constraint.definition}")
    return f"{found['before']} ON DELETE {ondelete}{found['after']}"


def _replaced(constraint: _Constraint, definition: str) -> Iterator[str]:
    """A key of a partitioned table cannot be NOT VALID: its rows are read under the strong lock."""
    table, name = constraint.table, constraint.name
    later = "" if constraint.is_partitioned else " NOT VALID"
    yield from executed(f"ALTER TABLE {table} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} {definition}{later}")
    if constraint.is_validated and later:
        yield from executed(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
    if constraint.comment is not None:
        yield from executed(f"COMMENT ON CONSTRAINT {name} ON {table} IS {quoted(constraint.comment)}")


def _alone(lines: list[str]) -> Iterator[str]:
    """Each statement in a transaction of its own: in one, the strong lock would last until the last row is read."""
    if lines:
        yield "with op.get_context().autocommit_block():"
        yield from indented(lines)
