"""Looking at a live database or its replica: one state for all who ask, read only, bounded, and no stranger's."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from expectations.run import run_suites
from expectations.suites import NO_ROWS, Rule, Suite
from tests.servers.postgresql import PostgresServer, replica_of
from upkeep.answers import Answer, Question
from upkeep.databases import Database, Sight
from upkeep.databases import postgresql_observing as observing
from upkeep.databases.opening import open_database
from upkeep.errors import Refused, Unreachable
from upkeep.finding import find
from upkeep.orphans import counting

PATIENT = 60.0
FAMILY = (
    "SET synchronous_commit = on",
    "CREATE TABLE parent (id int PRIMARY KEY)",
    "CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent)",
    "CREATE SEQUENCE tickets",
    "INSERT INTO parent VALUES (1), (2)",
    "INSERT INTO child VALUES (1, 1), (2, 2)",
)
ORPHAN = (
    "SET synchronous_commit = on",
    "SET session_replication_role = replica",
    "INSERT INTO child VALUES (3, 99)",
)


@dataclass(frozen=True)
class Observed:
    """A database, what is looked at (itself or a replica), and a way to write to it as the application does."""

    live: PostgresServer
    base: str
    database: Database
    observable: Database

    def run(self, *statements: str) -> None:
        """What the application says."""
        self.live.run(self.base, *statements)


def opened(server: PostgresServer, base: str) -> Database:
    """A database as Upkeep opens it; it waits half a second for a lock."""
    return open_database("family", server.url(base), 0.5)


@pytest.fixture(params=["live", "replica"])
def observed(request: pytest.FixtureRequest, replicated: tuple[PostgresServer, PostgresServer]) -> Observed:
    """A small database on each server, looked at itself and by its replica."""
    live, replica = replicated
    base = live.make_database(*FAMILY)
    replica.wait_for(base)
    database = opened(live, base)
    return Observed(live, base, database, database if request.param == "live" else database.replica(replica.url(base)))


@pytest.fixture
def followed(replicated: tuple[PostgresServer, PostgresServer]) -> tuple[Observed, PostgresServer]:
    """The same by the replica alone, with the replica's server."""
    live, replica = replicated
    base = live.make_database(*FAMILY)
    replica.wait_for(base)
    database = opened(live, base)
    return Observed(live, base, database, database.replica(replica.url(base))), replica


def orphans(sight: Sight, *, by_suites: bool) -> int | None:
    """The orphans of the one foreign key, by the kernel or by Great Expectations."""
    (key,) = sight.reading.catalog().keys
    if not by_suites:
        return find(sight.reading, key, limit=0).orphans
    asked = Question("key-1", str(key), counting(key, sight.reading.dialect), "asked")
    (answer,) = run_suites(sight.url, [asked], (), at_begin=sight.at_begin).answers
    return answer.numbers[0] if answer.numbers else None


def asked(sight: Sight, query: str) -> Answer:
    """What a hand-written rule says that wants ``query`` to find no row."""
    rule = Rule("rule-1", NO_ROWS, {"query": query}, "a rule")
    (answer,) = run_suites(sight.url, (), (Suite("rules", (rule,)),), at_begin=sight.at_begin).answers
    return answer


def test_kernel_and_suites_see_the_state_in_which_the_look_began(observed: Observed, tmp_path: Path) -> None:
    with observed.observable.observed(tmp_path, PATIENT) as sight:
        observed.run(*ORPHAN)
        until = time.monotonic() + 20
        unbound = Sight(sight.reading, sight.url)  # the control: suites that are not told of the state
        while orphans(unbound, by_suites=True) != 1 and time.monotonic() < until:
            time.sleep(0.1)  # until it has come to the replica
        assert orphans(unbound, by_suites=True) == 1
        assert [orphans(sight, by_suites=way) for way in (False, True)] == [0, 0]
        assert asked(sight, "SELECT 1 FROM child WHERE id = 3").holds is True
    with observed.observable.observed(tmp_path, PATIENT) as sight:
        assert [orphans(sight, by_suites=way) for way in (False, True)] == [1, 1]


