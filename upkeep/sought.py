"""All that is sought in older backups, on disk, with what they have shown of it so far.

What was shown of one orphan was shown of many: the children of one parent have one story, told once. So what is
written of them grows with the parents that are missed, not with the orphans that miss them.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from upkeep.fixpoint import SPOTS, Spot
from upkeep.numbered import Numbered
from upkeep.provenance import Glimpse
from upkeep.sightings import Missed
from upkeep.spilled import Form, Plain, Spill, flat, raised

_KILOBYTES = 8000
_PIECE = 10_000
_TABLES = (
    "CREATE TABLE sought (n INTEGER PRIMARY KEY, key INTEGER, row BLOB, points_at BLOB, is_of_today INTEGER,"
    " since TEXT, turn INTEGER, is_open INTEGER DEFAULT 0, story INTEGER DEFAULT 0, ties INTEGER DEFAULT 0,"
    " shown_in TEXT, ended TEXT DEFAULT '', UNIQUE (key, row, points_at))",
    "CREATE INDEX by_turn ON sought (turn)",
)
_ADD = """
    INSERT INTO sought (key, row, points_at, is_of_today, since, turn) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET since = ifnull(excluded.since, since),
           is_of_today = max(is_of_today, excluded.is_of_today)
"""
_LINES = "SELECT n, key, row, points_at, since, is_open, story, ties, shown_in, ended FROM sought"


class Line(NamedTuple):
    """One that is sought; where it is a row that is put back itself that misses it, ``since`` which backup.

    ``is_open``: older backups may tell more. ``story`` and ``ties`` are the numbers of what was shown of it and of the
    rows that it may point at. ``shown_in`` names the last backup that had its parent. ``ended`` is why older ones were
    not asked any more.
    """

    number: int
    missed: Missed
    since: str | None
    is_open: bool
    story: int
    ties: int
    shown_in: str | None
    ended: str

    @property
    def told(self) -> "Told":
        """By what its parent is judged."""
        return Told(self.missed.key, self.since is not None, self.story)


class Told(NamedTuple):
    """What many lines of one key have in common: whether their rows are put back themselves, and their story."""

    key: str
    comes_back: bool
    story: int


class _Chapter(NamedTuple):
    """The last of a story, which goes on from one that is a glimpse shorter."""

    before: int
    glimpse: Glimpse


def _plain_chapter(chapter: _Chapter | None) -> Plain:
    return (chapter.before, chapter.glimpse.plain()) if chapter else ()


def _chapter(plain: Plain) -> _Chapter | None:
    return _Chapter(plain[0], Glimpse.made(plain[1])) if plain else None


_STORIES = Form(_plain_chapter, _chapter)
_TIES: Form[frozenset[Spot]] = Form(
    lambda spots: tuple(map(SPOTS.plain, sorted(spots, key=repr))), lambda plain: frozenset(map(SPOTS.made, plain))
)


class Sought:
    """The lines of a search. It goes by turns: what is added in one is looked for in the next."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._spill = Spill(*_TABLES, kilobytes=_KILOBYTES)
        self._names = sorted(keys)
        self._numbers = {name: number for number, name in enumerate(self._names)}
        self._stories: Numbered[_Chapter | None] = Numbered(_STORIES, None)
        self._ties: Numbered[frozenset[Spot]] = Numbered(_TIES, frozenset())
        self._turn = 0

    @property
    def has_any(self) -> bool:
        """Is anything sought at all?"""
        return self._spill.number("SELECT EXISTS (SELECT 1 FROM sought)") > 0

    def add(self, several: Iterable[Missed], since: str | None = None, *, is_asked: bool = True) -> None:
        """What rows of today miss, or such as are put back out of the backup ``since``; are backups asked for it?"""
        of = (since is None, since, None if is_asked else 0)
        lines = ((self._numbers[key], flat(row), flat(values), *of) for key, row, values in several)
        self._spill.run_for_each(_ADD, lines)

    def begin_turn(self) -> int:
        """Open what was added since the last one; how many lines."""
        self._turn += 1
        return self._spill.run("UPDATE sought SET turn = ?, is_open = 1 WHERE turn IS NULL", (self._turn,))

    def end_turn(self, why: str = "") -> None:
        """No backup that is older will be asked for what is still open, and why not if there are any."""
        self._spill.run("UPDATE sought SET is_open = 0, ended = ? WHERE is_open", (why,))

    @property
    def has_open(self) -> bool:
        """Is there anything of which older backups may tell more?"""
        return self._spill.number("SELECT EXISTS (SELECT 1 FROM sought WHERE is_open AND turn = ?)", (self._turn,)) > 0

    def of_this_turn(self) -> Iterator[list[Line]]:
        """The lines that were opened with it, in pieces; they may be told more while they are read."""
        return self._in_pieces("turn = ?", self._turn)

    def of_today(self) -> Iterator[Line]:
        """The lines of rows of today."""
        return (line for piece in self._in_pieces("is_of_today = ?", 1) for line in piece)

    def _in_pieces(self, which: str, value: int) -> Iterator[list[Line]]:
        last = 0
        while piece := list(
            self._spill.rows(f"{_LINES} WHERE {which} AND n > ? ORDER BY n LIMIT {_PIECE}", (value, last))
        ):
            last = piece[-1][0]
            yield list(map(self._line, piece))

    def tell(self, lines: Iterable[Line]) -> None:
        """Write down what was shown of lines since they were read."""
        told = ((one.is_open, one.story, one.ties, one.shown_in, one.number) for one in lines)
        self._spill.run_for_each("UPDATE sought SET is_open = ?, story = ?, ties = ?, shown_in = ? WHERE n = ?", told)

    def with_glimpse(self, story: int, glimpse: Glimpse) -> int:
        """The story that has one glimpse more."""
        return self._stories.number(_Chapter(story, glimpse))

    def glimpses(self, story: int) -> Iterator[Glimpse]:
        """Of a story, the oldest backup first."""
        while story and (chapter := self._stories[story]):
            story, glimpse = chapter
            yield glimpse

    def with_tie(self, ties: int, spot: Spot) -> int:
        """The rows with one more."""
        spots = self.tied(ties)
        return ties if spot in spots else self._ties.number(spots | {spot})

    def tied(self, ties: int) -> frozenset[Spot]:
        """The rows that a line may point at."""
        return self._ties[ties] if ties else frozenset()

    def told(self) -> Iterator[tuple[Told, frozenset[Spot]]]:
        """What there is among all lines, each once, with the rows that they may point at."""
        asked = "SELECT DISTINCT key, since IS NOT NULL, story, ties FROM sought"
        for key, comes_back, story, ties in self._spill.rows(asked):
            yield Told(self._names[key], bool(comes_back), story), self.tied(ties)

    def line(self, missed: Missed) -> Line | None:
        """One line; None if that is not sought."""
        which = self._numbers[missed.key], flat(missed.row), flat(missed.values)
        found = self._spill.first(f"{_LINES} WHERE key = ? AND row = ? AND points_at = ?", which)
        return found and self._line(found)

    def _line(self, raw: tuple[Any, ...]) -> Line:
        number, key, row, values, since, is_open, *others = raw
        return Line(number, Missed(self._names[key], raised(row), raised(values)), since, bool(is_open), *others)
