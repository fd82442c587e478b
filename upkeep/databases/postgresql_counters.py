"""How far the sequences of a PostgreSQL database have come, and which of them is behind the column that it fills."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from psycopg import Connection

from upkeep.databases import Counter
from upkeep.databases.postgresql_asking import fetched, quoted
from upkeep.databases.postgresql_shapes import OURS
from upkeep.values import Row

_T = TypeVar("_T")
_AT_ONCE = 100
_SEQUENCES = f"""
SELECT FORMAT('%I.%I', n.nspname, c.relname), s.seqstart, s.seqincrement, s.seqcycle
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {OURS} AND c.relpersistence <> 't' AND NOT EXISTS (
  SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') ORDER BY 1"""

# Owned by a column, as that of serial and of identity is, or named by its default.
_FILLING = """
WITH filled (sequence, relation, attnum) AS (
  SELECT objid, refobjid, refobjsubid FROM pg_depend
  WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')
  AND refobjsubid > 0
  UNION SELECT d.refobjid, e.adrelid, e.adnum FROM pg_attrdef e
  JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = e.oid AND d.refclassid = 'pg_class'::regclass
  WHERE pg_get_expr(e.adbin, e.adrelid) LIKE 'nextval(%::regclass)')"""
_FILLED = f"""{_FILLING}
SELECT FORMAT('%I.%I', n.nspname, c.relname), FORMAT('%I', a.attname),
  FORMAT('%s %I.%I', CASE WHEN t.relkind = 'p' THEN '' ELSE 'ONLY' END, m.nspname, t.relname)
FROM filled f JOIN pg_sequence s ON s.seqrelid = f.sequence JOIN pg_class c ON c.oid = f.sequence
JOIN pg_namespace n ON n.oid = c.relnamespace AND {OURS}
JOIN pg_class t ON t.oid = f.relation AND t.relkind IN ('r', 'p') AND NOT t.relispartition
JOIN pg_namespace m ON m.oid = t.relnamespace
JOIN pg_attribute a ON a.attrelid = f.relation AND a.attnum = f.attnum
  AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) ORDER BY 1, 3, 2"""

_FILLED_OF = f"""{_FILLING}
SELECT FORMAT('%I.%I', n.nspname, c.relname), a.attname, s.seqmin, s.seqmax
FROM filled f JOIN pg_sequence s ON s.seqrelid = f.sequence AND NOT s.seqcycle
JOIN pg_class c ON c.oid = f.sequence JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = f.relation AND a.attnum = f.attnum
  AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) WHERE f.relation = """


def move_on(connection: Connection[Any], relation: int, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Let the sequences of a table, by its oid, give nothing again of what these rows of it hold (P-69).

    They are in no transaction: where that is undone they stay where they are, and some numbers are never given.
    """
    for name, column, least, largest in fetched(connection, f"{_FILLED_OF}{relation}"):
        held = [row[columns.index(str(column))] for row in rows] if column in columns else []
        given = range(int(str(least)), int(str(largest)) + 1)  # anything else it never gives
        if values := [value for value in (int(str(one)) for one in held if one is not None) if value in given]:
            most = f"CASE WHEN s.seqincrement > 0 THEN {max(values)} ELSE {min(values)} END::bigint"
            # As numeric, for the ends of bigint are further apart than bigint can tell.
            following = "q.last_value::numeric + CASE WHEN q.is_called THEN s.seqincrement ELSE 0 END"
            fetched(
                connection,
                f"SELECT setval(s.seqrelid, {most}) FROM {name!s} q, pg_sequence s "
                f"WHERE s.seqrelid = {quoted(str(name))}::regclass AND ({most} - ({following})) * s.seqincrement >= 0",
            )


def read_counters(connection: Connection[Any]) -> dict[str, Counter]:
    """Each sequence by its full name. One that cycles goes back by itself, so nothing is said of how far it is."""
    made = {
        str(name): (int(str(start)), int(str(by)), cycles == "t")
        for name, start, by, cycles in fetched(connection, _SEQUENCES)
    }
    reached = _reached(connection, list(made))
    furthest = _furthest(connection, {name: by for name, (_, by, _) in made.items()})
    counters = {}
    for name, (start, by, cycles) in made.items():
        last, is_called = reached[name]
        following = last + by if is_called else last
        # Downwards everything is the other way round, and turned round it is the same again.
        is_behind = any((most - following) * by >= 0 for most in furthest.get(name, ()))
        counters[name] = Counter(None) if cycles else Counter((last - start) // by + is_called, is_behind)
    return counters


def _reached(connection: Connection[Any], names: list[str]) -> dict[str, tuple[int, bool]]:
    """The last value of each, and whether it has been given out; read from the sequence itself, as pg_dump does."""
    found = {}
    for some in _some(names):
        asked = " UNION ALL ".join(f"SELECT {n}, last_value, is_called FROM {name}" for n, name in enumerate(some))
        for n, last, is_called in fetched(connection, asked):
            found[some[int(str(n))]] = int(str(last)), is_called == "t"
    return found


def _furthest(connection: Connection[Any], step_of: dict[str, int]) -> dict[str, list[int]]:
    """The largest value of each column that a sequence fills, the smallest where it goes down."""
    found: dict[str, list[int]] = {}
    filled = [(str(name), str(column), str(table)) for name, column, table in fetched(connection, _FILLED)]
    for some in _some([one for one in filled if one[0] in step_of]):
        asked = ", ".join(
            f"(SELECT {'MAX' if step_of[name] > 0 else 'MIN'}({column}) FROM {table})" for name, column, table in some
        )
        (values,) = fetched(connection, f"SELECT {asked}")
        for (name, _, _), value in zip(some, values, strict=True):
            if value is not None:
                found.setdefault(name, []).append(int(str(value)))
    return found


def _some(several: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(several), _AT_ONCE):
        yield several[start : start + _AT_ONCE]
