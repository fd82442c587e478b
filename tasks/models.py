"""What the application's models say, told by a subprocess of its own interpreter (P-88)."""

import json
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy.engine import URL, make_url

from upkeep.equipment import Equipment
from upkeep.errors import Refused
from upkeep.models import Models
from upkeep.settings import Settings

_DOOR = Path(__file__).with_name("models_door.py")
_SECONDS = 120
_HINT = "check UPKEEP_METADATA and UPKEEP_APP_PYTHON; UPKEEP_APP_ENV names what else the application needs to see"


def with_models(equipment: Equipment, workplace: Path) -> Equipment:
    """The same equipment, with what the models say; as it is where the settings name none.

    Raises Refused where they are named and cannot be read: silence would look like agreement (P-96).
    """
    if equipment.settings.metadata is None:
        return equipment
    return replace(equipment, models=read_models(equipment.settings, workplace))


def read_models(settings: Settings, workplace: Path) -> Models:
    """The models that UPKEEP_METADATA names."""
    answer = workplace / "models-answer.json"
    answer.unlink(missing_ok=True)
    # The application's folder: where its alembic.ini is, else where one stands.
    home = settings.alembic_ini.parent if settings.alembic_ini else Path.cwd()
    folders = dict.fromkeys(map(str, (Path.cwd(), home)))
    with tempfile.TemporaryFile("w+", dir=workplace, errors="replace") as errors:
        process = subprocess.Popen(
            [str(settings.app_python), str(_DOOR), str(answer), str(settings.metadata), *folders],
            env=settings.application_environment({"DATABASE_URL": _nowhere(settings.url_of_database(), workplace)}),
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            text=True,
        )
        try:
            process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            raise Refused(f"the models were not read within {_SECONDS} s", "look at what their import does") from None
        finally:
            process.kill()
            process.wait()
            if process.stdin:
                process.stdin.close()
        if not answer.exists():
            errors.seek(0)
            last = (errors.read().strip().splitlines() or ["it said nothing"])[-1]
            raise Refused(f"the models could not be read (exit {process.returncode}): {last}", _HINT)
    return _understood(json.loads(answer.read_text(encoding="utf-8")))


def _understood(said: dict[str, Any]) -> Models:
    if "failed" in said:
        raise Refused(f"the models could not be read: {said['failed']}", _HINT)
    try:
        models = Models.model_validate(said)
    except ValidationError:
        raise Refused("what the models say is not understood", "see that UPKEEP_METADATA names a MetaData") from None
    if not models.tables:
        raise Refused(
            "the models that UPKEEP_METADATA names have no tables", "name a module that imports all of them, too"
        )
    return models


def _nowhere(url: str, workplace: Path) -> str:
    """A URL of the same engine and driver at which there is nothing: no server, or a file that is not there.

    Many applications make their engine when they are imported and end where DATABASE_URL is missing; the live one is
    no business of theirs here (P-87).
    """
    parsed = make_url(url)
    host, port = ("127.0.0.1", 9) if parsed.host else (None, None)
    nowhere = URL.create(parsed.drivername, host=host, port=port, database=str(workplace / "nowhere"))
    return nowhere.render_as_string(hide_password=False)
