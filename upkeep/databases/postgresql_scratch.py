"""Throw-away databases, beside the live one or on another server: marked, held by a lock that ends with the run."""

import hashlib
import re
import secrets
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from upkeep.databases.postgresql_errors import speaking
from upkeep.databases.postgresql_likeness import create, read_likeness
from upkeep.databases.postgresql_place import Connection, Place
from upkeep.databases.postgresql_scratch_probe import Server, judge_server, look_at
from upkeep.errors import Refused

_BEGIN = "upkeep_scratch_"
_MARK = "upkeep scratch of "
_EXISTING = """
    SELECT datname, shobj_description(oid, 'pg_database'), datallowconn FROM pg_database
    WHERE left(datname, length(%s)) = %s ORDER BY datname
"""
_THERE: LiteralString = """
    SELECT shobj_description(oid, 'pg_database'), datname = current_database(), system_identifier::text, oid::bigint
    FROM pg_database, pg_control_system() WHERE datname = %s
"""


@dataclass
class _Own:
    """A scratch of this process: whose folder it belongs to, and the connection with its lock once it is made."""

    workplace: Path | None
    lock: Connection | None = None


class Scratches:
    """The scratch databases of one live database, on its server or by ``elsewhere``, a database of another one.

    The lock of each is held in the live database, or in that of ``elsewhere``, by a connection of its own, so the
    server lets go of it when the process is gone, wherever that ran: what nobody holds any more is dropped by the next
    run (P-95).
    """

    def __init__(self, live: Place, name: str, elsewhere: Place | None = None) -> None:
        self._live, self._name = live, name
        self._at = elsewhere or live
        self._own: dict[str, _Own] = {}
        self._known: Server | None = None

    def probe(self) -> int:
        """The major version of the server for scratches; raises Refused where none could be made there (P-22)."""
        live = self._live_server()
        with speaking(str(self._at)), closing(self._connected()) as connection:
            there = look_at(connection)
        judge_server(self._at, there, live, is_elsewhere=self._at is not self._live)
        return there.major

    def announce(self, workplace: Path | None) -> Place:
        """The place of a scratch that belongs to ``workplace`` and is not made yet."""
        name = f"{self._begin(self._at)}{secrets.token_hex(6)}"
        self._own[name] = _Own(workplace)
        return self._at.at(name)

    def make(self, name: str) -> None:
        """Make the database: as the live one sorts and spells, for nobody else, marked before anybody can connect."""
        own = self._own[name]
        with speaking(str(self._live)), closing(self._live.connect("upkeep scratch", autocommit=True)) as connection:
            like = read_likeness(connection)
        with speaking(str(self._at)):
            own.lock = own.lock or self._connected()
            if not _locked(own.lock, name):
                raise Refused(f"another Upkeep holds {name}", "run it again")
            mark = f"{_MARK}{self._name}, made {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
            try:
                create(own.lock, name, mark, like, self._at)
            except psycopg.errors.DuplicateDatabase:
                raise Refused(f"{name} is not empty", "a scratch is filled once") from None
            except psycopg.errors.InsufficientPrivilege:
                raise Refused(
                    f"the role of {self._at} may not make a scratch database",
                    f"ALTER ROLE {own.lock.info.user} CREATEDB",
                ) from None

    def drop(self, name: str) -> None:
        """Drop a scratch of this process, made or not, and let go of its lock."""
        own = self._own.get(name, _Own(None))
        live = self._live_server()
        with speaking(str(self._at)), closing(own.lock or self._connected()) as connection:
            own.lock = None
            _drop(connection, name, live)

    def give(self, name: str, database: str) -> None:
        """Let a scratch become the database of this name, which is not there: in one transaction, mark and all."""
        with speaking(str(self._at)), closing(self._connected()) as connection, connection.transaction():
            old, new = sql.Identifier(name), sql.Identifier(database)
            connection.execute(sql.SQL("COMMENT ON DATABASE {} IS NULL").format(old))
            connection.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO PUBLIC").format(old))
            connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(old, new))

    def sweep(self) -> tuple[str, ...]:
        """Drop what no run needs any more: scratches of runs that died, and own ones whose workplace is gone.

        The live server is swept in any case: UPKEEP_SCRATCH_URL may have been set only after a run had died.
        """
        for name, own in list(self._own.items()):
            if own.workplace is None or not own.workplace.exists():
                self.drop(name)
                del self._own[name]
        places = (self._live,) if self._at is self._live else (self._at, self._live)
        return tuple(name for place in places for name in self._swept(place))

    def _swept(self, place: Place) -> list[str]:
        dropped = []
        begin, live = self._begin(place), self._live_server()
        with speaking(str(place)), closing(place.connect("upkeep scratch", autocommit=True)) as connection:
            for name, mark, usable in connection.execute(_EXISTING, (begin, begin)).fetchall():
                # Killed before the mark was made: nobody has ever been able to connect, so nothing is in it.
                half_made = mark is None and not usable
                if (half_made or (mark or "").startswith(_MARK)) and _locked(connection, name):
                    _drop(connection, name, live, half_made=half_made)
                    dropped.append(name)
        return dropped

    def _connected(self) -> Connection:
        return self._at.connect("upkeep scratch", autocommit=True)

    def _live_server(self) -> Server:
        """Asked once: which database is the live one does not change."""
        if self._known is None:
            with (
                speaking(str(self._live)),
                closing(self._live.connect("upkeep scratch", autocommit=True)) as connection,
            ):
                self._known = look_at(connection)
        return self._known

    def _begin(self, place: Place) -> str:
        """The number tells live databases of one short name apart, for their locks know nothing of each other.

        On its own server that is the live one's oid; on another one its server counts too.
        """
        live = self._live_server()
        number = live.oid if place is self._live else lock_key(f"{live.system}/{live.oid}") & 0xFFFFFFFF
        return f"{_BEGIN}{self._name[:20]}_{number}_"


def lock_key(words: str) -> int:
    """The 64 bits by which PostgreSQL knows an advisory lock."""
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big", signed=True)


def _locked(connection: Connection, name: str) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (lock_key(f"upkeep:{name}"),)).fetchone()
    return bool(row and row[0])


def _drop(connection: Connection, name: str, live: Server, *, half_made: bool = False) -> None:
    """Drop what bears our mark; raises Refused for the live database and for any that does not (P-22)."""
    row = connection.execute(_THERE, (name,)).fetchone()
    if row is None:
        return
    mark, is_home, system, oid = row
    is_ours = bool(re.match(rf"{_BEGIN}.*_\d+_[0-9a-f]{{12}}\Z", name)) and (
        half_made or (mark or "").startswith(_MARK)
    )
    if is_home or (system, oid) == (live.system, live.oid) or not is_ours:
        raise Refused(f"{name} is not a scratch database", "Upkeep never removes a database")
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
