"""Where a MariaDB or MySQL database is, and the way in."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pymysql
from pymysql.constants import CLIENT
from pymysql.converters import encoders
from sqlalchemy.engine import URL

from upkeep.databases.mariadb_asking import Conversation
from upkeep.databases.mariadb_errors import why_no_connection
from upkeep.errors import Refused

_WRITE = "write it as mysql+pymysql://user:password@host:3306/database"
_SECONDS = 10
_YEAR = 31536000
_OPTIONS = {"ssl_ca": str, "ssl_cert": str, "ssl_key": str, "ssl_verify_cert": bool, "ssl_verify_identity": bool}
_IGNORED = {"charset", "connect_timeout", "read_timeout", "write_timeout"}
"""Options that an application may need, while Upkeep has its own."""
_SETTINGS = {
    # Text goes in with '' for ', and nothing that does not fit is silently made to fit; zero dates may be (P-120).
    "sql_mode": "'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,NO_AUTO_VALUE_ON_ZERO'",
    "character_set_results": "NULL",  # the bytes of each column as they are
    "time_zone": "'+00:00'",
    "sql_safe_updates": "0",
    "sql_big_selects": "1",
    "sql_select_limit": "DEFAULT",
    "sql_quote_show_create": "1",
    "group_concat_max_len": "1048576",
    # A connection is quiet for as long as a dump travels, and slow while rows are looked at.
    "wait_timeout": str(_YEAR),
    "net_read_timeout": str(_YEAR),
    "net_write_timeout": str(_YEAR),
}


@dataclass(frozen=True)
class Place:
    """One database of a server; as text it is fit to be shown. ``patience`` is how many seconds to wait for a lock."""

    url: URL
    patience: float = 30.0

    @classmethod
    def of(cls, name: str, url: URL, patience: float) -> "Place":
        """The place behind a SQLAlchemy URL of any driver; raises Refused for one that PyMySQL cannot use."""
        if not url.database:
            raise Refused(f"the URL of database {name} names no database", _WRITE)
        unknown = sorted(url.query.keys() - _OPTIONS.keys() - _IGNORED - {"unix_socket"})
        if unknown:
            raise Refused(f"the URL of database {name} has options that Upkeep does not know: {unknown[0]}", _WRITE)
        return cls(url.set(drivername=f"{url.get_backend_name()}+pymysql"), patience)

    def __str__(self) -> str:
        where = self._socket or f"{self.url.host or 'localhost'}:{self.url.port or 3306}"
        return f"{where}/{self.database}"

    @property
    def database(self) -> str:
        """The name of the database on its server."""
        return self.url.database or ""

    @property
    def user(self) -> str:
        """The role that the URL names."""
        return self.url.username or ""

    def at(self, database: str) -> "Place":
        """Another database of the same server."""
        return Place(self.url.set(database=database), self.patience)

    def connect(self, *, database: bool = True, statement_seconds: float = 0, plain: bool = False) -> Conversation:
        """A connection of one's own, which commits each statement; raises Unreachable or Refused.

        Without ``database`` it is in none, so that one can be made. Foreign keys are not enforced in it: it changes
        what a plan names, and no cascade acts beside that (P-58). On a ``plain`` one values come as other programs are
        used to, numbers as numbers.
        """
        parameters: dict[str, Any] = {"connect_timeout": _SECONDS, "program_name": "upkeep", "charset": "utf8mb4"}
        parameters |= {"autocommit": True, "client_flag": CLIENT.FOUND_ROWS}
        parameters |= {} if plain else {"use_unicode": False, "conv": encoders}
        try:
            connection = pymysql.connect(**parameters | self._parameters(database=database))
            conversation = Conversation(connection)
            _settle(conversation, self.patience, statement_seconds, plain=plain)
        except (pymysql.MySQLError, RuntimeError) as fault:
            raise why_no_connection(fault, str(self), self.user) from None
        return conversation

    @contextmanager
    def for_a_program(self) -> Iterator[tuple[str, int]]:
        """The option by which a program of the server gets here, and the file that it must be passed on.

        That has no name and is open to nobody else: a password stands neither in the list of processes nor on a disk
        that somebody could look into (P-24).
        """
        told = {"user": self.url.username, "password": self.url.password}
        if self._socket:
            told |= {"protocol": "socket", "socket": self._socket}
        else:
            told |= {"protocol": "tcp", "host": self.url.host or "localhost", "port": str(self.url.port or 3306)}
        told |= {name.replace("_", "-"): str(self.url.query[name]) for name in ("ssl_ca", "ssl_cert", "ssl_key")
                 if name in self.url.query}  # fmt: skip
        lines = [f"{name}={_as_option(value)}" for name, value in told.items() if value is not None]
        with tempfile.TemporaryFile() as file:
            file.write("\n".join(["[client]", *lines, ""]).encode())
            file.flush()
            yield f"--defaults-file=/dev/fd/{file.fileno()}", file.fileno()

    @property
    def _socket(self) -> str:
        return str(self.url.query.get("unix_socket", ""))

    def _parameters(self, *, database: bool) -> dict[str, Any]:
        found = {"host": self.url.host or "localhost", "port": self.url.port or 3306, "user": self.url.username or ""}
        found |= {"password": (self.url.password or "").encode(), "database": self.database if database else None}
        for name, kind in _OPTIONS.items():
            if name in self.url.query:
                said = str(self.url.query[name])
                found[name] = said.lower() in ("1", "true", "yes") if kind is bool else said
        return found | ({"unix_socket": self._socket} if self._socket else {})


def _as_option(value: str) -> str:
    """The value as it stands in an option file."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _settle(conversation: Conversation, patience: float, statement_seconds: float, *, plain: bool) -> None:
    seconds = max(1, round(patience))
    settings = {name: value for name, value in _SETTINGS.items() if not (plain and name == "character_set_results")}
    wanted = settings | {"lock_wait_timeout": str(seconds), "innodb_lock_wait_timeout": str(seconds)}
    wanted["foreign_key_checks"] = "0"
    if conversation.is_mariadb:
        wanted["max_statement_time"] = f"{statement_seconds:.3f}"
        wanted |= dict.fromkeys(("idle_transaction_timeout", "idle_readonly_transaction_timeout"), "0")
        wanted["idle_write_transaction_timeout"] = "0"
    else:
        wanted["max_execution_time"] = str(int(statement_seconds * 1000))
    conversation.run("SET SESSION " + ", ".join(f"{name} = {value}" for name, value in wanted.items()))
    conversation.run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
