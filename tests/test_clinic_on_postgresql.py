"""The example clinic on PostgreSQL, through the command line: backup, proof, detection, restore, repair."""

import os
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from examples.clinic import DEMO_KINDS, Truth, build
from tests.engines.postgresql import PostgresqlBase
from tests.servers.postgresql import PostgresServer
from tests.shell import Said, upkeep

HOUSE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Clinic:
    """The damaged clinic in a database of a server, and what its generator knows of it."""

    server: PostgresServer
    base: str
    truth: Truth

    def rows(self, base: str = "") -> dict[str, list[Any]]:
        """Every row of every table, as text."""
        named = base or self.base
        tables = self.server.run(named, "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 2200")
        return {
            table: sorted(self.server.run(named, f'SELECT t::text FROM "{table}" t')) for (table,) in sorted(tables)
        }


@pytest.fixture
def clinic(postgresql: PostgresServer, tmp_path: Path) -> Clinic:
    """The clinic on each server, with the settings in the environment."""
    base = postgresql.make_database()
    truth = build(tmp_path / "clinic", url=postgresql.url(base), kinds=DEMO_KINDS)
    shutil.copy(HOUSE / "examples/clinic/policy.toml", tmp_path)
    (tmp_path / "store").mkdir()
    os.environ.update(
        DATABASE_URL=postgresql.url(base),
        UPKEEP_DATABASE="clinic",
        UPKEEP_STORE=(tmp_path / "store").as_uri(),
        UPKEEP_SCRATCH=str(tmp_path / "scratch"),
        UPKEEP_POLICY=str(tmp_path / "policy.toml"),
        UPKEEP_ALEMBIC_INI=str(HOUSE / "examples/clinic/alembic.ini"),
        UPKEEP_SUITES=str(HOUSE / "expectations/suites/clinic"),
    )
    return Clinic(postgresql, base, truth)


def done(said: Said) -> Any:
    """The document of a call that ended well."""
    checks = (said.document.get("verdict") or {}).get("checks", [])
    assert said.code == 0, said.err or [check for check in checks if not check["holds"]]
    return said.document


def known(truth: Truth) -> Counter[tuple[str, tuple[str, ...], str]]:
    """The orphans that the clinic's generator wrote down, by foreign key."""
    return Counter((orphan.table, orphan.columns, orphan.parent) for orphan in truth.orphans)


def found(document: Any) -> Counter[tuple[str, tuple[str, ...], str]]:
    """The orphans that a document counts, by foreign key."""
    return Counter(
        {(f["child"], tuple(f["columns"]), f["parent"]): f["orphans"] for f in document["findings"] if f["orphans"]}
    )


def test_check_backup_verify_and_restore_from_a_shell(clinic: Clinic) -> None:
    before = clinic.rows()
    checked = upkeep("check", "--json")
    assert checked.code == 1
    assert checked.document["engine"] == "postgresql"
    assert found(checked.document) == known(clinic.truth)
    backup = done(upkeep("backup", "--json"))["id"]
    verified = done(upkeep("verify", "latest", "--json"))
    assert (verified["id"], verified["verified"]) == (backup, True)
    assert "NOT VALID" in " ".join(verified["remarks"])
    assert found(upkeep("check", "--backup", backup, "--json").document) == known(clinic.truth)
    fresh = f"{clinic.base}_again"
    restored = done(upkeep("restore", "latest", "--to", clinic.server.url(fresh), "--json"))
    assert all(check["holds"] for check in restored["checks"])
    assert clinic.rows(fresh) == before
    assert clinic.rows() == before, "promise 1"
    assert PostgresqlBase(clinic.server, clinic.base).scratches(HOUSE) == set()


@pytest.mark.exhaustive
@pytest.mark.usefixtures("prefect_here")
def test_maintain_from_rehearsal_to_a_second_run_that_finds_nothing_promise_2(clinic: Clinic) -> None:
    before = clinic.rows()
    first = done(upkeep("maintain", "--no-migrate", "--json"))
    assert first["verdict"]["passed"] is True
    assert clinic.rows() == before, "promise 1"
    approved = ("--perform", "ask", "--approve", first["plan"]["digest"], "--by", "Tester", "--reason", "to see")
    second = done(upkeep("maintain", "--no-migrate", *approved, "--json"))
    assert second["performed"] is True
    assert second["verdict"]["passed"] is True
    assert clinic.rows() != before
    after = clinic.rows()
    third = done(upkeep("maintain", "--no-migrate", "--perform", "within_limits", "--json"))
    assert third["plan"]["rows"] == 0
    assert clinic.rows() == after
    assert PostgresqlBase(clinic.server, clinic.base).scratches(HOUSE) == set()


@pytest.mark.exhaustive
@pytest.mark.usefixtures("prefect_here")
def test_repaired_and_migrated_to_the_head_in_one_transaction(clinic: Clinic) -> None:
    """By `migrate` alone it is refused, for its orphans would make the migration dangerous (P-91)."""
    before = clinic.rows()
    code, sentence, hint = upkeep("migrate", "--perform", "within_limits").complaint
    assert code == 2
    assert sentence.startswith("nothing is migrated while there are orphans: ")
    assert hint.startswith("`upkeep maintain` cleans up and migrates in one run")
    assert clinic.rows() == before
    said = done(upkeep("maintain", "--perform", "within_limits", "--json"))
    assert said["performed"] is True
    assert said["verdict"]["passed"] is True, said["verdict"]
    assert clinic.server.run(clinic.base, "SELECT version_num FROM alembic_version") == [("0e315951c2f5",)]
    again = done(upkeep("maintain", "--perform", "within_limits", "--json"))
    assert (again["plan"]["rows"], again["plan"]["migration"]) == (0, None)
    assert "nothing to migrate: the database is at 0e315951c2f5, the head" in upkeep("migrate", "--explain").out
    assert PostgresqlBase(clinic.server, clinic.base).scratches(HOUSE) == set()
