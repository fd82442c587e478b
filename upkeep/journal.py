"""What an unfinished run was about to do, in the store; gone when it is done (P-95)."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from upkeep.changes import Record
from upkeep.documents import put_document
from upkeep.errors import Damaged
from upkeep.marks import Marks
from upkeep.stages import Stage
from upkeep.stores import Store


class Intention(BaseModel):
    """One run that has begun to change ``database``: what the plan ``plan`` says, to the rows in ``changes``.

    ``plan`` is a digest, ``migration`` the head that the database goes to, if any, ``enforced`` the names of the
    foreign keys that come into force before the rows are changed. ``marks`` stand where the changes are encrypted: by
    them the next run finds out what became of this one, although it cannot read those.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str
    database: str
    plan: str
    changes: Record
    migration: str | None
    backup: str
    approved_by: str
    begun: datetime
    enforced: tuple[str, ...] = ()
    marks: Marks | None = None
    stages: tuple[Stage, ...] = ()
    found: tuple[str, ...] = ()
    there: tuple[str, ...] = ()


def _name(database: str, run: str) -> str:
    return f"{database}/journal/{run}.json"


def write_intention(store: Store, intention: Intention) -> None:
    """Say what is about to be done, before the first byte of it."""
    name = _name(intention.database, intention.run)
    put_document(store, name, intention.model_dump(mode="json"), only_if_absent=True)


def clear_intention(store: Store, database: str, run: str) -> None:
    """The run has come to an end that is on record."""
    store.delete(_name(database, run))


def intentions(store: Store, database: str) -> tuple[Intention, ...]:
    """What runs that died had begun, oldest first; Damaged if one of them cannot be read."""
    found: list[Intention] = []
    for entry in store.list(f"{database}/journal/"):
        with store.get(entry.name) as file:
            content: Any = file.read()
        try:
            found.append(Intention.model_validate_json(content))
        except ValueError:
            raise Damaged(
                f"the journal {entry.name} cannot be read", "look at that object; nothing is done before"
            ) from None
    return tuple(sorted(found, key=lambda intention: intention.begun))
