"""What follows from what, among orphans and the rows that may go: no database, sets alone (P-56, P-113)."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from upkeep.policy import Action
from upkeep.possible import Choice
from upkeep.values import Row


class Spot(NamedTuple):
    """A row: its table and the values of its locator."""

    table: str
    row: Row


class Orphan(NamedTuple):
    """A row and the name of a foreign key that points at nothing, or would if other rows went."""

    spot: Spot
    key: str


Parents = Mapping[Orphan, set[Spot]]
"""What each orphan points at; nothing if it is an orphan already."""
Choose = Callable[[Orphan, str | None], Choice]
"""What is done to an orphan, if its row may not be deleted for the reason that is given."""


@dataclass(frozen=True)
class Settled:
    """Where it ends: the rows that go, with the wave and the key for which they do, and what the others come to."""

    doomed: dict[Spot, tuple[int, str]]
    reached: dict[Orphan, int]
    blocked: dict[Spot, str] = field(default_factory=dict)


def settle(parents: Parents, choose: Choose, held: Mapping[Spot, str] | None = None) -> Settled:
    """The most deletions among which no row goes that a row that stays still needs.

    ``held`` are rows that may not go for another reason. ``parents`` holds every orphan there could be if nothing were
    blocked. Blocking a row only ever blocks more, and dooms fewer: so there is one end, whatever the order.
    """
    of_spot: dict[Spot, list[Orphan]] = defaultdict(list)
    for orphan in parents:
        of_spot[orphan.spot].append(orphan)
    blocked = dict(held or {})
    while True:
        settled = _spread(parents, choose, blocked)
        staying = [orphan for orphan in parents if orphan.spot not in settled.doomed]
        before = len(blocked)
        while newly := _needed(staying, parents, choose, blocked):
            blocked.update(newly)
            staying = [orphan for spot in newly for orphan in of_spot[spot]]
        if len(blocked) == before:
            return settled


def _needed(staying: list[Orphan], parents: Parents, choose: Choose, blocked: dict[Spot, str]) -> dict[Spot, str]:
    """Rows that may not go because an orphan that stays would have to be kept; each with the reason."""
    newly: dict[Spot, str] = {}
    for orphan in staying:
        choice = choose(orphan, blocked.get(orphan.spot))
        if choice.action is Action.KEEP:
            reason = f"its row of {orphan.spot.table} is kept ({choice.reason})"
            for parent in parents[orphan]:
                if parent not in blocked:
                    newly[parent] = min(reason, newly.get(parent, reason))
    return newly


def _spread(parents: Parents, choose: Choose, blocked: dict[Spot, str]) -> Settled:
    """Wave by wave: orphans whose rows go, and who loses the last parent by that."""
    children: dict[Spot, list[Orphan]] = defaultdict(list)
    missing = {}
    for orphan, pointed in parents.items():
        missing[orphan] = len(pointed)
        for parent in pointed:
            children[parent].append(orphan)
    settled = Settled({}, {}, dict(blocked))
    frontier, wave = [orphan for orphan, left in missing.items() if not left], 0
    while frontier:
        newly: dict[Spot, str] = {}
        for orphan in frontier:
            settled.reached[orphan] = wave
            spot = orphan.spot
            if spot not in settled.doomed and choose(orphan, blocked.get(spot)).action is Action.DELETE:
                newly[spot] = min(orphan.key, newly.get(spot, orphan.key))
        settled.doomed.update({spot: (wave, key) for spot, key in newly.items()})
        frontier = []
        for orphan in (orphan for spot in newly for orphan in children[spot]):
            missing[orphan] -= 1
            if not missing[orphan]:
                frontier.append(orphan)
        wave += 1
    return settled
