"""Throw-away databases on the server of the live one: marked, held by a lock that ends with the run, and dropped."""

import hashlib
import re
import secrets
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pymysql

from upkeep.databases.mariadb_asking import Conversation, quoted
from upkeep.databases.mariadb_dialect import quote
from upkeep.databases.mariadb_errors import code_of, speaking
from upkeep.databases.mariadb_locks import locked
from upkeep.databases.mariadb_place import Place
from upkeep.databases.mariadb_shapes import MARK
from upkeep.errors import Refused

_BEGIN = "upkeep_scratch_"
_SCRATCH = "upkeep scratch of "
_EXISTING = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE LEFT(SCHEMA_NAME, {length}) = {begin} ORDER BY 1"
_HELD = "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = {name}"
_CONNECTED = "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = {name} AND ID <> CONNECTION_ID()"
_NO_SUCH_THREAD = 1094


@dataclass
class _Own:
    """A scratch of this process: whose folder it belongs to, and the connection with its lock once it is made."""

    workplace: Path | None
    lock: Conversation | None = None


class Scratches:
    """The scratch databases of one live database on its server.

    The lock of each is held by a connection of its own, so the server lets go of it when the process is gone,
    wherever that ran: what nobody holds any more is dropped by the next run (P-95).
    """

    def __init__(self, live: Place, name: str) -> None:
        self._live, self._name = live, name
        self._own: dict[str, _Own] = {}

    def announce(self, workplace: Path | None) -> str:
        """The name of a scratch that belongs to ``workplace`` and is not made yet."""
        name = f"{self._begin}{secrets.token_hex(6)}"
        self._own[name] = _Own(workplace)
        return name

    def make(self, name: str) -> None:
        """Make the database, with the live one's character set, and mark it before anything is in it."""
        own = self._own[name]
        with speaking(str(self._live)):
            own.lock = own.lock or self._live.connect()
            if not locked(own.lock, name):
                raise Refused(f"another Upkeep holds {name}", "run it again")
            mark = f"{_SCRATCH}{self._name}, made {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
            make_database(own.lock, self._live, name)
            mark_database(own.lock, name, mark)

    def drop(self, name: str) -> None:
        """Drop a scratch of this process, made or not, and let go of its lock."""
        own = self._own.get(name) or _Own(None)
        with speaking(str(self._live)), closing(own.lock or self._live.connect()) as conversation:
            own.lock = None
            self._drop(conversation, name)

    def sweep(self) -> tuple[str, ...]:
        """Drop what no run needs any more: scratches of runs that died, and own ones whose workplace is gone."""
        for name, own in list(self._own.items()):
            if own.workplace is None or not own.workplace.exists():
                self.drop(name)
                del self._own[name]
        dropped = []
        with speaking(str(self._live)), closing(self._live.connect()) as conversation:
            begin = self._begin
            for (name,) in conversation.words(_EXISTING.format(length=len(begin), begin=quoted(begin))):
                if _is_ours(conversation, name) and locked(conversation, name):
                    self._drop(conversation, name)
                    dropped.append(name)
        return tuple(dropped)

    @property
    def _begin(self) -> str:
        """A digest of the live database's name tells those of one short name apart."""
        told = hashlib.sha256(self._live.database.encode()).hexdigest()[:6]
        return f"{_BEGIN}{self._name[:20]}_{told}_"

    def _drop(self, conversation: Conversation, name: str) -> None:
        """Drop what bears our mark; raises Refused for the live database and for any that does not (P-22)."""
        if name == self._live.database or not re.match(rf"{_BEGIN}.*_[0-9a-f]{{6}}_[0-9a-f]{{12}}\Z", name):
            raise Refused(f"{name} is not a scratch database", "Upkeep never removes a database")
        if not conversation.fetched(f"SHOW DATABASES WHERE `Database` = {quoted(name)}"):
            return
        if not _is_ours(conversation, name):
            raise Refused(f"{name} is not a scratch database", "Upkeep never removes a database")
        end_connections(conversation, name)
        conversation.run(f"DROP DATABASE IF EXISTS {quote(name)}")


def make_database(conversation: Conversation, live: Place, name: str) -> None:
    """Make a database that spells and sorts as the live one does; Refused, with what to type, if it may not be.

    ``live`` is where the connection is.
    """
    told = conversation.words(
        "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA"
        f" WHERE SCHEMA_NAME = {quoted(live.database)}"
    )
    like = f"CHARACTER SET {told[0][0]} COLLATE {told[0][1]}" if told else ""
    try:
        conversation.run(f"CREATE DATABASE {quote(name)} {like}")
    except pymysql.MySQLError as fault:
        if code_of(fault) == 1007:
            raise Refused(f"{name} is not empty", "a scratch is filled once") from None
        if code_of(fault) == 1044:
            raise Refused(
                f"the role of {live} may not make a scratch database",
                f"GRANT ALL ON `upkeep\\_scratch\\_%`.* TO {live.user}",
            ) from None
        raise


def mark_database(conversation: Conversation, name: str, said: str) -> None:
    """Say in the database itself what it is."""
    conversation.run(f"CREATE TABLE {quote(name)}.{quote(MARK)} (said VARCHAR(200)) COMMENT = {quoted(said)}")


def mark_of(conversation: Conversation, name: str) -> str:
    """What a database says of itself; an empty text where it is not marked."""
    found = conversation.words(
        f"SELECT TABLE_COMMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = {quoted(name)}"
        f" AND TABLE_NAME = {quoted(MARK)}"
    )
    return found[0][0] if found else ""


def end_connections(conversation: Conversation, name: str) -> None:
    """End what others of this role have open in the database."""
    for (thread,) in conversation.words(_CONNECTED.format(name=quoted(name))):
        try:
            conversation.run(f"KILL {thread}")
        except pymysql.MySQLError as fault:
            if code_of(fault) != _NO_SUCH_THREAD:
                raise


def _is_ours(conversation: Conversation, name: str) -> bool:
    """Does it bear our mark? Killed before that was made, nothing at all is in it."""
    held = conversation.fetched(_HELD.format(name=quoted(name)))
    return not held or mark_of(conversation, name).startswith(_SCRATCH)
