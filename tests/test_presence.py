"""Child rows whose parents are known to be there are passed over, and no orphan with them, whatever they hold."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from sqlite3 import connect

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from expectations.run import run_suites
from tests.schemas import FAMILIES
from upkeep import presence as numbers
from upkeep.answers import Question
from upkeep.databases import sqlite_presence
from upkeep.databases.opening import open_database
from upkeep.finding import find
from upkeep.orphans import counting

LIMIT = 4096
EDGES = (0, -1, 1, 2, 255, 1023, 1024, 1025, LIMIT, LIMIT + 1, 2**31, 2**32 + 1, 2**53 + 1, 2**63 - 1, -(2**63))
VALUES = [*(value for family in FAMILIES for value in family), *EDGES, 1.0, 1.5, -1.0, "1", "01", "1.0", "1x", b"1"]
"""What a child may hold; every second whole number is a parent."""
PARENTS = [*sorted({value for value in VALUES if type(value) is int})[::2], 1]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers are looked at however few rows there are, up to a limit that a test reaches."""
    monkeypatch.setattr(sqlite_presence, "_FEW", 0)
    monkeypatch.setattr(sqlite_presence, "_PARENTS_PER_CHILD", 1 << 63)
    monkeypatch.setattr(numbers, "LIMIT", LIMIT)


@pytest.mark.usefixtures("small")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given=st.lists(st.one_of(st.integers(-3, 3000), st.sampled_from(EDGES))))
def test_a_number_up_to_the_limit_is_present_if_and_only_if_it_was_given(given: list[int]) -> None:
    there = numbers.presence((number,) for number in given)
    assert {place + 1 for place, byte in enumerate(there) if byte} == {n for n in given if 0 < n <= LIMIT}
    assert len(there) <= LIMIT


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", ["INTEGER", "BIGINT", "UNSIGNED INT", "FLOATING POINT"])
def test_p116_no_orphan_is_passed_over_whatever_the_column_holds(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "family.db"
    with closing(connect(path)) as connection, connection:
        connection.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        connection.execute(f"CREATE TABLE child (id INTEGER PRIMARY KEY, ref {kind} REFERENCES parent (id))")
        connection.executemany("INSERT OR IGNORE INTO parent VALUES (?)", [(number,) for number in PARENTS])
        connection.executemany("INSERT INTO child (ref) VALUES (?)", [(value,) for value in VALUES])
        checked = sorted(row[1] for row in connection.execute("PRAGMA foreign_key_check"))
    target = open_database("test", f"sqlite:///{path}")
    with target.reading() as reading:
        (key,) = reading.catalog().keys
        known = reading.known(key)
        assert known
        found = find(reading, key, limit=1000)
        assert [row[0] for row in found.rows] == checked
        assert found == find(reading, replace(key, alike=False), limit=1000)
        question = Question("key", str(key), counting(key, reading.dialect, known), "asked", known.numbers)
    (answer,) = run_suites(target.alembic_url(), [question], ()).answers
    assert answer.numbers == (found.orphans, found.missing_keys)
    assert 0 < len(checked) < len(VALUES)


def test_numbers_are_read_only_where_many_rows_point_at_them(tmp_path: Path) -> None:
    path = tmp_path / "sizes.db"
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {})"
    with closing(connect(path)) as connection, connection:
        connection.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        connection.execute(f"INSERT INTO parent {numbers.format(200_000)} SELECT i FROM n")
        for name, rows in (("many", 20_000), ("fewer", 19_999), ("few", 9_999)):
            connection.execute(f"CREATE TABLE {name} (ref INTEGER REFERENCES parent (id))")
            connection.execute(f"INSERT INTO {name} {numbers.format(rows)} SELECT i FROM n")
    with open_database("test", f"sqlite:///{path}").reading() as reading:
        assert {key.child for key in reading.catalog().keys if reading.known(key)} == {"many"}
