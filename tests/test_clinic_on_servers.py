"""The example clinic on a server is the one that stands in a file: rows, truth, history, and what differs and why."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, MetaData, Table, create_engine, inspect, select, text
from sqlalchemy.pool import NullPool

from examples.clinic import ALL_KINDS, DEMO_KINDS, HistoryFailed, Truth, build, impossible
from examples.clinic.models import Base
from examples.clinic.references import Reference, in_database, modelled
from examples.clinic.schema import HEAD, INI, MERGEPOINT, upgrade
from tests.servers.mariadb import MariadbServer
from tests.servers.postgresql import PostgresServer

TOKENS = "SELECT COUNT(*) FROM refresh_tokens"
Fresh = Callable[[], str]
Pair = tuple[str, tuple[Any, ...], str, str]


@dataclass(frozen=True)
class Clinic:
    """One build on a server, and what it said of itself."""

    url: str
    truth: Truth

    @property
    def engine(self) -> Engine:
        """A door to the database that keeps no connection open."""
        return create_engine(self.url, poolclass=NullPool)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def run(self, *statements: str) -> None:
        """Change something, in one transaction."""
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))


AGAIN = pytest.param("wheel_postgresql", marks=pytest.mark.exhaustive)
"""The second PostgreSQL says once more what the first one said."""


@pytest.fixture(scope="session", params=["system_postgresql", AGAIN, "mariadb"])
def fresh(request: pytest.FixtureRequest) -> Fresh:
    """The URL of a new, empty database, on one server after the other."""
    server: PostgresServer | MariadbServer = request.getfixturevalue(request.param)
    return lambda: server.url(server.make_database())


@pytest.fixture(scope="session")
def clinic(fresh: Fresh, tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    """All the damage that the engine can hold; nobody writes to it."""
    return built(fresh(), tmp_path_factory.mktemp("on-a-server"), ALL_KINDS)


def built(url: str, folder: Path, kinds: frozenset[str], **options: Any) -> Clinic:
    return Clinic(url, build(folder, url=url, kinds=kinds, **options))


def rows(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table by the types of its columns, but for what engines keep differently.

    MariaDB's DATETIME has no fractions of a second and its BOOLEAN is a number, and where SQLite has an empty text for
    none the others have 0.
    """
    metadata, engine = MetaData(), create_engine(url, poolclass=NullPool)
    metadata.reflect(engine, resolve_fks=False)  # a table that others point at may be gone
    with engine.connect() as connection:
        return {name: sorted(map(alike, connection.execute(asked(table)))) for name, table in metadata.tables.items()}


def asked(table: Table) -> Any:
    return select(*(table.columns[name] for name in sorted(table.columns.keys())))


def alike(row: Any) -> tuple[Any, ...]:
    return tuple(repr(_plain(value)) for value in row)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(microsecond=0)
    return int(value or 0) if isinstance(value, bool) or value == "" else value


def orphans(clinic: Clinic) -> set[Pair]:
    """What plain SQL finds: rows that a LEFT JOIN leaves alone."""
    misdeclared, standing = "misdeclared" in clinic.truth.kinds, set(inspect(clinic.engine).get_table_names())
    found: set[Pair] = set()
    for meant in modelled():
        said = in_database(meant, misdeclared=misdeclared)
        if said.child in standing:
            found |= {(said.child, key, said.column, said.parent) for key in clinic.ask(left_alone(said, standing))}
    return found


def left_alone(said: Reference, standing: set[str]) -> str:
    names = ", ".join(f"c.{column.name}" for column in Base.metadata.tables[said.child].primary_key)
    joined, alone = (f" LEFT JOIN {said.parent} p ON p.id = c.{said.column}", " AND p.id IS NULL")
    if said.parent not in standing:
        joined, alone = "", ""
    return f"SELECT {names} FROM {said.child} c{joined} WHERE c.{said.column} IS NOT NULL{alone}"


def told(truth: Truth) -> set[Pair]:
    return {(orphan.table, orphan.key, orphan.columns[0], orphan.parent) for orphan in truth.orphans}


