"""Looking at the replica of a MariaDB database: that it is one, what it sees, and how far it is behind."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.mariadb import MariadbServer, mariadb_replica, mariadb_server, replicating
from tests.test_mariadb_observing import FAMILY, ORPHAN, PATIENT, orphans
from upkeep.databases import Database, Sight
from upkeep.databases import mariadb_replica as following
from upkeep.databases.opening import open_database
from upkeep.errors import Refused, Unreachable

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("mariadb")]
"""Where there is no MariaDB these are left out, too; the two servers that they need take ten seconds to begin: slow."""
ALL_RIGHTS = ("SELECT, LOCK TABLES, TRIGGER, BINLOG MONITOR, REPLICATION MASTER ADMIN, REPLICA MONITOR ON *.*",)


@dataclass(frozen=True)
class Pair:
    """A server with a database, and its replica."""

    live: MariadbServer
    replica: MariadbServer
    base: str

    @property
    def database(self) -> Database:
        """The live one as Upkeep opens it."""
        return open_database("family", self.live.url(self.base), 1)

    @property
    def observable(self) -> Database:
        """The replica as Upkeep opens it."""
        return self.database.replica(self.replica.url(self.base))


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[MariadbServer, MariadbServer]]:
    """Two servers, the second of which follows the first."""
    with mariadb_server(*replicating(1)) as live, mariadb_replica(live, 2) as replica:
        yield live, replica


@pytest.fixture
def pair(servers: tuple[MariadbServer, MariadbServer]) -> Pair:
    """A small database that has come to the replica."""
    live, replica = servers
    pair = Pair(live, replica, live.make_database(*FAMILY))
    until = time.monotonic() + 20
    while pair.base not in replica.databases() or not replica.run(
        None, f"SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{pair.base}' AND TABLE_NAME = 'tickets'"
    ):
        assert time.monotonic() < until
        time.sleep(0.05)
    return pair


def test_what_was_written_before_the_look_is_in_it_and_what_comes_later_is_not(pair: Pair, tmp_path: Path) -> None:
    pair.live.run(pair.base, *ORPHAN)
    with pair.observable.observed(tmp_path, PATIENT) as sight:
        assert sight.behind is not None
        assert (sight.behind.bytes, sight.behind.seconds) == (0, 0.0)
        assert sight.told.startswith("the replica 127.0.0.1:")
        pair.live.run(pair.base, "DELETE FROM child WHERE id = 3")
        until = time.monotonic() + 20
        unbound = Sight(sight.reading, sight.url)  # the control: suites that are not in the state
        while orphans(unbound, by_suites=True) and time.monotonic() < until:
            time.sleep(0.05)
        assert orphans(unbound, by_suites=True) == 0
        assert [orphans(sight, by_suites=way) for way in (False, True)] == [1, 1]


@contextmanager
def delayed(pair: Pair) -> Iterator[None]:
    """While the replica carries nothing out of what it has been sent; the application goes on."""
    later = "CHANGE MASTER TO MASTER_DELAY = {}"
    try:
        pair.replica.run(None, "STOP REPLICA", later.format(3600), "START REPLICA")
        pair.live.run(pair.base, *ORPHAN)
        yield
    finally:
        pair.replica.run(None, "STOP REPLICA", later.format(0), "START REPLICA")


def test_a_replica_that_lags_says_by_how_much(pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_CATCH_UP_SECONDS", 1.0)
    with delayed(pair), following_again(pair), pair.observable.observed(tmp_path, PATIENT) as sight:
        assert orphans(sight, by_suites=False) == 0
        assert sight.behind is not None
        assert 0 < sight.behind.bytes < 10_000
        assert sight.behind.seconds is not None
        assert 0 <= sight.behind.seconds < 60


@contextmanager
def following_again(pair: Pair) -> Iterator[None]:
    """After the live server has noticed that the replica is back."""
    until = time.monotonic() + 20
    while not pair.live.run(None, "SHOW REPLICA HOSTS"):
        assert time.monotonic() < until
        time.sleep(0.05)
    yield


def test_a_replica_that_has_stopped_may_be_tried_again(pair: Pair, tmp_path: Path) -> None:
    for thread, what in (("SQL_THREAD", "Slave_SQL_Running"), ("IO_THREAD", "Slave_IO_Running")):
        pair.replica.run(None, f"STOP REPLICA {thread}")
        try:
            with pytest.raises(Unreachable, match=f"{what} is No") as said, pair.observable.observed(tmp_path, PATIENT):
                pass
            assert "START REPLICA" in said.value.hint
        finally:
            pair.replica.run(None, f"START REPLICA {thread}")


def test_only_a_replica_of_this_very_server_is_looked_at(pair: Pair, mariadb: MariadbServer, tmp_path: Path) -> None:
    """A stranger that follows nobody, the live one itself, another pair with the same numbers, another database."""
    other = pair.live.make_database(*FAMILY)
    with mariadb_server(*replicating(1)) as twin, mariadb_replica(twin, 3) as follower:
        twin.run(None, f"CREATE DATABASE {pair.base}")
        mariadb.run(None, f"CREATE DATABASE {pair.base}")
        until = time.monotonic() + 20
        while pair.base not in follower.databases() or other not in pair.replica.databases():
            assert time.monotonic() < until
            time.sleep(0.05)
        strangers = {
            mariadb.url(pair.base): "does not follow that server",
            pair.live.url(pair.base): "does not follow that server",
            follower.url(pair.base): "knows no replica 3",
            pair.replica.url(other): "its database is another one",
        }
        for url, why in strangers.items():
            replica = pair.database.replica(url)
            with pytest.raises(Refused, match=why):
                replica.identity()
            with pytest.raises(Refused, match=why), replica.observed(tmp_path, PATIENT):
                pass
    with pytest.raises(Refused, match="is no MariaDB database"):
        pair.database.replica("sqlite:////srv/clinic.db")


def test_a_replica_that_leaves_tables_out_is_refused(pair: Pair, tmp_path: Path) -> None:
    pair.replica.run(None, "STOP REPLICA", "SET GLOBAL replicate_ignore_table = 'a.b'", "START REPLICA")
    try:
        with (
            following_again(pair),
            pytest.raises(Refused, match="Replicate_Ignore_Table leaves tables out"),
            pair.observable.observed(tmp_path, PATIENT),
        ):
            pass
    finally:
        pair.replica.run(None, "STOP REPLICA", "SET GLOBAL replicate_ignore_table = ''", "START REPLICA")


def test_a_role_that_may_not_ask_is_told_what_it_lacks(pair: Pair, tmp_path: Path) -> None:
    """A role that is made on the live server comes to the replica by itself."""
    poor, rich = pair.live.make_role("SELECT, LOCK TABLES, TRIGGER ON *.*"), pair.live.make_role(*ALL_RIGHTS)
    until = time.monotonic() + 20
    while not pair.replica.run(None, f"SELECT 1 FROM mysql.user WHERE User = '{rich}'"):
        assert time.monotonic() < until
        time.sleep(0.05)
    with following_again(pair):
        for there, here, lacks in ((poor, rich, "BINLOG MONITOR, REPLICATION MASTER"), (rich, poor, "REPLICA MONITOR")):
            live = open_database("family", pair.live.url(pair.base, there), 1)
            replica = live.replica(pair.replica.url(pair.base, here, pair.live.password))
            with (
                pytest.raises(Refused, match=r"may not ask .* how replication stands") as said,
                replica.observed(tmp_path, PATIENT),
            ):
                pass
            assert said.value.hint.startswith(f"GRANT {lacks}")
        live = open_database("family", pair.live.url(pair.base, rich), 1)
        with live.replica(pair.replica.url(pair.base, rich, pair.live.password)).observed(tmp_path, PATIENT) as sight:
            assert orphans(sight, by_suites=True) == 0
