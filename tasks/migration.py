"""What Alembic would do and does, told by a subprocess of the application's own interpreter (P-88)."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from upkeep.databases import Database, Lent
from upkeep.databases.opening import backend_of
from upkeep.errors import Refused
from upkeep.plan import Migration
from upkeep.revisions import Ran, Revision, revision_of
from upkeep.settings import Settings

_DOOR = Path(__file__).with_name("alembic_door")
_SECONDS = 3600


def pending_migration(
    settings: Settings, database: Database, found: tuple[str, ...], workplace: Path, *, required: bool = False
) -> Migration | None:
    """The way of ``database`` to the head of the scripts; None where there is none to go or no Alembic project is set.

    Raises Refused for several heads, for a database that was never stamped, and for one that the scripts do not
    know (P-82); where a project is ``required``, also for none.
    """
    if settings.alembic_ini is None and not required:
        return None
    with alembic(settings, workplace) as door:
        said = door.ask({"verb": "inspect", "found": list(found), "dialect": backend_of(settings.url_of_database())})
    heads = said["heads"]
    if len(heads) != 1:
        raise Refused(
            f"the migrations have {len(heads)} heads: {', '.join(sorted(heads))}" if heads else "there is no migration",
            "join them with `alembic merge heads`, or correct UPKEEP_ALEMBIC_INI",
        )
    if not found:
        raise Refused(
            "the database has no Alembic revision", "stamp it with the revision that it is at: `alembic stamp REVISION`"
        )
    if not said["pending"]:
        return None
    revisions = tuple(_staged(revision_of(one), database) for one in said["pending"])
    return Migration(found, heads[0], tuple(one.name for one in revisions), said["digest"], revisions)


def _staged(revision: Revision, database: Database) -> Revision:
    """The revision, and what of it is done in no transaction: where not all is foretold, nobody knows that."""
    return revision if revision.unforeseen else replace(revision, apart=database.apart(revision.sql))


class MigrationFailed(Refused):
    """A revision failed, and what it was run on may be half changed (P-115). ``state`` is the SQLSTATE, if any."""

    def __init__(self, message: str, state: str = "") -> None:
        super().__init__(message, "see the revision; nothing of it was kept")
        self.state = state


class Door:
    """One process of the application's interpreter that has Alembic loaded and waits for its one request."""

    def __init__(self, process: "subprocess.Popen[str]", settings: Settings, answer: Path, errors: IO[str]) -> None:
        self._process = process
        self._settings = settings
        self._answer = answer
        self._errors = errors

    def wait_until_ready(self) -> None:
        """Until it has imported what it needs: whoever takes locks before makes others wait for that.

        One that dies before says so when it is asked.
        """
        if self._process.stdout:
            self._process.stdout.readline()

    def upgrade(self, lent: Lent, head: str = "head", only: tuple[str, ...] = ()) -> tuple[Ran, ...]:
        """Bring what was lent to the head, and tell how each revision ran; or raise MigrationFailed.

        Where there are some that it is to do ``only``, these must be the next on the way.
        """
        return self.move(lent, "upgrade", head, only)

    def move(self, lent: Lent, verb: str, to: str, only: tuple[str, ...] = ()) -> tuple[Ran, ...]:
        """``upgrade`` or ``downgrade`` what was lent to a revision."""
        asked = {"verb": verb, "to": to, "url": lent.url, "fingerprint": [lent.query, lent.answer], "watch": lent.watch}
        asked |= {"first": list(lent.first), "only": list(only)}
        said = self.ask(asked)
        if said["failed"]:
            raise MigrationFailed(f"the migration failed: {said['failed']}", said["state"])
        return tuple(
            Ran(one["revision"], one["seconds"], tuple(one["said"]), tuple((a, b) for a, b in one["effects"]))
            for one in said["told"]
        )

    def ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Hand the request over and wait for the answer; Refused where the scripts are not in order (P-82)."""
        ways = {
            "ini": str(self._settings.alembic_ini),
            "by_environment": self._settings.alembic_url_env,
            "by_x": self._settings.alembic_url_x,
        }
        try:
            print(json.dumps(asked | ways), file=self._process.stdin, flush=True)
            self._process.wait(_SECONDS)
        except BrokenPipeError:
            self._process.wait()  # it died before it was asked: there is no answer, and its last words say why
        except subprocess.TimeoutExpired:
            raise Refused(f"Alembic did not end within {_SECONDS} s", "look at what the revision waits for") from None
        if not self._answer.exists():
            self._errors.seek(0)
            last = (self._errors.read().strip().splitlines() or ["it said nothing"])[-1]
            raise Refused(
                f"Alembic could not be run (exit {self._process.returncode}): {last}",
                "check UPKEEP_APP_PYTHON and UPKEEP_ALEMBIC_INI",
            )
        said: dict[str, Any] = json.loads(self._answer.read_text())
        if "refused" in said:
            raise Refused(*said["refused"])
        return said


@contextmanager
def alembic(settings: Settings, workplace: Path) -> Iterator[Door]:
    """Start the process; it makes itself ready while its caller goes on: see ``Door.wait_until_ready``."""
    if settings.alembic_ini is None:
        raise Refused("no Alembic project is set", "set UPKEEP_ALEMBIC_INI")
    answer = workplace / "alembic-answer.json"
    answer.unlink(missing_ok=True)
    with tempfile.TemporaryFile("w+", dir=workplace, errors="replace") as errors:
        process = subprocess.Popen(
            [str(settings.app_python), str(_DOOR), str(answer)],
            env=settings.application_environment({}),
            cwd=settings.alembic_ini.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            yield Door(process, settings, answer, errors)
        finally:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
