"""What Upkeep reads out of the SQL text that SQLite keeps for each table, index, view and trigger."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<blank>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))
      | "(?:[^"]|"")*" | '(?:[^']|'')*' | `(?:[^`]|``)*` | \[[^\]]*\]
      | [^\W]+(?:[\w$])* | .""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Token:
    """A name, string, word or sign, and where it stands in its statement."""

    text: str
    begin: int

    @property
    def end(self) -> int:
        """The place after it."""
        return self.begin + len(self.text)

    @property
    def word(self) -> str:
        """A word of the language in capitals; a name in quotes stays as it is, and so is none."""
        return self.text.upper()


def words(sql: str) -> list[Token]:
    """All tokens in their order; blanks and comments left out."""
    return [Token(match.group(), match.start()) for match in _TOKEN.finditer(sql) if match.lastgroup != "blank"]


def tokens(sql: str) -> list[str]:
    """Their texts alone."""
    return [token.text for token in words(sql)]


def unquoted(text: str) -> str:
    """The name that a token is, whichever of its four ways SQLite let it be quoted in."""
    if text[:1] == "[":
        return text[1:-1]
    return text[1:-1].replace(text[0] * 2, text[0]) if text[:1] in ('"', "'", "`") else text


def normalised(sql: str) -> str:
    """The statement with one blank between tokens: equal for statements that differ in their layout alone."""
    return " ".join(tokens(sql))


def unnamed_checks(table: str) -> tuple[str, ...]:
    """What the CHECKs of this CREATE TABLE statement demand that have no name, each as it is written."""
    said, found = words(table), []
    for at, token in enumerate(said[:-1]):
        if token.word == "CHECK" and said[at + 1].text == "(" and not (at > 1 and said[at - 2].word == "CONSTRAINT"):
            found.append(" ".join(table[said[at + 2].begin : _closing(said, at + 1).begin].split()))
    return tuple(found)


def _closing(said: list[Token], begin: int) -> Token:
    """The bracket that closes the one at ``begin``."""
    depth = 0
    for token in said[begin:]:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if not depth:
            return token
    raise ValueError("SQLite keeps no statement whose brackets do not close")


def event_of(trigger: str) -> str:
    """INSERT, UPDATE or DELETE: what fires the trigger that this CREATE TRIGGER statement makes.

    SQLite keeps the statement as ``CREATE TRIGGER name ...`` whatever stood between, so the fourth word decides, or
    the first after BEFORE, AFTER or INSTEAD OF: a trigger may be named after an event.
    """
    words = (token.upper() for token in tokens(trigger)[3:])
    return next(word for word in words if word in ("INSERT", "UPDATE", "DELETE"))
