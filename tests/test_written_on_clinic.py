"""On the repaired clinic Upkeep writes what the policy wants, performs it, finds nothing more, and it goes back."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import examples.clinic as example
from examples.clinic.schema import HEAD
from tests.clinics import perform_at, rehearse_at
from tests.damaged_clinic import Clinic
from tests.shell import upkeep
from upkeep.equipment import equip


def run_at(clinic: Clinic, folder: Path, ini: Path) -> None:
    """One rehearsal and its performance, without Prefect."""
    os.environ.update(clinic.environment | {"UPKEEP_ALEMBIC_INI": str(ini)})
    equipment = equip()
    folder.mkdir()
    night = rehearse_at(equipment, folder)
    assert night.rehearsed.verdict.passed, night.rehearsed.verdict.failed
    perform_at(equipment, folder, night, run=f"20260401T020000Z-{folder.name}")
    night.scratch.discard()


def digest_of_schema() -> str:
    """What the live database's schema says."""
    with equip().database.reading() as reading:
        return reading.catalog().schema_digest


@pytest.mark.slow
@pytest.mark.parametrize("damaged", ["delete", "system"], indirect=True)
def test_what_the_policy_wants_is_written_performed_and_then_found(damaged: Clinic, tmp_path: Path) -> None:
    home = Path(example.__file__).parents[1]
    shutil.copytree(home, tmp_path / "application" / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    ini = tmp_path / "application" / "examples" / "clinic" / "alembic.ini"
    run_at(damaged, tmp_path / "repair", ini)
    before, rows = digest_of_schema(), {name: damaged.ask(f"SELECT COUNT(*) FROM {name}") for name in damaged.tables}
    wished = upkeep("policy", "ondelete", "--json").document["keys"]
    assert sum(key["differs"] and not key["obstacle"] for key in wished) > 30
    for what in ("ondelete", "indexes"):
        said = upkeep("policy", what, "--write", "--json")
        assert said.code == 0, said
        assert said.document["left_out"] == []
    assert said.document["builds_on"] != HEAD
    run_at(damaged, tmp_path / "perform", ini)
    assert {name: damaged.ask(f"SELECT COUNT(*) FROM {name}") for name in damaged.tables} == rows
    for what in ("ondelete", "indexes"):
        assert upkeep("policy", what).code == 0
        assert upkeep("policy", what, "--write", "--json").document["revision"] is None
    wanted = {key["key"]: key["wanted"] for key in wished if key["differs"] and not key["obstacle"]}
    found = {key["key"]: key["found"] for key in upkeep("policy", "ondelete", "--json").document["keys"]}
    assert {key: found[key] for key in wanted} == wanted
    subprocess.run([sys.executable, "-m", "alembic", "-c", ini, "downgrade", HEAD], check=True, timeout=150)
    assert digest_of_schema() == before
