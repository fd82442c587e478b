"""Upkeep as a person calls it from a shell, in this process or in one of its own, and small databases for it."""

import contextlib
import hashlib
import io
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from upkeep.cli import main

PROGRAM = Path(sys.executable).with_name("upkeep")
FAMILY = """
    CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parent (id), note TEXT);
    INSERT INTO parent VALUES (1, 'one');
    INSERT INTO child VALUES (1, 1, 'well'), (2, 99, 'astray'), (3, NULL, 'alone');
"""
"""Row 2 of child is the only orphan."""
DELETES = '[limits]\nshare = 1.0\n[[rule]]\nchild = "*"\norphan = ["delete"]\n'
NULLIFIES = '[limits]\nshare = 1.0\n[[rule]]\nchild = "*"\norphan = ["nullify"]\n'


@dataclass(frozen=True)
class Said:
    """How a call ended: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output; fails if there is anything else."""
        return json.loads(self.out)

    @property
    def complaint(self) -> tuple[int, str, str]:
        """The exit code with the sentence and the hint on standard error; fails if there is anything else."""
        sentence, hint = self.err.splitlines()
        assert sentence.startswith("upkeep: ")
        assert hint.startswith("  ")
        return self.code, sentence.removeprefix("upkeep: "), hint.strip()


def upkeep(*arguments: str) -> Said:
    """Call it within this process, with the environment and the working folder as they are."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert isinstance(ended.value.code, int)
    return Said(ended.value.code, out.getvalue(), err.getvalue())


def upkeep_in_a_process(*arguments: str, seconds: float = 150, folder: Path) -> Said:
    """Call the installed program in ``folder``, with the environment as it is."""
    ran = subprocess.run(
        [PROGRAM, *arguments], cwd=folder, capture_output=True, text=True, timeout=seconds, check=False
    )
    return Said(ran.returncode, ran.stdout, ran.stderr)


@dataclass(frozen=True)
class Place:
    """A folder with a database, a store and a policy, and the settings that point there."""

    folder: Path

    @property
    def path(self) -> Path:
        """The database file."""
        return self.folder / "app.db"

    @property
    def store(self) -> Path:
        """The folder of the store."""
        return self.folder / "store"

    @property
    def backups(self) -> list[Path]:
        """The manifests in the store."""
        return sorted(self.store.glob("main/backups/*/manifest.json"))

    @property
    def environment(self) -> dict[str, str]:
        """The settings that point here."""
        return {
            "DATABASE_URL": f"sqlite:///{self.path}",
            "UPKEEP_STORE": self.store.as_uri(),
            "UPKEEP_SCRATCH": str(self.folder / "scratch"),
            "UPKEEP_POLICY": str(self.folder / "policy.toml"),
        }

    def set(self, **settings: str) -> None:
        """Point the settings here, or somewhere else where that is said."""
        os.environ.update(self.environment | settings)

    def run(self, script: str) -> None:
        """Run SQL on the database as the application does, with foreign keys not enforced."""
        with closing(sqlite3.connect(self.path)) as connection:
            connection.executescript(script)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(sql).fetchall()

    def policy(self, text: str) -> None:
        """Write the policy."""
        (self.folder / "policy.toml").write_text(text, encoding="utf-8")

    def bytes(self) -> dict[str, str]:
        """The digest of every file by its name, but for the scratch, the lock, and what Python itself keeps."""
        beside = ("-lock", ".pyc")
        files = [path for path in self.folder.rglob("*") if path.is_file() and not path.name.endswith(beside)]
        digests = {str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
        return {name: digest for name, digest in digests.items() if not name.startswith("scratch/")}


def family(folder: Path, script: str = FAMILY) -> Place:
    """A small database in ``folder`` with the settings for it."""
    folder.mkdir(exist_ok=True)
    place = Place(folder)
    place.run(script)
    place.set()
    return place


@contextlib.contextmanager
def nothing_changes(place: Place) -> Iterator[None]:
    """Every file of the place is afterwards what it was before, and no scratch is left."""
    before = place.bytes()
    yield
    assert place.bytes() == before
    assert [*(place.folder / "scratch").glob("*/*")] == []
