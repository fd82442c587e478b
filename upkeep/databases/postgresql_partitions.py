"""A foreign key that every partition of a table declares for itself is a key of the table."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from upkeep.catalog import ForeignKey
from upkeep.databases.postgresql_dialect import Relation

Declared = tuple[Relation, Relation, ForeignKey]


def gathered(declared: Iterable[Declared], relations: Mapping[int, Relation]) -> list[Declared]:
    """The keys as declared, but for those that stand at all partitions of one table: these become its own.

    Rows see no difference. Before PostgreSQL 18 a key that rows violate can be put back only so (P-13), and what was
    restored must have the same tables and keys as what was dumped.
    """
    several = list(declared)
    partitions: dict[int, set[int]] = {}
    for relation in relations.values():
        if relation.root != relation.oid and not relation.is_partitioned:
            partitions.setdefault(relation.root, set()).add(relation.oid)
    having: dict[Declared, set[int]] = {}
    for one in several:
        having.setdefault(_of_root(one, relations), set()).add(one[0].oid)
    found: dict[Declared, ForeignKey] = {}
    for one in several:
        above = _of_root(one, relations)
        everywhere = having[above] >= partitions.get(above[0].oid, {above[0].oid})
        told = above if everywhere else one
        is_twin = told in found and told == one  # and no key of another partition
        found[told] = found[told].with_twin(one[2]) if is_twin else found.get(told, told[2])
    return [(child, parent, key) for (child, parent, _), key in found.items()]


def _of_root(one: Declared, relations: Mapping[int, Relation]) -> Declared:
    child, parent, key = one
    root = relations[child.root]
    return root, parent, replace(key, child=root.name)
