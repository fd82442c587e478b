"""What the orphans of one key are like, asked in SQL: each is counted once, under the first trait that it has."""

from upkeep.catalog import ForeignKey
from upkeep.facts import Trait
from upkeep.orphans import Dialect, Known, condition, has_any, pointing, points_at

NAMED = 200
"""So many missing keys of each trait are looked at one by one."""


def trait(key: ForeignKey, sentinels: tuple[str, ...], dialect: Dialect) -> str:
    """SQL that says of an orphan ``c`` of ``key`` what it is like."""
    columns = [f"c.{dialect.quote(column)}" for column in key.columns]
    cases = []
    if key.is_full and len(columns) > 1:
        cases.append((" OR ".join(f"{column} IS NULL" for column in columns), Trait.PARTIAL))
    if sentinels:
        words = ", ".join(map(dialect.literal, sentinels))
        cases.append((" AND ".join(f"{dialect.as_text(column)} IN ({words})" for column in columns), Trait.SENTINEL))
    if key.meant:
        cases.append((stands_in(key.meant, dialect), Trait.ELSEWHERE))
    if key.alike:
        cases.append((" OR ".join(map(dialect.is_no_number, columns)), Trait.NO_NUMBER))
    whens = " ".join(f"WHEN {sql} THEN {dialect.literal(name)}" for sql, name in cases)
    return f"CASE {whens} ELSE {dialect.literal(Trait.MISSING)} END" if whens else dialect.literal(Trait.MISSING)


def stands_in(key: ForeignKey, dialect: Dialect) -> str:
    """SQL that is true for a row ``c`` whose parent by ``key`` is there."""
    return f"EXISTS (SELECT 1 FROM {dialect.source(key.parent)} AS e WHERE {points_at(key, 'e', dialect)})"


def sorting(key: ForeignKey, sentinels: tuple[str, ...], dialect: Dialect, known: Known | None) -> str:
    """The orphans of ``key`` by trait: trait, its orphans and missing keys, then one missing key and who misses it.

    The child is read once; of each trait come the keys that most rows miss.
    """
    named = [f"k{i}" for i in range(len(key.columns))]
    values = ", ".join(f"c.{dialect.quote(column)} AS {name}" for column, name in zip(key.columns, named, strict=True))
    keys = ", ".join(named)
    orphans = (
        f"SELECT {trait(key, sentinels, dialect)} AS trait, {values} FROM {pointing(key, dialect)} AS c"
        f" WHERE {condition(key, dialect, known)}"
    )
    missed = f"SELECT trait, COUNT(*) AS n, {keys} FROM ({orphans}) AS orphans GROUP BY trait, {keys}"
    placed = (
        "SELECT trait, SUM(n) OVER (PARTITION BY trait) AS pairs, COUNT(*) OVER (PARTITION BY trait) AS missing, n,"
        f" {keys}, ROW_NUMBER() OVER (PARTITION BY trait ORDER BY n DESC, {keys}) AS place FROM ({missed}) AS missed"
    )
    told = f"trait, pairs, missing, n, {keys}"
    return f"SELECT {told} FROM ({placed}) AS placed WHERE place <= {NAMED} ORDER BY trait, place"


def rows_like(keys: tuple[ForeignKey, ...], like: Trait, sentinels: tuple[str, ...], dialect: Dialect) -> str:
    """The number of rows of one child table that are an orphan with this trait by at least one of ``keys`` (P-114)."""
    word = dialect.literal(like)
    like_it = {key: f"{condition(key, dialect)} AND {trait(key, sentinels, dialect)} = {word}" for key in keys}
    any_of = " OR ".join(has_any(key, sql, dialect) for key, sql in like_it.items())
    return f"SELECT COUNT(*) FROM {dialect.source(keys[0].child)} AS c WHERE {any_of}"


def missing_found_in(key: ForeignKey, other: ForeignKey, sentinels: tuple[str, ...], dialect: Dialect) -> str:
    """The number of orphans of ``key`` that are simply missing, and whose values stand where ``other`` points."""
    word = dialect.literal(Trait.MISSING)
    return (
        f"SELECT COUNT(*) FROM {dialect.source(key.child)} AS c WHERE {condition(key, dialect)}"
        f" AND {trait(key, sentinels, dialect)} = {word} AND {stands_in(other, dialect)}"
    )


def chosen_found_in(other: ForeignKey, relation: str, dialect: Dialect) -> str:
    """How many of the values in ``relation`` (column k0) stand where ``other``, a key of one column, points."""
    (column,) = other.columns
    values = f"SELECT k0 AS {dialect.quote(column)} FROM {relation}"
    return f"SELECT COUNT(*) FROM ({values}) AS c WHERE {stands_in(other, dialect)}"


def found_of_all(other: ForeignKey, dialect: Dialect) -> str:
    """The different values of a column, and how many of them stand where ``other``, a key of one column, points."""
    column = dialect.quote(other.columns[0])
    source = dialect.source(other.child)
    values = f"SELECT DISTINCT c.{column} AS {column} FROM {source} AS c WHERE c.{column} IS NOT NULL"
    found = f"COALESCE(SUM(CASE WHEN {stands_in(other, dialect)} THEN 1 ELSE 0 END), 0)"
    return f"SELECT COUNT(*), {found} FROM ({values}) AS c"


def distinct_values(key: ForeignKey, dialect: Dialect) -> str:
    """The number of different values that a column points with."""
    (column,) = (f"c.{dialect.quote(column)}" for column in key.columns)
    return f"SELECT COUNT(DISTINCT {column}) FROM {dialect.source(key.child)} AS c"
