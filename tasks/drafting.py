"""A revision that Alembic wrote for us, and that stands among the scripts only when it has proven itself."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.migration import MigrationFailed, alembic
from upkeep.databases import Database
from upkeep.drafts import Draft
from upkeep.errors import Refused
from upkeep.schema_difference import Difference
from upkeep.settings import Settings


@dataclass(frozen=True)
class Drafted:
    """A draft in a file of the workplace that has run on a scratch, what it builds on, and where it is to stand.

    ``differences`` are what ``alembic check`` would say afterwards, ``unasked`` why it could not be asked.
    """

    revision: str
    head: str
    file: Path
    place: Path
    differences: tuple[Difference, ...]
    unasked: str


def write_and_run(settings: Settings, workplace: Path, scratch: Database, message: str, draft: Draft) -> Drafted:
    """Have Alembic write it by the project's own template and pattern for names, and bring the scratch to it.

    Raises MigrationFailed.
    """
    asked: dict[str, Any] = {"message": message, "upgrades": list(draft.upgrade), "downgrades": list(draft.downgrade)}
    asked["imports"] = list(draft.module_lines)
    said = _ask(settings, workplace, scratch, asked | {"verb": "draft", "to": "head", "folder": str(workplace)})
    found = [
        Difference(one["does"], one["table"], tuple(one["columns"]), one["ondelete"]) for one in said["differences"]
    ]
    return Drafted(
        said["revision"], said["head"], Path(said["file"]), Path(said["place"]), tuple(found), said["unasked"]
    )


def upgrade(settings: Settings, workplace: Path, scratch: Database) -> None:
    """Bring the scratch to the head; raises MigrationFailed."""
    _ask(settings, workplace, scratch, {"verb": "upgrade", "to": "head"})


def downgrade(settings: Settings, workplace: Path, scratch: Database, drafted: Drafted) -> None:
    """Take the draft back; raises MigrationFailed."""
    asked = {"verb": "downgrade", "to": drafted.head, "drafts": {drafted.revision: str(drafted.file)}}
    _ask(settings, workplace, scratch, asked)


def _ask(settings: Settings, workplace: Path, scratch: Database, asked: dict[str, Any]) -> dict[str, Any]:
    """Upon the scratch itself and not in a transaction of ours, as a person runs Alembic."""
    query, answer = scratch.fingerprint()
    where = {"url": scratch.alembic_url(), "fingerprint": [query, answer], "watch": ""}
    with alembic(settings, workplace) as door:
        said = door.ask(asked | where)
    if said["failed"]:
        raise MigrationFailed(said["failed"], said["state"])
    return said


def place(drafted: Drafted) -> None:
    """Put the file among the scripts, whole or not at all; Alembic looks at nothing that does not end with .py."""
    part = drafted.place.with_name(f".{drafted.place.name}.part")
    try:
        with part.open("xb") as file:
            file.write(drafted.file.read_bytes())
            file.flush()
            os.fsync(file.fileno())
        os.link(part, drafted.place)
    except OSError as fault:
        raise Refused(
            f"the revision cannot be put into {drafted.place.parent}: {fault.strerror}",
            "let Upkeep write there, then run it again",
        ) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
