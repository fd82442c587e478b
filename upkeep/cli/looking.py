"""Commands that only look: check, backups."""

from contextlib import ExitStack
from typing import Annotated

import typer

from upkeep.backups import bring_back, find_backup, list_backups
from upkeep.cli.saying import DOES_NOT_HOLD, HOLDS, Json, end, say
from upkeep.databases import Database
from upkeep.equipment import equip
from upkeep.finding import find, keys_of, orphan_rows
from upkeep.report import Detected, detected_document
from upkeep.wording import text
from upkeep.workplaces import workplace


def add_to(app: typer.Typer) -> None:
    """Put the commands of this file into the program."""
    app.command()(check)
    app.command()(backups)


def check(
    backup: Annotated[str, typer.Option(help="Look at this backup (an id or latest) and not at the database.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="So many orphans of each key are named.")] = 5,
    as_json: Json = False,
) -> None:
    """Find orphans and say why they are there; changes nothing."""
    equipment = equip()
    with ExitStack() as stack:
        target: Database = equipment.database
        if backup:
            folder = stack.enter_context(workplace(equipment.settings.scratch, equipment.settings.database, "check"))
            target = equipment.database.scratch(folder)
            bring_back(equipment.store, find_backup(equipment.store, equipment.settings.database, backup), target)
        reading = stack.enter_context(target.reading())
        catalog = reading.catalog()
        findings = tuple(find(reading, key, limit=limit) for key in keys_of(reading, equipment.policy))
        rows = sum(reading.count(table, digest=False).rows for table in catalog.tables)
        detected = Detected(len(catalog.tables), rows, findings, orphan_rows(reading, findings))
        complaints = reading.complaints()
        engine = target.identity().engine
    document = detected_document(engine, detected, catalog, complaints)
    say(as_json, document, text.check(engine, detected, complaints, limit))
    clean = bool(catalog.tables) and not detected.troubled and not complaints
    end(HOLDS if clean else DOES_NOT_HOLD)


def backups(as_json: Json = False) -> None:
    """List the backups of the database in the store, oldest first."""
    equipment = equip()
    listed = list_backups(equipment.store, equipment.settings.database)
    documents = [
        {
            "id": backup.id,
            "taken": backup.manifest.taken.isoformat() if backup.manifest else None,
            "revision": list(backup.manifest.census.revision) if backup.manifest else None,
            "bytes": backup.manifest.stored_bytes if backup.manifest else None,
            "verified": backup.verified,
            "fault": backup.fault,
        }
        for backup in listed
    ]
    say(as_json, {"backups": documents}, text.backups(listed))
