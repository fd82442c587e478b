"""Hypothesis strategies for SQLite databases: odd schemas, odd rows, foreign keys of every sort."""

import sqlite3
import string
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from upkeep.values import Value

NAMES = (
    "patients", "Visits", "order", "select", 'we"ird', "with space", "{brace}", "it's", "naïve", "Äpfel", "äpfel",
    "[x]", "a.b", "100%", "x;--", "p", "c", "missing", "日本",
)  # fmt: skip
COLUMNS = (
    "id", "Ref", "from", "group", 'quo"te', "two words", "{batch}", "it's", "größe", "GRÖSSE", "rowid", "oid",
    "_rowid_", "n", "p", "c", "1st",
)  # fmt: skip
TYPES = (
    "INTEGER", "TEXT", "REAL", "NUMERIC", "BLOB", "", "INT", "BIGINT", "BOOLEAN", "DATE", "VARCHAR(10)", "DOUBLE",
    "FLOATING POINT", "STRING", "ANY",
)  # fmt: skip
STRICT_TYPES = ("INTEGER", "INT", "TEXT", "REAL", "BLOB", "ANY")
# Values that some column takes for one another and others do not. Not -2**63: as a real, SQLite finds it under the
# integer -2**63 in an index, but not under the same rowid.
FAMILIES: tuple[tuple[Value, ...], ...] = (
    ("a", "A", "a ", "A  ", " a", b"a", "b"),
    (1, 1.0, "1", "01", "1.0", " 1", "1 ", "1e0", "1.", ".1e1", "+1", "\t1\n", "0x1", "\u00a01", "1\x00", b"1", True),
    (0, "", "0", 0.0, -0.0, "-0", b"", b"\x00", None),
    (1.5, "1.5", "01.50", 0.1, "0.1", ".1", 2, -1),
    (2**53, 2**53 + 1, float(2**53), str(2**53 + 1), str(2**53)),
    (2**63 - 1, str(2**63 - 1), str(2**63), float(2**63), "9.22337203685478e+18", -(2**63) + 1, str(-(2**63) + 1)),
    (1e20, "100000000000000000000", "1e20", "1.0e+20"),
    ("ä", "Ä", "x\x00y", "x", "X", "x "),
)
COLLATIONS = (None, None, None, "NOCASE", "RTRIM", "BINARY", "nocase")
ACTIONS = ("NO ACTION", "RESTRICT", "SET NULL", "SET DEFAULT", "CASCADE")


def quoted(name: str) -> str:
    """The name as SQL wants it."""
    return '"' + name.replace('"', '""') + '"'


def shouted(name: str) -> str:
    """The same name to SQLite, in another case: it folds ASCII letters alone."""
    return "".join(char.swapcase() if char in string.ascii_letters else char for char in name)


def folded(name: str) -> str:
    """What two spellings of one name have in common."""
    return "".join(char.lower() if char in string.ascii_letters else char for char in name)


@dataclass(frozen=True)
class Term:
    """One column of a primary key, constraint or index, perhaps with a collation of its own."""

    column: str
    collation: str | None = None

    def __str__(self) -> str:
        return quoted(self.column) + (f" COLLATE {self.collation}" if self.collation else "")


@dataclass(frozen=True)
class SomeColumn:
    """One column; ``generated`` is the end of its definition where it is computed."""

    name: str
    type: str
    collation: str | None = None
    required: bool = False
    generated: str | None = None

    def __str__(self) -> str:
        parts = [quoted(self.name), self.type, f"COLLATE {self.collation}" if self.collation else ""]
        parts += ["NOT NULL" if self.required else "", self.generated or ""]
        return " ".join(filter(None, parts))


