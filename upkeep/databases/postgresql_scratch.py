"""Throw-away databases on the server of the live one: marked, held by a lock that ends with the run, and dropped."""

import hashlib
import re
import secrets
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql

from upkeep.databases.postgresql_errors import speaking
from upkeep.databases.postgresql_place import Connection, Place
from upkeep.errors import Refused

_BEGIN = "upkeep_scratch_"
_MARK = "upkeep scratch of "
_EXISTING = """
    SELECT datname, shobj_description(oid, 'pg_database'), datallowconn FROM pg_database
    WHERE left(datname, length(%s)) = %s ORDER BY datname
"""


@dataclass
class _Own:
    """A scratch of this process: whose folder it belongs to, and the connection with its lock once it is made."""

    workplace: Path | None
    lock: Connection | None = None


class Scratches:
    """The scratch databases of one live database on its server.

    The lock of each is held in the live database by a connection of its own, so the server lets go of it when the
    process is gone, wherever that ran: what nobody holds any more is dropped by the next run (P-95).
    """

    def __init__(self, live: Place, name: str) -> None:
        self._live, self._name = live, name
        self._own: dict[str, _Own] = {}

    def announce(self, workplace: Path | None) -> str:
        """The name of a scratch that belongs to ``workplace`` and is not made yet."""
        with closing(self._connected()) as connection:
            name = f"{self._begin(connection)}{secrets.token_hex(6)}"
        self._own[name] = _Own(workplace)
        return name

    def make(self, name: str) -> None:
        """Make the database: as the live one sorts and spells, for nobody else, marked before anybody can connect."""
        own = self._own[name]
        with speaking(str(self._live)):
            own.lock = own.lock or self._connected()
            if not _locked(own.lock, name):
                raise Refused(f"another Upkeep holds {name}", "run it again")
            try:
                _create(own.lock, name, f"{_MARK}{self._name}, made {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
            except psycopg.errors.DuplicateDatabase:
                raise Refused(f"{name} is not empty", "a scratch is filled once") from None
            except psycopg.errors.InsufficientPrivilege:
                raise Refused(
                    f"the role of {self._live} may not make a scratch database",
                    f"ALTER ROLE {self._live.url.username} CREATEDB",
                ) from None

    def drop(self, name: str) -> None:
        """Drop a scratch of this process, made or not, and let go of its lock."""
        own = self._own.get(name, _Own(None))
        with speaking(str(self._live)), closing(own.lock or self._connected()) as connection:
            own.lock = None
            _drop(connection, name)

    def give(self, name: str, database: str) -> None:
        """Let a scratch become the database of this name, which is not there: in one transaction, mark and all."""
        with speaking(str(self._live)), closing(self._connected()) as connection, connection.transaction():
            old, new = sql.Identifier(name), sql.Identifier(database)
            connection.execute(sql.SQL("COMMENT ON DATABASE {} IS NULL").format(old))
            connection.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO PUBLIC").format(old))
            connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(old, new))

    def sweep(self) -> tuple[str, ...]:
        """Drop what no run needs any more: scratches of runs that died, and own ones whose workplace is gone."""
        for name, own in list(self._own.items()):
            if own.workplace is None or not own.workplace.exists():
                self.drop(name)
                del self._own[name]
        dropped = []
        with speaking(str(self._live)), closing(self._connected()) as connection:
            begin = self._begin(connection)
            for name, mark, usable in connection.execute(_EXISTING, (begin, begin)).fetchall():
                # Killed before the mark was made: nobody has ever been able to connect, so nothing is in it.
                half_made = mark is None and not usable
                if (half_made or (mark or "").startswith(_MARK)) and _locked(connection, name):
                    _drop(connection, name, half_made=half_made)
                    dropped.append(name)
        return tuple(dropped)

    def _connected(self) -> Connection:
        return self._live.connect("upkeep scratch", autocommit=True)

    def _begin(self, connection: Connection) -> str:
        """The oid tells live databases of one short name apart, for their locks know nothing of each other."""
        row = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()
        assert row is not None  # noqa: S101  # the database that one is connected to is there
        return f"{_BEGIN}{self._name[:20]}_{row[0]}_"


def lock_key(words: str) -> int:
    """The 64 bits by which PostgreSQL knows an advisory lock."""
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big", signed=True)


def _locked(connection: Connection, name: str) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (lock_key(f"upkeep:{name}"),)).fetchone()
    return bool(row and row[0])


def _create(connection: Connection, name: str, mark: str) -> None:
    quoted = sql.Identifier(name)
    connection.execute(
        sql.SQL("CREATE DATABASE {} TEMPLATE template0 ALLOW_CONNECTIONS false {}").format(quoted, _locale(connection))
    )
    connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(quoted, sql.Literal(mark)))
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(quoted))
    # By it the tables have the names that they have in the live database, wherever that says it.
    connection.execute(sql.SQL("ALTER DATABASE {} SET search_path FROM CURRENT").format(quoted))
    connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(quoted))


def _locale(connection: Connection) -> sql.Composed:
    """How the database of the connection spells and sorts, as options of CREATE DATABASE; each version has its own."""
    asked = "SELECT to_jsonb(d), pg_encoding_to_char(encoding) FROM pg_database d WHERE datname = current_database()"
    row = connection.execute(asked).fetchone()
    assert row is not None  # noqa: S101  # the database that one is connected to is there
    told, encoding = row
    options = {"ENCODING": encoding, "LC_COLLATE": told["datcollate"], "LC_CTYPE": told["datctype"]}
    kind = {"i": "icu", "b": "builtin"}.get(told.get("datlocprovider", "c"))
    if kind:
        options["LOCALE_PROVIDER"] = kind
        options[f"{kind.upper()}_LOCALE"] = told.get("datlocale") or told.get("daticulocale")
    if told.get("daticurules"):
        options["ICU_RULES"] = told["daticurules"]
    return sql.SQL(" ").join(sql.SQL(f"{name} {{}}").format(sql.Literal(value)) for name, value in options.items())


def _drop(connection: Connection, name: str, *, half_made: bool = False) -> None:
    """Drop what bears our mark; raises Refused for the live database and for any that does not (P-22)."""
    row = connection.execute(
        "SELECT shobj_description(oid, 'pg_database'), datname = current_database()"
        " FROM pg_database WHERE datname = %s",
        (name,),
    ).fetchone()
    if row is None:
        return
    mark, live = row
    is_ours = bool(re.match(rf"{_BEGIN}.*_\d+_[0-9a-f]{{12}}\Z", name)) and (
        half_made or (mark or "").startswith(_MARK)
    )
    if live or not is_ours:
        raise Refused(f"{name} is not a scratch database", "Upkeep never removes a database")
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
