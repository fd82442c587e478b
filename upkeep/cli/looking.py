"""Commands that only look: check, backups."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from upkeep.backups import bring_back, find_backup, list_backups
from upkeep.cli.documents import backup_document
from upkeep.cli.saying import DOES_NOT_HOLD, HOLDS, Json, end, end_badly, say
from upkeep.databases import Reading
from upkeep.equipment import Equipment, equip
from upkeep.errors import Damaged, Refused
from upkeep.finding import detected, diagnosed, find, keys_of
from upkeep.report import detected_document
from upkeep.wording import text


def add_to(app: typer.Typer) -> None:
    """Put the commands of this file into the program."""
    app.command()(check)
    app.command()(backups)


def check(
    backup: Annotated[str, typer.Option(metavar="ID|latest", help="Look at this backup and not at the database.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="So many orphans of each key are named.")] = 5,
    as_json: Json = False,
) -> None:
    """Find orphans and say why they are there; changes nothing."""
    equipment = equipped_with_models()
    engine = equipment.database.engine
    with _looked_at(equipment, backup) as reading:
        catalog = reading.catalog()
        if not catalog.tables:
            raise Refused(
                f"the database {equipment.settings.database} has no tables",
                "check DATABASE_URL: is this the right one?",
            )
        keys = keys_of(reading, equipment.policy, equipment.models)
        findings = diagnosed(reading, tuple(find(reading, key, limit=limit) for key in keys), equipment.policy)
        found = detected(reading, findings, policy=equipment.policy)
        complaints = reading.complaints()
    document = detected_document(engine, found, catalog, complaints)
    told = text.check(equipment.settings.database, engine, found, complaints, limit)
    if complaints:
        what = f"the engine's own check of {equipment.settings.database} complains: {complaints[0]}"
        hint = "stop; `upkeep restore latest --to URL` brings the newest verified backup back beside it"
        end_badly(as_json, document, told, Damaged(what, hint))
    say(as_json, document, told)
    end(DOES_NOT_HOLD if found.troubled else HOLDS)


def equipped_with_models() -> Equipment:
    """What the settings name, with what the application's models say where they name any."""
    equipment = equip()
    if equipment.settings.metadata is None:
        return equipment
    from tasks.models import with_models

    with equipment.workplace("models") as folder:
        return with_models(equipment, folder)


@contextmanager
def _looked_at(equipment: Equipment, backup: str) -> Iterator[Reading]:
    """A frozen copy of the database, so that no long look keeps its writers waiting; or a backup, brought back."""
    database = equipment.database
    with equipment.workplace("check") as folder:
        if not backup:
            with database.snapshot(folder) as snapshot, snapshot.reading() as reading:
                yield reading
            return
        scratch = database.scratch(folder)
        bring_back(equipment.store, find_backup(equipment.store, equipment.settings.database, backup), scratch)
        with scratch.reading() as reading:
            yield reading


def backups(as_json: Json = False) -> None:
    """List the backups of the database in the store, oldest first."""
    equipment = equip()
    listed = list_backups(equipment.store, equipment.settings.database)
    say(as_json, {"backups": [backup_document(backup) for backup in listed]}, text.backups(listed))
