"""What a measured process does: one verb, its own clock around the work alone, one JSON document on standard output."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.by_hand import foreign_key_check, plain_postgresql, plain_sqlite, workers
from tests.bench.large_plan import large_plan
from tests.bench.watch import Said, Watch


def find(database: str) -> Said:
    """The kernel's way, as `upkeep check` goes it."""
    from upkeep.finding import find as find_orphans
    from upkeep.finding import keys_of
    from upkeep.policy import Policy

    target = _opened(database)
    watch = Watch()
    with target.reading() as reading:
        found = [find_orphans(reading, key, limit=5) for key in keys_of(reading, Policy())]
    return {**watch.said(), "orphans": sum(one.orphans or 0 for one in found)}


def suites(database: str) -> Said:
    """The way of Great Expectations, as `upkeep maintain` goes it; its import stands outside the clock."""
    from expectations.run import run_suites
    from upkeep.finding import keys_of
    from upkeep.policy import Policy

    target = _opened(database)
    watch = Watch()
    with target.reading() as reading:
        keys = keys_of(reading, Policy())
        questions = [_question(f"key-{i}", reading, key) for i, key in enumerate(keys)]
    answers = run_suites(target.alembic_url(), questions, ()).answers
    return {**watch.said(), "orphans": sum(answer.numbers[0] for answer in answers)}


def _question(name: str, reading: Any, key: Any) -> Any:
    """As tasks/detection.py puts it."""
    from upkeep.answers import Question
    from upkeep.orphans import counting

    known = reading.known(key)
    return Question(name, str(key), counting(key, reading.dialect, known), str(key), known.numbers if known else None)


def back_up(database: str, programs: str | None, store: str, workplace: str) -> Said:
    """The kernel's backup, with the moment at which the application was free again."""
    from upkeep.backups import take_backup
    from upkeep.clock import utc_now
    from upkeep.stores import open_store

    Path(workplace).mkdir(exist_ok=True)
    moments: list[float] = []
    source, place = _opened(database, programs), open_store(store)
    window = time.monotonic()
    watch = Watch()
    manifest = take_backup(
        source,
        place,
        Path(workplace),
        run="bench",
        now=utc_now(),
        progress=lambda _: moments.append(watch.seconds),
    )
    said = watch.said()
    return {
        **said,
        "copying": moments[1],
        "storing": said["seconds"] - moments[1],
        "window": (window, time.monotonic()),
        "plain": manifest.plain_bytes,
        "stored": manifest.stored_bytes,
        "dump": f"{store.removeprefix('file://')}/{manifest.dump}",
        "manifest": manifest.model_dump(mode="json"),
    }


def restore(manifest: Said, programs: str | None, store: str, target: str) -> Said:
    """The kernel's way back: every byte compared, then the content proven."""
    from upkeep.backups import bring_back, prove
    from upkeep.clock import utc_now
    from upkeep.manifests import Manifest
    from upkeep.stores import open_store

    place, wanted = open_store(store), Manifest.model_validate(manifest)
    restored = _opened(target, programs)
    watch = Watch()
    bring_back(place, wanted, restored)
    brought = watch.seconds
    _, against = prove(place, wanted, restored, run="bench", now=utc_now(), seconds=brought)
    if against:
        raise RuntimeError("; ".join(against))
    said = watch.said()
    return {**said, "bring_back": brought, "prove": said["seconds"] - brought}


def mend(database: str) -> Said:
    """Draw up a plan, then do it: how long the write lock is held from BEGIN IMMEDIATE to the commit."""
    from upkeep.finding import find as find_orphans
    from upkeep.finding import keys_of
    from upkeep.mending import mend as mend_rows
    from upkeep.planning import Planner
    from upkeep.policy import Action, Policy, Rule

    wanted = {"visits": Action.DELETE, "visit_services": Action.DELETE, "payments": Action.NULLIFY}
    policy = Policy(rule=tuple(Rule(child=child, orphan=(action,)) for child, action in wanted.items()))
    target = _opened(database)
    with target.reading() as reading:
        keys = keys_of(reading, policy)
        findings = tuple(find_orphans(reading, key, limit=0) for key in keys)
        watch = Watch()
        plan = Planner(reading, keys, policy).plan("bench", findings, None)
        counted = plan.rows  # as the limits ask before anybody approves
        planning = watch.seconds
    watch = Watch()
    with target.writing() as writing:
        done = mend_rows(writing, plan, keys_of(writing, policy))
    return {**watch.said(), "planning": planning, "rows": min(counted, len(done.changes))}


def perform(migrate: bool) -> Said:
    """All of the chain without Prefect, on what the environment names; the window is that of the performance alone."""
    from tasks.detection import detect
    from tasks.migration import pending_migration
    from tasks.performance import perform as perform_plan
    from tasks.rehearsal import rehearse
    from upkeep.backups import bring_back, prove, take_backup
    from upkeep.clock import utc_now
    from upkeep.equipment import equip
    from upkeep.errors import Unreachable
    from upkeep.workplaces import workplace

    equipment = equip()
    with workplace(equipment.settings.scratch, equipment.settings.database, "bench") as folder:
        manifest = take_backup(equipment.database, equipment.store, folder, run="bench", now=utc_now())
        found = manifest.census.revision
        migration = pending_migration(equipment.settings, equipment.database, found, folder) if migrate else None
        scratch = equipment.database.scratch(folder)
        bring_back(equipment.store, manifest, scratch)
        prove(equipment.store, manifest, scratch, run="bench", now=utc_now(), seconds=0)
        detected = detect(equipment, scratch).detected
        rehearsed = _unwrapped(rehearse)(equipment, scratch, folder, manifest, detected, migration)
        if not rehearsed.verdict.passed:
            raise RuntimeError("; ".join(f"{check.claim}: {check.seen}" for check in rehearsed.verdict.failed))
        for tries in range(1, 31):
            begun = time.monotonic()
            try:
                run, plan, worked = f"bench-{tries}", rehearsed.plan, rehearsed.worked
                _unwrapped(perform_plan)(equipment, run, plan, worked, manifest.id, "bench", folder, lambda: None)
            except Unreachable as fault:  # somebody wrote in the moment before the exchange: that is what is counted
                said = str(fault)
                continue
            ended = time.monotonic()
            return {"seconds": ended - begun, "window": (begun, ended), "tries": tries, "rows": rehearsed.plan.rows}
    raise RuntimeError(said)


def _unwrapped(step: Callable[..., Any]) -> Callable[..., Any]:
    """A step of the runbook without Prefect around it."""
    function: Callable[..., Any] = step.__wrapped__  # type: ignore[attr-defined]  # functools.wraps puts it there
    return function


def _opened(database: str, programs: str | None = None) -> Any:
    """The database behind a URL, and in which folder the engine's own programs are."""
    from upkeep.databases.opening import open_database

    return open_database("bench", database, programs=Path(programs) if programs else None)


VERBS: dict[str, Callable[..., Said]] = {
    function.__name__: function
    for function in (
        plain_sqlite,
        plain_postgresql,
        foreign_key_check,
        workers,
        find,
        suites,
        back_up,
        restore,
        mend,
        perform,
        large_plan,
    )
}

if __name__ == "__main__":
    print(json.dumps(VERBS[sys.argv[1]](**json.loads(sys.argv[2]))))
