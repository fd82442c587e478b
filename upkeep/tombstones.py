"""Rows that must never be put back: people who asked to be erased, and others that the policy names (P-71)."""

from collections.abc import Iterator, Mapping

from upkeep.databases import Reading
from upkeep.fixpoint import Spot
from upkeep.policy import Policy

NEVER = "its parent is one that the policy never lets come back ([[tombstone]])"


def tombstones(now: Reading, policy: Policy, spots: Mapping[Spot, object]) -> Iterator[tuple[Spot, str]]:
    """Those of ``spots`` that have a tombstone, with the reason. Keys are compared as they are written."""
    for stone in policy.tombstone:
        if not any(spot.table == stone.table for spot in spots):
            continue
        keys = {tuple(map(str, key)) if isinstance(key, tuple) else (str(key),) for key in stone.keys}
        if stone.query:
            keys |= {tuple(map(str, row)) for row in now.rows(stone.query)}
        everything = not stone.keys and not stone.query
        named = (spot for spot in spots if spot.table == stone.table)
        yield from ((spot, NEVER) for spot in named if everything or tuple(map(str, spot.row)) in keys)
