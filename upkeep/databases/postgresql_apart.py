"""What PostgreSQL does in no transaction, and of that what can be repeated or taken back: a list that is closed."""

import re
from collections.abc import Iterable, Sequence

from upkeep.revisions import Apart, Named

_PART = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_WHOLE = rf"{_PART}(?:\s*\.\s*{_PART})?"
_TEXT = r"(?:'(?:[^']|'')*'|\?)"
"""A string, or what stands for it where values are not told (P-100)."""

_MAKES = re.compile(
    rf"CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<index>{_PART})"
    rf"\s+ON\s+(?:ONLY\s+)?(?P<table>{_WHOLE})(?=[\s(])[^;]*",
    re.IGNORECASE | re.DOTALL,
)
_DROPS = re.compile(rf"DROP\s+INDEX\s+CONCURRENTLY\s+IF\s+EXISTS\s+(?P<index>{_WHOLE})(?:\s+RESTRICT)?", re.IGNORECASE)
_RENEWS = re.compile(
    rf"REINDEX\s+(?:\(\s*VERBOSE\s*\)\s*)?(?:INDEX|TABLE)\s+CONCURRENTLY\s+(?P<thing>{_WHOLE})", re.IGNORECASE
)
_REPEATED = {
    "the foreign key that it has validated stays so": rf"ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?{_WHOLE}\s+"
    rf"VALIDATE\s+CONSTRAINT\s+{_PART}",
    "a value that it has added to a type stays there": rf"ALTER\s+TYPE\s+{_WHOLE}\s+ADD\s+VALUE\s+IF\s+NOT\s+EXISTS\s+"
    rf"{_TEXT}(?:\s+(?:BEFORE|AFTER)\s+{_TEXT})?",
    "": r"(?:VACUUM|ANALYZE)\b(?!.*\bFULL\b)[\w\s$,.()\"]*|SET\s+(?:SESSION\s+)?(?:lock_timeout|statement_timeout|"
    rf"maintenance_work_mem|max_parallel_maintenance_workers)\s*(?:=|TO)\s*(?:{_TEXT}|\w+)",
}
"""What a statement leaves that is not taken back, and is passed over when it is said again; '' for nothing."""
_REPEATABLE = {left: re.compile(said, re.IGNORECASE | re.DOTALL) for left, said in _REPEATED.items()}

_ALONE = re.compile(r"\bCONCURRENTLY\b|^VACUUM\b", re.IGNORECASE)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_COMMIT = re.compile(r"COMMIT(?:\s+(?:WORK|TRANSACTION))?", re.IGNORECASE)
_BEGIN = re.compile(r"BEGIN(?:\s+(?:WORK|TRANSACTION))?|START\s+TRANSACTION", re.IGNORECASE)
_PARTS = re.compile(_PART)


def apart_of(sql: Sequence[str]) -> Apart | None:
    """What of a revision's statements is done in no transaction; None where it is done with the others in theirs.

    ``sql`` is what Alembic writes without a database: an autocommit block begins with COMMIT there. A block in which
    something stands that can be undone with the rest, and nothing that cannot, is no reason to leave the transaction.
    """
    said = [_plain(statement) for statement in sql]
    leaves = any(map(_COMMIT.fullmatch, said))
    said = [statement for statement in said if statement and not (_COMMIT.fullmatch(statement) or _begins(statement))]
    strange = [statement for statement in said if not _is_listed(statement)]
    if not any(_ALONE.search(statement) for statement in said) and (strange or not leaves or not said):
        return None
    return Apart(
        makes=tuple((_named(found["table"]), _named(found["index"])) for found in _found(_MAKES, said)),
        drops=tuple(_named(found["index"]) for found in _found(_DROPS, said)),
        renews=tuple(_named(found["thing"]) for found in _found(_RENEWS, said)),
        repeats=tuple(left for left, words in _REPEATABLE.items() if left and any(_found(words, said))),
        wrong=_wrong(strange, leaves=leaves),
    )


def _wrong(strange: list[str], *, leaves: bool) -> str:
    if not strange:
        return "" if leaves else "says what is done in no transaction, and stands in no autocommit_block()"
    first = strange[0]
    return f"leaves the transaction, and what it says can be neither repeated nor taken back: {_in_short(first)}; " + (
        next((hint for word, hint in _HINTS.items() if first.upper().startswith(word)), _ELSE)
        if _ALONE.search(first)
        else _ELSE
    )


_HINTS = {
    "DROP": "with IF EXISTS (if_exists=True) it can be said again",
    "CREATE": "with a name of its own the index can be dropped again",
    "VACUUM": "others wait for that: it is for a maintenance window",
}
_ELSE = "split the revision: put that in one of its own"


def _in_short(statement: str) -> str:
    """Its first words, without the values."""
    words = re.sub(_TEXT, "?", statement).split()
    return " ".join(words[:6]) + (" ..." if len(words) > 6 else "")


def _is_listed(statement: str) -> bool:
    return any(words.fullmatch(statement) for words in (_MAKES, _DROPS, _RENEWS, *_REPEATABLE.values()))


def _begins(statement: str) -> bool:
    return _BEGIN.fullmatch(statement) is not None


def _found(words: re.Pattern[str], said: Iterable[str]) -> list[re.Match[str]]:
    return [found for statement in said if (found := words.fullmatch(statement))]


def _plain(statement: str) -> str:
    """Without comments and the semicolons at its end."""
    return _COMMENT.sub(" ", statement).strip().rstrip("; \n")


def _named(name: str) -> Named:
    """As the server keeps it: in small letters where it is not in quotes."""
    parts = [part[1:-1].replace('""', '"') if part[0] == '"' else part.lower() for part in _PARTS.findall(name)]
    return (parts[-2] if len(parts) > 1 else "", parts[-1])
