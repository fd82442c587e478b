"""What README says is true: its commands run, and its make targets are there."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.shell import upkeep

HOUSE = Path(__file__).parents[1]


def commands(prefix: str) -> list[str]:
    """The commands of README's shell blocks that begin with a word."""
    blocks = re.findall(r"```sh\n(.*?)```", (HOUSE / "README.md").read_text(), flags=re.S)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith(prefix + " ")]


def test_readme_begins_with_the_two_commands() -> None:
    assert [line.split()[1] for line in commands("make")[:2]] == ["demo", "test"]


@pytest.mark.parametrize("line", commands("make"))
def test_every_make_target_in_readme_is_there(line: str) -> None:
    assert subprocess.run(["make", "-n", line.split()[1]], cwd=HOUSE, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_here")
def test_every_command_in_readme_runs_on_a_damaged_clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Called within this process: to begin in one of its own takes most commands longer than what they do."""
    from examples.clinic import DEMO_KINDS, build

    build(tmp_path, kinds=DEMO_KINDS)
    clinic = HOUSE / "examples" / "clinic"
    monkeypatch.chdir(tmp_path)
    os.environ.update(
        DATABASE_URL=f"sqlite:///{tmp_path / 'clinic.db'}",
        UPKEEP_STORE=(tmp_path / "store").as_uri(),
        UPKEEP_SCRATCH=str(tmp_path / "scratch"),
        UPKEEP_POLICY=str(clinic / "policy.toml"),
        UPKEEP_ALEMBIC_INI=str(clinic / "alembic.ini"),
    )
    digest = changed = ""
    for line in commands("upkeep"):
        line = line.replace("/srv/restored.db", f"{tmp_path}/restored.db")
        line = line.replace("DIGEST", digest).replace("NAME", "'Dr Test'").replace("TEXT", "'README says so'")
        line = line.replace("RUN", changed)
        done = upkeep(*shlex.split(line)[1:])
        # The clinic has orphans; and the migration of that run demands values that the rows it removed never had.
        expected = 1 if line == "upkeep check" or line.startswith("upkeep undo ") else 0
        assert done.code == expected, f"{line}\n{done.out}\n{done.err}"
        if found := re.search(r"plan ([0-9a-f]{12,})", done.out):
            digest = found[1]
        if found := re.search(r"stands in the store below main/repairs/(\S+)", done.out):
            changed = found[1]
    assert digest
