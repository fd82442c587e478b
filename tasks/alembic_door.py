"""The one door to Alembic: run by the application's own interpreter, with nothing of Upkeep's in reach.

Called as ``python alembic_door.py ANSWER``: it makes itself ready, then waits for one line of JSON on standard input
and writes its answer to the file. The request names the ini file, the verb (``inspect`` or ``upgrade``), the
database's revisions, its URL, and a query with its answer by which every connection is checked. The URL is in no
argument list and in no file (P-24); an ``env.py`` finds it in the configuration and in DATABASE_URL.
"""

import hashlib
import json
import os
import sys
from pathlib import Path
from threading import Thread
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError, RevisionError
from alembic.util.exc import CommandError
from sqlalchemy import event
from sqlalchemy.pool import Pool


def inspect(config: Config, found: list[str]) -> dict[str, Any]:
    """Heads of the scripts, and the revisions between the database and its head with a digest over their files."""
    scripts = ScriptDirectory.from_config(config)
    heads = list(scripts.get_heads())
    if len(heads) != 1:
        return {"heads": heads}
    try:
        pending = [] if found == heads else list(scripts.iterate_revisions(heads[0], tuple(found) or "base"))
    except (RevisionError, ResolutionError, CommandError) as fault:
        return {"heads": heads, "unknown": f"{fault}".splitlines()[0]}
    pending.reverse()
    taken = hashlib.sha256()
    for revision in pending:
        taken.update(Path(revision.path).read_bytes())
    return {"heads": heads, "pending": [revision.revision for revision in pending], "digest": taken.hexdigest()}


def upgrade(config: Config, url: str, fingerprint: list[str]) -> dict[str, Any]:
    """Upgrade to the head, on no other database than the one with this fingerprint (P-87)."""
    query, expected = fingerprint
    strangers: list[str] = []

    @event.listens_for(Pool, "connect")
    def check(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        try:
            cursor.execute(query)
            row = cursor.fetchone()
        except Exception as fault:  # noqa: BLE001  # another engine than the one expected does not even know the question
            row = (type(fault).__name__,)
        finally:
            cursor.close()
        if row is None or str(row[0]) != expected:
            strangers.append("env.py connected to another database than the one it was given")
            raise RuntimeError(strangers[0])

    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    try:
        command.upgrade(config, "head")
    except BaseException as fault:  # noqa: BLE001  # SystemExit in somebody's env.py included: the answer must be written
        return {"failed": strangers[0] if strangers else _said(fault), "state": _state(fault)}
    return {"failed": strangers[0] if strangers else None}


def _said(fault: BaseException) -> str:
    """The error without statement and parameters, which may hold values of rows (P-100)."""
    original = getattr(fault, "orig", None) or fault
    first = (str(original).splitlines() or [""])[0]
    return f"{type(original).__name__}: {first}"


def _state(fault: BaseException) -> str:
    """The SQLSTATE that the server gave, by whatever name the driver has for it; '' where it gave none."""
    original = getattr(fault, "orig", None) or fault
    return str(getattr(original, "sqlstate", None) or getattr(original, "pgcode", None) or "")


def leave_with_the_caller() -> None:
    """Standard input ends when the caller is gone: nobody waits for the answer, and its scratch is being removed."""
    sys.stdin.read()
    os._exit(3)


def main(answer: Path) -> None:
    """Do what the request asks and write the answer; without a request there is none."""
    sys.path.pop(0)  # this file's own folder, whose modules are no business of the application's
    line = sys.stdin.readline()
    if not line:
        return
    Thread(target=leave_with_the_caller, daemon=True).start()
    asked = json.loads(line)
    config = Config(asked["ini"])
    if asked["verb"] == "inspect":
        said = inspect(config, asked["found"])
    else:
        os.environ["DATABASE_URL"] = asked["url"]
        said = upgrade(config, asked["url"], asked["fingerprint"])
    answer.write_text(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
