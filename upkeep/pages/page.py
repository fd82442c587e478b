"""What a page is before it is drawn: a banner, figures, sections with tables and plots, an appendix of receipts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["text", "number", "bytes", "milliseconds", "age", "days", "when", "digest", "answer", "receipts"]
Tone = Literal["good", "bad", "plain"]
Cells = tuple[Any, ...]


@dataclass(frozen=True)
class Column:
    """One column: the name of its values, which a CSV has too, its head on the page, and what its values are.

    Milliseconds and ages (seconds) are whole numbers; ``receipts`` are numbers of receipts, 0 for the one to come.
    """

    field: str
    head: str
    kind: Kind = "text"


@dataclass(frozen=True)
class Table:
    """Rows of plain values; its name is that of its CSV and of its place on the page."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[Cells, ...]


@dataclass(frozen=True)
class Plot:
    """A picture as SVG that loads nothing and runs nothing, and what it shows in words."""

    svg: str
    says: str


@dataclass(frozen=True)
class Section:
    """One part of a page; ``empty`` is what it says where its table has no row."""

    title: str
    table: Table
    told: str = ""
    empty: str = "none"
    plot: Plot | None = None


@dataclass(frozen=True)
class Banner:
    """What stands first: is the ledger to be trusted?"""

    tone: Tone
    sentence: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figure:
    """One number that is read first, and the section whose rows it counts."""

    shown: str
    noun: str
    section: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Page:
    """All of it. ``hashes`` has the digest of each receipt in the appendix, by its number; '' for the one to come."""

    title: str
    database: str
    facts: tuple[tuple[str, str], ...]
    banner: Banner
    figures: tuple[Figure, ...]
    sections: tuple[Section, ...]
    appendix: Section
    hashes: Mapping[int, str]

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table, the appendix last."""
        return tuple(section.table for section in (*self.sections, self.appendix))
