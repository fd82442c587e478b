"""What became of a run that died, asked of the database: of its revision, of its rows, of its foreign keys."""

from collections.abc import Iterator
from enum import StrEnum
from itertools import groupby

from upkeep.changes import stored_changes
from upkeep.databases import Reading
from upkeep.equipment import Equipment
from upkeep.errors import Refused
from upkeep.journal import Intention
from upkeep.marks import Mark, marked, marks_of, stored_marks
from upkeep.rows import images_of
from upkeep.values import in_pieces
from upkeep.vanishing import Secret

IN_FORCE = "is in force"


class Found(StrEnum):
    """What became of a run that died."""

    PERFORMED = "performed"
    IN_PART = "in part"
    UNTOUCHED = "untouched"


def all_in_force(keys: dict[str, str]) -> bool:
    """Are all the foreign keys that a run was to bring into force, and are there some?"""
    return bool(keys) and set(keys.values()) == {IN_FORCE}


def what_became_of(equipment: Equipment, intention: Intention, keys: dict[str, str]) -> Found:
    """Performed or not? With a migration the revision says; else the rows do, all of which changed at once.

    Where no row was to change, its foreign keys say it: how they stand now, by name.

    The application goes on after a kill and may delete a row that the run would have deleted, so most of them decide.
    """
    if intention.migration is not None:
        with equipment.database.reading() as reading:
            return Found.PERFORMED if intention.migration in reading.revision() else Found.UNTOUCHED
    if not intention.changes.rows:
        return Found.PERFORMED if all_in_force(keys) else Found.UNTOUCHED
    return by_its_rows(equipment, intention)


def by_its_rows(equipment: Equipment, intention: Intention) -> Found:
    """Are most of its rows as after it?"""
    marks, secret = _marks(equipment, intention)
    with equipment.database.reading() as reading:
        as_before, as_after = _count(reading, marks, secret)
    if as_before and as_before == as_after:
        raise Refused(
            f"run {intention.run} died, and of its rows {as_before} are as before it and {as_after} as after it",
            "somebody has changed rows since: compare with its changes in the store, then remove its journal entry",
        )
    return Found.PERFORMED if as_after > as_before else Found.UNTOUCHED


def _marks(equipment: Equipment, intention: Intention) -> tuple[Iterator[Mark], Secret]:
    """How each row was and was to be: by the run's changes, else, where no key here reads them, by its marks."""
    store, keyring, changes, marks = equipment.store, equipment.keyring, intention.changes, intention.marks
    if keyring.reads(changes.sealed):
        secret = equipment.new_secret()
        return marks_of(stored_changes(store, changes, keyring), secret), secret
    if marks and (known := equipment.known_secret(marks)):
        return stored_marks(store, marks), known
    raise Refused(
        f"run {intention.run} died; its changes are encrypted, SECRET_KEY is not what it was, and no identity fits",
        "set SECRET_KEY as it was or UPKEEP_IDENTITY_FILE and run `upkeep recover`; nothing is lost or done before",
    )


def _count(reading: Reading, marks: Iterator[Mark], secret: Secret) -> tuple[int, int]:
    """How many of the rows are as they were before the run, and how many as after it; others were changed since."""
    tables = reading.catalog().tables
    as_before = as_after = 0
    for name, of_table in groupby(marks, lambda mark: mark.table):
        for several in in_pieces(of_table):
            # A table that the run brings back whole is not there before it; then its rows are as before.
            images = images_of(reading, tables[name], [mark.row for mark in several]) if name in tables else {}
            for mark in several:
                now = marked(images.get(mark.row), secret)
                as_before += now == mark.before
                as_after += now == mark.after
    return as_before, as_after
