"""What one database, of today or of a backup, holds of the rows that orphans miss."""

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from upkeep.catalog import ForeignKey, Table
from upkeep.databases import Reading
from upkeep.fixpoint import Spot
from upkeep.orphans import among, condition, points_at
from upkeep.provenance import Image
from upkeep.rows import images_of
from upkeep.values import Row, in_pieces

_ABOVE = 20
_NUMBER = "upkeep n"
"""What a query calls the numbers of pointers: so a name that nobody gives."""


class Missed(NamedTuple):
    """A row, by its locator, and the values by which it points at nothing, in the columns of the key of this name."""

    key: str
    row: Row
    values: Row


@dataclass(frozen=True)
class Seen:
    """What a database holds of what was asked for: parents by key and values, and who pointed there already."""

    parents: dict[tuple[str, Row], Image]
    pointing: frozenset[Missed]


def missed_by(reading: Reading, key: ForeignKey) -> Iterator[Missed]:
    """Every orphan of a key with what it points at."""
    dialect, locator = reading.dialect, reading.catalog().tables[key.child].locator
    columns = ", ".join(f"c.{dialect.quote(name)}" for name in (*locator, *key.columns))
    sql = f"SELECT {columns} FROM {dialect.source(key.child)} AS c WHERE {condition(key, dialect)}"
    for row in reading.rows(sql):
        yield Missed(str(key), row[: len(locator)], row[len(locator) :])


def parents_of(reading: Reading, key: ForeignKey, pointers: Collection[Row]) -> dict[Row, Image]:
    """The one row that each of these values of the key's columns points at; where they are several, none.

    The engine compares as its foreign keys do, so that the row is the one that a child would find.
    """
    key = replace(key, when=None)  # the values are of rows of that type already
    dialect, table = reading.dialect, reading.catalog().tables[key.parent]
    locator = table.locator
    number = dialect.quote(_NUMBER)
    named = ", ".join([*(f"k{i} AS {dialect.quote(name)}" for i, name in enumerate(key.columns)), f"n AS {number}"])
    stored = [dialect.value("p", table.name, name) for name in table.stored]
    columns = ", ".join(
        [
            f"c.{number}",
            *(f"p.{dialect.quote(name)}" for name in locator),
            *stored,
        ]
    )
    found: dict[Row, list[Image]] = defaultdict(list)
    for piece in in_pieces(pointers):
        with reading.chosen(key.child, key.columns, piece) as relation:
            given = f"(SELECT {named} FROM {relation}) AS c CROSS JOIN {dialect.source(key.parent)} AS p"
            for row in reading.rows(f"SELECT {columns} FROM {given} WHERE {points_at(key, 'p', dialect)}"):
                spot = Spot(table.name, row[1 : 1 + len(locator)])
                found[piece[int(str(row[0])) - 1]].append(Image(spot, table.stored, row[1 + len(locator) :]))
    return {values: images[0] for values, images in found.items() if len(images) == 1}


def seen_in(older: Reading, now: Reading, keys: dict[str, ForeignKey], wanted: Iterable[Missed]) -> Seen:
    """What an older state shows of rows that are missed ``now``."""
    tables = older.catalog().tables
    by_key: dict[str, list[Missed]] = defaultdict(list)
    for missed in wanted:
        by_key[missed.key].append(missed)
    parents: dict[tuple[str, Row], Image] = {}
    pointing: set[Missed] = set()
    for name, several in by_key.items():
        key = as_there(older, keys[name])
        if key is None or not tables[key.parent].locator:
            continue
        for values, image in parents_of(older, key, {missed.values for missed in several}).items():
            parents[name, values] = image
        if tables[key.child].locator == now.catalog().tables[key.child].locator:
            pointing.update(_pointing(older, key, several))
    return Seen(parents, frozenset(pointing))


def as_there(older: Reading, key: ForeignKey) -> ForeignKey | None:
    """The key as that state would judge it; None where it lacks one of its columns."""
    tables = older.catalog().tables
    child, parent = tables.get(key.child), tables.get(key.parent)
    if child is None or parent is None:
        return None
    if not {*key.columns} <= {*child.stored} or not {*key.parent_columns} <= {column.name for column in parent.columns}:
        return None
    declared = {str(one): one for one in older.catalog().keys}
    there = declared.get(str(key)) or older.stated(replace(key, declared=False))
    return there if there.askable else None


def _pointing(older: Reading, key: ForeignKey, several: list[Missed]) -> Iterator[Missed]:
    """Those that stood there and pointed at the same. Rows that no column of theirs tells apart nobody knows (P-08)."""
    dialect, table = older.dialect, older.catalog().tables[key.child]
    if not table.locator or not {*table.locator} <= {*table.stored}:
        return
    width = len(table.locator)
    columns = ", ".join(f"c.{dialect.quote(name)}" for name in (*table.locator, *key.columns))
    for piece in in_pieces({missed.row for missed in several}):
        with older.chosen(table.name, table.locator, piece) as relation:
            which = among("c", table.locator, relation, dialect)
            for row in older.rows(f"SELECT {columns} FROM {dialect.source(table.name)} AS c WHERE {which}"):
                yield Missed(str(key), row[:width], row[width:])


def kept_since(older: Reading, now: Reading, image: Image, put_back: Container[Spot] = ()) -> bool:
    """Do rows that were numbered after this one stand today as they did then? Then its number was not given again.

    A generator gives again only what is above all that there is, as SQLite does, or nothing at all (P-53). Rows that
    were ``put_back`` since do not speak for it: while they were gone it could.
    """
    name, row = image.spot
    there, here = older.catalog().tables[name], now.catalog().tables.get(name)
    column = there.column(there.locator[0]) if len(there.locator) == 1 else None
    if column is None or "int" not in column.type.lower() or here is None or here.locator != there.locator:
        return False
    dialect, quoted = older.dialect, older.dialect.quote(column.name)
    with older.chosen(name, there.locator, [row]) as relation:
        above = f"SELECT c.{quoted} FROM {dialect.source(name)} AS c WHERE c.{quoted} > (SELECT k0 FROM {relation})"
        following = list(older.rows(f"{above} ORDER BY c.{quoted} LIMIT {_ABOVE}"))
    stayed = [row for row in following if Spot(name, row) not in put_back]
    then, today = _by_name(older, there, stayed), _by_name(now, here, stayed)
    return any(_agree(then[one], today[one]) for one in then.keys() & today.keys())


def _by_name(reading: Reading, table: Table, rows: list[Row]) -> dict[Row, dict[str, object]]:
    images = images_of(reading, table, rows)
    return {row: dict(zip(table.stored, image, strict=True)) for row, image in images.items()}


def _agree(then: dict[str, object], today: dict[str, object]) -> bool:
    return all(then[name] == today[name] for name in then.keys() & today.keys())
