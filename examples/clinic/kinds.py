"""The kinds of damage that the clinic can suffer, and which of them an engine cannot hold."""

PARENTS_DELETED = "parents_deleted"
REUSED_IDS = "reused_ids"
DROPPED_TABLE = "dropped_table"
MISDECLARED = "misdeclared"
TEXT_IN_INTEGER = "text_in_integer"
SENTINELS = "sentinels"

ALL_KINDS = frozenset({PARENTS_DELETED, REUSED_IDS, DROPPED_TABLE, MISDECLARED, TEXT_IN_INTEGER, SENTINELS})
DEMO_KINDS = ALL_KINDS - {DROPPED_TABLE, MISDECLARED}

_NUMBERS_ONLY = {TEXT_IN_INTEGER: "a column of numbers takes no text; where a script would write '' it writes 0"}
_IMPOSSIBLE = {
    "sqlite": dict[str, str](),
    "postgresql": _NUMBERS_ONLY
    | {DROPPED_TABLE: "a table goes only with the keys that point at it: nothing is orphaned"},
    "mysql": _NUMBERS_ONLY,
    "mariadb": _NUMBERS_ONLY,
}


def impossible(engine: str) -> dict[str, str]:
    """What a database of this engine cannot hold, and why."""
    return _IMPOSSIBLE[engine]
