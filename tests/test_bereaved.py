"""Children that lose their parents are the same with and without an index, which the engine uses where there is one."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from sqlite3 import connect

import pytest

from tests.schemas import FAMILIES
from upkeep.catalog import ForeignKey
from upkeep.databases.opening import open_database
from upkeep.orphans import bereaved

VALUES = [value for family in FAMILIES for value in family]
WHOLE = sorted({int(value) for value in VALUES if type(value) is int})
CHILDREN = ("INTEGER", "BIGINT", "TEXT", "", "REAL", "NUMERIC", "FLOATING POINT", "ANY")


def asked(path: Path, *, index_tells: bool) -> tuple[bool, list[tuple[object, ...]], str]:
    """Is the key told to be alike, which children does it bereave when every parent goes, and how were they found?"""
    target = open_database("test", f"sqlite:///{path}")
    with target.reading() as reading:
        (key,) = reading.catalog().keys
        told = key.alike
        key = key if index_tells else replace(key, alike=False)
        with reading.chosen("parent", ("id",), [(number,) for number in WHOLE]) as doomed:
            sql = bereaved(key, ("id",), ("id",), doomed, reading.dialect)
            rows = sorted(reading.rows(sql))
            plan = "; ".join(str(row[3]) for row in reading.rows(f"EXPLAIN QUERY PLAN {sql}"))
    return told, list(rows), plan


def family(path: Path, kind: str, *, indexed: bool) -> None:
    with closing(connect(path)) as connection:
        connection.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        connection.execute(f"CREATE TABLE child (id INTEGER PRIMARY KEY, ref {kind} REFERENCES parent (id))")
        if indexed:
            connection.execute("CREATE INDEX child_ref ON child (ref)")
        connection.executemany("INSERT INTO parent VALUES (?)", [(number,) for number in WHOLE])
        connection.executemany("INSERT INTO child (ref) VALUES (?)", [(value,) for value in VALUES])
        connection.commit()


@pytest.mark.parametrize("indexed", [True, False], ids=["indexed", "not indexed"])
@pytest.mark.parametrize("kind", CHILDREN)
def test_p116_an_index_finds_the_same_bereaved_children_whatever_the_column_holds(
    kind: str, indexed: bool, tmp_path: Path
) -> None:
    path = tmp_path / "family.db"
    family(path, kind, indexed=indexed)
    told, rows, _ = asked(path, index_tells=True)
    _, plainly, _ = asked(path, index_tells=False)
    assert rows == plainly
    assert rows
    assert told == ("INT" in kind)


def test_bereaved_children_are_found_by_the_index_so_that_the_write_lock_does_not_grow_with_the_database(
    tmp_path: Path,
) -> None:
    path = tmp_path / "family.db"
    family(path, "INTEGER", indexed=True)
    _, _, plan = asked(path, index_tells=True)
    assert "SEARCH c USING COVERING INDEX child_ref" in plan
    assert "SCAN c" not in plan


def test_what_is_alike_is_no_part_of_what_a_key_is() -> None:
    key = ForeignKey("child", ("ref",), "parent", ("id",))
    assert replace(key, alike=True) == key
    assert hash(replace(key, alike=True)) == hash(key)
