"""What Upkeep reads out of the SQL text that SQLite keeps for each table, index, view and trigger."""

import re

_TOKEN = re.compile(
    r"""(?P<blank>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))
      | "(?:[^"]|"")*" | '(?:[^']|'')*' | `(?:[^`]|``)*` | \[[^\]]*\]
      | [^\W]+(?:[\w$])* | .""",
    re.VERBOSE | re.DOTALL,
)


def tokens(sql: str) -> list[str]:
    """Names, strings, words and signs in their order; blanks and comments left out."""
    return [match.group() for match in _TOKEN.finditer(sql) if match.lastgroup != "blank"]


def normalised(sql: str) -> str:
    """The statement with one blank between tokens: equal for statements that differ in their layout alone."""
    return " ".join(tokens(sql))


def event_of(trigger: str) -> str:
    """INSERT, UPDATE or DELETE: what fires the trigger that this CREATE TRIGGER statement makes.

    SQLite keeps the statement as ``CREATE TRIGGER name ...`` whatever stood between, so the fourth word decides, or
    the first after BEFORE, AFTER or INSTEAD OF: a trigger may be named after an event.
    """
    words = (token.upper() for token in tokens(trigger)[3:])
    return next(word for word in words if word in ("INSERT", "UPDATE", "DELETE"))
