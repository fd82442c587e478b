"""The machine and the versions that a figure was measured with: without them it means nothing."""

import os
import platform
import re
import sqlite3
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

LIBRARIES = ("backports.zstd", "great_expectations", "prefect", "sqlalchemy", "upkeep")


def machine() -> dict[str, Any]:
    """Cores, memory, processor, kernel and versions; nothing that names this one machine."""
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "versions": {
            "python": sys.version.split()[0],
            "sqlite": sqlite3.sqlite_version,
            "sqlite3": _first_word("sqlite3", "--version"),
            "zstd": _zstd(),
            **{name: version(name) for name in LIBRARIES if _is_installed(name)},
        },
    }


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", told.read_text()) if told.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except ModuleNotFoundError:  # the standard library has zstd of its own from Python 3.14 on
        return False
    return True


def _first_word(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0]


def _zstd() -> str:
    told = subprocess.run(["zstd", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"v(\d[\d.]*\d)", told)
    return found[1] if found else told.strip()
