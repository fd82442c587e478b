"""The demo: the whole chain on the damaged example clinic, on embedded defaults."""

import os
import shutil
from collections.abc import Callable
from datetime import datetime
from functools import partial
from importlib.resources import files
from pathlib import Path

from upkeep.backups import take_backup
from upkeep.cli.running import run_maintain
from upkeep.cli.saying import DOES_NOT_HOLD, HOLDS, say
from upkeep.equipment import equip
from upkeep.errors import Refused
from upkeep.report import RunReport
from upkeep.wording import text
from upkeep.workplaces import workplace

_MARK = "made-by-upkeep-demo"


def demonstrate(folder: Path, seed: int, as_json: bool) -> int:
    """Build, rehearse, approve, perform, and run again; the exit code."""
    folder = folder.absolute()
    prepare(folder, seed)
    tell: Callable[[str], None] = _nothing if as_json else partial(print, flush=True)
    tell(f"the damaged clinic stands in {folder}; its nightly backups are in {folder / 'store'}")
    tell("\n=== first run: look and rehearse, as every night\n")
    first = run_maintain(perform="never")
    tell(text.run_report(first))
    if not first.passed or first.plan is None:
        say(as_json, first.document(), "")
        return DOES_NOT_HOLD
    tell(f"\n=== second run: an operator approves plan {first.plan.digest[:12]}\n")
    second = run_maintain(perform="ask", approve=first.plan.digest, by="demo", reason="to see it work", wait=False)
    tell(text.run_in_short(second))
    tell("\n=== third run: is there anything left to do?\n")
    third = run_maintain(perform="never")
    tell(text.run_in_short(third))
    say(as_json, second.document() | {"again": third.document()}, _where_to_look(folder, second))
    good = second.performed and second.passed and third.passed and third.plan is not None and third.plan.is_empty
    return HOLDS if good else DOES_NOT_HOLD


def prepare(folder: Path, seed: int) -> None:
    """The example clinic with its nightly backups in ``folder``, and the settings that point there."""
    from examples.clinic import DEMO_KINDS, build

    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARK).exists():
            raise Refused(f"{folder} is not empty and not of an earlier demo", "name another folder with --folder")
        shutil.rmtree(folder)
    (folder / "store").mkdir(parents=True)
    (folder / _MARK).touch()
    clinic = clinic_folder()
    os.environ.update(
        DATABASE_URL=f"sqlite:///{folder / 'clinic.db'}",
        UPKEEP_DATABASE="clinic",
        UPKEEP_STORE=(folder / "store").as_uri(),
        UPKEEP_SCRATCH=str(folder / "scratch"),
        UPKEEP_POLICY=str(clinic / "policy.toml"),
        UPKEEP_ALEMBIC_INI=str(clinic / "alembic.ini"),
        UPKEEP_SUITES=str(Path(str(files("expectations"))) / "suites" / "clinic"),
        BACKUP_RETENTION_DAYS="3650",
    )

    def nightly(when: datetime) -> None:
        equipment = equip()
        with workplace(equipment.settings.scratch, "clinic", "nightly") as place:
            take_backup(equipment.database, equipment.store, place, run="example", now=when)

    build(folder, seed=seed, kinds=DEMO_KINDS, nightly=nightly)


def _nothing(_line: str) -> None:
    """With --json only the document at the end is said."""


def _where_to_look(folder: Path, report: RunReport) -> str:
    store = folder / "store"
    places = {
        "the report of the second run": store / (report.evidence or "") / "report.md",
        "every changed row, before and after": store / "clinic" / "repairs" / report.run,
        "the policy that decided": clinic_folder() / "policy.toml",
    }
    wide = max(map(len, places))
    return "\nwhere to look\n" + "\n".join(f"  {what:{wide}}  {where}" for what, where in places.items())


def clinic_folder() -> Path:
    """Where the example clinic's models, migrations and policy are."""
    return Path(str(files("examples.clinic")))
