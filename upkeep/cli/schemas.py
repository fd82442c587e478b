"""Commands about the schema under the policy: health, ondelete, indexes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer

from upkeep.catalog import Catalog
from upkeep.cli.looking import equipped_with_models
from upkeep.cli.saying import DOES_NOT_HOLD, HOLDS, Json, end, say
from upkeep.databases import Reading
from upkeep.equipment import Equipment
from upkeep.errors import Refused
from upkeep.finding import keys_of
from upkeep.health import Severity, judge_health
from upkeep.missing_indexes import missing_indexes
from upkeep.ondelete import OnDelete, judge_ondelete
from upkeep.schema_change import index_change, ondelete_change
from upkeep.schema_difference import Written
from upkeep.wording import schema as wording


def add_to(app: typer.Typer) -> None:
    """Put the commands of this file into the group."""
    for command in (health, ondelete, indexes):
        app.command()(command)


def health(as_json: Json = False) -> None:
    """What is wrong with the schema, how bad it is, and the code that mends it; reads no rows."""
    equipment = equipped_with_models()
    with _looked_at(equipment) as (reading, catalog):
        flaws = judge_health(catalog, wishes_of(equipment, reading), reading.dialect, equipment.models)
    document = {
        "tables": len(catalog.tables),
        "foreign_keys": len(catalog.keys),
        "flaws": [wording.flaw_document(flaw) for flaw in flaws],
    }
    say(as_json, document, wording.health(equipment.settings.database, catalog, flaws))
    end(DOES_NOT_HOLD if any(flaw.severity is not Severity.INFO for flaw in flaws) else HOLDS)


Write = Annotated[
    bool, typer.Option("--write", help="Write the Alembic revision, once it was rehearsed on a copy of the database.")
]


def ondelete(write: Write = False, as_json: Json = False) -> None:
    """What every foreign key says on delete, and what the policy wants of it."""
    equipment = equipped_with_models()
    with _looked_at(equipment) as (reading, _):
        wishes = wishes_of(equipment, reading)
    document: dict[str, Any] = {"keys": [wording.wish_document(wish) for wish in wishes]}
    told = wording.ondelete(equipment.settings.database, wishes, write=write)
    if write:
        from tasks.revision import write_revision

        written = write_revision(
            equipment, lambda reading: ondelete_change(equipment.policy, equipment.models, reading)
        )
        _end_written(as_json, document, told, written)
    say(as_json, document, told)
    end(DOES_NOT_HOLD if any(wish.is_to_change for wish in wishes) else HOLDS)


def indexes(
    write: Write = False,
    concurrently: Annotated[
        bool,
        typer.Option("--concurrently", help="With --write: beside writers, in no transaction."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Foreign keys that no index serves, and the fewest indexes that change that."""
    if concurrently and not write:
        raise Refused("--concurrently goes with --write", "write `upkeep policy indexes --write --concurrently`")
    equipment = equipped_with_models()
    with _looked_at(equipment) as (_, catalog):
        missing = missing_indexes(catalog, catalog.keys)
    document: dict[str, Any] = {"keys": wording.index_documents(catalog, missing)}
    told = wording.indexes(equipment.settings.database, catalog, missing, write=write)
    if write:
        from tasks.revision import write_revision

        written = write_revision(equipment, lambda reading: index_change(reading, concurrently=concurrently))
        _end_written(as_json, document, told, written)
    say(as_json, document, told)
    end(DOES_NOT_HOLD if missing else HOLDS)


def _end_written(as_json: bool, document: dict[str, Any], told: str, written: Written) -> NoReturn:
    say(as_json, document | wording.written_document(written), f"{told}\n{wording.written(written)}")
    end(HOLDS)


def wishes_of(equipment: Equipment, reading: Reading) -> tuple[OnDelete, ...]:
    """What the policy wants the keys that are read to say."""
    keys = keys_of(reading, equipment.policy, equipment.models)
    return judge_ondelete(reading.catalog(), keys, equipment.policy, reading.kept_as)


@contextmanager
def _looked_at(equipment: Equipment) -> Iterator[tuple[Reading, Catalog]]:
    with equipment.database.reading() as reading:
        catalog = reading.catalog()
        if not catalog.tables:
            raise Refused(
                f"the database {equipment.settings.database} has no tables",
                "check DATABASE_URL: is this the right one?",
            )
        yield reading, catalog
