"""Whole rows by their locators, as raw values."""

from collections.abc import Iterable

from upkeep.catalog import Table
from upkeep.databases import Reading
from upkeep.orphans import among
from upkeep.values import Row


def images_of(reading: Reading, table: Table, rows: Iterable[Row]) -> dict[Row, Row]:
    """The stored columns of those of ``rows`` that are there, by locator."""
    dialect = reading.dialect
    columns = ", ".join(f"c.{dialect.quote(name)}" for name in (*table.locator, *table.stored))
    width = len(table.locator)
    with reading.chosen(rows, width) as relation:
        sql = f"SELECT {columns} FROM {dialect.source(table.name)} AS c WHERE {among('c', table.locator, relation, dialect)}"
        return {row[:width]: row[width:] for row in reading.rows(sql)}
