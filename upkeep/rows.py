"""Rows asked for by their locators, piece by piece: as many as a plan names."""

from collections.abc import Collection, Iterable

from upkeep.catalog import ForeignKey, Table
from upkeep.databases import Reading
from upkeep.orphans import among, condition, pointing
from upkeep.values import Row, in_pieces


def images_of(reading: Reading, table: Table, rows: Collection[Row]) -> dict[Row, Row]:
    """The stored columns of those of ``rows`` that are there, by locator, as raw values."""
    dialect = reading.dialect
    stored = (dialect.value("c", table.name, name) for name in table.stored)
    columns = ", ".join([*(f"c.{dialect.quote(name)}" for name in table.locator), *stored])
    width = len(table.locator)
    images: dict[Row, Row] = {}
    for piece in in_pieces(rows):
        with reading.chosen(table.name, table.locator, piece) as relation:
            which = among("c", table.locator, relation, dialect)
            sql = f"SELECT {columns} FROM {dialect.source(table.name)} AS c WHERE {which}"
            images.update((row[:width], row[width:]) for row in reading.rows(sql))
    return images


def orphans_among(reading: Reading, key: ForeignKey, locator: tuple[str, ...], rows: Iterable[Row]) -> int:
    """How many orphans of ``key`` are among ``rows``, each there once."""
    dialect, orphans = reading.dialect, 0
    columns = ", ".join(f"c.{dialect.quote(column)}" for column in key.read)
    for piece in in_pieces(rows):
        with reading.chosen(key.child, locator, piece) as relation:
            which = f"{pointing(key, dialect)} AS c WHERE {among('c', locator, relation, dialect)}"
            # Of an array a row has many: no number of rows says how many.
            picked = f"{which} AND" if key.elements else dialect.first(columns, which, len(piece))
            (found,) = reading.numbers(f"SELECT COUNT(*) FROM {picked} {condition(key, dialect)}")
            orphans += found
    return orphans


def orphans_with(reading: Reading, key: ForeignKey, values: Iterable[Row]) -> int:
    """How many orphans of ``key`` have one of these, each there once, in its columns; a value may be many rows'."""
    dialect, orphans = reading.dialect, 0
    for piece in in_pieces(values):
        with reading.chosen(key.child, key.columns, piece) as relation:
            which = among("c", key.columns, relation, dialect)
            sql = f"SELECT COUNT(*) FROM {dialect.source(key.child)} AS c WHERE {which} AND {condition(key, dialect)}"
            orphans += reading.numbers(sql)[0]
    return orphans
