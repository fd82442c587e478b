"""Looking at a MariaDB database that others write to: one state for all who ask, read only, and bounded."""

import inspect
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pymysql
import pytest

from expectations.run import run_suites
from expectations.suites import NO_ROWS, Rule, Suite
from tasks.looking import assure, look_live
from tests.servers.mariadb import MariadbServer
from upkeep.answers import Answer, Question
from upkeep.databases import Database, Sight
from upkeep.databases.opening import open_database
from upkeep.equipment import equip
from upkeep.errors import Refused, Unreachable
from upkeep.finding import find
from upkeep.orphans import counting

PATIENT = 60.0
FAMILY = (
    "CREATE TABLE parent (id int PRIMARY KEY)",
    "CREATE TABLE child (id int PRIMARY KEY, parent_id int, FOREIGN KEY (parent_id) REFERENCES parent (id))",
    "CREATE SEQUENCE tickets",
    "INSERT INTO parent VALUES (1), (2)",
    "INSERT INTO child VALUES (1, 1), (2, 2)",
)
ORPHAN = ("SET foreign_key_checks = 0", "INSERT INTO child VALUES (3, 99)")


@pytest.fixture
def base(mariadb: MariadbServer) -> str:
    """A small database."""
    return mariadb.make_database(*FAMILY)


@pytest.fixture
def database(mariadb: MariadbServer, base: str) -> Database:
    """It as Upkeep opens it."""
    return open_database("family", mariadb.url(base), 1)


@contextmanager
def writing(server: MariadbServer, base: str, statement: str) -> Iterator[list[float]]:
    """An application that runs the statement again and again; the seconds that each took."""
    waited: list[float] = []
    ended = threading.Event()

    def write() -> None:
        with closing(server.connect(base)) as connection, connection.cursor() as cursor:
            while not ended.is_set():
                begun = time.monotonic()
                cursor.execute(statement)
                waited.append(time.monotonic() - begun)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield waited
    finally:
        ended.set()
        writer.join()


def orphans(sight: Sight, *, by_suites: bool) -> int | None:
    """The orphans of the one foreign key, by the kernel or by Great Expectations."""
    (key,) = sight.reading.catalog().keys
    if not by_suites:
        return find(sight.reading, key, limit=0).orphans
    question = Question("key-1", str(key), counting(key, sight.reading.dialect), "asked")
    (answer,) = run_suites(sight.url, [question], (), at_begin=sight.at_begin, lend=sight.lend).answers
    return answer.numbers[0] if answer.numbers else None


def asked(sight: Sight, query: str) -> Answer:
    """What a hand-written rule says that wants ``query`` to find no row."""
    rule = Rule("rule-1", NO_ROWS, {"query": query}, "a rule")
    suite = Suite("rules", (rule,))
    (answer,) = run_suites(sight.url, (), (suite,), at_begin=sight.at_begin, lend=sight.lend).answers
    return answer


@pytest.mark.parametrize("by_suites", [False, True], ids=["kernel", "suites"])
def test_who_asks_sees_the_state_in_which_the_look_began(
    mariadb: MariadbServer, base: str, database: Database, tmp_path: Path, by_suites: bool
) -> None:
    with database.observed(tmp_path, PATIENT) as sight:
        mariadb.run(base, *ORPHAN)
        assert orphans(Sight(sight.reading, sight.url), by_suites=True) == 1, "the control: not bound to the state"
        assert [orphans(sight, by_suites=by_suites) for _ in range(2)] == [0, 0], "asked again it is the same state"
    with database.observed(tmp_path, PATIENT) as sight:
        assert orphans(sight, by_suites=by_suites) == 1


def test_all_transactions_of_a_look_begin_in_one_moment_whoever_writes(
    mariadb: MariadbServer, base: str, database: Database, tmp_path: Path
) -> None:
    counting_rows = "SELECT COUNT(*) FROM parent"
    with writing(mariadb, base, "INSERT INTO parent SELECT MAX(id) + 1 FROM parent") as waited:
        for _ in range(5):
            with database.observed(tmp_path, PATIENT) as sight:
                assert sight.lend is not None
                seen = {sight.reading.numbers(counting_rows)[0]}
                for _ in range(2):
                    with sight.lend().cursor() as cursor:
                        cursor.execute(counting_rows)
                        seen.add(cursor.fetchone()[0])
            assert len(seen) == 1
    assert len(waited) > 5
    assert max(waited) < 2.0, "a writer waits for no longer than the transactions take to begin"


def test_suites_cannot_write_where_they_look(database: Database, tmp_path: Path) -> None:
    with database.observed(tmp_path, PATIENT) as sight:
        answer = asked(sight, "SELECT NEXT VALUE FOR tickets")
    assert answer.holds is None
    assert "READ ONLY" in answer.seen or "OperationalError" in answer.seen or "InternalError" in answer.seen


def test_no_question_may_take_longer_than_it_is_given(database: Database, tmp_path: Path) -> None:
    begun, heard = time.monotonic(), []

    def look() -> None:
        with database.observed(tmp_path, 0.3) as sight:
            heard.append(asked(sight, "SELECT SLEEP(60)"))
            sight.reading.numbers("SELECT SLEEP(60)")

    with pytest.raises(Unreachable, match=r"a question to .* took longer than 0\.3 s") as said:
        look()
    assert heard[0].holds is None
    assert "UPKEEP_LOOK_SECONDS" in said.value.hint
    assert time.monotonic() - begun < 30


def test_a_table_cannot_go_while_it_is_looked_at_and_rows_can(
    mariadb: MariadbServer, base: str, database: Database, tmp_path: Path
) -> None:
    with database.observed(tmp_path, PATIENT):
        mariadb.run(
            base, "SET lock_wait_timeout = 1", "INSERT INTO parent VALUES (3)", "DELETE FROM child WHERE id = 2"
        )
        with pytest.raises(pymysql.err.OperationalError, match="Lock wait timeout"):
            mariadb.run(base, "SET lock_wait_timeout = 1", "DROP TABLE child")
    mariadb.run(base, "DROP TABLE child")


def test_a_table_without_transactions_has_no_state_to_look_at(
    mariadb: MariadbServer, base: str, database: Database, tmp_path: Path
) -> None:
    mariadb.run(base, "CREATE TABLE loose (id int PRIMARY KEY) ENGINE = MyISAM")
    told = r"loose of .* has an engine without transactions"
    with pytest.raises(Refused, match=told), database.observed(tmp_path, PATIENT):
        pass


def test_a_night_that_does_not_restore_looks_at_the_live_database(
    mariadb: MariadbServer, base: str, tmp_path: Path
) -> None:
    (tmp_path / "policy.toml").write_text('[run]\nsnapshot = "never"\n')
    os.environ.update(
        DATABASE_URL=mariadb.url(base),
        UPKEEP_STORE=(tmp_path / "store").as_uri(),
        UPKEEP_SCRATCH=str(tmp_path / "scratch"),
        UPKEEP_POLICY=str(tmp_path / "policy.toml"),
    )
    mariadb.run(base, *ORPHAN)
    equipment = equip()
    looked, verdict, told = inspect.unwrap(look_live)(equipment, tmp_path, inspect.unwrap(assure)(equipment), None)
    assert looked.detected.orphans == 1
    assert looked.detected.troubled[0].rows == (("3",),)
    assert {check.claim: check.holds for check in verdict.checks}["every foreign key was asked"] is True
    assert told.endswith("in transactions of one moment")
