"""Commands that only look: check, backups."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from upkeep.backups import bring_back
from upkeep.baseline import against
from upkeep.cli.documents import backup_document
from upkeep.cli.saying import DOES_NOT_HOLD, HOLDS, Json, end, end_badly, say
from upkeep.clock import utc_now
from upkeep.databases import Reading
from upkeep.detected import Detected, detected_document
from upkeep.equipment import Equipment, equip
from upkeep.errors import Damaged, Refused, Unreachable
from upkeep.finding import detected, diagnosed, find, keys_of, with_adopted
from upkeep.history import Moment, Record
from upkeep.manifests import find_backup, list_backups
from upkeep.remembering import read_baseline
from upkeep.wording import backups as wording
from upkeep.wording.check import what_was_found

_LATEST = "latest"


def add_to(app: typer.Typer) -> None:
    """Put the commands of this file into the program."""
    app.command()(check)
    app.command()(backups)


def check(
    backup: Annotated[str, typer.Option(metavar="ID|latest", help="Look at this backup and not at the database.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="So many orphans of each key are named.")] = 5,
    baseline: Annotated[
        str, typer.Option(metavar="FILE|latest", help="Fail only for what is new since then; latest is the last run.")
    ] = "",
    write_baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write down what is found, for --baseline.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Find orphans and say why they are there; changes nothing."""
    equipment = equipped_with_models()
    engine = equipment.database.engine
    wanted = _wanted_baseline(equipment, baseline)
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
        found = _beside_history(equipment, reading, found, wanted, is_live=not backup)
        complaints = reading.complaints()
    if write_baseline:
        _write_baseline(found, write_baseline)
    document = detected_document(engine, found, catalog, complaints)
    document["encrypted_to"] = list(equipment.keyring.recipients)
    told = what_was_found(
        equipment.settings.database, engine, found, complaints, limit, recipients=equipment.keyring.recipients
    )
    if complaints:
        what = f"the engine's own check of {equipment.settings.database} complains: {complaints[0]}"
        hint = "stop; `upkeep restore latest --to URL` brings the newest verified backup back beside it"
        end_badly(as_json, document, told, Damaged(what, hint))
    say(as_json, document, told)
    is_troubled = not found.against.holds if found.against else bool(found.troubled)
    end(DOES_NOT_HOLD if is_troubled else HOLDS)


def _wanted_baseline(equipment: Equipment, given: str) -> Record | str:
    """The baseline that is asked for, by a word or read from its file; the policy's is a file beside the policy."""
    if given or not equipment.policy.check.baseline:
        return given if given in ("", _LATEST) else read_baseline(Path(given))
    name = equipment.policy.check.baseline
    return name if name == _LATEST else read_baseline(equipment.settings.policy.parent / name)


def _beside_history(
    equipment: Equipment, reading: Reading, found: Detected, wanted: Record | str, *, is_live: bool
) -> Detected:
    """With what earlier runs saw, and against the baseline.

    A store that does not answer does not keep anybody from looking at the database: then it is told that nobody knows
    what was seen before. But a baseline that is asked for must be there.
    """
    history, unremembered = equipment.see(reading, found.findings), "a backup was looked at"
    if is_live or wanted == _LATEST:
        try:
            history, unremembered = equipment.remember(reading, found.findings), ""
        except (Unreachable, Refused) as fault:
            if wanted == _LATEST:
                raise
            unremembered = fault.message
    findings = with_adopted(found.findings, history)
    found = replace(found, findings=findings, history=history, unremembered=unremembered)
    if not wanted:
        return found
    known = wanted if isinstance(wanted, Record) else history.before
    if known is None:
        raise Refused(
            f"no run has left what it found of {equipment.settings.database} in {equipment.store.url}",
            "run `upkeep maintain`, or write a baseline with `upkeep check --write-baseline FILE`",
        )
    return replace(found, against=against(known, history.now))


def _write_baseline(found: Detected, path: Path) -> None:
    """The record as a file, whole or not at all."""
    if found.history is None:
        raise AssertionError("a check always remembers")
    record = found.history.now.at(Moment(run="check", taken=utc_now()))
    beside = path.with_name(f"{path.name}.new")
    try:
        beside.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
        beside.replace(path)
    except OSError as fault:
        raise Refused(f"the baseline {path} cannot be written: {fault.strerror}", "name another file") from None


def equipped_with_models() -> Equipment:
    """What the settings name, with what the application's models and older backups say of foreign keys."""
    equipment = equip()
    if equipment.settings.metadata is None:
        return equipment.with_lost_keys()
    from tasks.models import with_models

    with equipment.workplace("models") as folder:
        return with_models(equipment, folder).with_lost_keys()


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
        manifest = find_backup(equipment.store, equipment.settings.database, backup)
        bring_back(equipment.store, manifest, scratch, equipment.keyring)
        with scratch.reading() as reading:
            yield reading


def backups(as_json: Json = False) -> None:
    """List the backups of the database in the store, oldest first."""
    equipment = equip()
    listed = list_backups(equipment.store, equipment.settings.database)
    told = wording.backups(listed, equipment.settings.database, equipment.store.url)
    say(as_json, {"backups": [backup_document(backup) for backup in listed]}, told)
