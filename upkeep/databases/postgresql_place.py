"""Where a PostgreSQL database is, and the way in."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg import IsolationLevel, sql
from psycopg.conninfo import make_conninfo
from sqlalchemy.engine import URL

from upkeep.databases.postgresql_errors import speaking, why_no_connection
from upkeep.databases.postgresql_pooler import refuse_a_lent_connection
from upkeep.errors import Refused, UpkeepError

Connection = psycopg.Connection[Any]

FINGERPRINT = (
    "SELECT system_identifier || '/' || oid || '/' || datname FROM pg_control_system(), pg_database"
    " WHERE datname = current_database()"
)
"""A replica answers as the live database does, and no other database anywhere."""
_NO_END = """
    SELECT set_config(name, '0', false) FROM pg_settings
    WHERE name IN ('idle_session_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')
"""
"""A connection is quiet, and its transaction long, for as long as a dump travels; not every server knows each name."""
_WRITE = "write it as postgresql+psycopg://user:password@host:5432/database"
_SECONDS = 10
_KEPT_ALIVE = {"keepalives_idle": 60, "keepalives_interval": 10, "keepalives_count": 6}
"""Firewalls forget a connection that is quiet for minutes; the system itself would ask only after hours."""
_PASSED_ON = {
    "host", "hostaddr", "port", "user", "dbname", "options", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl",
    "gssencmode", "krbsrvname", "channel_binding", "target_session_attrs", "connect_timeout", "keepalives",
    "keepalives_idle", "keepalives_interval", "keepalives_count", "ssl_min_protocol_version",
}  # fmt: skip
"""What libpq 13 knows: psycopg brings a newer one than a program may have, and an unknown option ends the program."""


@dataclass(frozen=True)
class Place:
    """One database of a server; as text it is fit to be shown. ``patience`` is how many seconds to wait for a lock.

    ``driver`` is how the application's own URL begins: its code may have no other. ``called`` is what a person has to
    correct where it leads nowhere.
    """

    url: URL
    patience: float = 30.0
    driver: str = "postgresql+psycopg"
    called: str = "the URL of the database"

    @classmethod
    def of(cls, url: URL, patience: float, called: str) -> "Place":
        """The place behind a SQLAlchemy URL of any driver; raises Refused for one that libpq cannot use."""
        if not url.database:
            raise Refused(f"{called} names no database", _WRITE)
        place = cls(url.set(drivername="postgresql+psycopg"), patience, url.drivername, called)
        try:
            make_conninfo(**place._parameters())
        except psycopg.Error:
            raise Refused(f"{called} has options that PostgreSQL does not know", _WRITE) from None
        return place

    def __str__(self) -> str:
        host = self.url.host or self.url.query.get("host") or "localhost"
        shown = host if isinstance(host, str) else ",".join(host)
        return f"{shown}:{self.url.port or self.url.query.get('port') or 5432}/{self.database}"

    @property
    def database(self) -> str:
        """The name of the database on its server."""
        return self.url.database or ""

    def at(self, database: str) -> "Place":
        """Another database of the same server."""
        return replace(self, url=self.url.set(database=database))

    def connect(
        self, what_for: str = "upkeep", *, autocommit: bool = False, statement_seconds: float = 0
    ) -> Connection:
        """A connection of one's own; raises Unreachable or Refused.

        Timeouts that the server sets for applications do not hold for it, and row security makes its queries fail
        where it would make them blind (P-15).
        """
        parameters: dict[str, Any] = {"connect_timeout": _SECONDS, "application_name": what_for[:60]}
        parameters |= _KEPT_ALIVE | self._parameters()
        connection = self._connected(parameters, True, statement_seconds)
        try:
            with speaking(str(self)):
                refuse_a_lent_connection(
                    connection, lambda: self._connected(parameters, True, 0), str(self), self.called
                )
        except UpkeepError:
            connection.close()
            raise
        connection.autocommit = autocommit
        return connection

    def connect_through(self, folder: Path, user: str, password: str) -> Connection:
        """A connection by a socket in ``folder`` that leads to the same server, and prepares no statements."""
        own = {name: value for name, value in self._parameters().items() if name in ("dbname", "options")}
        parameters = own | {"host": str(folder), "user": user, "password": password or None, "prepare_threshold": None}
        parameters |= {"connect_timeout": _SECONDS, "application_name": "upkeep", "channel_binding": "disable"}
        return self._connected(parameters, False, 0)

    def _connected(self, parameters: dict[str, Any], autocommit: bool, statement_seconds: float) -> Connection:
        try:
            connection = psycopg.connect(**parameters, autocommit=True)
            _settle(connection, self.patience, statement_seconds)
        except psycopg.Error as fault:
            raise why_no_connection(fault, str(self), self.url.username or "", self.called) from None
        connection.autocommit = autocommit
        return connection

    def _parameters(self) -> dict[str, Any]:
        query = {name: value if isinstance(value, str) else ",".join(value) for name, value in self.url.query.items()}
        spelt = {"username": "user", "database": "dbname"}
        return query | {spelt.get(name, name): value for name, value in self.url.translate_connect_args().items()}


def fingerprint_of(connection: Connection) -> str:
    """The server's system identifier and the name and number of the database that a connection is to."""
    row = connection.execute(FINGERPRINT.encode()).fetchone()
    assert row is not None  # noqa: S101  # the database that one is connected to is there
    return str(row[0])


def for_a_program(connection: Connection) -> tuple[str, dict[str, str]]:
    """A connection string, and the environment with the password, by which a program gets to where a connection is.

    Messages come in English, for they are read.
    """
    there = connection.info
    known = {name: value for name, value in there.get_parameters().items() if name in _PASSED_ON}
    known |= {"host": there.host, "port": str(there.port), "dbname": there.dbname}
    environment = {"LC_ALL": "C"}
    if there.password:
        environment["PGPASSWORD"] = there.password
    return make_conninfo("", **known), environment


def _settle(connection: Connection, patience: float, statement_seconds: float) -> None:
    milliseconds = {"lock_timeout": patience, "statement_timeout": statement_seconds}
    for name, seconds in milliseconds.items():
        connection.execute(sql.SQL("SET {} = {}").format(sql.Identifier(name), int(seconds * 1000)))
    connection.execute(_NO_END)
    connection.execute("SET row_security = off")


def look_only(connection: Connection) -> None:
    """Have its next transaction change nothing and see one state from begin to end."""
    connection.isolation_level, connection.read_only = IsolationLevel.REPEATABLE_READ, True