def test_suites_cannot_write_where_they_look(observed: Observed, tmp_path: Path) -> None:
    with observed.observable.observed(tmp_path, PATIENT) as sight:
        answer = asked(sight, "SELECT nextval('tickets')")
    assert answer.holds is None
    assert "ReadOnlySqlTransaction" in answer.seen


def test_no_question_may_take_longer_than_it_is_given(observed: Observed, tmp_path: Path) -> None:
    begun = time.monotonic()
    heard = []

    def look() -> None:
        with observed.observable.observed(tmp_path, 0.3) as sight:
            heard.append(asked(sight, "SELECT pg_sleep(60)"))
            sight.reading.numbers("SELECT 1 FROM pg_sleep(60)")

    with pytest.raises(Unreachable, match=r"a question to .* took longer than 0\.3 s") as said:
        look()
    (answer,) = heard
    assert answer.holds is None
    assert answer.seen == "could not be asked: QueryCanceled: canceling statement due to statement timeout"
    assert "UPKEEP_LOOK_SECONDS" in said.value.hint
    assert time.monotonic() - begun < 30


def test_a_table_cannot_go_while_it_is_looked_at(observed: Observed, tmp_path: Path) -> None:
    with observed.database.observed(tmp_path, PATIENT) as sight:
        with pytest.raises(psycopg.errors.LockNotAvailable):
            observed.run("SET lock_timeout = '200ms'", "DROP TABLE child")
        assert orphans(sight, by_suites=True) == 0
    observed.run("DROP TABLE child")


def test_a_writer_does_not_wait_for_a_look(observed: Observed, tmp_path: Path) -> None:
    with observed.observable.observed(tmp_path, PATIENT):
        observed.run("SET lock_timeout = '200ms'", "INSERT INTO parent VALUES (3)", "DELETE FROM child WHERE id = 2")


def test_a_replica_tells_that_nothing_is_missing(followed: tuple[Observed, PostgresServer], tmp_path: Path) -> None:
    observed, _ = followed
    observed.run(*ORPHAN)
    with observed.observable.observed(tmp_path, PATIENT) as sight:
        assert orphans(sight, by_suites=False) == 1, "what was committed before the look began is in it"
        assert sight.behind is not None
        assert (sight.behind.bytes, sight.behind.seconds) == (0, 0.0)
        assert sight.told.startswith("the replica 127.0.0.1:")


