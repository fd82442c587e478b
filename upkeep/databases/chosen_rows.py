"""Removing and nullifying rows that are told by their locators, for engines that look these up by themselves."""

from collections.abc import Collection

from upkeep.databases import Writing
from upkeep.orphans import among
from upkeep.values import Row


def delete_chosen(writing: Writing, table: str, rows: Collection[Row]) -> int:
    """By one DELETE; how many went."""
    return _of_chosen(writing, f"DELETE FROM {writing.dialect.source(table)}", table, rows)


def nullify_chosen(writing: Writing, table: str, columns: tuple[str, ...], rows: Collection[Row]) -> int:
    """By one UPDATE; how many rows it named."""
    sets = ", ".join(f"{writing.dialect.quote(column)} = NULL" for column in columns)
    return _of_chosen(writing, f"UPDATE {writing.dialect.source(table)} SET {sets}", table, rows)


def _of_chosen(writing: Writing, statement: str, table: str, rows: Collection[Row]) -> int:
    dialect, locator = writing.dialect, writing.catalog().tables[table].locator
    with writing.chosen(table, locator, rows) as relation:
        return writing.change(f"{statement} WHERE {among(dialect.table(table), locator, relation, dialect)}")
