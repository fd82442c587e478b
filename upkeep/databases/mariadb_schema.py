"""A digest over what a MariaDB schema says, the same for a database and for one restored from its dump."""

import hashlib
import re
from collections.abc import Sequence

from upkeep.databases.mariadb_asking import Conversation, quoted
from upkeep.databases.mariadb_dialect import quote
from upkeep.values import canonical

_COUNTER = re.compile(r" AUTO_INCREMENT=\d+")
# Each gives words about one thing; in none stands the name of the database itself, for a scratch has another.
_SAID = {
    "view": """SELECT TABLE_NAME, CHECK_OPTION, SECURITY_TYPE, DEFINER FROM information_schema.VIEWS
        WHERE TABLE_SCHEMA = {database}""",
    "trigger": """SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME, EVENT_MANIPULATION, ACTION_TIMING, ACTION_ORDER,
        ACTION_STATEMENT, SQL_MODE, DEFINER FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = {database}""",
    "routine": """SELECT ROUTINE_TYPE, ROUTINE_NAME, DTD_IDENTIFIER, ROUTINE_DEFINITION, IS_DETERMINISTIC,
        SQL_DATA_ACCESS, SECURITY_TYPE, SQL_MODE, DEFINER FROM information_schema.ROUTINES
        WHERE ROUTINE_SCHEMA = {database}""",
    "parameter": """SELECT SPECIFIC_NAME, ROUTINE_TYPE, ORDINAL_POSITION, PARAMETER_MODE, PARAMETER_NAME, DTD_IDENTIFIER
        FROM information_schema.PARAMETERS WHERE SPECIFIC_SCHEMA = {database}""",
    # Whether it is awake is not said: in a scratch it sleeps (P-21).
    "event": """SELECT EVENT_NAME, EVENT_DEFINITION, EVENT_TYPE, INTERVAL_VALUE, INTERVAL_FIELD, ON_COMPLETION,
        SQL_MODE, DEFINER FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {database}""",
    "sequence": """SELECT TABLE_NAME FROM information_schema.TABLES
        WHERE TABLE_SCHEMA = {database} AND TABLE_TYPE = 'SEQUENCE'""",
}
_VIEW_COLUMNS = """
SELECT c.TABLE_NAME, c.ORDINAL_POSITION, c.COLUMN_NAME, c.COLUMN_TYPE FROM information_schema.COLUMNS c
JOIN information_schema.VIEWS v ON v.TABLE_SCHEMA = c.TABLE_SCHEMA AND v.TABLE_NAME = c.TABLE_NAME
WHERE c.TABLE_SCHEMA = {database}"""


def read_schema_digest(conversation: Conversation, database: str, tables: Sequence[str]) -> str:
    """SHA-256 over tables, views, triggers, routines and events. Where a counter stands is content, not schema."""
    said = [["table", name, made(conversation, database, name)] for name in tables]
    said += others(conversation, database)
    return hashlib.sha256(canonical(sorted(said))).hexdigest()


def others(conversation: Conversation, database: str) -> list[list[str]]:
    """What is no table: the kind of each thing, then its name and words about it."""
    said: list[list[str]] = []
    for kind, sql in (_SAID | {"view column": _VIEW_COLUMNS}).items():
        rows = conversation.fetched(sql.format(database=quoted(database)))
        said += [[kind, *("" if word is None else str(word).strip() for word in row)] for row in rows]
    return said + [
        ["view text", str(name), _viewed(conversation, database, str(name))]
        for (name,) in conversation.fetched(
            f"SELECT TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA = {quoted(database)}"
        )
    ]


def made(conversation: Conversation, database: str, table: str) -> str:
    """How the server would make a table, without where its counter stands."""
    ((_, said),) = conversation.fetched(f"SHOW CREATE TABLE {quote(database)}.{quote(table)}")
    return _COUNTER.sub("", str(said), count=1)


def _viewed(conversation: Conversation, database: str, view: str) -> str:
    """What the view says; the name of the database it is in is printed only by a connection to another."""
    ((_, said, *_rest),) = conversation.fetched(f"SHOW CREATE VIEW {quote(database)}.{quote(view)}")
    return str(said)
