"""Two other ways to say which rows are orphans: the engine's own check, and SQLite's rules for types in Python."""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.schemas import SomeDatabase, SomeKey, SomeTable, SomeView, quoted
from upkeep.values import Row, Value

Rows = Counter[tuple[str, ...]]

_PROBE = quoted("the 'probe'")
_NUMBER = re.compile(r"[ \t\n\v\f\r]*([+-]?(?:\d+(\.\d*)?|(\.\d+))([eE][+-]?\d+)?)[ \t\n\v\f\r]*", re.ASCII)


def marked(row: Sequence[Value]) -> tuple[str, ...]:
    """A row that equals another only if types and bits do: 1, 1.0 and '1' differ."""
    return tuple(f"{type(value).__name__} {value!r}" for value in row)


def rows_of(connection: sqlite3.Connection, table: SomeTable, locator: tuple[str, ...]) -> list[tuple[Row, Row]]:
    """Every row of a table: its locator, and its values in the order of the columns."""
    asked = ", ".join(quoted(name) for name in (*locator, *(column.name for column in table.columns)))
    found = connection.execute(f"SELECT {asked} FROM {quoted(table.name)} AS t").fetchall()
    return [(row[: len(locator)], row[len(locator) :]) for row in found]


# The engine


def ask_engine(
    connection: sqlite3.Connection, table: SomeTable, key: SomeKey, locator: tuple[str, ...], *, is_enforced: bool
) -> Rows | None:
    """The orphans of one key by ``PRAGMA foreign_key_check`` and, if asked, by enforcement; None: mismatch.

    The child's values are copied, row by row, into a table with rowids that has this one key and no other constraint:
    so one unusable key hides no other (P-37), and rows of WITHOUT ROWID tables have a number (P-38).
    """
    found = rows_of(connection, table, locator)
    with _probe(connection, table, key) as insert:
        try:
            refused = [n for n, (_, row) in enumerate(found) if is_enforced and _is_refused(connection, insert, n, row)]
            connection.execute("PRAGMA foreign_keys = OFF")
            connection.execute(f"DELETE FROM {_PROBE}")
            connection.executemany(insert, [(n, *row) for n, (_, row) in enumerate(found)])
            reported = [row[1] for row in connection.execute(f"PRAGMA foreign_key_check({_PROBE})")]
        except sqlite3.OperationalError as error:
            if "foreign key mismatch" not in str(error):
                raise
            return None
    assert not is_enforced or refused == sorted(reported), "SQLite's check and its enforcement disagree"
    return Counter(marked(found[n][0]) for n in reported)


@contextmanager
def _probe(connection: sqlite3.Connection, table: SomeTable, key: SomeKey) -> Iterator[str]:
    # STRICT's ANY converts nothing, the word ANY elsewhere means NUMERIC.
    kinds = ["BLOB" if table.is_strict and column.type == "ANY" else column.type for column in table.columns]
    columns = ", ".join(f"{quoted(c.name)} {kind}" for c, kind in zip(table.columns, kinds, strict=True))
    connection.execute(f"CREATE TABLE {_PROBE} (the_number INTEGER PRIMARY KEY, {columns}, {key})")
    connection.execute("PRAGMA foreign_keys = ON")
    try:
        yield f"INSERT INTO {_PROBE} VALUES ({', '.join('?' * (len(table.columns) + 1))})"
    finally:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(f"DROP TABLE {_PROBE}")


def _is_refused(connection: sqlite3.Connection, insert: str, number: int, row: Row) -> bool:
    try:
        connection.execute(insert, (number, *row))
    except sqlite3.IntegrityError as error:
        if str(error) != "FOREIGN KEY constraint failed":
            raise
        return True
    return False


def engine_reports(connection: sqlite3.Connection, table: SomeTable) -> list[tuple[int | None, int]] | None:
    """What ``PRAGMA foreign_key_check`` says of the table itself: rowid and the key's number; None: mismatch."""
    try:
        return [(row[1], row[3]) for row in connection.execute(f"PRAGMA foreign_key_check({quoted(table.name)})")]
    except sqlite3.OperationalError as error:
        if "foreign key mismatch" not in str(error):
            raise
        return None


