"""Which names an object of a store may have, and when one is taken."""

import re
from collections.abc import Callable

from upkeep.errors import Refused, Taken

_PART = r"(?!\.)[A-Za-z0-9._-]+"
_NAME = re.compile(rf"{_PART}(?:/{_PART})*")
_PREFIX = re.compile(rf"(?:{_PART}/)*(?:{_PART})?")
_LONGEST = 900  # bytes; S3 ends at 1,024 for its own prefix and the name together

_HINT = "a name is made of parts of A-Z a-z 0-9 . _ - joined by /, and no part begins with a dot"


def is_name(text: str) -> bool:
    """May an object be called this? Such a name cannot leave the root of its store."""
    return len(text) <= _LONGEST and _NAME.fullmatch(text) is not None


def checked_name(text: str) -> str:
    """The name itself; raises Refused if no object may be called this."""
    return _checked(text, is_name, "name")


def checked_prefix(text: str) -> str:
    """The beginning of names, also the empty one; raises Refused if no name can begin like this."""
    return _checked(text, lambda prefix: _PREFIX.fullmatch(prefix) is not None, "prefix")


def taken(name: str) -> Taken:
    """The error for a name that should have been free."""
    return Taken(f"{name} is already in the store", "somebody else was first: read what is there before going on")


def _checked(text: str, fits: Callable[[str], bool], noun: str) -> str:
    if not fits(text):
        raise Refused(f"{text[:80]!r} is no {noun} for objects of a store", _HINT)
    return text
