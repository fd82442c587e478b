"""Questions that are put to a database by suites, and the answers that came back."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """One foreign key to be asked: ``query`` gives one row of two numbers, orphans and missing keys.

    Where ``numbers`` is a query, ``query`` has a parameter ``:there``, which is made of its answer (see Known).
    ``name`` is unique within a run and made of lower-case letters, digits and dashes.
    """

    name: str
    key: str
    query: str
    description: str
    numbers: str | None = None


@dataclass(frozen=True)
class Answer:
    """What one expectation of one suite said.

    ``holds`` is None where it could not be asked, which is not a yes (P-96); ``seen`` says what was seen, in words
    and without any value of a row. ``numbers`` are the query's own, where the expectation is one of ours.
    """

    suite: str
    name: str
    description: str
    severity: str
    holds: bool | None
    seen: str
    numbers: tuple[int, ...] = ()
    owner: str = ""
