"""What a MariaDB server finds wrong with the tables of a database, and with how it keeps foreign keys."""

from collections.abc import Sequence

from upkeep.databases.mariadb_asking import Conversation
from upkeep.databases.mariadb_dialect import quote

_FINE = ("status", "note", "info")


def read_complaints(conversation: Conversation, database: str, tables: Sequence[str]) -> tuple[str, ...]:
    """What CHECK TABLE says, table by table, apart from OK; and whether keys are off for whoever connects.

    It ends a transaction, so it wants a connection of its own. Writers go on meanwhile.
    """
    told = []
    ((enforced,),) = conversation.words("SELECT @@GLOBAL.foreign_key_checks")
    if enforced == "0":
        told.append("foreign keys are not enforced: SET GLOBAL foreign_key_checks = ON")
    for table in tables:
        for _, _, kind, said in conversation.words(f"CHECK TABLE {quote(database)}.{quote(table)}"):
            if kind.lower() not in _FINE or (kind == "status" and said not in ("OK", "Table is already up to date")):
                told.append(f"{table}: {said}")
    return tuple(told)
