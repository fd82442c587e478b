"""What a run that died had begun: found out from the rows themselves, put on record, and cleared (P-95)."""

import json
from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from itertools import groupby
from typing import Any

from tasks.closing import close
from tasks.quiet import wake
from tasks.step import step
from upkeep.changes import stored_changes
from upkeep.clock import begun_at, utc_now
from upkeep.databases import Reading
from upkeep.documents import put_document
from upkeep.enforcement import How
from upkeep.equipment import Equipment
from upkeep.errors import Refused
from upkeep.finding import keys_of
from upkeep.journal import Intention, clear_intention, intentions
from upkeep.ledger import UNDER_LOCK
from upkeep.marks import Mark, marked, marks_of, stored_marks
from upkeep.receipts import last_receipt
from upkeep.rows import images_of
from upkeep.stores import Store
from upkeep.values import in_pieces
from upkeep.vanishing import Secret

_FORCE = "is in force"
_STANDS = {
    How.ADD: "is not declared yet",
    How.ENABLE: "is still switched off",
    How.VALIDATE: "is NOT VALID, which is safe: no new orphan can come, and the next plan validates it",
}


class Found(StrEnum):
    """What became of a run that died."""

    PERFORMED = "performed"
    UNTOUCHED = "untouched"


@step("recover", retried=True)
def recover_runs(equipment: Equipment) -> tuple[str, ...]:
    """Settle every entry of the journal; a line for each. Nothing is changed in the database.

    What changes it is one transaction of the engine, so the engine itself has completed it or put it back as soon as
    somebody opens the database; here it is found out which, and said.
    """
    told = []
    for intention in intentions(equipment.store, equipment.settings.database):
        keys = standing_keys(equipment, intention)
        found = what_became_of(equipment, intention, keys)
        settle(equipment, intention, found, by_recovery=True, keys=keys)
        told.append(_told(intention, found, keys))
        if intention.migration and (awake := wake(equipment.settings)):
            told.append(f"{awake.claim}: {awake.seen}")
    attest_deaths(equipment)
    return tuple(told)


def _told(intention: Intention, found: Found, keys: dict[str, str]) -> str:
    """What became of a run, in words; of its rows alone where a foreign key is not in force."""
    said = "had been performed whole" if found is Found.PERFORMED else "had changed nothing"
    if keys and not (found is Found.PERFORMED and _all_in_force(keys)):
        said = "had changed all its rows" if found is Found.PERFORMED else "had changed no row"
    return "; ".join([f"run {intention.run} died; it {said}", *(f"{key} {word}" for key, word in keys.items())])


def _all_in_force(keys: dict[str, str]) -> bool:
    return bool(keys) and set(keys.values()) == {_FORCE}


def attest_deaths(equipment: Equipment) -> None:
    """A receipt for each run that has died since it began, and says so nowhere itself.

    Call it with the database's lock: a run that had it at its last receipt has not got it any more. One that has given
    it back may be waiting for approval, and is left alone until nobody could still give that.
    """
    store, name = equipment.store, equipment.settings.database
    last = last_receipt(store, name)
    longest = timedelta(hours=equipment.settings.approval_hours) + timedelta(days=1)
    for run, stage in last.receipt.open.items() if last else ():
        if stage in UNDER_LOCK or utc_now() - begun_at(run) > longest:
            contents = {"last_receipt": stage, "outcome": _outcome(store, name, run)}
            close(equipment, "died", run, contents)


def _outcome(store: Store, database: str, run: str) -> dict[str, Any]:
    """What is on record of a run's change; without a record there was none."""
    name = outcome_name(database, run)
    if not store.exists(name):
        return {"found": Found.UNTOUCHED.value, "plan_sha256": None}
    with store.get(name) as file:
        outcome = json.loads(file.read())
    keys = {"keys": outcome["keys"]} if "keys" in outcome else {}
    return {"found": outcome["found"], "plan_sha256": outcome["plan"], "by_recovery": outcome["by_recovery"], **keys}


def outcome_name(database: str, run: str) -> str:
    """Where it stands how the change of a run ended."""
    return f"{database}/repairs/{run}/outcome.json"


def settle(
    equipment: Equipment, intention: Intention, found: Found, *, by_recovery: bool, keys: dict[str, str] | None = None
) -> None:
    """Write down how a run's change ended, then clear its entry of the journal.

    ``keys`` says how the foreign keys stand that it was to bring into force, where that was looked at.
    """
    document = {
        "run": intention.run,
        "plan": intention.plan,
        "approved_by": intention.approved_by,
        "found": found.value,
        "by_recovery": by_recovery,
        "changes": intention.changes.model_dump(),
        "settled": utc_now().isoformat(),
        **({"enforced": list(intention.enforced)} if intention.enforced else {}),
        **({"keys": keys} if keys else {}),
    }
    name = outcome_name(intention.database, intention.run)
    if not equipment.store.exists(name):
        put_document(equipment.store, name, document, only_if_absent=True)
    clear_intention(equipment.store, intention.database, intention.run)


def standing_keys(equipment: Equipment, intention: Intention) -> dict[str, str]:
    """How each foreign key stands that the run was to bring into force; whatever it is, it is left so.

    A key that is NOT VALID is a safe state: it lets no new orphan in, and the next plan takes it from there.
    """
    if not intention.enforced:
        return {}
    with equipment.database.reading() as reading:
        known = {str(key): key for key in keys_of(reading, equipment.policy, equipment.models)}
    lapses = equipment.database.lapses([known[name] for name in intention.enforced if name in known])
    return {
        name: _FORCE if name not in lapses else _STANDS[lapses[name].how]
        for name in intention.enforced
        if name in known
    }


def what_became_of(equipment: Equipment, intention: Intention, keys: dict[str, str]) -> Found:
    """Performed or not? With a migration the revision says; else the rows do, all of which changed at once.

    Where no row was to change, its foreign keys say it: how they stand now, by name.

    The application goes on after a kill and may delete a row that the run would have deleted, so most of them decide.
    """
    if intention.migration is not None:
        with equipment.database.reading() as reading:
            return Found.PERFORMED if intention.migration in reading.revision() else Found.UNTOUCHED
    if not intention.changes.rows:
        return Found.PERFORMED if _all_in_force(keys) else Found.UNTOUCHED
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