@dataclass(frozen=True)
class SomeKey:
    """One foreign key by real names; ``is_implied`` leaves the parent columns out, ``is_shouted`` spells otherwise."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    is_implied: bool = False
    is_shouted: bool = False
    ondelete: str = "NO ACTION"

    def __str__(self) -> str:
        spell = shouted if self.is_shouted else str
        named = "" if self.is_implied else f"({', '.join(quoted(spell(c)) for c in self.parent_columns)})"
        ours = ", ".join(quoted(spell(c)) for c in self.columns)
        return f"FOREIGN KEY ({ours}) REFERENCES {quoted(spell(self.parent))}{named} ON DELETE {self.ondelete}"


@dataclass(frozen=True)
class SomeTable:
    """One table with its constraints, the indexes beside it (whole statements), its keys and its rows."""

    name: str
    columns: tuple[SomeColumn, ...]
    primary_key: tuple[Term, ...] = ()
    inline_key: str = ""
    uniques: tuple[tuple[Term, ...], ...] = ()
    indexes: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    keys: tuple[SomeKey, ...] = ()
    rows: tuple[tuple[Value, ...], ...] = ()

    def column(self, name: str) -> SomeColumn:
        """The column of this name."""
        return next(column for column in self.columns if column.name == name)

    @property
    def stored(self) -> tuple[str, ...]:
        """The columns that rows give values for."""
        return tuple(column.name for column in self.columns if column.generated is None)

    @property
    def is_strict(self) -> bool:
        """Are its types enforced?"""
        return "STRICT" in self.options

    def __str__(self) -> str:
        lines = [
            str(c) + (f" {self.inline_key}" if self.inline_key and i == 0 else "") for i, c in enumerate(self.columns)
        ]
        if self.primary_key and not self.inline_key:
            lines.append(f"PRIMARY KEY ({', '.join(map(str, self.primary_key))})")
        lines += [f"UNIQUE ({', '.join(map(str, terms))})" for terms in self.uniques]
        lines += map(str, self.keys)
        return f"CREATE TABLE {quoted(self.name)} (\n  " + ",\n  ".join(lines) + "\n) " + ", ".join(self.options)


@dataclass(frozen=True)
class SomeView:
    """A view of all columns of a table, or of a table that is not there."""

    name: str
    source: str

    def __str__(self) -> str:
        return f"CREATE VIEW {quoted(self.name)} AS SELECT * FROM {quoted(self.source)}"


@dataclass(frozen=True)
class SomeDatabase:
    """A whole database that can be opened as often as one likes."""

    tables: tuple[SomeTable, ...]
    views: tuple[SomeView, ...] = ()

    def open(self) -> sqlite3.Connection:
        """A connection to a new database in memory; rows that the schema does not take are left out."""
        connection = sqlite3.connect(":memory:", isolation_level=None)
        for statement in (*self.tables, *(i for table in self.tables for i in table.indexes), *self.views):
            connection.execute(str(statement))
        for table in self.tables:
            columns = ", ".join(map(quoted, table.stored))
            insert = (
                f"INSERT OR IGNORE INTO {quoted(table.name)} ({columns}) VALUES ({', '.join('?' * len(table.stored))})"
            )
            for row in table.rows:
                try:
                    connection.execute(insert, row)
                except sqlite3.IntegrityError:
                    continue
        return connection

    def __repr__(self) -> str:
        rows = [f"{table.name}: {list(table.rows)}" for table in self.tables]
        indexes = [index for table in self.tables for index in table.indexes]
        return "\n" + "\n".join([*map(str, self.tables), *indexes, *map(str, self.views), *rows])


@st.composite
def databases(draw: st.DrawFn) -> SomeDatabase:
    """A database of one to three tables, perhaps views, foreign keys between all of them, and a few rows in each."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=5, max_size=5, unique_by=folded))
    bare = [draw(tables(name)) for name in names[: draw(st.integers(1, 3))]]
    views = []
    if draw(st.booleans()):
        views.append(SomeView(names[3], draw(st.sampled_from([*(table.name for table in bare), names[4]]))))
    families = draw(st.lists(st.sampled_from(FAMILIES), min_size=1, max_size=2))
    pool = [None, *draw(st.lists(st.sampled_from([v for family in families for v in family]), min_size=1, max_size=6))]
    whole = [
        replace(table, keys=draw(keys(table, bare, views, names[4])), rows=draw(rows(table, pool))) for table in bare
    ]
    return SomeDatabase(tuple(whole), tuple(views))


@st.composite
def tables(draw: st.DrawFn, name: str) -> SomeTable:
    """A table without keys and rows: one to four columns, any sort of primary key, unique constraints and indexes."""
    names = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=4, unique_by=folded))
    is_strict, is_without = draw(st.booleans()) and draw(st.booleans()), draw(st.booleans()) and draw(st.booleans())
    columns = [draw(columns_named(column, is_strict, names[0], i)) for i, column in enumerate(names)]
    table = SomeTable(name, tuple(columns), options=("STRICT",) * is_strict + ("WITHOUT ROWID",) * is_without)
    inline = draw(st.sampled_from(("", "", "PRIMARY KEY", "PRIMARY KEY DESC")))
    if inline:
        kind = draw(st.sampled_from(("INTEGER", "INTEGER", columns[0].type)))
        first = replace(columns[0], type=kind)
        table = replace(table, columns=(first, *columns[1:]), primary_key=(Term(names[0]),), inline_key=inline)
    elif is_without or draw(st.booleans()):
        table = replace(table, primary_key=draw(terms(table)))
    uniques = tuple(draw(st.lists(terms(table, of_all=True), max_size=2)))
    return replace(table, uniques=uniques, indexes=draw(indexes(table)))


