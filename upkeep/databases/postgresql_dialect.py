"""How PostgreSQL spells names and tells a table's own rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


def quote(name: str) -> str:
    """The name in double quotes, those within doubled."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True)
class Relation:
    """One table as the server knows it. ``root`` is the partitioned table that it belongs to, or itself.

    ``line`` leads there: itself, what it is a partition of, and so on.
    """

    oid: int
    schema: str
    name: str
    is_partitioned: bool
    root: int
    is_of_extension: bool
    line: tuple[int, ...]

    @property
    def full(self) -> str:
        """Schema and name, quoted."""
        return f"{quote(self.schema)}.{quote(self.name)}"


def shown_names(relations: Iterable[Relation], home: str | None) -> dict[str, Relation]:
    """Relations by the names that people see: those of the schema ``home`` plain, all others as schema.table.

    Where two would look the same, "a.b" and b of a, both are written in full with their quotes.
    """
    by_name: dict[str, list[Relation]] = {}
    for relation in relations:
        name = relation.name if relation.schema == home else f"{relation.schema}.{relation.name}"
        by_name.setdefault(name, []).append(relation)
    return {
        name if len(several) == 1 else relation.full: relation
        for name, several in by_name.items()
        for relation in several
    }


class PostgresqlDialect:
    """PostgreSQL's spelling for the tables of one database."""

    keeps_values: bool = True
    takes_any: bool = False
    beside_writers: str = "postgresql_concurrently=True"

    def __init__(self, relations: Mapping[str, Relation]) -> None:
        self._relations = relations

    def quote(self, name: str) -> str:
        """The name in double quotes, those within doubled."""
        return quote(name)

    def table(self, name: str) -> str:
        """Schema and name, so that no search path decides which table it is."""
        return self._relations[name].full

    def source(self, table: str) -> str:
        """ONLY its own rows, as foreign keys see them; those of a partitioned table are in its partitions (P-43)."""
        relation = self._relations[table]
        return relation.full if relation.is_partitioned else f"ONLY {relation.full}"

    def elements(self, array: str) -> str:
        """Of an array of several dimensions all of them, one after the other; of NULL none."""
        return f"UNNEST({array}) WITH ORDINALITY AS e (element, place)"

    def placed(self, table: str) -> tuple[str, str | None]:
        """The name with its schema; those of the search path's first schema go without."""
        relation = self._relations[table]
        return relation.name, None if table == relation.name else relation.schema

    def value(self, alias: str, table: str, column: str) -> str:  # noqa: ARG002  # the protocol passes it by this name
        """The column itself: it is printed whole."""
        return f"{alias}.{quote(column)}"

    def first(self, columns: str, chosen: str, rows: int) -> str:
        """With a LIMIT, which takes no row away but makes the server choose the rows first.

        A planner that knows of no orphans expects one, so it would look for that in all of the table and then compare
        each that it finds with each of the rows.
        """
        return f"(SELECT {columns} FROM {chosen} LIMIT {rows}) AS c WHERE"

    def same(self, parent: str, child: str) -> str:
        """For a key that nobody declared: a declared one brings its own operators."""
        return f"{parent} = {child}"

    def literal(self, text: str) -> str:
        """In single quotes, those within doubled: a backslash is itself (standard_conforming_strings)."""
        return "'" + text.replace("'", "''") + "'"

    def as_text(self, expression: str) -> str:
        """As the server prints it."""
        return f"CAST({expression} AS TEXT)"

    def is_no_number(self, expression: str) -> str:
        """A column of numbers takes nothing else."""
        return f"{expression} IS NULL AND FALSE"
