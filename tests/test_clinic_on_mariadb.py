"""The example clinic on MariaDB, through the command line: backup, proof, detection, restore, repair."""

import os
import shutil
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from examples.clinic import DEMO_KINDS, Truth, build
from tests.clinic_on_mariadb import put_clinic
from tests.servers.mariadb import MariadbServer
from tests.shell import Said, upkeep

HOUSE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Clinic:
    """The damaged clinic in a database of a server, and what its generator knows of it."""

    server: MariadbServer
    base: str
    truth: Truth

    def rows(self, base: str = "") -> dict[str, list[Any]]:
        """Every row of every table."""
        found = {}
        with closing(self.server.connect(base or self.base)) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW TABLES")
            for (table,) in cursor.fetchall():
                cursor.execute(f"SELECT * FROM `{table}`")
                found[table] = sorted(map(repr, cursor.fetchall()))
        return found


@pytest.fixture
def clinic(mariadb: MariadbServer, tmp_path: Path) -> Clinic:
    """The clinic, with the settings in the environment."""
    truth = build(tmp_path / "clinic", kinds=DEMO_KINDS)
    base = put_clinic(mariadb, tmp_path / "clinic" / "clinic.db")
    shutil.copy(HOUSE / "examples/clinic/policy.toml", tmp_path)
    (tmp_path / "store").mkdir()
    os.environ.update(
        DATABASE_URL=mariadb.url(base),
        UPKEEP_DATABASE="clinic",
        UPKEEP_STORE=(tmp_path / "store").as_uri(),
        UPKEEP_SCRATCH=str(tmp_path / "scratch"),
        UPKEEP_POLICY=str(tmp_path / "policy.toml"),
        UPKEEP_SUITES=str(HOUSE / "expectations/suites/clinic"),
    )
    return Clinic(mariadb, base, truth)


def done(said: Said) -> Any:
    """The document of a call that ended well."""
    assert said.code == 0, said
    return said.document


def test_check_backup_verify_and_restore_from_a_shell(clinic: Clinic) -> None:
    before = clinic.rows()
    checked = upkeep("check", "--json")
    assert checked.code == 1
    assert checked.document["engine"] == "mariadb"
    found = {
        (f["child"], tuple(f["columns"]), f["parent"]): f["orphans"]
        for f in checked.document["findings"]
        if f["orphans"]
    }
    assert found == Counter((one.table, one.columns, one.parent) for one in clinic.truth.orphans)
    backup = done(upkeep("backup", "--json"))["id"]
    assert done(upkeep("verify", "latest", "--json"))["verified"] is True
    fresh = f"{clinic.base}_fresh"
    restored = done(upkeep("restore", backup, "--to", clinic.server.url(fresh), "--json"))
    assert all(check["holds"] for check in restored["checks"])
    assert clinic.rows(fresh) == before == clinic.rows()


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_here")
def test_the_runbook_rehearses_performs_what_was_approved_and_finds_nothing_then_promises_1_and_2(
    clinic: Clinic,
) -> None:
    before = clinic.rows()
    databases = clinic.server.databases()
    rehearsed = done(upkeep("maintain", "--no-migrate", "--json"))
    assert rehearsed["verdict"]["passed"]
    assert clinic.rows() == before
    plan = rehearsed["plan"]
    approval = ("--approve", plan["digest"], "--by", "Ada", "--reason", "rehearsed")
    performed = done(upkeep("maintain", "--no-migrate", "--perform", "ask", *approval, "--json"))
    assert performed["performed"]
    assert performed["verdict"]["passed"]
    after = clinic.rows()
    assert sum(map(len, before.values())) - sum(map(len, after.values())) == plan["by_action"]["delete"]
    again = done(upkeep("maintain", "--no-migrate", "--json"))
    assert set(again["plan"]["by_action"]) == {"keep"}
    assert clinic.server.databases() == databases, "no scratch is left"
