"""The lines of a revision that change what MariaDB's keys say on delete: plain ALTER TABLE, twice for each key."""

import re
from collections.abc import Iterator, Mapping

from upkeep.catalog import ForeignKey
from upkeep.databases.mariadb_asking import Conversation
from upkeep.databases.mariadb_dialect import Relation, quote
from upkeep.drafts import Draft, executed

_ACTION = "(?:NO ACTION|RESTRICT|CASCADE|SET NULL|SET DEFAULT)"
_DEFINITION = re.compile(
    rf"  CONSTRAINT (?P<name>`(?:[^`]|``)*`) (?P<before>FOREIGN KEY \(.*\) REFERENCES .*\))"
    rf"(?: ON DELETE {_ACTION})?(?P<after>(?: ON UPDATE {_ACTION})?),?"
)


def draft_ondelete(
    conversation: Conversation,
    relations: Mapping[str, Relation],
    database: str,
    wanted: Mapping[ForeignKey, str],
    orphans: Mapping[ForeignKey, int],
) -> Draft:
    """Each key dropped and added again, for a name cannot be both in one statement.

    MariaDB adds no key that rows violate, and knows no NOT VALID: such a key is left out.
    """
    done, back, left_out = list[str](), list[str](), dict[ForeignKey, str]()
    for key, ondelete in wanted.items():
        if orphans[key]:
            left_out[key] = f"{orphans[key]} rows violate it, so that it could not be added again: repair them first"
            continue
        relation = relations[key.child]
        table = quote(relation.name) if relation.schema == database else relation.full
        for name, before, was, after in _declared(conversation, relation, key.names):
            done.append(f"# {key}: {key.ondelete} becomes {ondelete}")
            done += _replaced(table, name, f"{before} ON DELETE {ondelete}{after}")
            back += _replaced(table, name, was)
    return Draft(tuple(done), tuple(back), left_out)


def _declared(
    conversation: Conversation, relation: Relation, names: tuple[str, ...]
) -> Iterator[tuple[str, str, str, str]]:
    """Each of these keys: its quoted name, what stands before ON DELETE, all of it, and what stands after."""
    ((_, said),) = conversation.fetched(f"SHOW CREATE TABLE {relation.full}")
    for found in filter(None, map(_DEFINITION.fullmatch, str(said).splitlines())):
        if found["name"] in map(quote, names):
            whole = found[0].strip().removesuffix(",").partition(f"{found['name']} ")[2]
            yield found["name"], found["before"], whole, found["after"]


def _replaced(table: str, name: str, definition: str) -> Iterator[str]:
    yield from executed(f"ALTER TABLE {table} DROP FOREIGN KEY {name}")
    yield from executed(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
