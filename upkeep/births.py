"""When rows were made, as far as a column tells it: by that a number is known that was given again (P-53)."""

import re
from collections.abc import Iterable

from upkeep.catalog import ForeignKey, Table
from upkeep.databases import Reading
from upkeep.history import Newest
from upkeep.values import Row, decode, encode
from upkeep.vanishing import Secret, pointers

_MADE = "created|inserted|registered"
_BORN = re.compile(rf"(?i)^(({_MADE})(_?(at|on|date|time|timestamp))?|(date|time)_?({_MADE})|creation_?(date|time))$")
NEWEST = 50
"""So many rows of a table are remembered: a generator gives again only numbers that stand above all others."""


def born(table: Table) -> str | None:
    """The column that says when a row was made; None where no column's name does."""
    return next((name for name in table.stored if _BORN.match(name)), None)


def newest_rows(reading: Reading, keys: Iterable[ForeignKey], secret: Secret) -> tuple[Newest, ...]:
    """The newest rows of each table that is pointed at by its number and says when its rows were made."""
    tables, dialect = reading.catalog().tables, reading.dialect
    found = []
    for name in sorted({key.parent for key in keys if key.askable and not key.parent_missing}):
        table = tables[name]
        made, number = born(table), table.column(table.primary_key[0]) if len(table.primary_key) == 1 else None
        if made is None or number is None or "int" not in number.type.lower():
            continue
        column, moment = f"p.{dialect.quote(number.name)}", f"p.{dialect.quote(made)}"
        source = f"{dialect.source(name)} AS p WHERE {moment} IS NOT NULL"
        rows = reading.few(f"SELECT {column}, {moment} FROM {source} ORDER BY {column} DESC LIMIT {NEWEST}")
        found.append(Newest(table=name, rows=tuple((encode(row[0]), secret.digest([encode(row[1])])) for row in rows)))
    return tuple(found)


def given_again(then: Iterable[Newest], now: Reading, secret: Secret) -> dict[str, frozenset[Row]]:
    """By table, of rows that were the newest ``then``: the numbers that belong to a row which was made at another time.

    A number that nobody has today is none of them.
    """
    again = {}
    for newest in then:
        table = now.catalog().tables.get(newest.table)
        made = born(table) if table else None
        if table is None or made is None or len(table.primary_key) != 1:
            continue
        known: dict[Row, str] = {(decode(number),): digest for number, digest in newest.rows}
        there = pointers(now, newest.table, (made,), known) if table.locator == table.primary_key else {}
        others = {
            row
            for row, (moment,) in there.items()
            if moment is not None and secret.digest([encode(moment)]) != known[row]
        }
        if others:
            again[newest.table] = frozenset(others)
    return again
