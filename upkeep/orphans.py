"""What an orphan is, said once: a row whose foreign key points at nothing.

The condition that finds an orphan is the one that mends it and the one that the suites ask.
"""

from dataclasses import dataclass
from typing import Protocol

from upkeep.catalog import ForeignKey

_ORPHANS = "upkeep orphans"
"""What a query calls them hides a table of the same name: so a name that nobody gives."""
PLACE = "upkeep place"
"""Which element of an array it is, counted from 1."""


class Dialect(Protocol):
    """What differs between engines when one asks for orphans."""

    @property
    def keeps_values(self) -> bool:
        """Are values that come out of a subquery printed as those of the table itself?"""

    @property
    def takes_any(self) -> bool:
        """Does a column take any value, whatever its type says (P-48)?"""

    @property
    def beside_writers(self) -> str:
        """What has Alembic make an index while others write, outside of any transaction; '' where no word is needed."""

    def quote(self, name: str) -> str:
        """The name as an identifier of this engine."""

    def table(self, name: str) -> str:
        """The table's whole name, by which its columns may be qualified too."""

    def source(self, table: str) -> str:
        """The table as it stands after FROM when its own rows alone are meant (P-43)."""

    def elements(self, array: str) -> str:
        """The elements of the array as a relation ``e`` of ``element`` and ``place``; '' where there are no arrays."""

    def placed(self, table: str) -> tuple[str, str | None]:
        """The table's own name, and the schema that Alembic has to be told of; None where it finds it without."""

    def value(self, alias: str, table: str, column: str) -> str:
        """The column of a row ``alias`` of the table as an expression that loses nothing of its value (P-120)."""

    def first(self, columns: str, chosen: str, rows: int) -> str:
        """Chosen rows ``c`` after FROM, to be followed by one condition more, which is asked of them alone.

        ``chosen`` ends with a condition that so many rows meet at most; ``columns`` are those that the next one needs.
        """

    def same(self, parent: str, child: str) -> str:
        """The comparison that the engine's own foreign keys make between two column expressions (P-41, P-42, P-116)."""

    def literal(self, text: str) -> str:
        """The text as a constant."""

    def as_text(self, expression: str) -> str:
        """The value as a person would write it, to be compared with a text."""

    def is_no_number(self, expression: str) -> str:
        """SQL that is true for a value that is no whole number in a column of whole numbers, where there can be one."""


@dataclass(frozen=True)
class Known:
    """A quick way to pass over child rows that certainly find their parent, so that few are left to be asked exactly.

    ``condition`` is SQL that is true for none but such a row ``c``; in it the parameter ``:there`` is what
    upkeep/presence.py makes of the whole numbers that the query ``numbers`` gives.
    """

    condition: str
    numbers: str


def pointing(key: ForeignKey, dialect: Dialect) -> str:
    """What points by ``key``, to stand after FROM: the child's rows, or each as often as its array has elements."""
    source = dialect.source(key.child)
    if not key.elements:
        return source
    elements = dialect.elements(f"a.{dialect.quote(key.array)}")
    told = f"e.element AS {dialect.quote(key.columns[0])}, e.place AS {dialect.quote(PLACE)}"
    return f"(SELECT a.*, {told} FROM {source} AS a CROSS JOIN LATERAL {elements})"


