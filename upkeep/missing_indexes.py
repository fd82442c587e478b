"""Foreign keys whose child rows are found only by reading the whole table, and the fewest indexes that change that."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from upkeep.catalog import Catalog, ForeignKey, Index


@dataclass(frozen=True)
class MissingIndex:
    """An index to make: its name, which no other has, its columns in order, and the keys that it serves."""

    name: str
    table: str
    columns: tuple[str, ...]
    keys: tuple[ForeignKey, ...] = field(compare=False)

    def __str__(self) -> str:
        return f"{self.name} on {self.table}({', '.join(self.columns)})"


def serving(catalog: Catalog, key: ForeignKey, *, partly: bool = False) -> Index | None:
    """The index or primary key of the child that serves ``key``; with ``partly`` also one that begins with a column."""
    table = catalog.tables.get(key.child)
    if table is None:
        return None
    own = [Index("the primary key", table.primary_key, is_unique=True)] if table.primary_key else []
    found = [*own, *table.indexes]
    return next(
        (
            index
            for index in found
            if index.serves(key.columns) or (partly and index.is_whole and index.columns[0] in key.columns)
        ),
        None,
    )


def missing_indexes(catalog: Catalog, keys: Iterable[ForeignKey]) -> tuple[MissingIndex, ...]:
    """One index for all keys of a table that it can serve, the widest keys first.

    A key that the policy states and the schema does not declare wants none: no engine looks for its children.
    """
    unserved = [key for key in keys if key.declared and key.child in catalog.tables and serving(catalog, key) is None]
    taken = {name for table in catalog.tables.values() for name in (table.name, *(i.name for i in table.indexes))}
    found: list[MissingIndex] = []
    for key in sorted(unserved, key=lambda one: (one.child, -len(one.columns), one.columns)):
        place = next((n for n, one in enumerate(found) if one.table == key.child and _serves(one, key)), None)
        if place is None:
            name = _free(f"ix_{key.child}_{'_'.join(key.columns)}".replace(".", "_"), taken)
            found.append(MissingIndex(name, key.child, key.columns, (key,)))
        else:
            one = found[place]
            found[place] = MissingIndex(one.name, one.table, one.columns, (*one.keys, key))
    return tuple(found)


def _serves(index: MissingIndex, key: ForeignKey) -> bool:
    return Index(index.name, index.columns).serves(key.columns)


_LONGEST = 63
"""Bytes of a name that every engine keeps whole."""


def _free(name: str, taken: set[str]) -> str:
    """The name, or the next like it that is free and that no engine cuts off."""
    for number in range(1, 1_000):
        end = "" if number == 1 else f"_{number}"
        tried = name.encode()[: _LONGEST - len(end)].decode(errors="ignore") + end
        if tried.lower() not in {one.lower() for one in taken}:
            taken.add(tried)
            return tried
    raise AssertionError(f"a thousand indexes begin with {name}")
