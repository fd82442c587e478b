"""How SQLite spells names and compares the two sides of a foreign key."""

import string

_UPPER_TO_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def folded(name: str) -> str:
    """The name as SQLite compares names: without the case of ASCII letters, and of no others (P-39)."""
    return name.translate(_UPPER_TO_LOWER)


class SqliteDialect:
    """SQLite's spelling. Columns must be asked with their alias: a bare unknown name in quotes becomes a string."""

    keeps_values: bool = True
    takes_any: bool = True
    beside_writers: str = ""

    def quote(self, name: str) -> str:
        """The name in double quotes, those within doubled."""
        return '"' + name.replace('"', '""') + '"'

    def table(self, name: str) -> str:
        """The quoted name: Upkeep looks at the main schema alone."""
        return self.quote(name)

    def source(self, table: str) -> str:
        """The quoted name: SQLite knows neither inheritance nor partitions."""
        return self.quote(table)

    def elements(self, array: str) -> str:
        """Nothing: SQLite has no arrays."""
        del array
        return ""

    def placed(self, table: str) -> tuple[str, str | None]:
        """The name alone: Upkeep looks at the main schema."""
        return table, None

    def value(self, alias: str, table: str, column: str) -> str:  # noqa: ARG002  # the protocol passes it by this name
        """The column itself: the driver gives what is kept."""
        return f"{alias}.{self.quote(column)}"

    def first(self, columns: str, chosen: str, rows: int) -> str:
        """As they are: the rows are looked up by their key."""
        del columns, rows
        return f"{chosen} AND"

    def same(self, parent: str, child: str) -> str:
        """Parent on the left for its collation (P-42), ``+`` to take the child's affinity away (P-41, P-116)."""
        return f"{parent} = +{child}"

    def literal(self, text: str) -> str:
        """In single quotes, those within doubled."""
        return "'" + text.replace("'", "''") + "'"

    def as_text(self, expression: str) -> str:
        """As the engine prints it."""
        return f"CAST({expression} AS TEXT)"

    def is_no_number(self, expression: str) -> str:
        """A column takes any value here, whatever its type says (P-48)."""
        return f"typeof({expression}) NOT IN ('integer', 'null')"
