"""An empty database of the clinic at the mergepoint, if asked for with two keys declared to the wrong table."""

import os
import subprocess
import sys
from pathlib import Path

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from examples.clinic.bypass import ENGINES

INI = Path(__file__).parent / "alembic.ini"
MERGEPOINT = "a47243be82f0"
HEAD = "0e315951c2f5"


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

    Raises FileExistsError where something stands there, and RuntimeError with Alembic's own words if its history does
    not run.
    """
    engine = create_engine(url, poolclass=NullPool)
    bypass = ENGINES[engine.dialect.name]()
    if bypass.is_taken(engine):
        raise FileExistsError(f"{engine.url} is there already: name an empty folder or an empty database")
    ran = upgrade(url, MERGEPOINT)
    if ran.returncode:
        raise RuntimeError(f"the clinic's history does not run: {ran.stderr}")
    if misdeclared:
        with engine.begin() as connection:
            bypass.misdeclare(connection)
    return engine
