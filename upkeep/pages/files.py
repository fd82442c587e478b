"""The files that a page becomes: HTML, a PDF of the same, and its tables as CSV."""

import zipfile
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO

from upkeep.pages.frames import csv_of
from upkeep.pages.html import html_of
from upkeep.pages.page import Page
from upkeep.pages.pdf import pdf_of


def files_of(page: Page, drawn: datetime, *, with_pdf: bool, zipped: bool) -> Iterator[tuple[str, bytes]]:
    """Each file with its name; ``drawn`` is the moment of drawing (UTC). The CSVs are many files, or one archive."""
    yield "page.html", html_of(page)
    if with_pdf:
        yield "page.pdf", pdf_of(page, drawn)
    if zipped:
        yield "page-tables.zip", _zipped(page, drawn)
    else:
        yield from ((f"tables/{table.name}.csv", csv_of(table).encode()) for table in page.tables)


def _zipped(page: Page, drawn: datetime) -> bytes:
    written = BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for table in page.tables:
            entry = zipfile.ZipInfo(f"{table.name}.csv", drawn.timetuple()[:6])
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, csv_of(table).encode())
    return written.getvalue()
