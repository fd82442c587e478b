"""Values as a reader sees them: numbers with their units, moments, and text without what no page can hold."""

import re
from typing import Any

from upkeep.pages.page import Kind

TO_THE_RIGHT = ("number", "bytes", "milliseconds", "age", "days")
SHORT = 12
"""So many digits of a digest stand in a table; the appendix and the CSV have all of them."""
_UNFIT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def shown(kind: Kind, value: Any) -> str:
    """One value in words; a dash where there is none."""
    if value is None or value == "":
        return "\u2013"
    if kind == "answer":
        return "yes" if value else "NO"
    if kind == "digest":
        return fit(str(value))[:SHORT]
    if kind == "when":
        return fit(str(value)).replace("T", " ").removesuffix("Z")
    if isinstance(value, int):
        return _with_unit(kind, value)
    return fit(str(value))


def fit(text: str) -> str:
    """The text without control characters and halves of letters, which neither HTML nor PDF can hold."""
    return _UNFIT.sub("\ufffd", text)


def _with_unit(kind: Kind, value: int) -> str:
    if kind == "bytes":
        return _size(value)
    if kind == "milliseconds":
        return f"{value / 1000:,.2f} s"
    if kind == "age":
        return f"{value / 3600:,.1f} h" if value >= 3600 else f"{value:,} s"
    return f"{value:,}"


def _size(value: int) -> str:
    if abs(value) < 1000:
        return f"{value} B"
    size = float(value)
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if abs(size) < 1000:
            return f"{size:,.1f} {unit}"
    return f"{size / 1000:,.1f} TB"
