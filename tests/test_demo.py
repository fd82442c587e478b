"""The demo where DATABASE_URL names a database: it builds in an empty one, and over nothing."""

import os
from pathlib import Path

import pytest

from examples.clinic.schema import MERGEPOINT
from tests.servers.mariadb import MariadbServer
from tests.servers.postgresql import PostgresServer
from tests.shell import upkeep, upkeep_in_a_process
from upkeep.cli.demonstration import prepare
from upkeep.databases.opening import open_database
from upkeep.equipment import equip

HINT = "name an empty one, or remove DATABASE_URL from the environment and .env to try it on a file"
NOT_EMPTY = "the database that DATABASE_URL names is not empty, and the demo builds over nothing"


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_here")
def test_the_demo_on_postgresql_from_an_env_file(
    postgresql: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    base = postgresql.make_database()
    (tmp_path / ".env").write_text(f"DATABASE_URL={postgresql.url(base)}\nUPKEEP_APP_PYTHON=/bin/true\n")
    said = upkeep("demo", "--folder", "demo", "--json")
    assert said.code == 0, said
    assert said.document["performed"] is True
    assert said.document["again"]["ended"] == "nothing to do"
    assert postgresql.run(base, "SELECT version_num FROM alembic_version") == [("0e315951c2f5",)]
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == [
        "made-by-upkeep-demo",
        "scratch",
        "store",
        "truth.json",
    ]
    assert postgresql.password not in said.out + said.err
    again = upkeep_in_a_process("demo", "--folder", "demo", folder=tmp_path)
    assert again.complaint == (2, NOT_EMPTY, HINT)


@pytest.mark.exhaustive
def test_the_demo_on_mariadb_performs_the_rows_and_says_why_the_migration_was_only_rehearsed(
    mariadb: MariadbServer, tmp_path: Path
) -> None:
    base = mariadb.make_database()
    (tmp_path / ".env").write_text(f"DATABASE_URL={mariadb.url(base)}\nUPKEEP_APP_PYTHON=/bin/true\n")
    said = upkeep_in_a_process("demo", "--folder", "demo", folder=tmp_path, seconds=300)
    assert said.code == 0, said
    looked, second, third = said.out.split("\n=== ")[1], *said.out.split("\n=== ")[3:]
    assert "next: MariaDB cannot undo a migration" in " ".join(looked.split())
    assert "performed and verified" in second
    assert "nothing to do" in third
    assert "upkeep maintain --no-migrate --perform ask --approve" in said.out
    assert "\nnot performed: " in third
    assert "Run `upkeep backup`, and Alembic in a maintenance window." in third
    assert mariadb.run(base, "SELECT version_num FROM alembic_version") == [(MERGEPOINT,)]
    assert mariadb.password not in said.out + said.err


def test_it_builds_in_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Its folder may be full of an earlier demo; the file is somewhere else."""
    os.environ["DATABASE_URL"] = f"sqlite:///{tmp_path / 'mine.db'}"
    prepare(tmp_path / "demo", seed=7)
    assert not (tmp_path / "demo" / "clinic.db").exists()
    with equip().database.reading() as reading:
        assert len(reading.catalog().tables) == 33
    assert len([*(tmp_path / "demo" / "store").glob("clinic/backups/*/manifest.json")]) == 5
    mine = (tmp_path / "mine.db").read_bytes()
    assert upkeep("demo", "--folder", str(tmp_path / "demo")).complaint == (2, NOT_EMPTY, HINT)
    assert (tmp_path / "mine.db").read_bytes() == mine
    assert (tmp_path / "demo" / "truth.json").exists(), "an earlier demo is not removed for one that is refused"


def test_a_database_that_holds_anything_is_left_as_it_is(postgresql: PostgresServer, tmp_path: Path) -> None:
    base = postgresql.make_database("CREATE SCHEMA post", "CREATE TABLE post.letters AS SELECT 'dear' AS said")
    os.environ["DATABASE_URL"] = postgresql.url(base)
    assert upkeep("demo", "--folder", str(tmp_path / "demo")).complaint == (2, NOT_EMPTY, HINT)
    assert postgresql.run(base, "SELECT said FROM post.letters") == [("dear",)]
    assert [*tmp_path.iterdir()] == []


def test_a_role_that_may_make_no_tables_is_refused_in_one_line(postgresql: PostgresServer, tmp_path: Path) -> None:
    role, base = postgresql.make_role(), postgresql.make_database("REVOKE CREATE ON SCHEMA public FROM public")
    os.environ["DATABASE_URL"] = postgresql.url(base, role)
    code, sentence, hint = upkeep("demo", "--folder", str(tmp_path / "demo")).complaint
    assert code == 2
    assert "permission denied for schema public" in sentence
    assert hint == "let the role of DATABASE_URL make tables there"


@pytest.mark.parametrize(
    ("statement", "is_empty"),
    [
        ("SELECT 1", True),
        ("CREATE EXTENSION pgcrypto", True),
        ("CREATE TABLE letters ()", False),
        ("CREATE VIEW letters AS SELECT 1 AS one", False),
        ("CREATE FUNCTION letters() RETURNS int LANGUAGE sql AS 'SELECT 1'", False),
        ("CREATE TYPE letters AS ENUM ('a')", False),
        ("CREATE SCHEMA post", False),
    ],
)
def test_what_an_empty_database_of_postgresql_is(
    statement: str, is_empty: bool, system_postgresql: PostgresServer
) -> None:
    base = system_postgresql.make_database(statement)
    assert open_database("main", system_postgresql.url(base)).is_empty() is is_empty


@pytest.mark.parametrize(
    ("name", "content", "is_empty"),
    [
        ("app.db", b"", True),
        ("app.db", b"anything", False),
        ("app.db-wal", b"anything", False),
        ("app.db-journal", b"anything", False),
        ("other.db", b"anything", True),
    ],
)
def test_what_an_empty_database_of_sqlite_is(name: str, content: bytes, is_empty: bool, tmp_path: Path) -> None:
    database = open_database("main", f"sqlite:///{tmp_path / 'app.db'}")
    assert database.is_empty()
    (tmp_path / name).write_bytes(content)
    assert database.is_empty() is is_empty