def told_apart(key: ForeignKey, locator: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that tell orphans apart: of an array's the place too; () where those of the rows do not."""
    return (*locator, PLACE) if key.elements and locator else locator


def has_any(key: ForeignKey, condition_of_it: str, dialect: Dialect) -> str:
    """SQL that is true for a row ``c`` of the child that has an orphan of ``key`` which meets the condition."""
    if not key.elements:
        return f"({condition_of_it})"
    elements = dialect.elements(f"c.{dialect.quote(key.array)}")
    return (
        f"EXISTS (SELECT 1 FROM (SELECT e.element AS {dialect.quote(key.columns[0])} FROM {elements}) AS c"
        f" WHERE {condition_of_it})"
    )


def condition(key: ForeignKey, dialect: Dialect, known: Known | None = None) -> str:
    """SQL that is true for a row ``c`` of the child table that is an orphan of ``key``.

    A composite key with any column NULL is satisfied (MATCH SIMPLE, P-40); by MATCH FULL only one with all of them
    NULL is, and one that is NULL in part finds no parent. NOT EXISTS, for NOT IN finds nothing where the parent holds
    a NULL (P-44). Where the parent table is gone every row that points is an orphan (P-109). Of a key that knows
    parents which are marked as deleted the orphans are the rows that point at nothing but such (P-49).
    """
    set_columns = [f"c.{dialect.quote(column)} IS NOT NULL" for column in key.columns]
    points = f"({' OR '.join(set_columns)})" if key.is_full else " AND ".join(set_columns)
    if key.when:
        points = f"{points} AND {_is_of_type(key.when, dialect)}"
    if key.parent_missing:
        return points
    parent = f"SELECT 1 FROM {dialect.source(key.parent)} AS p WHERE {points_at(key, 'p', dialect)}"
    quickly = f" AND NOT ({known.condition})" if known else ""
    if key.deleted:
        gone = _is_marked(f"p.{dialect.quote(key.deleted)}", dialect)
        return f"{points} AND EXISTS ({parent}) AND NOT EXISTS ({parent} AND NOT {gone})"
    return f"{points}{quickly} AND NOT EXISTS ({parent})"


def _is_of_type(when: tuple[str, str], dialect: Dialect) -> str:
    column, kind = when
    return f"{dialect.as_text(f'c.{dialect.quote(column)}')} = {dialect.literal(kind)}"


def _is_marked(column: str, dialect: Dialect) -> str:
    """A moment, a name or a yes: anything but NULL, no and nothing."""
    empty = ", ".join(map(dialect.literal, ("0", "false", "")))
    return f"({column} IS NOT NULL AND {dialect.as_text(column)} NOT IN ({empty}))"


def points_at(key: ForeignKey, alias: str, dialect: Dialect) -> str:
    """SQL that is true when the parent row ``alias`` is the one that the child row ``c`` points at."""
    same = _is_same(key, alias, dialect)
    return f"{same} AND {_is_of_type(key.when, dialect)}" if key.when else same


def _is_same(key: ForeignKey, alias: str, dialect: Dialect) -> str:
    parents = [f"{alias}.{dialect.quote(column)}" for column in key.parent_columns]
    if key.comparisons:
        children = [f"c.{dialect.quote(column)}" for column in key.columns]
        return " AND ".join(
            f"{parent}{by.after_parent} {by.operator} {child}{by.after_child}"
            for parent, by, child in zip(parents, key.comparisons, children, strict=True)
        )
    if key.collations:
        # SQLite looks an implied key up in the index of the primary key, whose collations may be its own (P-42).
        parents = [f"{p} COLLATE {dialect.quote(by)}" for p, by in zip(parents, key.collations, strict=True)]
    return " AND ".join(
        dialect.same(parent, f"c.{dialect.quote(child)}") for parent, child in zip(parents, key.columns, strict=True)
    )


def bereaved(key: ForeignKey, below: tuple[str, ...], above: tuple[str, ...], doomed: str, dialect: Dialect) -> str:
    """Child rows of ``key`` whose parents are all in the relation ``doomed``: locator of the child, then of the parent.

    ``below`` and ``above`` are the locators of child and parent. The child is read first and the parent found by its
    key: the other way round would read the child once for each doomed row. But where a plain comparison says the same
    it is added, so that the engine may begin with the doomed and find their children by an index: this is asked under
    the write lock, which must not grow with the database.
    """
    columns = ", ".join([*(f"c.{dialect.quote(k)}" for k in below), *(f"p.{dialect.quote(k)}" for k in above)])
    parent = dialect.source(key.parent)
    found = f"{points_at(key, 'p', dialect)} AND {among('p', above, doomed, dialect)}"
    if not key.single:
        spared = f"{points_at(key, 'q', dialect)} AND NOT {among('q', above, doomed, dialect)}"
        found += f" AND NOT EXISTS (SELECT 1 FROM {parent} AS q WHERE {spared})"
    join = "CROSS JOIN"
    if key.alike:
        pairs = zip(key.columns, key.parent_columns, strict=True)
        join, found = "JOIN", " AND ".join([*(f"c.{dialect.quote(c)} = p.{dialect.quote(p)}" for c, p in pairs), found])
    return f"SELECT {columns} FROM {pointing(key, dialect)} AS c {join} {parent} AS p WHERE {found}"


def among(alias: str, locator: tuple[str, ...], relation: str, dialect: Dialect) -> str:
    """SQL that is true for a row ``alias`` whose locator stands in ``relation`` (columns k0, k1, ...)."""
    columns = ", ".join(f"{alias}.{dialect.quote(column)}" for column in locator)
    keys = ", ".join(f"k{i}" for i in range(len(locator)))
    left = columns if len(locator) == 1 else f"({columns})"
    return f"({left} IN (SELECT {keys} FROM {relation}))"


def counting(key: ForeignKey, dialect: Dialect, known: Known | None = None) -> str:
    """One query, one row: the number of orphans of ``key`` and of distinct keys that they miss."""
    columns = ", ".join(f"c.{dialect.quote(column)}" for column in key.columns)
    return (
        "SELECT COALESCE(SUM(n), 0) AS orphans, COUNT(*) AS missing_keys FROM ("
        f"SELECT COUNT(*) AS n FROM {pointing(key, dialect)} AS c "
        f"WHERE {condition(key, dialect, known)} GROUP BY {columns}"
        ") AS missing"
    )


def counting_and_listing(
    key: ForeignKey, locator: tuple[str, ...], limit: int, dialect: Dialect, known: Known | None = None
) -> str:
    """Both at once, so that the child is read once: ``counting``, and beside it the first ``limit`` of ``listing``.

    Each row is the two numbers and one locator; where there are no orphans it is one row, its locator all NULL.
    """
    missed = {f"k{i}": f"c.{dialect.quote(column)}" for i, column in enumerate(key.columns)}
    told = {f"l{i}": f"c.{dialect.quote(column)}" for i, column in enumerate(told_apart(key, locator))}
    columns = ", ".join(f"{column} AS {name}" for name, column in (missed | told).items())
    names, orphans = ", ".join(told), dialect.quote(_ORPHANS)
    missing = f"SELECT COUNT(*) AS n FROM {orphans} GROUP BY {', '.join(missed)}"
    found = condition(key, dialect, known)
    return (
        f"WITH {orphans} AS (SELECT {columns} FROM {pointing(key, dialect)} AS c WHERE {found}) "
        f"SELECT counted.orphans, counted.missing_keys, {names} FROM "
        f"(SELECT COALESCE(SUM(n), 0) AS orphans, COUNT(*) AS missing_keys FROM ({missing}) AS missing) AS counted "
        f"LEFT JOIN (SELECT {names} FROM {orphans} ORDER BY {names} LIMIT {limit}) AS named ON 1 = 1 ORDER BY {names}"
    )


def listing(key: ForeignKey, locator: tuple[str, ...], dialect: Dialect, known: Known | None = None) -> str:
    """The orphans of ``key``, each by the columns that tell the child's rows apart, in their order."""
    columns = ", ".join(f"c.{dialect.quote(column)}" for column in told_apart(key, locator))
    found = condition(key, dialect, known)
    return f"SELECT {columns} FROM {pointing(key, dialect)} AS c WHERE {found} ORDER BY {columns}"


def rows_of_any(keys: tuple[ForeignKey, ...], dialect: Dialect) -> str:
    """The number of rows of one child table that are an orphan of at least one of its ``keys`` (P-114)."""
    any_of = " OR ".join(has_any(key, condition(key, dialect), dialect) for key in keys)
    return f"SELECT COUNT(*) FROM {dialect.source(keys[0].child)} AS c WHERE {any_of}"
