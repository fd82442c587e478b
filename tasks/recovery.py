"""What a run that died had begun: found out from the rows themselves, put on record, and cleared (P-95)."""

import json
from collections import defaultdict
from datetime import timedelta
from enum import StrEnum
from typing import Any

from tasks.closing import close
from tasks.quiet import wake
from tasks.step import step
from upkeep.backups import utc_now
from upkeep.changes import Change, stored_changes
from upkeep.databases import Reading
from upkeep.documents import put_document
from upkeep.equipment import Equipment
from upkeep.errors import Refused
from upkeep.journal import Intention, clear_intention, intentions
from upkeep.ledger import UNDER_LOCK, begun_at
from upkeep.receipts import last_receipt
from upkeep.rows import images_of
from upkeep.stores import Store


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
        found = what_became_of(equipment, intention)
        settle(equipment, intention, found, by_recovery=True)
        said = "had been performed whole" if found is Found.PERFORMED else "had changed nothing"
        told.append(f"run {intention.run} died; it {said}")
        if intention.migration and (awake := wake(equipment.settings)):
            told.append(f"{awake.claim}: {awake.seen}")
    attest_deaths(equipment)
    return tuple(told)


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
    return {"found": outcome["found"], "plan_sha256": outcome["plan"], "by_recovery": outcome["by_recovery"]}


def outcome_name(database: str, run: str) -> str:
    """Where it stands how the change of a run ended."""
    return f"{database}/repairs/{run}/outcome.json"


def settle(equipment: Equipment, intention: Intention, found: Found, *, by_recovery: bool) -> None:
    """Write down how a run's change ended, then clear its entry of the journal."""
    document = {
        "run": intention.run,
        "plan": intention.plan,
        "approved_by": intention.approved_by,
        "found": found.value,
        "by_recovery": by_recovery,
        "changes": intention.changes.model_dump(),
        "settled": utc_now().isoformat(),
    }
    name = outcome_name(intention.database, intention.run)
    if not equipment.store.exists(name):
        put_document(equipment.store, name, document, only_if_absent=True)
    clear_intention(equipment.store, intention.database, intention.run)


def what_became_of(equipment: Equipment, intention: Intention) -> Found:
    """Performed or not? With a migration the revision says; else the rows do, all of which changed at once.

    The application goes on after a kill and may delete a row that the run would have deleted, so most of them decide.
    """
    changes = list(stored_changes(equipment.store, intention.changes))
    with equipment.database.reading() as reading:
        if intention.migration is not None:
            return Found.PERFORMED if intention.migration in reading.revision() else Found.UNTOUCHED
        as_before, as_after = _count(reading, changes)
    if as_before and as_before == as_after:
        raise Refused(
            f"run {intention.run} died, and of its rows {as_before} are as before it and {as_after} as after it",
            "somebody has changed rows since: compare with its changes in the store, then remove its journal entry",
        )
    return Found.PERFORMED if as_after > as_before else Found.UNTOUCHED


def _count(reading: Reading, changes: list[Change]) -> tuple[int, int]:
    """How many of the rows are as they were before the run, and how many as after it; others were changed since."""
    tables = reading.catalog().tables
    by_table: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        by_table[change.table].append(change)
    as_before = as_after = 0
    for name, several in by_table.items():
        now = images_of(reading, tables[name], [change.row for change in several])
        for change in several:
            image = now.get(change.row)
            as_before += image == change.before
            as_after += image == change.after
    return as_before, as_after
