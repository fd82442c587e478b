"""On the repaired clinic Upkeep writes what the policy wants: it applies, models that say it agree, it goes back."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import examples.clinic as example
from examples.clinic.schema import HEAD
from tests.clinics import perform_at, rehearse_at
from tests.damaged_clinic import Clinic
from tests.shell import upkeep
from upkeep.catalog import Part
from upkeep.equipment import equip

AS_WANTED = """
import json
from pathlib import Path
from sqlalchemy import Index

WANTED = json.loads((Path(__file__).parent / "wanted.json").read_text())
for table, columns, ondelete in WANTED["ondelete"]:
    (constraint,) = (
        one for one in Base.metadata.tables[table].foreign_key_constraints if list(one.column_keys) == columns
    )
    constraint.ondelete = ondelete
for table, name, columns in WANTED["indexes"]:
    Index(name, *(Base.metadata.tables[table].c[column] for column in columns))

"""
"""What a person changes in the models beside such a revision."""


def run_at(clinic: Clinic, folder: Path, ini: Path | None) -> None:
    """One rehearsal and its performance, without Prefect; without ``ini`` of the rows alone."""
    os.environ.update(clinic.environment | {"UPKEEP_ALEMBIC_INI": str(ini or "")})
    equipment = equip()
    folder.mkdir()
    night = rehearse_at(equipment, folder)
    assert night.rehearsed.verdict.passed, night.rehearsed.verdict.failed
    perform_at(equipment, folder, night, run=f"20260401T020000Z-{folder.name}")
    night.scratch.discard()


def alembic(ini: Path, *words: str) -> str:
    """What Alembic says that is run by hand; it must end well."""
    command = [sys.executable, "-m", "alembic", "-c", str(ini), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def schema() -> dict[Part, str]:
    """All that the live database's schema says, thing by thing."""
    with equip().database.reading() as reading:
        return reading.parts()


def digest_of_schema() -> str:
    """The same as one word."""
    with equip().database.reading() as reading:
        return reading.catalog().schema_digest


def let_the_models_say(application: Path, ondelete: list[Any], indexes: list[Any]) -> None:
    """Let the application's models say what the written revisions made the database say."""
    wanted = {
        "ondelete": [(key["child"], key["columns"], key["wanted"]) for key in ondelete],
        "indexes": list({one["name"]: (table, one["name"], one["columns"]) for table, one in indexes}.values()),
    }
    env = application / "migrations" / "env.py"
    (env.parent / "wanted.json").write_text(json.dumps(wanted))
    head, begin, rest = env.read_text().partition("if context.config.config_file_name")
    env.write_text(head + AS_WANTED + begin + rest)


@pytest.mark.slow
@pytest.mark.parametrize("damaged", ["delete", "system", "mariadb"], indirect=True)
def test_what_the_policy_wants_is_written_applied_and_then_found_and_goes_back(damaged: Clinic, tmp_path: Path) -> None:
    home = Path(example.__file__).parents[1]
    shutil.copytree(home, tmp_path / "application" / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    application = tmp_path / "application" / "examples" / "clinic"
    ini = application / "alembic.ini"
    database = damaged.equipment().database
    performs, in_stages = not database.unmigratable, ("--concurrently",) if database.engine == "postgresql" else ()
    run_at(damaged, tmp_path / "repair", ini if performs else None)
    os.environ["UPKEEP_ALEMBIC_INI"] = str(ini)
    if not performs:
        alembic(ini, "upgrade", HEAD)
    before, whole = digest_of_schema(), schema()
    rows = {name: damaged.ask(f"SELECT COUNT(*) FROM {name}") for name in damaged.tables}
    wished = upkeep("policy", "ondelete", "--json").document["keys"]
    assert sum(key["differs"] and not key["obstacle"] for key in wished) > 30
    keys = upkeep("policy", "indexes", "--json").document["keys"]
    indexes = [(key["child"], key["wanted"]) for key in keys if key["wanted"]]
    left_out = set()
    for what, more in (("ondelete", ()), ("indexes", in_stages)):
        said = upkeep("policy", what, "--write", "--json", *more)
        assert said.code == 0, said
        left_out |= {told.partition(": ")[0] for told in said.document["left_out"]}
    assert left_out <= {one["key"] for one in wished if one["differs"]}
    assert performs is not bool(left_out), "MariaDB adds no key again that the orphans which are kept violate"
    assert said.document["builds_on"] != HEAD or not indexes
    if performs:
        run_at(damaged, tmp_path / "perform", ini)
    else:
        alembic(ini, "upgrade", "head")
    assert {name: damaged.ask(f"SELECT COUNT(*) FROM {name}") for name in damaged.tables} == rows
    for what in ("ondelete", "indexes"):
        assert upkeep("policy", what).code == (1 if left_out and what == "ondelete" else 0)
        assert upkeep("policy", what, "--write", "--json").document["revision"] is None
    changed = [key for key in wished if key["differs"] and not key["obstacle"] and key["key"] not in left_out]
    wanted_of = {key["key"]: key["wanted"] for key in changed}
    found = {key["key"]: key["found"] for key in upkeep("policy", "ondelete", "--json").document["keys"]}
    assert {key: found[key] for key in wanted_of} == wanted_of
    untouched = (application / "migrations" / "env.py").read_text()
    let_the_models_say(application, changed, indexes)
    assert alembic(ini, "check") == "No new upgrade operations detected.\n"
    (application / "migrations" / "env.py").write_text(untouched)
    alembic(ini, "downgrade", HEAD)
    assert schema() == whole
    assert digest_of_schema() == before
