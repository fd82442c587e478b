"""Rows that must never be put back: people who asked to be erased, and others that the policy names (P-71)."""

from collections.abc import Iterator, Mapping

from upkeep.catalog import Catalog, Table
from upkeep.databases import Reading
from upkeep.fixpoint import Spot
from upkeep.policy import Policy
from upkeep.provenance import Judgement, image_of

NEVER = "its parent is one that the policy never lets come back ([[tombstone]])"


def tombstones(now: Reading, policy: Policy, proven: Mapping[Spot, Judgement]) -> Iterator[tuple[Spot, str]]:
    """Those of the ``proven`` rows that have a tombstone, with the reason. Keys are compared as they are written.

    Names of tables are not: as in every other part of a policy, upper and lower case are alike there.
    """
    for stone in policy.tombstone:
        meant = [(spot, judged) for spot, judged in proven.items() if spot.table.lower() == stone.table.lower()]
        if not meant:
            continue
        keys = {tuple(map(str, key)) if isinstance(key, tuple) else (str(key),) for key in stone.keys}
        if stone.query:
            keys |= {tuple(map(str, row)) for row in now.rows(stone.query)}
        everything = not stone.keys and not stone.query
        for spot, judged in meant:
            if everything or keys & _names(spot, judged, now.catalog().tables[spot.table]):
                yield spot, NEVER


def idle_tombstones(policy: Policy, catalog: Catalog) -> tuple[tuple[int, str], ...]:
    """Those that speak of a table that is not there, counted from 1: dropped, or a misspelt name."""
    there = {name.lower() for name in catalog.tables}
    return tuple((n, one.table) for n, one in enumerate(policy.tombstone, 1) if one.table.lower() not in there)


def _names(spot: Spot, judged: Judgement, table: Table) -> set[tuple[str, ...]]:
    """What a person may call a row: by what tells it apart, and by its primary key where that is another (P-48)."""
    image = image_of(judged)
    values = dict(zip(image.columns, image.values, strict=True))
    named = {tuple(map(str, spot.row))}
    if table.primary_key and {*table.primary_key} <= values.keys():
        named.add(tuple(str(values[column]) for column in table.primary_key))
    return named
