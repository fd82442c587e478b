"""The lines of a revision that change what SQLite's foreign keys say on delete: in the text where they stand.

ON DELETE changes no row, so no table is copied: by a batch its rows would be, its triggers, unnamed checks, collations
and AUTOINCREMENT be lost without a word (P-77), and its children be deleted where keys are enforced (P-76). SQLite's
documentation describes this way for what does not touch what is stored (https://sqlite.org/lang_altertable.html).
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from upkeep.catalog import ForeignKey
from upkeep.databases.sqlite_catalog import read_clauses
from upkeep.databases.sqlite_ddl import Clause, edits
from upkeep.databases.sqlite_dialect import folded
from upkeep.databases.sqlite_parts import part_of_key
from upkeep.drafts import Draft, call, indented, literal

Change = tuple[str, str, str]
"""A table, what its statement says, and what it is to say."""

_BEFORE = (
    "# ON DELETE changes no row, so the statement that SQLite keeps of each table is changed where it stands: a batch",
    "# would copy all rows and lose triggers, unnamed checks, collations and AUTOINCREMENT.",
    "# See https://sqlite.org/lang_altertable.html: changes that do not affect what is stored.",
)
_AFTER = """\
bind = op.get_bind()
version = bind.exec_driver_sql("PRAGMA schema_version").scalar_one()
bind.exec_driver_sql("PRAGMA writable_schema = ON")
for table, before, after in changes:
    changed = bind.exec_driver_sql(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = ?"
        " AND length(replace(sql, ?, '')) = length(sql) - length(?)",
        (before, after, table, before, before),
    )
    if changed.rowcount != 1:
        raise RuntimeError(f"{table} is no longer what it was when this revision was written")
# By another number every connection knows that it has to read the schema again.
bind.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
bind.exec_driver_sql("PRAGMA writable_schema = OFF")""".splitlines()


def draft_ondelete(connection: sqlite3.Connection, wanted: Mapping[ForeignKey, str]) -> Draft:
    """Every definition of a column or constraint that changes, as it is and as it becomes."""
    changes: list[Change] = []
    left_out: dict[ForeignKey, str] = {}
    by_table: dict[str, dict[ForeignKey, str]] = defaultdict(dict)
    for key, ondelete in wanted.items():
        by_table[key.child][key] = ondelete
    for table, keys in by_table.items():
        sql = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone()
        clauses = read_clauses(connection, table)
        found = {clause: ondelete for key, ondelete in keys.items() for clause in clauses if _is_of(clause, key)}
        lost = [key for key in keys if not any(_is_of(clause, key) for clause in clauses)]
        left_out |= dict.fromkeys(lost, "it is not found in the statement of its table: change it by hand")
        changes += [(table, before, after) for before, after in edits(sql[0], found)] if found else []
    if not changes:
        return Draft(left_out=left_out)
    back = [(table, after, before) for table, before, after in reversed(changes)]
    return Draft(tuple(_written(changes)), tuple(_written(back)), left_out, tuple(_losses(wanted, left_out)))


def _is_of(clause: Clause, key: ForeignKey) -> bool:
    columns = tuple(map(folded, key.columns))
    target = tuple(map(folded, key.parent_columns))
    named = tuple(map(folded, clause.parent_columns))
    same_target = folded(clause.parent) == folded(key.parent) and named in ((), target)
    is_saying = clause.ondelete == key.ondelete
    return tuple(map(folded, clause.columns)) == columns and same_target and is_saying


def _losses(wanted: Mapping[ForeignKey, str], left_out: Mapping[ForeignKey, str]) -> Iterator[str]:
    for key, ondelete in wanted.items():
        if key not in left_out:
            part, was = part_of_key(key)
            _, now = part_of_key(replace(key, ondelete=ondelete))
            yield f"{part} is {now}, it was {was}"


def _written(changes: Iterable[Change]) -> Iterator[str]:
    yield from _BEFORE
    yield "changes = ("
    for table, before, after in changes:
        yield "    ("
        yield f"        {literal(table)},"
        yield from indented(indented(_argument(before)))
        yield from indented(indented(_argument(after)))
        yield "    ),"
    yield ")"
    yield from _AFTER


def _argument(text: str) -> Iterator[str]:
    """The text as one argument, in brackets where it takes several lines."""
    *lines, last = call("", text)
    yield from [*lines, f"{last},"] if lines else [f"{literal(text)},"]
