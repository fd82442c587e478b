"""Rows of today that hold a unique value of a row that would be put back: told, never written over (P-72, P-112)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from upkeep.catalog import Table
from upkeep.databases import Reading
from upkeep.fixpoint import Spot
from upkeep.orphans import among
from upkeep.outdated import told
from upkeep.provenance import Image
from upkeep.values import Row, in_pieces


def namesakes(now: Reading, images: Iterable[Image]) -> Iterator[tuple[Spot, str]]:
    """Each row that cannot be put back because another has its place, and why, with both rows named."""
    for piece in in_pieces(images):
        by_table: dict[str, list[Image]] = defaultdict(list)
        for image in piece:
            by_table[image.spot.table].append(image)
        for name, several in by_table.items():
            table = now.catalog().tables[name]
            for columns in dict.fromkeys((table.locator, *table.uniques)):
                yield from _taken(now, table, columns, several)


def _taken(now: Reading, table: Table, columns: tuple[str, ...], several: list[Image]) -> Iterator[tuple[Spot, str]]:
    wanted: dict[Row, list[Spot]] = defaultdict(list)
    for image in several:
        values = dict(zip(image.columns, image.values, strict=True))
        values |= zip(table.locator, image.spot.row, strict=True)
        held = tuple(values.get(column) for column in columns)
        if None not in held:
            wanted[held].append(image.spot)
    if not wanted:
        return
    dialect = now.dialect
    names = ", ".join(f"c.{dialect.quote(name)}" for name in (*columns, *table.locator))
    with now.chosen(table.name, columns, wanted) as relation:
        which = among("c", columns, relation, dialect)
        found = list(now.rows(f"SELECT {names} FROM {dialect.source(table.name)} AS c WHERE {which}"))
    for row in found:
        for spot in wanted.get(row[: len(columns)], ()):
            other = told(row[len(columns) :])
            yield spot, f"{', '.join(columns)} of row {told(spot.row)} of {table.name} is that of row {other} by now"
