"""What squawk, where it is installed, says of SQL that is about to run on PostgreSQL."""

import json
import re
import shutil
import subprocess
import sys
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from upkeep.revisions import Lint

_SECONDS = 60
_SEEN_TO = re.compile("require-(lock-timeout|statement-timeout|timeout-settings|concurrent-.*)|prefer-robust-stmts")
"""Upkeep itself sees to locks that are not to be had. Nothing is done CONCURRENTLY, nor half: all is one transaction.

Left out here and not by ``--exclude``, which would take the place of what the project's own .squawk.toml leaves out.
"""


def lint(statements: Sequence[str], version: str, folder: Path) -> Lint:
    """What is said of the statements, which are one transaction on a server of this version."""
    if not statements:
        return Lint(unasked="its SQL is not known before it runs")
    squawk = _program()
    if squawk is None:
        return Lint(unasked="squawk is not installed here: `pip install squawk-cli`")
    numbered = re.search(r"\d+(\.\d+)?", version)
    words = ["--reporter", "json", "--assume-in-transaction", "--stdin-filepath", "revision.sql"]
    words += ["--pg-version", numbered[0]] if numbered else []
    pieces = [f"{statement.rstrip().rstrip(';')};\n" for statement in statements]
    try:
        ran = subprocess.run(
            [squawk, *words],
            input="".join(pieces),
            cwd=folder,
            env={},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        said = json.loads(ran.stdout)
    except (OSError, subprocess.TimeoutExpired) as fault:
        return Lint(unasked=f"squawk could not be run: {type(fault).__name__}")
    except ValueError:
        last = (ran.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return Lint(unasked=f"squawk could not be run (exit {ran.returncode}): {last}")
    begins = list(accumulate((piece.count("\n") for piece in pieces), initial=0))
    told = (_hint(one, bisect_right(begins, one["line"])) for one in said if not _SEEN_TO.fullmatch(one["rule_name"]))
    return Lint(tuple(dict.fromkeys(told)))


def _hint(said: dict[str, Any], statement: int) -> str:
    """One remark; statements are numbered as they are shown."""
    words = "; ".join(filter(None, (said["message"].rstrip("."), said["help"])))
    return f"{said['rule_name']}: {words} (statement {statement})"


def _program() -> str | None:
    """On the path, or beside the interpreter: there is no path in a unit of systemd's that knows of it."""
    return shutil.which("squawk") or shutil.which("squawk", path=str(Path(sys.executable).parent))
