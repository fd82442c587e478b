"""Whether a server will do for scratches, asked before anything is done."""

from dataclasses import dataclass

from upkeep.databases.postgresql_place import Connection, Place
from upkeep.errors import Refused

_ASKED = """
    SELECT system_identifier::text, d.oid::bigint, current_setting('server_version_num')::int / 10000,
           pg_is_in_recovery(), (SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user),
           ARRAY(SELECT name::text FROM pg_available_extensions), ARRAY(SELECT extname::text FROM pg_extension)
    FROM pg_control_system(), pg_database d WHERE datname = current_database()
"""
_ELSEWHERE = "or let UPKEEP_SCRATCH_URL name another server"


@dataclass(frozen=True)
class Server:
    """One database and its server: who they are, how old, and what the role may and the server can do there.

    ``extensions`` are those of the database, ``available`` those that the server could give it.
    """

    system: str
    oid: int
    major: int
    is_standby: bool
    may_create: bool
    available: frozenset[str]
    extensions: frozenset[str]
    user: str


def look_at(connection: Connection) -> Server:
    """What the server of a connection says of itself."""
    row = connection.execute(_ASKED).fetchone()
    assert row is not None  # noqa: S101  # the database that one is connected to is there
    system, oid, major, is_standby, may_create, available, extensions = row
    user = connection.info.user
    return Server(system, oid, major, is_standby, may_create, frozenset(available), frozenset(extensions), user)


def judge_server(place: Place, there: Server, live: Server, *, is_elsewhere: bool) -> None:
    """Raises Refused where no scratch of the database ``live`` could be made and filled at ``place`` (P-22)."""
    if is_elsewhere and (there.system, there.oid) == (live.system, live.oid):
        raise Refused(
            f"UPKEEP_SCRATCH_URL is the live database itself: {place}",
            "let it name another database there, such as postgres: scratches are made beside it",
        )
    if there.is_standby:
        raise Refused(f"{place} is a standby, on which no scratch can be made", f"use the primary, {_ELSEWHERE}")
    # An older one cannot read the dump, and a newer one prints a view in other words: nothing would be proven equal.
    if there.major != live.major:
        raise Refused(
            f"the server of {place} is PostgreSQL {there.major}, the live one {live.major}",
            f"let UPKEEP_SCRATCH_URL name a server of PostgreSQL {live.major}: a backup is proven on its own version",
        )
    if not there.may_create:
        raise Refused(
            f"the role {there.user} of {place} may not make a scratch database",
            f"ALTER ROLE {there.user} CREATEDB, {_ELSEWHERE}",
        )
    if missing := sorted(live.extensions - there.available):
        raise Refused(
            f"the server of {place} lacks extensions of the live database: {', '.join(missing)}",
            f"install them there, {_ELSEWHERE}",
        )
