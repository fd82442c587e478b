"""A page as a browser or a reader of PDF takes it: tables, links, anchors and text, by parsers that are not ours."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from io import BytesIO
from typing import Any

from pypdf import PdfReader

VOID = ("meta", "br", "link", "img", "input", "hr")


@dataclass
class Reading(HTMLParser):
    """What an HTML file says; ``wrong`` is what is wrong with its structure."""

    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    attributes: set[str] = field(default_factory=set)
    tables: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    rows_without_receipt: int = 0
    classes: list[str] = field(default_factory=list)
    text: str = ""
    _open: list[str] = field(default_factory=list)
    _section: str = ""
    _heads: list[str] = field(default_factory=list)
    _cells: list[str] = field(default_factory=list)
    _linked: bool = False

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.attributes |= set(given)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given["href"]] if "href" in given else []
        self.classes.append(given.get("class", ""))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "section":
            self._section, self._heads = given["id"], []
            self.tables[self._section] = []
        elif tag in ("th", "td"):
            self._cells.append("")
        elif tag == "tr":
            self._cells, self._linked = [], False
        elif tag == "a":
            self._linked = True

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.wrong.append(f"</{tag}>")
        if tag == "thead":
            self._heads = self._cells
        elif tag == "tr" and "tbody" in self._open:
            self.tables[self._section].append(dict(zip(self._heads, self._cells, strict=True)))
            self.rows_without_receipt += self._section != "receipts" and not self._linked

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.text += data
        if self._cells and ("td" in self._open or "th" in self._open):
            self._cells[-1] += data


def read(content: bytes) -> Reading:
    """An HTML file that is whole: every tag closed, every anchor there and once, nothing loaded, nothing run."""
    reading = Reading()
    text = content.decode()
    reading.feed(text)
    reading.close()
    assert (reading.wrong, reading._open) == ([], [])
    assert len(set(reading.ids)) == len(reading.ids)
    assert [link for link in reading.links if link[:1] != "#" or link[1:] not in reading.ids] == []
    assert {"script", "iframe", "object", "embed", "img", "link", "base", "form"} & set(reading.tags) == set()
    assert [name for name in reading.attributes if name.startswith("on") or name in ("src", "srcset")] == []
    assert "url(" not in text
    assert "@import" not in text
    assert reading.rows_without_receipt == 0
    return reading


@dataclass(frozen=True)
class Printed:
    """What a PDF says."""

    pages: int
    text: str
    is_tagged: bool
    archival: str


def read_pdf(content: bytes) -> Printed:
    """A PDF whose links all lead to a page of it, and which opens, runs and embeds nothing."""
    reader = PdfReader(BytesIO(content), strict=True)
    catalog: Any = reader.trailer["/Root"]
    assert {"/OpenAction", "/AA", "/AcroForm"} & set(catalog) == set()
    assert {"/JavaScript", "/EmbeddedFiles"} & set(catalog.get("/Names", {})) == set()
    named, pages = reader.named_destinations, {page.indirect_reference.idnum for page in reader.pages}  # type: ignore[union-attr]  # pages of a file have one
    for page in reader.pages:
        for one in page.get("/Annots") or ():
            assert where_to(one.get_object(), named) in pages
    metadata = catalog["/Metadata"].get_data().decode()
    part = metadata.partition("<pdfaid:part>")[2][:1] + metadata.partition("<pdfaid:conformance>")[2][:1]
    words = "\n".join(page.extract_text() for page in reader.pages)
    return Printed(len(reader.pages), words, bool(catalog["/MarkInfo"]["/Marked"]), part)


def where_to(link: Any, named: Any) -> int:
    """The object number of the page to which a link leads; it leads nowhere else."""
    assert link["/Subtype"] == "/Link"
    action = link.get("/A", {})
    assert action.get("/S", "/GoTo") == "/GoTo"
    target = link.get("/Dest") or action["/D"]
    if isinstance(target, str):
        return int(named[target].page.idnum)
    return int(target.get_object()[0].idnum) if hasattr(target, "get_object") else int(target[0].idnum)
