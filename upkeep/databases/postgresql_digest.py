"""A digest of a table's rows that the server computes itself, the same for the same rows in any order.

Each row becomes 64 bits, column after column, each hashed with what came before as its seed; the digest is over the
number of rows and the sum of these. Every value counts as PostgreSQL prints it: -0 is not 0, NULL is not '', 1.0 is
not 1.00. So it tells whether anything was lost, changed, swapped or doubled, but for one chance in 2**64. It does not
withstand somebody who looks for other rows of the same sum; against a changed dump stands the dump's SHA-256. To bring
the rows here and hash them, as ``postgresql_sums`` does, takes ten times as long; to order them costs a sort that
spills to the disk.

The hash functions are those of PostgreSQL's hash partitions and indexes: they do not change from version to version,
for these would break, but with the order of bytes in a word they may. A probe finds out.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from psycopg import Connection

from upkeep.databases.postgresql_asking import fetched
from upkeep.databases.postgresql_dialect import quote

KIND = "h1"
"""Stands before the digest, with a colon: what was taken in another way is never compared with it."""
_PROBE = "-6803030811403212535"
_TOGETHER = 40
"""So many columns are nested in one expression; a table may have 1600, and the server takes none as deep as that."""
_CAST = {
    "numeric", "date", "timestamp without time zone", "timestamp with time zone", "time without time zone",
    "time with time zone", "interval", "json", "jsonb", "bytea", "text", "character varying", "uuid",
    "real", "double precision",
}  # fmt: skip
"""Types whose cast to text is what they print; that of char cuts it, that of others may be anything. It is quicker."""
_WHOLE = {"smallint", "integer", "boolean"}
_FLOATS = {"real": "hashfloat4extended", "double precision": "hashfloat8extended"}


def can_digest(connection: Connection[Any]) -> bool:
    """Does this server hash as the kind says? Text is hashed as it lies there, so that must be UTF-8."""
    constants = {"1": "integer", "-7000000000": "bigint", "0.1": "double precision", "'a longer text'": "text"}
    constants |= {"'c0ffee00-1234-5678-9abc-def012345678'": "uuid", "0.2": "real"}
    probe = _chained(_strict, [(f"({value})::{kind}", kind) for value, kind in constants.items()], "1")
    ((encoding, found),) = fetched(connection, f"SELECT current_setting('server_encoding'), {probe}")
    return encoding == "UTF8" and found == _PROBE


def digesting(source: str, columns: Mapping[str, str]) -> str:
    """One query, one row: how many rows ``source`` has and the sum of their hashes; ``columns`` with their base types.

    The quicker hash is NULL for a row in which a value is NULL or needs care; then the other one is taken.
    """
    values = [(f"c.{quote(name)}", kind) for name, kind in columns.items()]
    row = f"COALESCE({_chained(_strict, values, '1')}, {_chained(_careful, values, '2')})"
    return f"SELECT COUNT(*), SUM({row}) FROM {source} AS c"


def digest_of(rows: int, total: int) -> str:
    """The digest, with its kind."""
    return f"{KIND}:{hashlib.sha256(f'{rows} {total}'.encode()).hexdigest()}"


def is_of_this_kind(digest: str) -> bool:
    """Was it taken so?"""
    return digest.startswith(f"{KIND}:")


def _chained(link: Callable[[str, str, str], str], values: Iterable[tuple[str, str]], seed: str) -> str:
    """The hash of the values, each with that of those before it as its seed."""
    every = list(values)
    chain = begin = f"{seed}::bigint"
    for at in range(0, len(every), _TOGETHER):
        nested = begin
        for value, kind in every[at : at + _TOGETHER]:
            nested = link(value, kind, nested)
        chain = _of_text(f"({nested})::text", chain) if at else nested
    return chain


def _strict(value: str, kind: str, seed: str) -> str:
    if kind in _WHOLE:
        return f"pg_catalog.hashint4extended({value}::integer, {seed})"
    if kind == "bigint":  # it is folded to 32 bits there, so all of them are put in the seed
        return f"pg_catalog.hashint8extended({value}, {value}::bigint # {seed})"
    if kind in _FLOATS:  # 0 and -0 have one hash, and some versions give NaN several
        return f"pg_catalog.{_FLOATS[kind]}(NULLIF(NULLIF({value}::{kind}, '0'), 'NaN'), {seed})"
    if kind == "uuid":
        return f"pg_catalog.uuid_hash_extended({value}, {seed})"
    return _of_text(_text(value, kind), seed)


def _careful(value: str, kind: str, seed: str) -> str:
    told = f"CASE WHEN {value} IS NULL THEN -1 ELSE 0 END # {seed}"
    if kind in _WHOLE:
        return f"pg_catalog.hashint4extended(COALESCE({value}::integer, 0), {told})"
    if kind == "bigint":
        return f"pg_catalog.hashint8extended(COALESCE({value}::bigint, 0), COALESCE({value}::bigint, -1) # {seed})"
    return _of_text(f"COALESCE({_text(value, kind)}, '')", told)


def _of_text(text: str, seed: str) -> str:
    return f'pg_catalog.hashtextextended({text} COLLATE pg_catalog."C", {seed})'


def _text(value: str, kind: str) -> str:
    """What the type prints, or NULL. A row of NULLs IS NULL too, although it prints something."""
    if kind in _CAST:
        return f"{value}::text"
    return f"CASE WHEN {value} IS DISTINCT FROM NULL THEN pg_catalog.format('%s', {value}) END"
