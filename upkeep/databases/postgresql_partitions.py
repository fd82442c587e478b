"""A foreign key that every partition of a table declares for itself is a key of the table."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from upkeep.catalog import ForeignKey
from upkeep.databases.postgresql_dialect import Relation

Declared = tuple[Relation, Relation, ForeignKey]


def gathered(declared: Iterable[Declared], relations: Mapping[int, Relation]) -> list[Declared]:
    """The keys as declared, but for those that stand at all partitions of one table: these become its own.

    Rows see no difference. Before PostgreSQL 18 a key that rows violate can be put back only so (P-13), and what was
    restored must have the same tables and keys as what was dumped. A table in the middle is one like any other: a key
    that it declares stands at each of its partitions, and is the key of the highest table of which it has them all.
    """
    several, leaves = list(declared), leaves_below(relations)
    having: dict[Declared, set[int]] = {}
    for one in several:
        having.setdefault(_of(relations[one[0].root], one), set()).update(leaves[one[0].oid])
    found: dict[Declared, ForeignKey] = {}
    for one in several:
        covered = having[_of(relations[one[0].root], one)]
        whole = (oid for oid in reversed(one[0].line) if oid == one[0].oid or (leaves[oid] and leaves[oid] <= covered))
        told = _of(relations[next(whole)], one)
        is_twin = told in found and told == one  # and no key of another partition
        found[told] = found[told].with_twin(one[2]) if is_twin else found.get(told, told[2])
    return [(child, parent, key) for (child, parent, _), key in found.items()]


def leaves_below(relations: Mapping[int, Relation]) -> dict[int, set[int]]:
    """The tables that hold the rows of each table: itself, or all partitions that are not parted again."""
    leaves: dict[int, set[int]] = {oid: set() for oid in relations}
    for relation in relations.values():
        for oid in () if relation.is_partitioned else relation.line:
            leaves[oid].add(relation.oid)
    return leaves


def _of(child: Relation, one: Declared) -> Declared:
    """The same key, of another table."""
    return child, one[1], replace(one[2], child=child.name)