@st.composite
def columns_named(draw: st.DrawFn, name: str, is_strict: bool, first: str, place: int) -> SomeColumn:
    """A column of this name; the first of a table is never generated, later ones may be computed from it."""
    kind = draw(st.sampled_from(STRICT_TYPES if is_strict else TYPES))
    collation = draw(st.sampled_from(COLLATIONS))
    if place and draw(st.integers(0, 5)) == 0:
        expression = draw(st.sampled_from((quoted(first), f"{quoted(first)} || ''", f"abs({quoted(first)} / 2)")))
        kept = draw(st.sampled_from(("VIRTUAL", "STORED")))
        return SomeColumn(name, kind, collation, generated=f"GENERATED ALWAYS AS ({expression}) {kept}")
    return SomeColumn(name, kind, collation, required=draw(st.integers(0, 4)) == 0)


@st.composite
def terms(draw: st.DrawFn, table: SomeTable, of_all: bool = False) -> tuple[Term, ...]:
    """Some columns of the table in some order, now and then with a collation of their own."""
    names = [column.name for column in table.columns] if of_all else table.stored
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    # Not on what may be the rowid itself: nothing that SQL can ask tells its declared collation, which no value needs.
    own = {c.name for c in table.columns if c.type != "INTEGER"} if draw(st.integers(0, 2)) == 0 else set()
    return tuple(Term(name, draw(st.sampled_from(COLLATIONS)) if name in own else None) for name in chosen)


@st.composite
def indexes(draw: st.DrawFn, table: SomeTable) -> tuple[str, ...]:
    """Indexes beside the table: unique, unique in part, over an expression, or plain."""
    made = []
    for number in range(draw(st.integers(0, 2))):
        over = draw(terms(table, of_all=True))
        unique = draw(st.sampled_from(("UNIQUE", "UNIQUE", "UNIQUE", "")))
        where = draw(st.sampled_from(("", "", f" WHERE {quoted(over[0].column)} IS NOT NULL")))
        body = ", ".join(map(str, over))
        if draw(st.integers(0, 5)) == 0:
            body = f"lower({body})" if len(over) == 1 and not over[0].collation else body
        name = f"{table.name} {number}"
        made.append(f"CREATE {unique} INDEX {quoted(name)} ON {quoted(table.name)} ({body}){where}")
    return tuple(made)


@st.composite
def keys(
    draw: st.DrawFn, child: SomeTable, among: list[SomeTable], views: list[SomeView], gone: str
) -> tuple[SomeKey, ...]:
    """Up to three foreign keys of one table, to itself, to others, to views, or to a table that is not there."""
    made: dict[object, SomeKey] = {}
    for _ in range(draw(st.integers(0, 3))):
        parent = draw(st.sampled_from([*among, *among, *among, *views, None]))
        key = draw(_key(child, parent, among, gone))
        made[key.columns, key.parent, key.parent_columns] = key
    return tuple(made.values())


@st.composite
def _key(
    draw: st.DrawFn, child: SomeTable, parent: SomeTable | SomeView | None, among: list[SomeTable], gone: str
) -> SomeKey:
    ours = [column.name for column in child.columns]
    behind = next((t for t in among if isinstance(parent, SomeView) and t.name == parent.source), None)
    table = parent if isinstance(parent, SomeTable) else behind
    is_implied = draw(st.integers(0, 2)) == 0
    theirs: tuple[str, ...] = tuple(draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=2, unique_by=folded)))
    if is_implied:
        theirs = tuple(term.column for term in parent.primary_key) if isinstance(parent, SomeTable) else ()
    elif table is not None and draw(st.integers(0, 9)):
        unique = [tuple(t.column for t in over) for over in (*table.uniques, table.primary_key) if over]
        chosen = draw(st.sampled_from([*unique, *unique, tuple(column.name for column in table.columns)]))
        theirs = tuple(draw(st.permutations(chosen)))[: len(ours)]
    size = len(theirs) if not is_implied else min(len(theirs) or 1, len(ours))
    if size > len(ours):
        size, theirs = len(ours), theirs[: len(ours)]
    columns = tuple(draw(st.permutations(ours)))[:size]
    name = gone if parent is None else parent.name
    # What is not there has no real spelling that the catalog could find.
    is_there = table is not None and {column.name for column in table.columns} >= set(theirs)
    is_shouted = draw(st.booleans()) and is_there
    return SomeKey(columns, name, theirs, is_implied, is_shouted, draw(st.sampled_from(ACTIONS)))


@st.composite
def rows(draw: st.DrawFn, table: SomeTable, pool: list[Value]) -> tuple[tuple[Value, ...], ...]:
    """Up to six rows out of a few values, so that keys meet."""
    width = len(table.stored)
    least = draw(st.sampled_from((0, 3, 6)))
    return tuple(draw(st.lists(st.tuples(*[st.sampled_from(pool)] * width), min_size=least, max_size=6)))
