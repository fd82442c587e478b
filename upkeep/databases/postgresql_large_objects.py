"""How many large objects a PostgreSQL database holds, and a digest of what is in them."""

from typing import Any

from psycopg import Connection

from upkeep.databases import TableCount
from upkeep.databases.postgresql_asking import fetched, streamed
from upkeep.databases.postgresql_sums import RowSum

_PIECE = 1 << 20
_NAME = "large objects"


def read_large_objects(connection: Connection[Any], *, digest: bool) -> dict[str, TableCount]:
    """By pieces of a megabyte, for one may be of terabytes; {} where there are none.

    They are read by lo_get and not from pg_largeobject: that only a superuser may read, and its pages say how they were
    written, which a restore does in its own way.
    """
    ((found,),) = fetched(connection, "SELECT COUNT(*) FROM pg_largeobject_metadata")
    count = int(str(found))
    if count == 0:
        return {}
    if not digest:
        return {_NAME: TableCount(count)}
    taken = RowSum()
    taken.add_all(connection, f"SELECT oid, 0, lo_get(oid, 0, {_PIECE}) FROM pg_largeobject_metadata")
    longer = f"SELECT oid FROM pg_largeobject_metadata WHERE lo_get(oid, {_PIECE}, 1) <> ''"
    for (oid,) in list(streamed(connection, longer)):
        _add_the_rest(connection, taken, str(oid))
    return {_NAME: TableCount(count, taken.digest)}


def _add_the_rest(connection: Connection[Any], taken: RowSum, oid: str) -> None:
    start = _PIECE
    while True:
        before = taken.rows
        piece = f"SELECT {oid}, {start}, p FROM lo_get({oid}, {start}, {_PIECE}) AS p WHERE p <> ''"
        taken.add_all(connection, piece)
        if taken.rows == before:
            return
        start += _PIECE
