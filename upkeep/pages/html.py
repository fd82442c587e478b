"""A page as one HTML file that loads nothing and runs nothing."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from upkeep.pages.cells import drawn
from upkeep.pages.page import Page


def html_of(page: Page) -> bytes:
    """The page in UTF-8. Every text is escaped, wherever it stands; the plots alone are written as they are."""
    facts = drawn(page)
    for section in facts["sections"]:
        if section["plot"]:
            section["plot"]["svg"] = Markup(section["plot"]["svg"])  # noqa: S704 - drawn and escaped by plots.py
    database = "".join(sign for sign in facts["database"] if sign.isalnum() or sign in " .-")
    return _template().render(page=facts, database=database).encode()


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("upkeep.pages", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")
