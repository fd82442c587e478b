"""Servers that end quiet connections: a lock outlives them, a lost one is noticed, who waits has none to lose."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.prefect_server import Served
from tests.servers.mariadb import MariadbServer, mariadb_server
from tests.servers.postgresql import PostgresServer, postgresql_server
from tests.shell import DELETES
from tests.test_approval import digest_in
from upkeep.databases.opening import open_database
from upkeep.errors import Refused, Unreachable

TABLES = (
    "CREATE TABLE parent (id int PRIMARY KEY)",
    "CREATE TABLE child (id int PRIMARY KEY, parent_id int, FOREIGN KEY (parent_id) REFERENCES parent (id))",
    "INSERT INTO parent VALUES (1), (2)",
    "INSERT INTO child VALUES (1, 1), (2, 2)",
)
POSTGRESQL = (
    "SET session_replication_role = replica",
    "SELECT pid FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid()",
    "SELECT pg_terminate_backend({})",
)
MARIADB = (
    "SET foreign_key_checks = 0",
    "SELECT id FROM information_schema.processlist WHERE db = '{}' AND id <> CONNECTION_ID()",
    "KILL {}",
)


@dataclass(frozen=True)
class Impatient:
    """A database of a server that ends what is quiet for two seconds, and what its administrator may say."""

    server: PostgresServer | MariadbServer
    unenforced: str
    others: str
    end: str
    base: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "base", self.server.make_database(*TABLES))
        self.server.run(self.base, self.unenforced, "INSERT INTO child VALUES (3, 99)")

    @property
    def connections(self) -> list[Any]:
        """Those that others have to it."""
        return [number for (number,) in self.server.run(self.base, self.others.format(self.base))]

    def children(self) -> list[Any]:
        """The rows of the child."""
        return [number for (number,) in self.server.run(self.base, "SELECT id FROM child ORDER BY id")]


@pytest.fixture(params=["postgresql", "mariadb"])
def impatient(request: pytest.FixtureRequest) -> Iterator[Impatient]:
    """One on each engine, its server with no patience."""
    if request.param == "mariadb":
        request.getfixturevalue("mariadb")  # skipped where there is none
        with mariadb_server("--wait-timeout=2", "--idle-transaction-timeout=2") as server:
            yield Impatient(server, *MARIADB)
    else:
        programs = request.getfixturevalue("system_postgresql").programs
        with postgresql_server(
            programs, "idle_session_timeout=2s", "idle_in_transaction_session_timeout=2s"
        ) as quiet_server:
            yield Impatient(quiet_server, *POSTGRESQL)


def test_a_lock_outlives_the_patience_of_a_server_with_quiet_connections_p83(impatient: Impatient) -> None:
    database, again = (open_database("main", impatient.server.url(impatient.base)) for _ in range(2))
    with database.held("run 7") as is_alone:
        time.sleep(4)
        is_alone()
        with pytest.raises(Refused, match="another Upkeep is at work on main"), again.held("run 8"):
            pass


def test_a_lock_that_is_lost_with_its_connection_is_noticed_p83(impatient: Impatient) -> None:
    database = open_database("main", impatient.server.url(impatient.base))
    with database.held("run 7") as is_alone:
        (connection,) = impatient.connections
        impatient.server.run(impatient.base, impatient.end.format(connection))
        with pytest.raises(Unreachable, match="the lock against a second Upkeep on "):
            is_alone()


@pytest.mark.slow
def test_a_run_that_waits_holds_no_connection_that_a_server_could_end(
    served: Served, impatient: Impatient, tmp_path: Path
) -> None:
    (tmp_path / "policy.toml").write_text(DELETES)
    (tmp_path / "store").mkdir()
    settings = {
        "DATABASE_URL": impatient.server.url(impatient.base),
        "UPKEEP_DATABASE": "main",
        "UPKEEP_STORE": (tmp_path / "store").as_uri(),
        "UPKEEP_SCRATCH": str(tmp_path / "scratch"),
        "UPKEEP_POLICY": str(tmp_path / "policy.toml"),
        "UPKEEP_SUITES": "",  # the worker has those of a clinic
        "UPKEEP_ALEMBIC_INI": "",
    }
    run = served.run("remediate", None, None, **settings)
    _, form = served.form(run)
    assert impatient.connections == []
    time.sleep(4)
    served.answer(run, answer="approve", digest=digest_in(form), name="Ada", reason="slept over it")
    assert served.wait(run)["message"] == "performed and verified"
    assert impatient.children() == [1, 2]
