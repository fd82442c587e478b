"""Rows that must never be put back: people who asked to be erased, and others that the policy names (P-71)."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from uuid import UUID

from upkeep.catalog import Catalog, Table
from upkeep.databases import Reading
from upkeep.errors import Refused
from upkeep.fixpoint import Spot
from upkeep.policy import Policy, Tombstones
from upkeep.provenance import Judgement, image_of
from upkeep.values import Row, Value

NEVER = "its parent is one that the policy never lets come back ([[tombstone]])"
_NUMBER = re.compile(r"([+-]?)0*(\d+)(?:\.(\d*?)0*)?")
_UUID_BYTES = 16


def tombstones(now: Reading, policy: Policy, proven: Mapping[Spot, Judgement]) -> Iterator[tuple[Spot, str]]:
    """Those of the ``proven`` rows that have a tombstone, with the reason.

    Keys are compared more loosely than any engine does: who is kept away for the likeness of a name is told to a
    person, who comes back for a difference of case is back. Raises Refused where a tombstone can meet no row at all.
    """
    tables = now.catalog().tables
    if proven:
        _refuse_unmet(now.catalog(), policy)
    for stone in policy.tombstone:
        if not any(_is_of(spot.table, stone) for spot in proven):
            continue
        keys = set(map(_loosely, map(_as_row, stone.keys)))
        if stone.query:
            keys |= set(map(_loosely, now.asked(stone.query)))
        everything = not stone.keys and not stone.query
        for spot, judged in proven.items():
            if not _is_of(spot.table, stone):
                continue
            if everything or keys & _names(spot, judged, tables.get(spot.table)):
                yield spot, NEVER


def idle_tombstones(policy: Policy, catalog: Catalog) -> tuple[int, ...]:
    """Numbers, counted from 1, of the tombstones whose table is not there: most often a misspelt name."""
    known = {*catalog.tables, *(key.parent for key in catalog.keys)}
    return tuple(n for n, stone in enumerate(policy.tombstone, 1) if not any(_is_of(name, stone) for name in known))


def _is_of(table: str, stone: Tombstones) -> bool:
    """As rules meet tables: upper and lower case alike."""
    return table.lower() == stone.table.lower()


def _refuse_unmet(catalog: Catalog, policy: Policy) -> None:
    for number in idle_tombstones(policy, catalog):
        name = policy.tombstone[number - 1].table
        raise Refused(
            f"tombstone {number} names {name}, which is no table, and rows are to come back",
            "correct the name in the policy, or take the [[tombstone]] out; see `upkeep policy check`",
        )
    for stone in policy.tombstone:
        table = next((one for name, one in catalog.tables.items() if _is_of(name, stone)), None)
        if table and any(len(_as_row(key)) not in {len(table.primary_key), len(table.locator)} for key in stone.keys):
            raise Refused(
                f"a [[tombstone]] of {table.name} has keys that are not of "
                f"{', '.join(table.primary_key or table.locator)}",
                "write one value for each of these columns, in this order",
            )


def _names(spot: Spot, judged: Judgement, table: Table | None) -> set[Row]:
    """What a person may call a row: by what tells it apart, and by its primary key where that is another (P-48)."""
    values = image_of(judged).named
    key = table.primary_key if table else ()
    by_key = [tuple(values[column] for column in key)] if key and {*key} <= values.keys() else []
    return {_loosely(row) for row in (spot.row, *by_key)}


def _as_row(key: int | str | tuple[int | str, ...]) -> Row:
    return key if isinstance(key, tuple) else (key,)


def _loosely(row: Row) -> Row:
    return tuple(map(_likeness, row))


def _likeness(value: Value) -> str:
    """What a value has in common with all that somebody could have meant by it.

    The case, accents and blanks around a text, how a number is written, whether a UUID is bytes or text.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    said = _of_bytes(value) if isinstance(value, bytes) else str(value)
    plain = "".join(char for char in unicodedata.normalize("NFKD", said) if not unicodedata.combining(char))
    text = plain.casefold().strip()
    if number := _NUMBER.fullmatch(text):
        sign, whole, fraction = number.groups()
        return f"{sign.removeprefix('+')}{whole}{'.' * bool(fraction)}{fraction or ''}"
    try:
        return UUID(text).hex
    except ValueError:
        return text


def _of_bytes(value: bytes) -> str:
    if len(value) == _UUID_BYTES:
        return value.hex()
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()