def test_a_replica_that_lags_says_by_how_much_also_when_it_has_replayed_all_that_it_has(
    followed: tuple[Observed, PostgresServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    observed, replica = followed
    monkeypatch.setattr(observing, "_CATCH_UP_SECONDS", 0.5)
    observed.observable.identity()  # it has to have come so far that the database is there
    with observed.observable.observed(tmp_path, PATIENT):
        pass
    with stopped(replica, observed), observed.observable.observed(tmp_path, PATIENT) as sight:
        assert orphans(sight, by_suites=False) == 0
        assert sight.behind is not None
        assert sight.behind.bytes > 0
        assert sight.behind.seconds is not None
        assert 0 < sight.behind.seconds < 600


@contextmanager
def stopped(replica: PostgresServer, observed: Observed) -> Iterator[None]:
    """While the replica does not receive anything any more; the application goes on."""
    ((conninfo,),) = replica.run("postgres", "SELECT current_setting('primary_conninfo')")
    try:
        replica.run("postgres", "ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()")
        until = time.monotonic() + 20
        while replica.run("postgres", "SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming'"):
            assert time.monotonic() < until
            time.sleep(0.1)
        observed.run(*ORPHAN)
        yield
    finally:
        replica.run("postgres", f"ALTER SYSTEM SET primary_conninfo = $c${conninfo}$c$", "SELECT pg_reload_conf()")


def test_a_replica_that_must_follow_ends_the_look_which_may_be_tried_again(
    followed: tuple[Observed, PostgresServer], tmp_path: Path
) -> None:
    observed, replica = followed
    replica.run("postgres", "ALTER SYSTEM SET max_standby_streaming_delay = '200ms'", "SELECT pg_reload_conf()")

    def look() -> None:
        with observed.observable.observed(tmp_path, PATIENT) as sight:
            assert orphans(sight, by_suites=True) == 0
            observed.run("SET synchronous_commit = on", "DELETE FROM child", "VACUUM child")
            until = time.monotonic() + 20
            while time.monotonic() < until:
                orphans(sight, by_suites=True)  # what the suites say of it is for nobody
                orphans(sight, by_suites=False)

    try:
        with pytest.raises(Unreachable, match="ended the look, for it had to follow the live database") as said:
            look()
    finally:
        replica.run("postgres", "ALTER SYSTEM RESET max_standby_streaming_delay", "SELECT pg_reload_conf()")
    assert said.value.hint.startswith("try again")


def test_only_a_replica_of_this_very_database_is_looked_at(
    system_postgresql: PostgresServer, wheel_postgresql: PostgresServer, system_replica: PostgresServer, tmp_path: Path
) -> None:
    base = system_postgresql.make_database(*FAMILY)
    other = system_postgresql.make_database(*FAMILY)
    namesake = wheel_postgresql
    namesake.run("postgres", f"CREATE DATABASE {base}")
    system_replica.wait_for(other)
    database = opened(system_postgresql, base)
    with database.replica(system_replica.url(base)).observed(tmp_path, PATIENT):
        pass
    strangers = {
        system_replica.url(other): "its server or database is another one",
        namesake.url(base): "its server or database is another one",
        system_postgresql.url(base): "follows nobody",
    }
    for url, why in strangers.items():
        replica = database.replica(url)
        with pytest.raises(Refused, match=why):
            replica.identity()
        with pytest.raises(Refused, match=why), replica.observed(tmp_path, PATIENT):
            pass
    with pytest.raises(Refused, match="is no PostgreSQL database"):
        database.replica("sqlite:////srv/clinic.db")


def test_a_replica_that_was_promoted_is_refused(postgresql: PostgresServer, tmp_path: Path) -> None:
    base = postgresql.make_database(*FAMILY)
    database = opened(postgresql, base)
    with replica_of(postgresql) as replica:
        with database.replica(replica.url(base)).observed(tmp_path, PATIENT):
            pass
        replica.run("postgres", "SELECT pg_promote()")
        with (
            pytest.raises(Refused, match="or a replica that was promoted"),
            database.replica(replica.url(base)).observed(tmp_path, PATIENT),
        ):
            pass


def test_a_server_that_is_not_there_may_be_tried_again(
    followed: tuple[Observed, PostgresServer], tmp_path: Path
) -> None:
    observed, replica = followed
    gone = replica.url(observed.base).replace(f":{replica.port}/", ":1/")
    with pytest.raises(Unreachable), observed.database.replica(gone).observed(tmp_path, PATIENT):
        pass


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_sqlite_file_is_looked_at_in_a_copy_while_its_writers_go_on(tmp_path: Path, mode: str) -> None:
    path, folder = tmp_path / "app.db", tmp_path / "work"
    folder.mkdir()
    with closing(sqlite3.connect(path, timeout=0.2, isolation_level=None)) as application:
        application.execute(f"PRAGMA journal_mode = {mode}")
        application.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        application.execute("CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parent)")
        with open_database("family", f"sqlite:///{path}").observed(folder, PATIENT) as sight:
            application.execute("INSERT INTO child VALUES (3, 99)")
            assert [orphans(sight, by_suites=way) for way in (False, True)] == [0, 0]
        with open_database("family", f"sqlite:///{path}").observed(folder, PATIENT) as sight:
            assert [orphans(sight, by_suites=way) for way in (False, True)] == [1, 1]
    assert list(folder.iterdir()) == []


def test_a_sqlite_file_has_no_replica(tmp_path: Path) -> None:
    database = open_database("family", f"sqlite:///{tmp_path}/app.db")
    with pytest.raises(Refused, match="is a SQLite file, which has no replica") as said:
        database.replica(f"sqlite:///{tmp_path}/other.db")
    assert said.value.hint.startswith("remove UPKEEP_REPLICA_URL")
