"""The kinds of damage that the clinic can suffer."""

PARENTS_DELETED = "parents_deleted"
REUSED_IDS = "reused_ids"
DROPPED_TABLE = "dropped_table"
MISDECLARED = "misdeclared"
TEXT_IN_INTEGER = "text_in_integer"
SENTINELS = "sentinels"

ALL_KINDS = frozenset({PARENTS_DELETED, REUSED_IDS, DROPPED_TABLE, MISDECLARED, TEXT_IN_INTEGER, SENTINELS})
DEMO_KINDS = ALL_KINDS - {DROPPED_TABLE, MISDECLARED}
