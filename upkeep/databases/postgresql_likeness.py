"""Making a database that spells, sorts and finds its names as another one does, of the same server or not."""

from dataclasses import dataclass

import psycopg
from psycopg import sql

from upkeep.databases.postgresql_place import Connection, Place
from upkeep.errors import Refused

_TOLD = """
    SELECT to_jsonb(d), pg_encoding_to_char(encoding), current_setting('search_path')
    FROM pg_database d WHERE datname = current_database()
"""
_NO_SUCH_LOCALE = (
    psycopg.errors.WrongObjectType,
    psycopg.errors.InvalidParameterValue,
    psycopg.errors.FeatureNotSupported,
    psycopg.errors.UndefinedObject,
)


@dataclass(frozen=True)
class Likeness:
    """Options of CREATE DATABASE, each version has its own, and the search path by which tables have their names."""

    options: tuple[tuple[str, str], ...]
    search_path: str


def read_likeness(connection: Connection) -> Likeness:
    """Of the database that the connection is to."""
    row = connection.execute(_TOLD).fetchone()
    assert row is not None  # noqa: S101  # the database that one is connected to is there
    told, encoding, path = row
    options = {"ENCODING": encoding, "LC_COLLATE": told["datcollate"], "LC_CTYPE": told["datctype"]}
    kind = {"i": "icu", "b": "builtin"}.get(told.get("datlocprovider", "c"))
    if kind:
        options["LOCALE_PROVIDER"] = kind
        options[f"{kind.upper()}_LOCALE"] = told.get("datlocale") or told.get("daticulocale")
    if told.get("daticurules"):
        options["ICU_RULES"] = told["daticurules"]
    return Likeness(tuple(options.items()), str(path))


def create(connection: Connection, name: str, mark: str, like: Likeness, place: Place) -> None:
    """Make the database for nobody else, marked before anybody can connect; raises Refused where that cannot be."""
    quoted = sql.Identifier(name)
    options = dict(like.options)
    if connection.info.server_version >= 150000:  # else it would be what the server's own template has
        options.setdefault("LOCALE_PROVIDER", "libc")
    written = sql.SQL(" ").join(
        sql.SQL(f"{option} {{}}").format(sql.Literal(value)) for option, value in options.items()
    )
    try:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0 ALLOW_CONNECTIONS false {}").format(quoted, written)
        )
    except _NO_SUCH_LOCALE as fault:
        raise Refused(
            f"{place} cannot make a database that sorts as the live one: {fault.diag.message_primary}",
            "install that locale there, or let UPKEEP_SCRATCH_URL name a server that has it",
        ) from None
    connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(quoted, sql.Literal(mark)))
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(quoted))
    # By it the tables have the names that they have in the live database, wherever that says it.
    connection.execute("SELECT set_config('search_path', %s, false)", (like.search_path,))
    connection.execute(sql.SQL("ALTER DATABASE {} SET search_path FROM CURRENT").format(quoted))
    connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(quoted))
