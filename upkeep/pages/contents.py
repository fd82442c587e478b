"""What a receipt says, asked for by name, whatever else it says or leaves out.

A page is drawn of receipts of every age, and of runs that died: what is not there is None, never an error.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from upkeep.ledger import Kind, Link

LAST = 0
"""The number by which a page calls the receipt that names it: that is written when the page is, so nobody knows it."""


@dataclass(frozen=True)
class Told:
    """One receipt as a page reads it; ``hash`` is '' for the one that is not written yet."""

    number: int
    hash: str
    kind: Kind
    run: str
    written: str
    contents: dict[str, Any]
    signed_by: str | None = None
    evidence: tuple[tuple[str, int, str], ...] = ()

    @property
    def day(self) -> str:
        """The day on which it was written (UTC)."""
        return self.written[:10]


def told(links: Iterable[Link]) -> tuple[Told, ...]:
    """Receipts as pages read them."""
    return tuple(
        Told(
            one.receipt.number,
            one.hash,
            one.receipt.kind,
            one.receipt.run,
            one.receipt.written,
            one.receipt.contents,
            one.receipt.signed_by,
            tuple((file.name, file.bytes, file.sha256) for file in one.receipt.evidence),
        )
        for one in links
    )


def part(contents: Any, *path: str) -> dict[str, Any]:
    """What stands below a path of names; empty where nothing does."""
    for name in path:
        contents = contents.get(name) if isinstance(contents, dict) else None
    return contents if isinstance(contents, dict) else {}


def parts(contents: Any, *path: str) -> list[dict[str, Any]]:
    """The objects of the list below a path."""
    return [one for one in listed(contents, *path) if isinstance(one, dict)]


def words(contents: Any, *path: str) -> list[str]:
    """The texts of the list below a path."""
    return [one for one in listed(contents, *path) if isinstance(one, str)]


def listed(contents: Any, *path: str) -> list[Any]:
    """The list below a path; empty where there is none."""
    value = part(contents, *path[:-1]).get(path[-1])
    return value if isinstance(value, list) else []


def text(contents: Any, *path: str) -> str:
    """The text below a path; '' where there is none."""
    value = part(contents, *path[:-1]).get(path[-1])
    return value if isinstance(value, str) else ""


def number(contents: Any, *path: str) -> int | None:
    """The whole number below a path."""
    value = part(contents, *path[:-1]).get(path[-1])
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def answer(contents: Any, *path: str) -> bool | None:
    """The yes or no below a path; None where nobody answered."""
    value = part(contents, *path[:-1]).get(path[-1])
    return value if isinstance(value, bool) else None