def alembic(url: str, *words: str) -> str:
    command = [sys.executable, "-m", "alembic", "-c", str(INI), *words]
    ran = subprocess.run(
        command, env=os.environ | {"DATABASE_URL": url}, capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_truth_is_what_plain_sql_finds(clinic: Clinic) -> None:
    assert told(clinic.truth) == orphans(clinic)
    assert len(told(clinic.truth)) == len(clinic.truth.orphans) > 500


def test_rows_and_truth_are_those_of_a_file_with_the_same_damage(clinic: Clinic, tmp_path: Path) -> None:
    truth = build(tmp_path, kinds=clinic.truth.kinds)
    assert rows(clinic.url) == rows(f"sqlite:///{tmp_path / 'clinic.db'}")
    empties = {orphan.missing for orphan in truth.orphans} & {"", 0}
    assert empties == {"", 0}
    assert [replace(orphan, missing=orphan.missing or 0) for orphan in truth.orphans] == list(clinic.truth.orphans)
    assert truth.hidden == clinic.truth.hidden
    assert truth.planted == clinic.truth.planted


@pytest.mark.slow
def test_the_same_seed_makes_the_same_rows_and_another_seed_others(
    clinic: Clinic, fresh: Fresh, tmp_path: Path
) -> None:
    again = built(fresh(), tmp_path / "again", ALL_KINDS)
    other = built(fresh(), tmp_path / "other", ALL_KINDS, seed=8)
    assert again.truth == clinic.truth
    assert rows(again.url) == rows(clinic.url) != rows(other.url)
    assert told(other.truth) == orphans(other)


def test_what_the_engine_cannot_hold_is_left_out_and_the_rest_is_there(clinic: Clinic) -> None:
    cannot = impossible(clinic.engine.dialect.name)
    assert "text_in_integer" in cannot
    assert all(cannot.values())
    kinds = {orphan.kind for orphan in clinic.truth.orphans} | {hidden.kind for hidden in clinic.truth.hidden}
    assert kinds == clinic.truth.kinds == ALL_KINDS - cannot.keys()


def test_the_application_can_go_on_where_the_numbers_end(fresh: Fresh, tmp_path: Path) -> None:
    clinic = built(fresh(), tmp_path, DEMO_KINDS, nights=1)
    ((last,),) = clinic.ask("SELECT MAX(id) FROM patients")
    clinic.run(
        "INSERT INTO patients (full_name, birth_date, phone, created_at)"
        " VALUES ('One more', '2001-02-03', '+00 555', '2026-04-01 08:00:00')"
    )
    assert clinic.ask("SELECT id FROM patients WHERE full_name = 'One more'") == [(last + 1,)]


def test_nothing_is_built_where_anything_stands(fresh: Fresh, tmp_path: Path) -> None:
    clinic = Clinic(fresh(), Truth(0, 0, frozenset(), (), (), (), (), ()))
    clinic.run("CREATE TABLE letters (id INTEGER PRIMARY KEY)")
    with pytest.raises(FileExistsError, match="is there already: name an empty folder or an empty database"):
        build(tmp_path, url=clinic.url)
    assert inspect(clinic.engine).get_table_names() == ["letters"]


@pytest.mark.slow
def test_models_and_history_agree_at_the_one_head_there_and_back_and_there_again(fresh: Fresh) -> None:
    url = fresh()
    for _ in range(2):
        alembic(url, "upgrade", "head")
        assert alembic(url, "check") == "No new upgrade operations detected.\n"
        alembic(url, "downgrade", MERGEPOINT)
    alembic(url, "downgrade", "base")
    assert inspect(create_engine(url, poolclass=NullPool)).get_table_names() == ["alembic_version"]


def test_the_pending_revision_is_half_applied_on_the_damaged_database(fresh: Fresh, tmp_path: Path) -> None:
    """P-115: tokens are lost without a word, then it fails, and the version says that nothing has happened."""
    clinic = built(fresh(), tmp_path, DEMO_KINDS, nights=1)
    ((before,),) = clinic.ask(TOKENS)
    ran = upgrade(clinic.url, HEAD)
    assert "IntegrityError" in ran.stderr
    assert clinic.ask("SELECT version_num FROM alembic_version") == [(MERGEPOINT,)]
    astray = sum(orphan.table == "refresh_tokens" for orphan in clinic.truth.orphans)
    assert clinic.ask(TOKENS) == [(before - astray,)]
    assert astray > 0


def test_the_command_line_says_where_and_what_it_left_out(fresh: Fresh, tmp_path: Path) -> None:
    url = fresh()
    words = [sys.executable, "-m", "examples.clinic", str(tmp_path), "--kinds", "text_in_integer,sentinels"]
    said = subprocess.run(
        words, cwd=INI.parents[2], env=os.environ | {"DATABASE_URL": url}, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    secret = create_engine(url).url.password
    assert secret
    assert secret not in "".join(said)
    assert said[0].endswith(": 21 orphans, 0 hidden")
    assert said[1] == "  sentinels: 21"
    assert said[2].startswith("  text_in_integer: not on ")
    assert not (tmp_path / "clinic.db").exists()


@pytest.mark.slow
def test_who_is_no_superuser_leaves_keys_that_are_not_valid_and_the_same_rows(
    postgresql: PostgresServer, tmp_path: Path
) -> None:
    """P-14: an owner cannot pass over keys, so they are added after the rows; a superuser leaves them valid (P-46)."""
    role, base, other = postgresql.make_role(), postgresql.make_database(), postgresql.make_database()
    postgresql.run("postgres", f"ALTER DATABASE {base} OWNER TO {role}")
    mine, theirs = (
        built(postgresql.url(name, user), tmp_path / name, DEMO_KINDS) for name, user in ((base, role), (other, ""))
    )
    valid = "SELECT conrelid::regclass::text || conname, convalidated FROM pg_constraint WHERE contype = 'f'"
    assert mine.truth == theirs.truth
    assert rows(mine.url) == rows(theirs.url)
    assert {name for name, _ in mine.ask(valid)} == {name for name, _ in theirs.ask(valid)}
    assert {is_valid for _, is_valid in mine.ask(valid)} == {False}
    assert {is_valid for _, is_valid in theirs.ask(valid)} == {True}


def test_a_role_that_may_make_no_tables_is_told_so(postgresql: PostgresServer, tmp_path: Path) -> None:
    role, base = postgresql.make_role(), postgresql.make_database("REVOKE CREATE ON SCHEMA public FROM public")
    with pytest.raises(HistoryFailed, match="permission denied for schema public"):
        build(tmp_path, url=postgresql.url(base, role))
