"""How MariaDB spells names, and which columns it prints with fewer digits than it keeps."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass


def quote(name: str) -> str:
    """The name in backticks, those within doubled."""
    return "`" + name.replace("`", "``") + "`"


@dataclass(frozen=True)
class Relation:
    """One table as the server knows it, with the engine that keeps it."""

    schema: str
    name: str
    kept_by: str = "InnoDB"

    @property
    def full(self) -> str:
        """Schema and name, quoted."""
        return f"{quote(self.schema)}.{quote(self.name)}"


class MariadbDialect:
    """MariaDB's spelling for the tables of one database and those of others that its keys point at."""

    keeps_values: bool = False  # a temporary table loses ZEROFILL
    takes_any: bool = False
    beside_writers: str = ""

    def __init__(self, relations: Mapping[str, Relation], rounded: Collection[tuple[str, str]] = ()) -> None:
        self._relations = relations
        self._rounded = rounded

    def quote(self, name: str) -> str:
        """The name in backticks, those within doubled."""
        return quote(name)

    def table(self, name: str) -> str:
        """Schema and name, so that the database one is in does not decide which table it is."""
        return self._relations[name].full

    def source(self, table: str) -> str:
        """The table: there is nothing here that inherits its rows."""
        return self.table(table)

    def elements(self, array: str) -> str:
        """Nothing: MariaDB has no arrays."""
        del array
        return ""

    def placed(self, table: str) -> tuple[str, str | None]:
        """The name with its schema; those of the one database go without."""
        relation = self._relations[table]
        return relation.name, None if table == relation.name else relation.schema

    def value(self, alias: str, table: str, column: str) -> str:
        """The column; a FLOAT as DOUBLE, for it is printed with six digits and may keep more (P-120)."""
        said = f"{alias}.{quote(column)}"
        return f"CAST({said} AS DOUBLE)" if (table, column) in self._rounded else said

    def first(self, columns: str, chosen: str, rows: int) -> str:
        """As they are: the rows are looked up by their key."""
        del columns, rows
        return f"{chosen} AND"

    def same(self, parent: str, child: str) -> str:
        """As InnoDB compares: both sides of its keys have one type and one collation, padding and case included."""
        return f"{parent} = {child}"

    def literal(self, text: str) -> str:
        """In single quotes, those within doubled: a backslash is itself (NO_BACKSLASH_ESCAPES)."""
        return "'" + text.replace("'", "''") + "'"

    def as_text(self, expression: str) -> str:
        """As the server prints it."""
        return f"CAST({expression} AS CHAR)"

    def is_no_number(self, expression: str) -> str:
        """A column of numbers takes nothing else."""
        return f"{expression} IS NULL AND FALSE"
