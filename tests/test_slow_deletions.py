"""A plan that deletes says where children are found by reading a whole table, as the engine's planner says it."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.servers.postgresql import PostgresServer
from tests.shell import DELETES, family
from upkeep.databases import Database
from upkeep.databases.opening import open_database
from upkeep.finding import find
from upkeep.plan import Plan
from upkeep.planning import Planner
from upkeep.policy_file import load_policy
from upkeep.report import RunReport, plan_document
from upkeep.wording import markdown, runs

INDEXES = [
    [],
    ["(a)"],
    ["(b)"],
    ["(a, b)"],
    ["(b, a)"],
    ["(b, note)"],
    ["(note, a)"],
    ["(a) WHERE note = 'x'"],
    ["(note)", "(a DESC)"],
    ["(lower(note))"],
    ["(abs(a))"],
]
TABLES = (
    "CREATE TABLE parents (a int, b int, PRIMARY KEY (a, b))",
    "CREATE TABLE children (id int, a int, b int, note text, FOREIGN KEY (a, b) REFERENCES parents (a, b))",
)
BY_KEY = "SELECT 1 FROM children WHERE a = 1 AND b = 1"


def is_indexed(database: Database) -> bool:
    """What the catalog says of the only key."""
    with database.reading() as reading:
        (key,) = reading.catalog().keys
    return key.indexed


@pytest.mark.parametrize("indexes", INDEXES, ids=", ".join)
def test_sqlites_planner_says_the_same(tmp_path: Path, indexes: list[str]) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        for line in (*TABLES, *(f"CREATE INDEX i{n} ON children {on}" for n, on in enumerate(indexes))):
            connection.execute(line)
        connection.commit()
        said = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {BY_KEY}"))
    assert is_indexed(open_database("x", f"sqlite:///{tmp_path / 'a.db'}")) is said.startswith("SEARCH")


# PostgreSQL, kept from reading the table, would rather read all of an index that begins with another column.
@pytest.mark.parametrize("indexes", [each for each in INDEXES if each != ["(note, a)"]], ids=", ".join)
def test_postgresqls_planner_says_the_same(system_postgresql: PostgresServer, indexes: list[str]) -> None:
    lines = (f"CREATE INDEX i{n} ON children {on}" for n, on in enumerate(indexes))
    base = system_postgresql.make_database(*TABLES, *lines)
    planned = system_postgresql.run(base, "SET enable_seqscan = off", f"EXPLAIN {BY_KEY}")
    said = " ".join(row[0] for row in planned)
    assert is_indexed(open_database("x", system_postgresql.url(base))) is ("Index Cond" in said)


def test_the_rowid_and_a_primary_key_are_indexes_too(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.executescript(
            "CREATE TABLE parents (id INTEGER PRIMARY KEY);"
            "CREATE TABLE children (id INTEGER PRIMARY KEY REFERENCES parents);"
        )
    assert is_indexed(open_database("x", f"sqlite:///{tmp_path / 'a.db'}"))


GRANDCHILDREN = """
    CREATE TABLE grandchild (id INTEGER PRIMARY KEY, child_id INTEGER REFERENCES child (id));
    INSERT INTO grandchild VALUES (1, 2);
"""


def plan_of(place_folder: Path, script: str) -> Plan:
    """The plan that deletes the orphan of a small database."""
    place = family(place_folder)
    place.run(script)
    place.policy(DELETES)
    with open_database("main", f"sqlite:///{place.path}").reading() as reading:
        policy = load_policy(place.folder / "policy.toml")
        keys = reading.catalog().keys
        return Planner(reading, keys, policy).plan("main", tuple(find(reading, key, limit=0) for key in keys), None)


def test_the_plan_names_the_key_in_words_and_its_digest_does_not_depend_on_it(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "slow", GRANDCHILDREN)
    quick = plan_of(tmp_path / "quick", GRANDCHILDREN + "CREATE INDEX by_child ON grandchild (child_id);")
    assert plan.scans == ("grandchild(child_id) -> child(id)",)
    assert (quick.scans, quick.digest) == ((), plan.digest)
    report = RunReport(run="1", database="main", ended="rehearsed", plan=plan)
    for told in (runs.run_report(report), markdown.summary(report)):
        assert "deletions will be slow: no index begins with the columns of grandchild(child_id) -> child(id)" in (
            " ".join(told.split())
        )
        assert "slow" not in runs.run_report(replace(report, plan=quick))
    assert plan_document(plan)["scans"] == ["grandchild(child_id) -> child(id)"]
