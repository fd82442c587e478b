"""A page as plain words and links, ready for the two templates, which decide nothing."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from upkeep.pages.page import Column, Page, Section, Table
from upkeep.pages.shown import SHORT, TO_THE_RIGHT, fit, shown

Drawn = dict[str, Any]
_WITH_DIGEST = 4
"""So many receipts of one row are shown with the beginning of their hashes, more of them by their numbers alone."""
_NAMES = ("run", "backup", "day", "first", "last")
"""Columns of one name or day each, which is read in one piece."""
_LONG = 30
"""A longer word may be broken where its cell ends."""
_TIED = "\N{NO-BREAK SPACE}"


def drawn(page: Page) -> Drawn:
    """The whole page; all of it is text, numbers and lists."""
    sections = [_section(section, page.hashes) for section in (*page.sections, page.appendix)]
    return {
        "title": fit(page.title),
        "database": fit(page.database),
        "facts": [[fit(name), fit(value)] for name, value in page.facts],
        "banner": {
            "tone": page.banner.tone,
            "sentence": fit(page.banner.sentence),
            "lines": [fit(line) for line in page.banner.lines],
        },
        "figures": [
            {"shown": one.shown, "noun": one.noun, "section": one.section, "tone": one.tone} for one in page.figures
        ],
        "sections": sections,
    }


def as_json(page: Page) -> str:
    """The same as one JSON document."""
    return json.dumps(drawn(page), ensure_ascii=False)


def _section(section: Section, hashes: Mapping[int, str]) -> Drawn:
    table = section.table
    is_appendix = table.name == "receipts"
    return {
        "name": table.name,
        "title": section.title,
        "told": section.told,
        "empty": section.empty,
        "count": len(table.rows),
        "plot": {"svg": section.plot.svg, "says": section.plot.says} if section.plot else None,
        "widths": _widths(table),
        "columns": [{"head": column.head, "right": column.kind in TO_THE_RIGHT} for column in table.columns],
        "rows": [
            {
                "anchor": f"receipt-{row[0]}" if is_appendix else "",
                "cells": [_cell(column, value, hashes) for column, value in zip(table.columns, row, strict=True)],
            }
            for row in table.rows
        ],
    }


def _widths(table: Table) -> list[int]:
    """How the columns share what is left of a line: 0 takes what it needs, others by the length of their words.

    Numbers and moments never break; a library that measures every cell of a long table would take minutes.
    """
    return [
        0
        if column.kind in (*TO_THE_RIGHT, "when", "digest", "answer") or _are_names(column, table.rows, place)
        else _share(column, table.rows, place)
        for place, column in enumerate(table.columns)
    ]


def _are_names(column: Column, rows: Sequence[Sequence[Any]], place: int) -> bool:
    return column.field in _NAMES and all(len(str(row[place])) <= _LONG for row in rows)


def _share(column: Column, rows: Sequence[Sequence[Any]], place: int) -> int:
    if column.kind == "receipts":
        return 26
    return max(len(column.head), min(40, max((len(str(row[place])) for row in rows), default=0)))


def _cell(column: Column, value: Any, hashes: Mapping[int, str]) -> Drawn:
    kind = column.kind
    if kind == "receipts":
        return {"text": "", "code": False, "style": "", "whole": "", "links": _links(value, hashes)}
    words = shown(kind, value)
    if column.field in ("number", "hash") and value in (0, ""):
        words = "last" if column.field == "number" else "names this page, so it is not known here"
    style = "right" if kind in TO_THE_RIGHT else "short" if _is_short(column, words) else ""
    if not style and any(len(word) > _LONG for word in words.split()):
        style = "long"
    if kind == "answer" and value is False:
        style = "bad-word"
    code = kind == "digest" or (column.field == "hash" and bool(value))
    whole = fit(str(value)) if kind == "digest" and value and len(str(value)) > SHORT else ""
    return {"text": words, "code": code, "style": style, "whole": whole, "links": []}


def _is_short(column: Column, words: str) -> bool:
    """Does it stand in one line?"""
    return column.kind in ("when", "digest") or (column.field in _NAMES and len(words) <= _LONG)


def _links(numbers: tuple[int, ...], hashes: Mapping[int, str]) -> list[Drawn]:
    few = len(numbers) <= _WITH_DIGEST
    return [{"number": number, "text": _called(number, hashes[number] if few else "")} for number in numbers]


def _called(number: int, digest: str) -> str:
    return _TIED.join(filter(None, (str(number), digest[:8]))) if number else "last"
