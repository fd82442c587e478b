"""How far the store itself holds a ledger: receipts that nobody may change, asked of the store (P-101)."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from upkeep.errors import Refused
from upkeep.holds import Hold
from upkeep.ledger import number_of
from upkeep.stores import Store


@dataclass(frozen=True)
class Anchor:
    """The last receipt that the store holds, 0 if it holds none; by its chain it stands for all before it.

    ``is_possible``: could this store hold any? ``unasked`` says why nobody knows: keys without that right, a
    server that knows of no locks.
    """

    number: int = 0
    hold: Hold | None = None
    is_possible: bool = False
    unasked: str = ""


NOT_HELD = Anchor()
"""Of a store that can hold nothing, or of which nobody has asked that."""


def anchor_of(store: Store, database: str, now: datetime) -> tuple[Anchor, tuple[str, ...]]:
    """The anchor of a ledger at ``now`` (UTC), and what of its receipts was removed or written over.

    A new version under the same name may be held as well, by whoever wrote the chain anew: so a receipt that the store
    keeps in two states is none to rely on, and is told.
    """
    try:
        return (NOT_HELD, ()) if store.unlockable else _asked(store, database, now)
    except Refused as fault:
        return Anchor(unasked=fault.message), ()


def _asked(store: Store, database: str, now: datetime) -> tuple[Anchor, tuple[str, ...]]:
    written, removed = Counter[str](), Counter[str]()
    for version in store.versions(f"{database}/ledger/"):
        (removed if version.is_removal else written)[version.name] += 1
    told = [f"{name} was removed, and the store still keeps what it was" for name in sorted(removed)]
    told += [
        f"{name} was written over, and the store still keeps what it was"
        for name in sorted(written)
        if written[name] > 1
    ]
    sound = (name for name in sorted(written, reverse=True) if written[name] == 1 and name not in removed)
    for name in sound:
        hold = store.held(name)
        if hold and hold.until > now and (number := number_of(database, name)):
            return Anchor(number, hold, is_possible=True), tuple(told)
    return Anchor(is_possible=True), tuple(told)
