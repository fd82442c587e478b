"""Lines of a terminal: long text folded, columns aligned."""

import textwrap

WIDTH = 100
"""Columns of the terminal that long lines are folded for."""
TIED = "\N{NO-BREAK SPACE}"
"""Between words that stay in one line."""
Cells = tuple[str, str, str, str]


def folded(start: str, text: str) -> list[str]:
    """``start`` and ``text`` in lines of the terminal's width; the text stands below itself."""
    room = max(WIDTH - len(start), 20)
    return _below_itself(start, textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""])


def within(start: str, texts: tuple[str, ...], most: int, width: int) -> list[str]:
    """``start`` and the first of ``texts`` that needs no more than so many lines; the last one is cut where it must."""
    room = width - len(start)
    for text in texts:
        pieces = textwrap.wrap(text, room, break_on_hyphens=False)
        if len(pieces) <= most:
            return _below_itself(start, pieces)
    return _below_itself(start, textwrap.wrap(texts[-1], room, max_lines=most, placeholder=" ..."))


def _below_itself(start: str, pieces: list[str]) -> list[str]:
    return [line.replace(TIED, " ") for line in (start + pieces[0], *(" " * len(start) + p for p in pieces[1:]))]


def table(heads: Cells, rows: list[Cells]) -> list[str]:
    """Two numbers, a name and a text that is folded below itself."""
    one, two, three = (max(len(row[column]) for row in [heads, *rows]) for column in range(3))
    lines = []
    for count, other, name, said in [heads, *rows]:
        lines += folded(f"  {count:>{one}}  {other:>{two}}  {name:{three}}  ", said)
    return [line.rstrip() for line in lines]


def number(count: int | None) -> str:
    """A count; a question mark where nobody knows."""
    return "?" if count is None else f"{count:,}"
