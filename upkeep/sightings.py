"""What one database, of today or of a backup, holds of the rows that orphans miss."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from upkeep.catalog import ForeignKey, Table
from upkeep.databases import Reading
from upkeep.fixpoint import Spot
from upkeep.orphans import among, condition, points_at
from upkeep.provenance import Image
from upkeep.same_rows import SameRows
from upkeep.values import Row, in_pieces

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
    doubtful: frozenset[Missed] = frozenset()
    """Those that may be others, which had the same number."""


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


def seen_in(
    older: Reading, now: Reading, keys: dict[str, ForeignKey], wanted: Iterable[Missed], same: SameRows
) -> Seen:
    """What an older state shows of rows that are missed ``now``, by such as are the ``same`` rows in both."""
    tables = older.catalog().tables
    by_key: dict[str, list[Missed]] = defaultdict(list)
    for missed in wanted:
        by_key[missed.key].append(missed)
    parents: dict[tuple[str, Row], Image] = {}
    pointing: set[Missed] = set()
    doubtful: set[Missed] = set()
    for name, several in by_key.items():
        key = as_there(older, keys[name])
        if key is None or not tables[key.parent].locator:
            continue
        here = now.catalog().tables.get(keys[name].parent)
        for values, image in parents_of(older, key, {missed.values for missed in several}).items():
            if told := _told_as(here, tables[key.parent], image):
                parents[name, values] = told
        if tables[key.child].locator == now.catalog().tables[key.child].locator:
            pointed = set(_pointing(older, key, several)).intersection(several)
            same_rows = same.among(key.child, {missed.row for missed in pointed})
            pointing.update(missed for missed in pointed if missed.row in same_rows)
            doubtful.update(pointed - pointing)
    return Seen(parents, frozenset(pointing), frozenset(doubtful))


def as_held(older: Reading, now: Reading, key: ForeignKey, pointers: Collection[Row]) -> dict[Row, Row]:
    """What the rows that a child of today points at have in the columns of ``key``, in a state without that child.

    An engine may take for the same what is written otherwise. Where the two sides are not of one kind nobody can say
    how it would compare them: there each value is given back as it is.
    """
    there, child = older.catalog().tables.get(key.parent), now.catalog().tables[key.child]
    if there is None or not there.locator:
        return {}
    if not older.dialect.takes_any and _kinds(there, key.parent_columns) != _kinds(child, key.columns):
        return {values: values for values in pointers}
    itself = replace(key, child=key.parent, columns=key.parent_columns)
    held = {values: image.named for values, image in parents_of(older, itself, pointers).items()}
    return {values: tuple(row[name] for name in key.parent_columns) for values, row in held.items()}


def _kinds(table: Table, names: tuple[str, ...]) -> list[str | None]:
    return [column.kind if (column := table.column(name)) else None for name in names]


def _told_as(here: Table | None, there: Table, image: Image) -> Image | None:
    """The row by what tells rows apart today, which may be other columns than in the backup; None where it has none."""
    if here is None or here.locator == there.locator:
        return image
    held = image.named
    if not here.locator or not {*here.locator} <= held.keys():
        return None
    return replace(image, spot=Spot(here.name, tuple(held[name] for name in here.locator)))


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
