"""The catalog of a MariaDB database: the tables of that one database, and its foreign keys, to others too."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from upkeep.catalog import Catalog, ForeignKey, Table, told_once
from upkeep.catalog import Index as Found
from upkeep.databases.mariadb_asking import Conversation
from upkeep.databases.mariadb_dialect import MariadbDialect, Relation
from upkeep.databases.mariadb_keys import Side, judge_key, pointed_at_from_elsewhere, read_foreign_keys
from upkeep.databases.mariadb_rights import refuse_what_is_missing
from upkeep.databases.mariadb_schema import read_schema_digest
from upkeep.databases.mariadb_shapes import Kind, keys_among, read_columns, read_indexes, read_relations, read_triggers

_TO_LOOK = ("SELECT", "TRIGGER")


@dataclass(frozen=True)
class Look:
    """The catalog, with every table that a name stands for, and the sides of keys."""

    catalog: Catalog
    relations: dict[str, Relation]
    sides: dict[str, Side]

    @property
    def dialect(self) -> MariadbDialect:
        """The dialect for these tables."""
        rounded = {
            (name, column) for name, side in self.sides.items() for column, kind in side.kinds.items()
            if kind.name == "float"
        }  # fmt: skip
        return MariadbDialect(self.relations, rounded)

    def kind(self, table: str, column: str) -> Kind:
        """The type of a column."""
        return self.sides[table].kinds[column]


def look(conversation: Conversation, database: str) -> Look:
    """Tables and declared foreign keys of one database; a parent in another goes by schema.table.

    Raises Refused if the role cannot see all of it: what it may not see is left out without a word (P-15).
    """
    refuse_what_is_missing(conversation, database, _TO_LOOK)
    relations = read_relations(conversation, database)
    own = set(relations)
    declared = [_placed(key, schema, database, relations) for key, schema in read_foreign_keys(conversation, database)]
    sides = dict(_sides(conversation, relations))
    keys = told_once(judge_key(key, sides, relations) for key in declared)
    # Rows of others would lose their parent there and nobody would know: none of it may go.
    untold = {key.parent for key in keys if not key.askable} | pointed_at_from_elsewhere(conversation, database)
    tables = {
        name: replace(sides[name].table, locator=()) if name in untold else sides[name].table for name in sorted(own)
    }
    digest = read_schema_digest(conversation, database, sorted(own))
    return Look(Catalog(tables, keys, digest), relations, sides)


def _placed(key: ForeignKey, schema: str, database: str, relations: dict[str, Relation]) -> ForeignKey:
    """The key with its parent by the name that it goes by here, which is among ``relations`` afterwards."""
    if schema == database:
        return key
    relation = Relation(schema, key.parent)
    shown = f"{schema}.{key.parent}"
    if shown in relations and relations[shown] != relation:
        shown = relation.full
    relations[shown] = relation
    return replace(key, parent=shown)


def _sides(conversation: Conversation, relations: dict[str, Relation]) -> Iterator[tuple[str, Side]]:
    """Each table that can be seen, with what a key needs to know of it."""
    for schema in sorted({relation.schema for relation in relations.values()}):
        columns, indexes = read_columns(conversation, schema), read_indexes(conversation, schema)
        triggers = read_triggers(conversation, schema)
        for name, relation in relations.items():
            if relation.schema == schema and relation.name in columns:
                described = columns[relation.name]
                found = indexes.get(relation.name, [])
                primary, locator = keys_among(found, described)
                of = tuple(column for column, _ in described.values())
                told = tuple(Found(index.name, index.columns, index.is_unique) for index in found)
                table = Table(name, of, primary, locator, triggers.get(relation.name, ()), told)
                yield name, Side(table, {column: kind for column, (_, kind) in described.items()}, tuple(found))
