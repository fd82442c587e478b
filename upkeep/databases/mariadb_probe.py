"""Whether MariaDB refuses a violation of a foreign key: tried, not believed."""

import re
from collections.abc import Sequence

import pymysql

from upkeep.catalog import ForeignKey
from upkeep.databases.mariadb_asking import Conversation, quoted
from upkeep.databases.mariadb_errors import code_of
from upkeep.databases.violation import first_tried
from upkeep.errors import Refused
from upkeep.orphans import Dialect

_NOWHERE = ("-8765432", "-32765", "-125", "251", "8765432", "upkeep: nowhere", "~", "0001-01-01", "00:00:00.7")
_NO_PARENT = 1452
_OF_THE_VALUE = {1264, 1265, 1292, 1366, 1406, 1690, 1967, 1062}
_CODE = """
SELECT CONCAT('trigger ', TRIGGER_NAME), ACTION_STATEMENT FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = {name}
UNION ALL SELECT CONCAT('routine ', ROUTINE_NAME), COALESCE(ROUTINE_DEFINITION, '') FROM information_schema.ROUTINES
WHERE ROUTINE_SCHEMA = {name}"""
_OTHERS = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME <> {name}"


def try_a_violation(conversation: Conversation, dialect: Dialect, keys: tuple[ForeignKey, ...]) -> tuple[bool, str]:
    """Point a row of a child table at nothing, in a transaction of the connection, and undo that."""
    conversation.run("SET SESSION foreign_key_checks = 1")
    return first_tried(keys, lambda key: _is_refused(conversation, dialect, key))


def _is_refused(conversation: Conversation, dialect: Dialect, key: ForeignKey) -> bool | None:
    """None where it could not be tried: no row points anywhere, or something else refuses the change."""
    child, column = dialect.source(key.child), dialect.quote(key.columns[0])
    for value in _NOWHERE:
        conversation.run("START TRANSACTION")
        try:
            changed = conversation.run(
                f"UPDATE {child} SET {column} = {quoted(value)} WHERE {column} IS NOT NULL LIMIT 1"
            )
        except pymysql.MySQLError as fault:
            if code_of(fault) == _NO_PARENT:
                return True
            if code_of(fault) not in _OF_THE_VALUE:
                return None
        else:
            return False if changed else None
        finally:
            conversation.run("ROLLBACK")
    return None


def refuse_what_reaches_out(conversation: Conversation, scratch: str) -> None:
    """Raises Refused where code of a copy names another database: a rehearsal would change that one (P-21)."""
    others = [row[0] for row in conversation.words(_OTHERS.format(name=quoted(scratch)))]
    for what, text in conversation.words(_CODE.format(name=quoted(scratch))):
        if named := _reached(text, others):
            raise Refused(
                f"the {what} names the database {named}: on a copy it would change that one",
                "leave the database's name out of its body, or let the policy keep the rows",
            )


def _reached(text: str, databases: Sequence[str]) -> str | None:
    for name in databases:
        pattern = (
            rf"\b(INTO|UPDATE|FROM|JOIN|CALL|REPLACE|INSERT|IGNORE)\s+(`{re.escape(name)}`|{re.escape(name)})\s*\."
        )
        if re.search(pattern, text, re.IGNORECASE):
            return name
    return None
