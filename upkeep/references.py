"""Which foreign keys there are: those that the schema declares, and what the policy and the models say of them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from upkeep.catalog import Catalog, ForeignKey
from upkeep.databases import Reading
from upkeep.models import Models
from upkeep.policy import Policy
from upkeep.stated import stated_keys

_Place = tuple[str, frozenset[str]]


def known_keys(reading: Reading, policy: Policy, models: Models) -> tuple[ForeignKey, ...]:
    """Declared keys, each with what is said of its target, then those that the policy or the models state.

    The policy comes before the models: the operator wrote it for this database. What the models say of columns for
    which the schema declares a key is a word about that key and no key of its own, so no row is counted twice for it.
    """
    catalog = reading.catalog()
    stated = stated_keys(reading, policy)
    modelled = models.references(catalog)
    said: dict[_Place, list[ForeignKey]] = defaultdict(list)
    for key in (*stated, *modelled):
        if not key.when:  # of a column whose meaning another one tells, none of its keys says where it points
            said[_place(key)].append(key)
    declared = tuple(_judged(reading, key, said[_place(key)]) for key in catalog.keys)
    taken = {_place(key) for key in (*catalog.keys, *stated)}
    undeclared = [key for key in modelled if _place(key) not in taken and _is_there(key, catalog)]
    taken |= {_place(key) for key in undeclared}
    undeclared += [key for key in models.lost_references(catalog) if _place(key) not in taken]
    return all_keys(replace(catalog, keys=declared), (*stated, *map(reading.stated, undeclared)))


def all_keys(catalog: Catalog, stated: tuple[ForeignKey, ...]) -> tuple[ForeignKey, ...]:
    """Declared and stated keys in the order of their names; a key that is stated again is the one that stood before."""
    known = {_same(key) for key in catalog.keys}
    keys = list(catalog.keys)
    for key in stated:
        if _same(key) not in known:
            known.add(_same(key))
            keys.append(key)
    return tuple(sorted(keys, key=lambda k: (k.child, k.columns, k.parent, k.parent_columns, k.when or (), k.deleted)))


def _same(key: ForeignKey) -> tuple[str, str, frozenset[tuple[str, str]], tuple[str, str] | None, str]:
    """What makes two keys the same one: which column points at which, in whatever order they are written."""
    if key.parent_missing:  # the declared one may not say at which columns of the table that is gone
        pairs = frozenset((column, "") for column in key.columns)
        return key.child, key.parent.lower(), pairs, key.when, key.deleted
    pairs = frozenset(zip(key.columns, key.parent_columns, strict=False))
    return key.child, key.parent, pairs, key.when, key.deleted


def _judged(reading: Reading, key: ForeignKey, said: list[ForeignKey]) -> ForeignKey:
    """The declared key, with what those say that speak of its columns; one who agrees outweighs all who do not."""
    if any(_agree(key, other) for other in said):
        return replace(key, confirmed=True)
    for other in said:
        meant = other if other.stated_by == "the policy" else reading.stated(other)
        if meant.askable and not meant.parent_missing:
            return replace(key, meant=replace(meant, stated_by=other.stated_by))
    return key


def _place(key: ForeignKey) -> _Place:
    """The columns that a key speaks of, in whatever case and order."""
    return key.child.lower(), frozenset(column.lower() for column in key.columns)


def _agree(key: ForeignKey, other: ForeignKey) -> bool:
    """Do the two point at the same columns? One that does not say at which means those of the other."""
    if key.parent.lower() != other.parent.lower():
        return False
    return not (key.parent_columns and other.parent_columns) or _pairs(key) == _pairs(other)


def _pairs(key: ForeignKey) -> set[tuple[str, str]]:
    return {(c.lower(), p.lower()) for c, p in zip(key.columns, key.parent_columns, strict=False)}


def _is_there(key: ForeignKey, catalog: Catalog) -> bool:
    """Has the database both sides? What it lacks may come with a migration that is pending."""
    return _has(catalog, key.child, key.columns) and _has(catalog, key.parent, key.parent_columns)


def _has(catalog: Catalog, table: str, columns: Iterable[str]) -> bool:
    found = catalog.tables.get(table)
    return found is not None and {c.lower() for c in columns} <= {c.name.lower() for c in found.columns}
