"""Plots as small SVG pictures: bars, and points over time; each number in them stands in a table too."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from upkeep.pages.page import Plot
from upkeep.pages.shown import fit

WIDE, HIGH = 640, 150
LEFT, TOP, BOTTOM = 56, 18, 22
BAR = 17
LABEL = 210
MOST = 14
INK, GREY, BLUE = "#222", "#999", "#2c5f8a"
FONT = "font-family=\"Helvetica, Arial, 'DejaVu Sans', 'DejaVu Sans Mono', sans-serif\" font-size=\"10\""


def bars(title: str, values: Sequence[tuple[str, int, str]]) -> Plot | None:
    """A bar for each label with its number and the number's words, the first ones only; None without any."""
    shown = values[:MOST]
    if not shown:
        return None
    most = max(1, *(number for _, number, _ in shown))
    room = WIDE - LABEL - 90
    parts = []
    for place, (label, number, words) in enumerate(shown):
        top = TOP + place * BAR
        length = max(0, number) * room / most
        parts.append(_text(LABEL - 6, top + 11, _short(label), "end"))
        parts.append(f'<rect x="{LABEL}" y="{top + 2}" width="{max(length, 1):.1f}" height="11" fill="{BLUE}"/>')
        parts.append(_text(LABEL + length + 5, top + 11, words))
    left = f"; {len(values) - MOST} more stand in the table" if len(values) > MOST else ""
    says = f"{title}: {'; '.join(f'{label} {words}' for label, _, words in shown)}{left}"
    return Plot(_picture(TOP + len(shown) * BAR + 4, f"{title}{left}", parts), fit(says))


def points(title: str, values: Sequence[tuple[str, int]], unit: str, *, joined: bool) -> Plot | None:
    """A point for each moment (as receipts write it) and number, joined or not; None for fewer than two."""
    dated = [(moment, number) for name, number in values if (moment := _moment(name)) is not None]
    if len(dated) < 2:
        return None
    first, last = min(moment for moment, _ in dated), max(moment for moment, _ in dated)
    most = max(1, *(number for _, number in dated))
    places = [_place(moment, number, first, last, most) for moment, number in dated]
    parts = [_axis(TOP, f"{most:,}{unit}"), _axis(HIGH - BOTTOM, "0")]
    if joined:
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{BLUE}" stroke-width="1.5"/>')
    parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.2" fill="{BLUE}"/>' for x, y in places]
    form = "%Y-%m-%d" if first.date() != last.date() else "%H:%M:%S"
    parts += [_text(LEFT, HIGH - 7, f"{first:{form}}"), _text(WIDE - 8, HIGH - 7, f"{last:{form}}", "end")]
    says = f"{title}: {len(dated)} points from {dated[0][1]:,}{unit} to {dated[-1][1]:,}{unit}, at most {most:,}{unit}"
    return Plot(_picture(HIGH, title, parts), says)


def _picture(high: int, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {high}" width="{WIDE}" height="{high}" {FONT} '
        f'fill="{INK}">{_text(0, 11, title)}{"".join(parts)}</svg>'
    )


def _place(moment: datetime, number: int, first: datetime, last: datetime, most: int) -> tuple[float, float]:
    whole = (last - first).total_seconds() or 1
    across = LEFT + (moment - first).total_seconds() * (WIDE - LEFT - 10) / whole
    return across, HIGH - BOTTOM - max(0, number) * (HIGH - BOTTOM - TOP) / most


def _axis(high: float, words: str) -> str:
    line = f'<line x1="{LEFT}" y1="{high}" x2="{WIDE - 8}" y2="{high}" stroke="{GREY}" stroke-width="0.5"/>'
    return line + _text(LEFT - 5, high + 3, words, "end")


def _text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(fit(words))}</text>'


def _short(label: str) -> str:
    return label if len(label) <= 36 else f"{label[:35]}…"


def _moment(written: str) -> datetime | None:
    try:
        return datetime.strptime(written, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