# The model


def ask_model(
    connection: sqlite3.Connection, database: SomeDatabase, table: SomeTable, key: SomeKey, locator: tuple[str, ...]
) -> Rows:
    """The orphans of one key by comparing every row with every parent, by SQLite's rules for types and collations."""
    at = [[column.name for column in table.columns].index(name) for name in key.columns]
    pointing = [(where, [row[i] for i in at]) for where, row in rows_of(connection, table, locator)]
    pointing = [(where, values) for where, values in pointing if None not in values]
    parent = _table_behind(database, key.parent)
    if parent is None:
        return Counter(marked(where) for where, _ in pointing)
    there = [column.name for column in parent.columns]
    held = [[row[there.index(name)] for name in key.parent_columns] for _, row in rows_of(connection, parent, ())]
    rules = [_rule(parent, key, name) for name in key.parent_columns]

    def is_held(values: list[Value]) -> bool:
        return any(all(same(p, v, *rule) for p, v, rule in zip(row, values, rules, strict=True)) for row in held)

    return Counter(marked(where) for where, values in pointing if not is_held(values))


def _table_behind(database: SomeDatabase, name: str) -> SomeTable | None:
    view: SomeView | None = next((view for view in database.views if view.name == name), None)
    return next((table for table in database.tables if table.name == (view.source if view else name)), None)


def _rule(parent: SomeTable, key: SomeKey, name: str) -> tuple[str, str]:
    """Affinity and collation by which a parent column is compared: an implied key goes by the primary key's terms."""
    column = parent.column(name)
    terms = {term.column: term.collation for term in parent.primary_key} if key.is_implied else {}
    return affinity(column.type, parent.is_strict), (terms.get(name) or column.collation or "BINARY").upper()


def affinity(declared: str, is_strict: bool) -> str:
    """The affinity of a declared type, by the five rules of SQLite's datatype page."""
    if is_strict and declared == "ANY":
        return "BLOB"
    rules = (("INT", "INTEGER"), ("CHAR CLOB TEXT", "TEXT"), ("BLOB", "BLOB"), ("REAL FLOA DOUB", "REAL"))
    if not declared:
        return "BLOB"
    return next((to for words, to in rules if any(word in declared for word in words.split())), "NUMERIC")


def same(parent: Value, child: Value, by: str, collation: str) -> bool:
    """Would SQLite call the child's value the parent's key?"""
    child = converted(child, by)
    if isinstance(parent, str) and isinstance(child, str):
        return collated(parent, collation) == collated(child, collation)
    if isinstance(parent, int | float) and isinstance(child, int | float):
        return parent == child
    return isinstance(parent, bytes) and parent == child


def converted(value: Value, by: str) -> Value:
    """The value after a column's affinity was applied to it."""
    if by == "TEXT" and isinstance(value, int | float):
        return str(value) if isinstance(value, int) else _real_as_text(value)
    if by in ("INTEGER", "NUMERIC", "REAL") and isinstance(value, str):
        number = _NUMBER.fullmatch(value)
        if number is None:
            return value
        is_whole = number[2] is None and number[3] is None and number[4] is None
        return int(number[1]) if is_whole and -(2**63) <= int(number[1]) < 2**63 else float(number[1])
    return value


def _real_as_text(value: float) -> str:
    mantissa, e, exponent = f"{value + 0.0:.15g}".partition("e")  # minus zero is written as zero
    return (mantissa if "." in mantissa else f"{mantissa}.0") + e + exponent


def collated(text: str, collation: str) -> str:
    """The text as its collation sees it: NOCASE folds ASCII letters alone, RTRIM drops blanks at the end."""
    if collation == "NOCASE":
        return "".join(char.lower() if char.isascii() else char for char in text)
    return text.rstrip(" ") if collation == "RTRIM" else text
