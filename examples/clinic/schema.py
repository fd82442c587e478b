"""An empty database of the clinic at the mergepoint, if asked for with two keys declared to the wrong table."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from examples.clinic.references import MISDECLARED_TO, modelled

INI = Path(__file__).parent / "alembic.ini"
MERGEPOINT = "a47243be82f0"
HEAD = "0e315951c2f5"


def upgrade(path: Path, revision: str) -> subprocess.CompletedProcess[str]:
    """Run the history up to a revision, as an operator would, in a process of its own.

    In this process DATABASE_URL could name another database, and env.py would obey it.
    """
    return subprocess.run(
        [sys.executable, "-m", "alembic", "-c", str(INI), "upgrade", revision],
        env={**os.environ, "DATABASE_URL": f"sqlite:///{path.absolute()}"},
        capture_output=True,
        text=True,
        check=False,
    )


def make_empty(path: Path, *, misdeclared: bool) -> None:
    """Make the database at the mergepoint; raises RuntimeError with Alembic's own words if its history does not run."""
    if path.exists():
        raise FileExistsError(f"{path} is there already: name an empty folder")
    ran = upgrade(path, MERGEPOINT)
    if ran.returncode:
        raise RuntimeError(f"the clinic's history does not run: {ran.stderr}")
    if misdeclared:
        misdeclare(path)


def misdeclare(path: Path) -> None:
    """Build two tables again, still empty, with one key of each pointing at the wrong table."""
    right = {(reference.child, reference.column): reference.parent for reference in modelled()}
    with closing(sqlite3.connect(path)) as connection:
        for (table, column), wrong in MISDECLARED_TO.items():
            said = f"FOREIGN KEY({column}) REFERENCES {right[table, column]} "
            made = [
                str(sql).replace(said, f"FOREIGN KEY({column}) REFERENCES {wrong} ")
                for (sql,) in connection.execute(
                    "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type DESC", (table,)
                )
            ]
            connection.execute(f"DROP TABLE {table}")
            for sql in made:
                connection.execute(sql)
        connection.commit()
