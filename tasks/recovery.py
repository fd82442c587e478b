"""What a run that died had begun: found out from the rows themselves, put on record, and cleared (P-95)."""

import json
from datetime import timedelta
from typing import Any

from tasks.closing import close
from tasks.outcome import IN_FORCE, Found, all_in_force, what_became_of
from tasks.putting_back import put_back
from tasks.quiet import wake
from tasks.step import step
from upkeep.clock import begun_at, utc_now
from upkeep.documents import put_document
from upkeep.enforcement import How
from upkeep.equipment import Equipment
from upkeep.finding import keys_of
from upkeep.journal import Intention, clear_intention, intentions
from upkeep.ledger import UNDER_LOCK
from upkeep.proofs import untold
from upkeep.receipts import last_receipt
from upkeep.stores import Store

_STANDS = {
    How.ADD: "is not declared yet",
    How.ENABLE: "is still switched off",
    How.VALIDATE: "is NOT VALID, which is safe: no new orphan can come, and the next plan validates it",
}
_BECAME = {
    Found.PERFORMED: "had been performed whole",
    Found.IN_PART: "had been performed in part",
    Found.UNTOUCHED: "had changed nothing",
}


@step("recover", retried=True)
def recover_runs(equipment: Equipment) -> tuple[str, ...]:
    """Settle every entry of the journal; a line for each.

    What changes the database is one transaction of the engine, so the engine itself has completed it or put it back as
    soon as somebody opens the database; here it is found out which, and said, and nothing is changed. Only a migration
    that has left its transaction is put back here, to the revision that it had reached.
    """
    told, settled = [], set()
    for intention in intentions(equipment.store, equipment.settings.database):
        settled.add(intention.run)
        keys = standing_keys(equipment, intention)
        if intention.stages:
            found, said = put_back(equipment, intention)
            said = "; ".join([said, *_words(keys)])
        else:
            found = what_became_of(equipment, intention, keys)
            said = _told(intention, found, keys)
        settle(equipment, intention, found, by_recovery=True, keys=keys)
        told.append(said)
        told += _awake(equipment) if intention.migration else []
    early = [(run, found) for run, found in attest_deaths(equipment) if run not in settled]
    told += [f"run {run} died; it {_BECAME[found]}" for run, found in early]
    return tuple(told)


def _awake(equipment: Equipment) -> list[str]:
    """What is said of an application that was kept quiet, and goes on."""
    awake = wake(equipment.settings)
    return [f"{awake.claim}: {awake.seen}"] if awake else []


def _told(intention: Intention, found: Found, keys: dict[str, str]) -> str:
    """What became of a run, in words; of its rows alone where a foreign key is not in force."""
    said = _BECAME[found]
    if keys and not (found is Found.PERFORMED and all_in_force(keys)):
        said = "had changed all its rows" if found is Found.PERFORMED else "had changed no row"
    return "; ".join([f"run {intention.run} died; it {said}", *_words(keys)])


def _words(keys: dict[str, str]) -> list[str]:
    return [f"{key} {word}" for key, word in keys.items()]


def attest_deaths(equipment: Equipment) -> list[tuple[str, Found]]:
    """A receipt for each run that has died since it began, and says so nowhere itself; those runs, and their ends.

    Call it with the database's lock: a run that had it at its last receipt has not got it any more. One that has given
    it back may be waiting for approval, and is left alone until nobody could still give that.
    """
    store, name = equipment.store, equipment.settings.database
    last = last_receipt(store, name)
    longest = timedelta(hours=equipment.settings.approval_hours) + timedelta(days=1)
    died = []
    for run, stage in last.receipt.open.items() if last else ():
        if stage in UNDER_LOCK or utc_now() - begun_at(run) > longest:
            outcome = _outcome(store, name, run)
            close(equipment, "died", run, {"last_receipt": stage, "outcome": outcome}, untold(store, name, run))
            died.append((run, Found(outcome["found"])))
    return died


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
        name: IN_FORCE if name not in lapses else _STANDS[lapses[name].how]
        for name in intention.enforced
        if name in known
    }
