"""Which PostgreSQL database this is, and whether Upkeep can look after it: its version, and who may see its rows."""

from upkeep.databases import Identity
from upkeep.databases.postgresql_place import Connection, Place
from upkeep.errors import Refused

ENGINE = "postgresql"
_OLDEST = 13
_IDENTITY = """
    SELECT current_setting('server_version'), current_setting('server_version_num')::int / 10000,
           (SELECT system_identifier FROM pg_control_system()), pg_database_size(current_database())
"""
_BLINDED = """
    SELECT c.oid::regclass::text FROM pg_class c
    WHERE c.relrowsecurity AND c.relkind IN ('r', 'p') AND row_security_active(c.oid) ORDER BY 1 LIMIT 1
"""


def identity_of(connection: Connection, place: Place) -> Identity:
    """Which one it is; Refused for an older server, and where row security would hide rows from the role (P-15)."""
    row = connection.execute(_IDENTITY).fetchone()
    assert row is not None  # noqa: S101  # a SELECT without FROM has one row
    version, major, system, size = row
    if major < _OLDEST:
        raise Refused(f"the server of {place} is PostgreSQL {version}", f"Upkeep needs {_OLDEST} or newer: upgrade it")
    if blinded := connection.execute(_BLINDED).fetchone():
        raise Refused(
            f"row security hides rows of {blinded[0]} from the role {connection.info.user}",
            f"ALTER ROLE {connection.info.user} BYPASSRLS, or look with the tables' owner",
        )
    return Identity(ENGINE, version, f"{place} of system {system}", size)
