"""An empty database of the clinic at the mergepoint, if asked for with two keys declared to the wrong table."""

import os
import re
import subprocess
import sys
from pathlib import Path

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from examples.clinic.bypass import ENGINES

INI = Path(__file__).parent / "alembic.ini"
MERGEPOINT = "a47243be82f0"
HEAD = "0e315951c2f5"


class HistoryFailed(Exception):
    """The migrations do not run on this database."""


def upgrade(url: str, revision: str) -> subprocess.CompletedProcess[str]:
    """Run the history up to a revision, as an operator would, in a process of its own.

    In this process DATABASE_URL could name another database, and env.py would obey it.
    """
    return subprocess.run(
        [sys.executable, "-m", "alembic", "-c", str(INI), "upgrade", revision],
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )


def make_empty(url: str, *, misdeclared: bool) -> Engine:
    """Make the schema at the mergepoint in a database that holds nothing, or in a file that is not there.

    Raises FileExistsError where something stands there, and HistoryFailed with the engine's own words.
    """
    engine = create_engine(url, poolclass=NullPool)
    bypass = ENGINES[engine.dialect.name]()
    if bypass.is_taken(engine):
        raise FileExistsError(f"{engine.url} is there already: name an empty folder or an empty database")
    ran = upgrade(url, MERGEPOINT)
    if ran.returncode:
        said = [line for line in ran.stderr.splitlines() if re.match(r"[\w.]+(Error|Exception): ", line)]
        raise HistoryFailed(f"the clinic's history does not run: {said[-1] if said else ran.stderr}")
    if misdeclared:
        with engine.begin() as connection:
            bypass.misdeclare(connection)
    return engine
