"""Which rights the role of a connection has in a database, for MariaDB leaves out what it may not show (P-15)."""

import re
from collections.abc import Sequence

from upkeep.databases.mariadb_asking import Conversation
from upkeep.errors import Refused

_GRANT = re.compile(r"GRANT (.+?) ON (?:TABLE |DATABASE )?(\S.*?)\.(\*|`.*?`) TO ")
_ALL = "ALL PRIVILEGES"


def refuse_what_is_missing(conversation: Conversation, database: str, wanted: Sequence[str]) -> None:
    """Raises Refused, with what to type, where the role lacks one of the rights in all of the database."""
    rights = _rights(conversation, database)
    missing = [right for right in wanted if not rights & {right, _ALL}]
    if missing:
        ((role,),) = conversation.words("SELECT CURRENT_USER()")
        raise Refused(
            f"the role {role} may not see all of {database}: it lacks {', '.join(missing)}",
            f"GRANT {', '.join(missing)} ON `{database}`.* TO it",
        )


def _rights(conversation: Conversation, database: str) -> set[str]:
    """Rights in the whole database; one in a single table or column is none."""
    rights: set[str] = set()
    for (said,) in conversation.words("SHOW GRANTS"):
        grant = _GRANT.match(said)
        if grant and grant[3] == "*" and (grant[2] == "*" or _covers(grant[2], database)):
            rights |= {right.strip() for right in re.sub(r"\(.*?\)", "", grant[1]).split(",")}
    return rights


def _covers(pattern: str, database: str) -> bool:
    """Does a GRANT for databases of this name, in which % and _ stand for others, hold for this one?"""
    pieces = re.findall(r"\\.|.", pattern.strip("`").replace("``", "`"), re.DOTALL)
    wild = {"%": ".*", "_": "."}
    return bool(re.fullmatch("".join(wild.get(p, re.escape(p[-1])) for p in pieces), database, re.DOTALL))
