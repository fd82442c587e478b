"""What a revision that PostgreSQL does in no transaction has left half done: found by its names, and dropped."""

import re
import time
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection

from upkeep.databases.postgresql_asking import fetched, run
from upkeep.databases.postgresql_errors import speaking
from upkeep.databases.postgresql_place import Place
from upkeep.databases.postgresql_shapes import OURS
from upkeep.errors import Unfinished, UpkeepError
from upkeep.revisions import Apart, Named

_INDEXES = f"""
SELECT quote_ident(n.nspname) || '.' || quote_ident(x.relname), n.nspname, c.relname, x.relname,
  i.indisvalid AND i.indisready
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = x.relnamespace WHERE {OURS} ORDER BY 1"""
_STILL_AT_WORK = """
SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND pid <> pg_backend_pid()
  AND (classid::bigint << 32) | objid::bigint = %s
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_PAUSE_SECONDS = 0.05
_MADE_ANEW = re.compile(r"_cc(?:new|old)\d*$")
"""So end the names of the indexes that REINDEX CONCURRENTLY makes beside those that they replace."""


@dataclass(frozen=True)
class _Index:
    """One index; ``place`` is how it is called wherever one stands."""

    place: str
    schema: str
    table: str
    name: str
    is_valid: bool


def standing(place: Place, apart: Apart) -> tuple[str, ...]:
    """Those of its indexes that are there, half built ones too: what a run finds is not its own."""
    with speaking(str(place)), closing(place.connect(autocommit=True)) as connection:
        return tuple(one.place for one in _indexes(connection) if _is_named(one, apart))


def take_back(place: Place, key: int, apart: Apart, there: Collection[str]) -> tuple[str, ...]:
    """Drop what it has left and finish what it has begun to drop; the names of what was dropped.

    ``there`` is what was standing before it began, ``key`` that of the lock by which its sessions are known: they are
    ended first, for a server goes on for a client that was killed. Raises Unfinished where that comes to no end.
    """
    dropped = []
    try:
        with speaking(str(place)), closing(place.connect("upkeep take back", autocommit=True)) as connection:
            _end_others(connection, key, place.patience)
            for one in _indexes(connection):
                if _is_left(one, apart, there):
                    run(connection, f"DROP INDEX CONCURRENTLY IF EXISTS {one.place}")
                    dropped.append(one.place)
    except (UpkeepError, psycopg.Error) as fault:
        said = fault.message if isinstance(fault, UpkeepError) else type(fault).__name__
        names = ", ".join(name for _, (_, name) in apart.makes) or "nothing by name"
        raise Unfinished(
            f"what a revision has left half done could not be taken back ({names}): {said}",
            "`upkeep recover` does it when nobody is in the way",
        ) from None
    return tuple(dropped)


def _end_others(connection: Connection[Any], key: int, patience: float) -> None:
    """Sessions of the migration that somebody killed: each may wait, or build, for hours."""
    until = time.monotonic() + max(patience, 1.0)
    while pids := [row[0] for row in connection.execute(_STILL_AT_WORK, (key,)).fetchall()]:
        for pid in pids:
            connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
        if time.monotonic() > until:
            raise Unfinished("a session of the migration does not end", "look at it in pg_stat_activity")
        time.sleep(_PAUSE_SECONDS)


def _indexes(connection: Connection[Any]) -> Iterator[_Index]:
    for place, schema, table, name, is_valid in fetched(connection, _INDEXES):
        yield _Index(str(place), str(schema), str(table), str(name), is_valid == "t")


def _is_named(one: _Index, apart: Apart) -> bool:
    return _is_made(one, apart) or _is_one_of(one, one.name, apart.drops) or _is_made_anew(one, apart)


def _is_left(one: _Index, apart: Apart, there: Collection[str]) -> bool:
    if _is_one_of(one, one.name, apart.drops):
        return not one.is_valid  # it has begun to drop it
    return one.place not in there and (_is_made(one, apart) or (_is_made_anew(one, apart) and not one.is_valid))


def _is_made(one: _Index, apart: Apart) -> bool:
    return any(_is_one_of(one, one.table, (table,)) and one.name == name for table, (_, name) in apart.makes)


def _is_made_anew(one: _Index, apart: Apart) -> bool:
    before = _MADE_ANEW.sub("", one.name)
    return before != one.name and (_is_one_of(one, before, apart.renews) or _is_one_of(one, one.table, apart.renews))


def _is_one_of(one: _Index, name: str, several: Collection[Named]) -> bool:
    return any(name == known and schema in ("", one.schema) for schema, known in several)
