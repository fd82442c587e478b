"""The demo: the whole chain on the damaged example clinic, on embedded defaults."""

import os
import shutil
import sys
from collections.abc import Callable
from datetime import datetime
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from sqlalchemy.exc import OperationalError

from upkeep.cli.backing_up import back_up
from upkeep.cli.running import run_maintain
from upkeep.cli.saying import DOES_NOT_HOLD, HOLDS, say
from upkeep.environment import load_settings
from upkeep.equipment import equip
from upkeep.errors import Refused, Unreachable
from upkeep.report import RunReport
from upkeep.wording import runs

_MARK = "made-by-upkeep-demo"


def demonstrate(folder: Path, seed: int, as_json: bool) -> int:
    """Build, rehearse, approve, perform, and run again; the exit code."""
    folder = folder.absolute()
    prepare(folder, seed)
    tell: Callable[[str], None] = _nothing if as_json else partial(print, flush=True)
    place = equip().database.identity().place
    tell(f"the damaged clinic stands in {place}; its nightly backups are in {folder / 'store'}")
    tell("\n=== first run: look and rehearse, as every night\n")
    first = run_maintain(perform="never")
    tell(runs.run_report(first))
    if not first.passed or first.plan is None:
        say(as_json, first.document(), "")
        return DOES_NOT_HOLD
    approved, migrate = first.plan, not first.unmigratable
    if not migrate:
        tell("\n=== once more: the rows without the migration, which can only be rehearsed here\n")
        rows_alone = run_maintain(perform="never", migrate=False)
        tell(runs.run_in_short(rows_alone))
        approved = rows_alone.plan or first.plan
    tell(f"\n=== second run: an operator approves plan {approved.digest[:12]}\n")
    operator: dict[str, Any] = {"approve": approved.digest, "by": "demo", "reason": "to see it work"}
    second = run_maintain(perform="ask", migrate=migrate, wait=False, **operator)
    tell(runs.run_in_short(second))
    tell("\n=== third run: is there anything left to do?\n")
    third = run_maintain(perform="never", migrate=migrate)
    tell(runs.run_in_short(third))
    left = f"\nnot performed: {first.plan.migration}\n{_why_not(first)}" if first.unmigratable else ""
    told = {"again": third.document(), "unmigratable": first.unmigratable or None}
    say(as_json, second.document() | told, left + _where_to_look(folder, second))
    good = second.performed and second.passed and third.passed and third.plan is not None and third.plan.is_empty
    return HOLDS if good else DOES_NOT_HOLD


def _why_not(first: RunReport) -> str:
    """What the operator of a real database would do about the migration."""
    return f"  {first.unmigratable}.\n  Run `upkeep backup`, and Alembic in a maintenance window.\n"


def prepare(folder: Path, seed: int) -> None:
    """The example clinic in the database of the settings, else in ``folder``, where its nightly backups are.

    The settings of this process then name both. Raises Refused where anything stands there already: the demo never
    builds over a database, not even over one of an earlier demo that has a server of its own.
    """
    is_an_earlier = (folder / _MARK).exists()
    if folder.exists() and any(folder.iterdir()) and not is_an_earlier:
        raise Refused(f"{folder} is not empty and not of an earlier demo", "name another folder with --folder")
    _point_at(folder)
    if load_settings().database_url is None:
        os.environ["DATABASE_URL"] = f"sqlite:///{folder / 'clinic.db'}"
    elif not equip().database.is_empty():
        raise Refused(
            "the database that DATABASE_URL names is not empty, and the demo builds over nothing",
            "name an empty one, or remove DATABASE_URL from the environment and .env to try it on a file",
        )
    if is_an_earlier:
        shutil.rmtree(folder)
    (folder / "store").mkdir(parents=True)
    (folder / _MARK).touch()
    _build(folder, seed)


def _point_at(folder: Path) -> None:
    clinic = clinic_folder()
    os.environ.update(
        UPKEEP_DATABASE="clinic",
        UPKEEP_STORE=(folder / "store").as_uri(),
        UPKEEP_SCRATCH=str(folder / "scratch"),
        UPKEEP_POLICY=str(clinic / "policy.toml"),
        UPKEEP_ALEMBIC_INI=str(clinic / "alembic.ini"),
        UPKEEP_APP_PYTHON=sys.executable,
        UPKEEP_METADATA="examples.clinic.models:Base.metadata",
        UPKEEP_SUITES=str(Path(str(files("expectations"))) / "suites" / "clinic"),
        BACKUP_RETENTION_DAYS="3650",
    )


def _build(folder: Path, seed: int) -> None:
    from examples.clinic import DEMO_KINDS, HistoryFailed, build

    def nightly(when: datetime) -> None:
        back_up(equip(), "example", when)

    try:
        build(folder, url=equip().database.alembic_url(), seed=seed, kinds=DEMO_KINDS, nightly=nightly)
    except HistoryFailed as fault:
        raise Refused(str(fault), "let the role of DATABASE_URL make tables there") from None
    except OperationalError as fault:
        lost = f"the database was lost while the example was built: {type(fault.orig).__name__}"
        raise Unreachable(lost, "empty it and run `upkeep demo` again") from None


def _nothing(_line: str) -> None:
    """With --json only the document at the end is said."""


def _where_to_look(folder: Path, report: RunReport) -> str:
    store = folder / "store"
    places = {
        "the auditor's page of the second run": store / (report.evidence or "") / "page.html",
        "its report as text": store / (report.evidence or "") / "report.md",
        "every changed row, before and after": store / "clinic" / "repairs" / report.run,
        "the policy that decided": clinic_folder() / "policy.toml",
    }
    wide = max(map(len, places))
    return "\nwhere to look\n" + "\n".join(f"  {what:{wide}}  {where}" for what, where in places.items())


def clinic_folder() -> Path:
    """Where the example clinic's models, migrations and policy are."""
    return Path(str(files("examples.clinic")))
