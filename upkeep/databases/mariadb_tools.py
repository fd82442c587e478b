"""The programs of MariaDB and MySQL: which of those on this machine fits a server (P-12)."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from upkeep.errors import Refused

_NAMES = {
    ("dump", True): ("mariadb-dump", "mysqldump"),
    ("dump", False): ("mysqldump",),
    ("client", True): ("mariadb", "mysql"),
    ("client", False): ("mysql",),
}
_PACKAGES = {True: "mariadb-client", False: "mysql-client"}
_SECONDS = 20
_MARIADB = re.compile(r"(?:Distrib |from )(\d+)\.(\d+)[\d.]*-MariaDB")
_MYSQL = re.compile(r"Ver (\d+)\.(\d+)[\d.]* ")


@dataclass(frozen=True)
class Program:
    """A program, whose it is and of which version."""

    path: Path
    is_mariadb: bool
    version: tuple[int, int]


def find_program(what: str, *, is_mariadb: bool, at_least: tuple[int, int], folder: Path | None) -> Program:
    """The program ``dump`` or ``client`` of the server's own maker, no older than ``at_least``.

    ``folder`` is where the settings say that it is; else PATH is looked through. Raises Refused where there is none:
    another maker's, or an older one, leaves out what it does not know.
    """
    names = _NAMES[what, is_mariadb]
    found = [program for path in _candidates(names, folder) if (program := _program(path))]
    fitting = [program for program in found if program.is_mariadb == is_mariadb and program.version >= at_least]
    if fitting:
        return fitting[0]
    maker = "MariaDB" if is_mariadb else "MySQL"
    seen = ", ".join(f"{'MariaDB' if one.is_mariadb else 'MySQL'} {_told(one.version)}" for one in found) or "none"
    raise Refused(
        f"{names[0]} of {maker} {_told(at_least)} or newer is needed here; found: {seen}",
        f"install {_PACKAGES[is_mariadb]}, or set UPKEEP_MARIADB_BIN to the folder that has it",
    )


def _candidates(names: tuple[str, ...], folder: Path | None) -> list[Path]:
    if folder is not None:
        return [folder / name for name in names if (folder / name).is_file()]
    return [Path(found) for name in names if (found := shutil.which(name))]


@cache
def _program(path: Path) -> Program | None:
    """What the program says of itself; None where it cannot be run."""
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=_SECONDS, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    if version := _MARIADB.search(said):
        return Program(path, True, (int(version[1]), int(version[2])))
    version = _MYSQL.search(said)
    return Program(path, False, (int(version[1]), int(version[2]))) if version else None


def _told(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
