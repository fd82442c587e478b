"""Scratches of PostgreSQL on another server: filled and proven there, never the live database, swept after a kill."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from tests.servers.postgresql import PostgresServer, postgresql_server
from tests.test_postgresql import ORPHAN, SHAPES, TABLES, House, one_house
from upkeep.backups import bring_back
from upkeep.databases import Database
from upkeep.databases.opening import open_database
from upkeep.databases.postgresql_place import Place
from upkeep.databases.postgresql_scratch_probe import Server, judge_server
from upkeep.errors import Refused, Unreachable
from upkeep.manifests import list_backups
from upkeep.stores import open_store

__all__ = ["one_house"]


def scratches_of(server: PostgresServer) -> set[str]:
    """The scratch databases of a server, whosesoever."""
    return {name for name in server.databases() if name.startswith("upkeep_scratch_")}


def looking_elsewhere(house: House, url: str) -> Database:
    """The database of the house with its scratches by this URL."""
    return open_database("clinic", house.server.url(house.base), 0.5, scratch=url)


@pytest.fixture(scope="module")
def second_postgresql(system_postgresql: PostgresServer) -> Iterator[PostgresServer]:
    """Another server of the same version."""
    with postgresql_server(system_postgresql.programs) as server:
        yield server


@pytest.fixture
def emptied(second_postgresql: PostgresServer) -> Iterator[PostgresServer]:
    """Another server, on which no scratch is left at the end."""
    yield second_postgresql
    assert scratches_of(second_postgresql) == set()


def test_a_backup_is_proven_on_another_server(one_house: House, emptied: PostgresServer) -> None:
    one_house.run(*SHAPES, *ORPHAN, f"ALTER DATABASE {one_house.base} SET search_path = own, public")
    one_house.run("CREATE SCHEMA own", "CREATE TABLE own.beds (i int)")
    database = looking_elsewhere(one_house, emptied.url("postgres"))
    database.probe_scratch()
    before = scratches_of(one_house.server)
    manifest = one_house.backed_up(database)
    assert "beds" in manifest.census.tables
    scratch = database.scratch(one_house.workplace)
    assert bring_back(one_house.store, manifest, scratch) == (
        "put back NOT VALID, for rows violate them: children_parent_fkey of children",
    )
    assert one_house.proven(manifest, scratch) == ()
    assert [backup.verified for backup in list_backups(one_house.store, "clinic")] == [True]
    assert f":{emptied.port}/" in scratch.identity().place
    assert scratch.refuses_orphans()[0]
    assert (scratches_of(one_house.server), len(scratches_of(emptied))) == (before, 1)
    scratch.discard()


def test_a_scratch_url_of_the_live_server_is_fine_and_of_the_live_database_is_refused_p22(one_house: House) -> None:
    server = one_house.server
    beside = looking_elsewhere(one_house, server.url("postgres"))
    beside.probe_scratch()
    manifest = one_house.backed_up()
    scratch = beside.scratch(one_house.workplace)
    bring_back(one_house.store, manifest, scratch)
    assert one_house.proven(manifest, scratch) == ()
    scratch.discard()
    by_socket = f"postgresql:///{one_house.base}?host={server.sockets}&port={server.port}&user=postgres"
    for url in (server.url(one_house.base), by_socket):
        with pytest.raises(Refused, match=r"UPKEEP_SCRATCH_URL is the live database itself.*such as postgres"):
            looking_elsewhere(one_house, url).probe_scratch()


def test_a_scratch_of_a_killed_run_is_swept_there_and_one_that_lives_is_not_p95(
    one_house: House, emptied: PostgresServer
) -> None:
    url = emptied.url("postgres")
    manifest = one_house.backed_up()
    living = looking_elsewhere(one_house, url)
    scratch = living.scratch(one_house.workplace)
    bring_back(one_house.store, manifest, scratch)
    program = (
        "import os, sys\nfrom io import BytesIO\nfrom pathlib import Path\n"
        "from upkeep.databases.opening import open_database\n"
        "database = open_database('clinic', os.environ['URL'], scratch=os.environ['ELSEWHERE'] or None)\n"
        "place = Path(sys.argv[1])\n"
        "with database.snapshot(place) as snapshot, snapshot.dump() as dump:\n"
        "    content = dump.read()\n"
        "database.scratch(place).restore(BytesIO(content))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    for elsewhere in (url, ""):
        killed = subprocess.run(
            [sys.executable, "-c", program, str(one_house.workplace)],
            env=os.environ | {"URL": one_house.server.url(one_house.base), "ELSEWHERE": elsewhere},
        )
        assert killed.returncode == -signal.SIGKILL
    # A live database of the same short name and oid on another server is another one: its scratches stay.
    stranger = "upkeep_scratch_clinic_5_0123456789ab"
    emptied.run("postgres", f"CREATE DATABASE {stranger} ALLOW_CONNECTIONS false")
    assert (len(scratches_of(emptied)), len(one_house.scratches)) == (3, 1)
    assert len(looking_elsewhere(one_house, url).sweep()) == 2
    assert (len(scratches_of(emptied)), one_house.scratches) == (2, set())
    assert scratch.identity().engine == "postgresql"
    scratch.discard()
    emptied.run("postgres", f"DROP DATABASE {stranger}")


def test_a_server_of_another_version_is_refused_p12(
    wheel_postgresql: PostgresServer, system_postgresql: PostgresServer, tmp_path: Path
) -> None:
    for live, other in ((wheel_postgresql, system_postgresql), (system_postgresql, wheel_postgresql)):
        house = House(live, live.make_database(*TABLES), open_store((tmp_path / "s").as_uri()), tmp_path)
        with pytest.raises(
            Refused, match=r"is PostgreSQL 1\d, the live one 1\d.*a backup is proven on its own version"
        ):
            looking_elsewhere(house, other.url("postgres")).probe_scratch()


def test_a_server_that_is_not_there_or_lets_nobody_in_is_told_by_the_settings_name(
    one_house: House, emptied: PostgresServer
) -> None:
    def refusal(url: str, kind: type[Exception]) -> str:
        with pytest.raises(kind) as refused:
            looking_elsewhere(one_house, url).probe_scratch()
        assert emptied.password not in str(refused.value)
        return str(refused.value)

    assert "no PostgreSQL server answers at" in refusal("postgresql://u:p@127.0.0.1:1/postgres", Unreachable)
    assert "correct user and password in UPKEEP_SCRATCH_URL" in refusal(
        emptied.url("postgres", password="n0t-it"), Refused
    )
    assert "correct UPKEEP_SCRATCH_URL" in refusal(emptied.url("nowhere"), Refused)
    role = emptied.make_role()
    assert f"ALTER ROLE {role} CREATEDB, or let UPKEEP_SCRATCH_URL" in refusal(emptied.url("postgres", role), Refused)


def test_the_right_to_make_a_database_is_asked_for_before_anything_is_done(one_house: House) -> None:
    role = one_house.server.make_role("IN ROLE pg_read_all_data")
    with pytest.raises(Refused, match=f"may not make a scratch database.*ALTER ROLE {role} CREATEDB"):
        one_house.opened(role).probe_scratch()
    one_house.database.probe_scratch()


def test_an_extension_that_the_other_server_lacks_is_told_beforehand() -> None:
    # Two servers of one version have the same files here, so what they say is written by hand.
    live = Server("1", 5, 15, False, True, frozenset({"plpgsql", "postgis"}), frozenset({"plpgsql", "postgis"}), "u")
    there = replace(live, system="2", available=frozenset({"plpgsql"}), extensions=frozenset({"plpgsql"}))
    place = Place.of(make_url("postgresql://u@h/postgres"), 1, "UPKEEP_SCRATCH_URL")
    with pytest.raises(Refused, match="lacks extensions of the live database: postgis"):
        judge_server(place, there, live, is_elsewhere=True)
    with pytest.raises(Refused, match="is a standby"):
        judge_server(place, replace(live, system="2", is_standby=True), live, is_elsewhere=True)
    judge_server(place, replace(live, system="2"), live, is_elsewhere=True)


@pytest.mark.parametrize(
    ("url", "scratch", "said"),
    [
        ("sqlite:////srv/a.db", "sqlite:////srv/b.db", "the scratches of clinic are files"),
        ("sqlite:////srv/a.db", "postgresql://h/b", "UPKEEP_SCRATCH_URL is of postgresql"),
        ("postgresql://h/a", "sqlite:////srv/b.db", "UPKEEP_SCRATCH_URL is of sqlite, the database clinic of postgres"),
        ("postgresql://h/a", "postgresql://h", "UPKEEP_SCRATCH_URL names no database"),
    ],
)
def test_a_scratch_url_that_does_not_fit_is_refused(url: str, scratch: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        open_database("clinic", url, scratch=scratch)
