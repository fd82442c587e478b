"""Rows asked for by their locators."""

from collections.abc import Iterable

from upkeep.catalog import ForeignKey, Table
from upkeep.databases import Reading
from upkeep.orphans import among, condition
from upkeep.values import Row


def images_of(reading: Reading, table: Table, rows: Iterable[Row]) -> dict[Row, Row]:
    """The stored columns of those of ``rows`` that are there, by locator, as raw values."""
    dialect = reading.dialect
    stored = (dialect.value("c", table.name, name) for name in table.stored)
    columns = ", ".join([*(f"c.{dialect.quote(name)}" for name in table.locator), *stored])
    width = len(table.locator)
    with reading.chosen(table.name, table.locator, rows) as relation:
        which = among("c", table.locator, relation, dialect)
        sql = f"SELECT {columns} FROM {dialect.source(table.name)} AS c WHERE {which}"
        return {row[:width]: row[width:] for row in reading.rows(sql)}


def orphans_among(reading: Reading, key: ForeignKey, locator: tuple[str, ...], rows: Iterable[Row]) -> int:
    """How many of ``rows``, each there once, are orphans of ``key``."""
    dialect = reading.dialect
    with reading.chosen(key.child, locator, rows) as relation:
        (orphans,) = reading.numbers(
            f"SELECT COUNT(*) FROM {dialect.source(key.child)} AS c "
            f"WHERE {among('c', locator, relation, dialect)} AND {condition(key, dialect)}"
        )
    return orphans
