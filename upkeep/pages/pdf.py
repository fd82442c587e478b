"""A page as PDF/A-2a: tagged, with its fonts inside, made by Typst from the very cells of the HTML."""

import re
import unicodedata
from datetime import datetime
from pathlib import Path

import typst

from upkeep.pages.cells import as_json
from upkeep.pages.page import Page

_TEMPLATE = Path(__file__).with_name("page.typ")
BLOCKS = ((0x20, 0x4FF), (0x530, 0x58F), (0x1E00, 0x2040), (0x20A0, 0x20BF), (0x2190, 0x21FF))
"""Latin, Greek, Cyrillic, Armenian, punctuation, money, arrows: what Typst's own fonts have every letter of."""
_STRANGE = re.compile("[^" + "".join(f"{chr(first)}-{chr(last)}" for first, last in BLOCKS) + "]")


def pdf_of(page: Page, drawn: datetime) -> bytes:
    """The page, dated ``drawn`` (UTC); no font and no file of the machine is looked at, so it is the same everywhere.

    PDF/A refuses a letter that no font inside has, and so would end a run: that one is written by its number.
    """
    written = typst.compile(
        _TEMPLATE.read_bytes(),
        sys_inputs={"page": spelled(as_json(page)), "drawn": f"date = {drawn:%Y-%m-%dT%H:%M:%S}"},
        ignore_system_fonts=True,
        pdf_standards=["a-2a"],
        timestamp=drawn.replace(microsecond=0),
    )
    if not isinstance(written, bytes):
        raise AssertionError("a PDF is one file")
    return written


def spelled(text: str) -> str:
    """The text with letters that the PDF has no picture of as ``[U+4E2D]``."""
    return "".join(sign if _is_there(sign) else f"[U+{ord(sign):04X}]" for sign in text) if _rare(text) else text


def _rare(text: str) -> bool:
    return _STRANGE.search(text) is not None or any(unicodedata.category(sign) == "Cn" for sign in set(text))


def _is_there(sign: str) -> bool:
    return _STRANGE.match(sign) is None and unicodedata.category(sign) != "Cn"
