"""What the statements of a revision say in words: which rows they delete or write, what they drop, alter and rename."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from upkeep.revisions import Ran


class Verb(StrEnum):
    """What may be said of a thing. ``WRITE`` is said of rows that come or change, ``DELETE`` of those that go."""

    WRITE = "write"
    DELETE = "delete"
    DROP = "drop"
    ALTER = "alter"
    RENAME = "rename"
    REVOKE = "revoke"
    CREATE = "create"


@dataclass(frozen=True)
class Saying:
    """One thing that a revision says. Names are plain and folded; ``to`` is the new one where something is renamed.

    ``is_of_constraint``: by DROP or ADD CONSTRAINT; ``is_of_column``: of a column that is called otherwise.
    """

    revision: str
    verb: Verb
    name: str
    table: str = ""
    to: str = ""
    is_of_constraint: bool = False
    is_of_column: bool = False


_PART = r'(?:"(?:[^"]|"")+"|`[^`]+`|\[[^\]]+\]|[\w$?]+)'
_NAME = rf"(?P<name>{_PART}(?:\s*\.\s*{_PART})*)"
_TO = rf"(?P<to>{_PART})"
_IF = r"(?:IF\s+(?:NOT\s+)?EXISTS\s+)?"
_ONLY = r"(?:ONLY\s+)?"
_THINGS = (
    r"(?P<thing>TABLE|(?:MATERIALIZED\s+)?VIEW|INDEX|TRIGGER|FUNCTION|PROCEDURE|AGGREGATE|TYPE|DOMAIN|SEQUENCE|POLICY"
    r"|RULE|SCHEMA|EXTENSION|EVENT|STATISTICS)"
)
_WHOLE = {
    Verb.DELETE: (
        rf"\bDELETE\s+(?:(?:LOW_PRIORITY|QUICK|IGNORE)\s+)*FROM\s+{_ONLY}{_NAME}",
        rf"\bTRUNCATE\s+(?:TABLE\s+)?{_ONLY}(?P<several>{_PART}(?:\s*[.,]\s*{_PART})*)",
    ),
    Verb.WRITE: (
        rf"\b(?:INSERT|REPLACE)\s+(?:OR\s+\w+\s+|IGNORE\s+)?INTO\s+{_NAME}",
        rf"\bMERGE\s+INTO\s+{_ONLY}{_NAME}",
        rf"\bUPDATE\s+(?:OR\s+\w+\s+|IGNORE\s+)?{_ONLY}{_NAME}(?:\s+(?:AS\s+)?(?!SET\b)\w+)?\s+SET\b",
        rf"\bCOPY\s+{_NAME}",
    ),
    Verb.DROP: (rf"\bDROP\s+{_THINGS}\s+(?:CONCURRENTLY\s+)?{_IF}(?P<several>{_PART}(?:\s*[.,]\s*{_PART})*)",),
    Verb.ALTER: (
        rf"\bCREATE\s+OR\s+(?:REPLACE|ALTER)\s+(?:CONSTRAINT\s+)?{_THINGS}\s+{_NAME}",
        rf"\bALTER\s+(?!TABLE\b){_THINGS}\s+{_IF}{_NAME}(?!\s+RENAME)",
        rf"\bCOMMENT\s+ON\s+\w+\s+{_NAME}",
    ),
    Verb.CREATE: (rf"\bCREATE\s+(?:UNLOGGED\s+)?TABLE\s+{_IF}{_NAME}\s*\(",),
    Verb.REVOKE: (
        rf"\bREVOKE\b.*?\bON\s+(?:TABLE\s+)?{_NAME}",
        rf"\bALTER\s+TABLE\s+{_IF}{_ONLY}{_NAME}\s+OWNER\b",
    ),
    Verb.RENAME: (
        rf"\bALTER\s+{_THINGS}\s+{_IF}{_ONLY}{_NAME}\s+RENAME\s+TO\s+{_TO}",
        rf"\bRENAME\s+TABLE\s+{_NAME}\s+TO\s+{_TO}",
    ),
}
_ALTER = rf"\bALTER\s+TABLE\s+{_IF}{_ONLY}{_NAME}\s+(?P<rest>[^;]*)"
_COLUMN = r"(?:COLUMN\s+)?"
_INSIDE = {
    Verb.DROP: (
        rf"\bDROP\s+(?:COLUMN|INDEX|KEY)\s+{_IF}{_NAME}",
        rf"\bDROP\s+(?P<constraint>CONSTRAINT|FOREIGN\s+KEY|CHECK)\s+{_IF}{_NAME}",
        rf"\bDROP\s+(?!(?:COLUMN|CONSTRAINT|FOREIGN|INDEX|KEY|CHECK|NOT|DEFAULT|IDENTITY|EXPRESSION|PRIMARY)\b){_IF}{_NAME}",
    ),
    Verb.ALTER: (
        rf"\b(?:ALTER|MODIFY)\s+{_COLUMN}{_NAME}",
        rf"\bCHANGE\s+{_COLUMN}{_NAME}",
        rf"\b(?:DISABLE|ENABLE)\s+(?:TRIGGER|RULE)\s+{_NAME}",
        rf"\b(?:ADD|VALIDATE)\s+(?P<constraint>CONSTRAINT)\s+{_NAME}",
    ),
    Verb.RENAME: (
        rf"\bRENAME\s+(?:INDEX|KEY|CONSTRAINT)\s+{_NAME}\s+TO\s+{_TO}",
        rf"\bRENAME\s+(?P<column>COLUMN\s+|(?!(?:TO|AS|COLUMN|INDEX|KEY|CONSTRAINT)\b)){_NAME}\s+TO\s+{_TO}",
        rf"\bCHANGE\s+(?P<column>{_COLUMN}){_NAME}\s+{_TO}",
    ),
}
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_PARTS = re.compile(_PART)


def sayings(ran: Iterable[Ran]) -> tuple[Saying, ...]:
    """What all revisions say, each thing once."""
    return tuple(dict.fromkeys(saying for one in ran for text in one.said for saying in _said(one.revision, text)))


def plain(name: str) -> str:
    """The last part of a name as a person would say it: without its schema, without quotes, in small letters."""
    return str(_PARTS.findall(name)[-1]).strip('"`[]').replace('""', '"').lower()


def called(name: str) -> str:
    """The same of a name as a catalog has it: without quotes, so that what stands in it may be a space."""
    return name.rpartition(".")[2].lower()


def _said(revision: str, statement: str) -> Iterator[Saying]:
    text = _COMMENT.sub(" ", statement)
    for verb, found in _matches(_WHOLE, text):
        for name in re.split(r"\s*,\s*", found.get("several") or found["name"]):
            yield Saying(revision, verb, plain(name), to=plain(found["to"]) if "to" in found else "")
    for altered in re.finditer(_ALTER, text, re.IGNORECASE | re.DOTALL):
        table = plain(altered["name"])
        yield Saying(revision, Verb.ALTER, table)
        for verb, found in _matches(_INSIDE, altered["rest"]):
            to = plain(found["to"]) if "to" in found else ""
            is_of_column = found.get("column") is not None
            yield Saying(revision, verb, plain(found["name"]), table, to, bool(found.get("constraint")), is_of_column)


def _matches(patterns: dict[Verb, tuple[str, ...]], text: str) -> Iterator[tuple[Verb, dict[str, str]]]:
    for verb, several in patterns.items():
        for pattern in several:
            for found in re.finditer(pattern, text, re.IGNORECASE | re.DOTALL):
                yield verb, found.groupdict()
