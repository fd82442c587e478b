"""What Alembic would do and does, told by a subprocess of the application's own interpreter (P-88)."""

import json
import subprocess
from pathlib import Path
from typing import Any

from upkeep.databases import Database
from upkeep.errors import Refused
from upkeep.plan import Migration
from upkeep.settings import Settings

_DOOR = Path(__file__).with_name("alembic_door.py")
_SECONDS = 3600


def pending_migration(settings: Settings, found: tuple[str, ...], workplace: Path) -> Migration | None:
    """The way to the head of the scripts; None where there is none to go or no Alembic project is set.

    Raises Refused for several heads, for a database that was never stamped, and for one that the scripts do not
    know (P-82).
    """
    if settings.alembic_ini is None:
        return None
    said = _ask(settings, workplace, {"verb": "inspect", "found": list(found)}, {})
    heads = said["heads"]
    if len(heads) != 1:
        raise Refused(
            f"the migrations have {len(heads)} heads: {', '.join(sorted(heads))}",
            "join them with `alembic merge heads`, or correct UPKEEP_ALEMBIC_INI",
        )
    if not found:
        raise Refused(
            "the database has no Alembic revision", "stamp it with the revision that it is at: `alembic stamp REVISION`"
        )
    if "unknown" in said:
        raise Refused(
            f"the database is at {', '.join(found)}, which the migrations do not know: {said['unknown']}",
            "run it with the code that the database belongs to",
        )
    if not said["pending"]:
        return None
    return Migration(found, heads[0], tuple(said["pending"]), said["digest"])


def upgrade(settings: Settings, target: Database, workplace: Path) -> None:
    """Bring ``target``, which is never the live database itself, to the head; raises Refused with what failed."""
    url = target.alembic_url()
    asked = {"verb": "upgrade", "url": url, "fingerprint": list(target.fingerprint())}
    said = _ask(settings, workplace, asked, {"DATABASE_URL": url})
    if said["failed"]:
        raise Refused(
            f"the migration failed: {said['failed']}", "see the revision; the database itself was not touched"
        )


def _ask(settings: Settings, workplace: Path, asked: dict[str, Any], environment: dict[str, str]) -> dict[str, Any]:
    """One call of the door. The request stands in a file, so that no URL is in the process list (P-24)."""
    request, answer = workplace / "alembic-request.json", workplace / "alembic-answer.json"
    request.touch(mode=0o600)
    request.write_text(json.dumps(asked | {"ini": str(settings.alembic_ini)}))
    answer.unlink(missing_ok=True)
    try:
        done = subprocess.run(
            [str(settings.app_python), str(_DOOR), str(request), str(answer)],
            env=settings.application_environment(environment),
            cwd=settings.alembic_ini.parent if settings.alembic_ini else None,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refused(f"Alembic did not end within {_SECONDS} s", "look at what the revision waits for") from None
    finally:
        request.unlink()
    if not answer.exists():
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise Refused(
            f"Alembic could not be run (exit {done.returncode}): {last}",
            "check UPKEEP_APP_PYTHON and UPKEEP_ALEMBIC_INI",
        )
    said: dict[str, Any] = json.loads(answer.read_text())
    return said
