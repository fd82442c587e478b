"""Which foreign keys a violation is tried on, and how it is told: the same for every engine."""

from collections.abc import Callable

from upkeep.catalog import ForeignKey


def first_tried(keys: tuple[ForeignKey, ...], is_refused: Callable[[ForeignKey], bool | None]) -> tuple[bool, str]:
    """Ask ``is_refused`` of one simple key after the other until it has an answer; None: it could not be tried."""
    for key in keys:
        if key.fault or key.parent_missing or len(key.columns) > 1 or key.child == key.parent:
            continue
        refused = is_refused(key)
        if refused is not None:
            said = "was refused" if refused else "was possible"
            return refused, f"pointing a row of {key.child} at a row of {key.parent} that is not there {said}"
    return True, "no foreign key has a row to try it with"
