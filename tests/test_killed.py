"""Promise 4: killed at any moment, the database is as before or as after, and the next run carries on by itself."""

import json
import pickle
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import pytest

from tests.after_a_kill import wait_for_the_dead
from tests.clinics import Night, Runs, perform_at, recover_at, rehearse_at, settings_set_back
from tests.damaged_clinic import MODES, PLACES, SERVERS, Clinic, Content, asked
from tests.engines.postgresql import PostgresqlBase
from tests.shell import upkeep
from upkeep.backups import bring_back, prove
from upkeep.clock import utc_now
from upkeep.databases.opening import open_database
from upkeep.equipment import Equipment
from upkeep.errors import Unreachable
from upkeep.manifests import list_backups
from upkeep.proofs import receipt_of

pytest_plugins = ("tests.clinics",)

BEFORE_IT_PERFORMS = ("recover", "preflight", "back up", "snapshot", "detect", "rehearse", "evidence", "ask", "perform")
STEPS = (*BEFORE_IT_PERFORMS, "back up again", "snapshot again", "verify", "prune", "publish")
IN_A_TRANSACTION = (
    "call upkeep/changes.py:put_changes 1",
    "call upkeep/stores/directory.py:put 1",
    "return upkeep/stores/directory.py:put 1",
    "return upkeep/changes.py:put_changes 1",
    "call upkeep/journal.py:write_intention 1",
    "return upkeep/journal.py:write_intention 1",
    "call upkeep/mending.py:mend 1",
    "return upkeep/mending.py:_apply 1",
    "return upkeep/mending.py:_apply 7",
    "return upkeep/mending.py:mend 1",
    "return tasks/work.py:work_on 1",
    "call tasks/recovery.py:settle 1",
    "call upkeep/journal.py:clear_intention 1",
    "return upkeep/journal.py:clear_intention 1",
)
IN_A_TRANSACTION_ON_A_SERVER = IN_A_TRANSACTION[IN_A_TRANSACTION.index("return upkeep/journal.py:write_intention 1") :]
"""Before that the store alone has acted: what becomes of it is tried beside a file, at each of these moments."""
PERFORMS = "tasks/performance.py:perform"
"""The rehearsal goes the same way before."""
IN_AN_EXCHANGE = (
    "return upkeep/journal.py:write_intention 1",
    "return upkeep/mending.py:_apply 7",
    "call upkeep/databases/sqlite_copy.py:copy_pages 1",
    "return upkeep/databases/sqlite_copy.py:copy_pages 1",
    "call tasks/migration.py:upgrade 1",
    "return tasks/migration.py:upgrade 1",
    "call upkeep/databases/sqlite_exchange.py:_write_back 1",
    "return upkeep/databases/sqlite_exchange.py:look 1",
    "return upkeep/databases/sqlite_exchange.py:look 60",
    "return upkeep/databases/sqlite_exchange.py:_write_back 1",
    "call upkeep/journal.py:clear_intention 1",
)
IN_AN_EXCHANGE_ON_A_SERVER = (
    "return upkeep/journal.py:write_intention 1",
    "return upkeep/mending.py:_apply 7",
    "call tasks/migration.py:upgrade 1",
    "return tasks/migration.py:upgrade 1",
    "call upkeep/databases/postgresql_writing.py:commit 1",
    "return upkeep/databases/postgresql_writing.py:commit 1",
    "call upkeep/journal.py:clear_intention 1",
)
IN_A_DUMP = {
    "delete": (
        "call upkeep/databases/sqlite_copy.py:copy_pages 1",
        "return upkeep/databases/sqlite_copy.py:copy_pages 1",
    ),
    "system": (
        "call upkeep/databases/postgresql_dump.py:dumped 1",
        "return upkeep/databases/postgresql_dump.py:dumped 1",
    ),
    "mariadb": (
        "call upkeep/databases/mariadb_dump.py:dumping 1",
        "return upkeep/databases/mariadb_snapshot.py:dump 1",
    ),
}
IN_A_BACKUP = (
    "call upkeep/streams.py:_next 1",
    "return upkeep/stores/directory.py:_write_all 1",
    "call upkeep/stores/directory.py:_reveal 1",
    "return upkeep/stores/directory.py:put 1",
    "call upkeep/documents.py:put_document 1",
    "call upkeep/stores/directory.py:_reveal 2",
    "return upkeep/documents.py:put_document 1",
)


def _again(place: str) -> Any:
    """The store does the same there whatever server the bytes come from."""
    return pytest.mark.exhaustive if place == "mariadb" else ()


@dataclass(frozen=True)
class Rehearsal:
    """A clinic that was rehearsed, the rehearsal, and what the database holds before and after its performance."""

    clinic: Clinic
    night: Night
    before: Content
    after: Content
    seconds: float

    @property
    def pickled(self) -> Path:
        """The file in which a child finds the rehearsal."""
        return self.clinic.folder / "rehearsal.pickle"

    def copied(self, folder: Path) -> "Rehearsal":
        """The same for a copy of the clinic."""
        return Rehearsal(self.clinic.copied(folder), self.night, self.before, self.after, self.seconds)


def rehearsal_of(clinic: Clinic, folder: Path, *, migrate: bool) -> Rehearsal:
    """Rehearse, and perform on a copy to see what comes of it."""
    own = folder / "place"
    own.mkdir()
    night = rehearse_at(clinic.equipment(), own, migrate=migrate)
    night.scratch.discard()
    assert night.rehearsed.verdict.passed, night.rehearsed.verdict.failed
    whole = Rehearsal(clinic, night, clinic.content(), {}, 0.0)
    whole.pickled.write_bytes(pickle.dumps((night.manifest, night.rehearsed)))
    performed = clinic.copied(folder / "performed")
    begun = monotonic()
    perform_at(performed.equipment(), own, night)
    seconds = monotonic() - begun
    return Rehearsal(clinic, night, whole.before, performed.content(), seconds)


SAID_BY_OTHERS = ("delete transaction", "wal exchange")
"""Each journal mode is there once and so is each way."""
WAYS = [
    pytest.param(*one.values, marks=(*one.marks, pytest.mark.exhaustive)) if one.values[0] in SAID_BY_OTHERS else one
    for one in (*asked(PLACES, " transaction"), *asked((*MODES, *SERVERS), " exchange"))
]


@pytest.fixture(scope="module", params=WAYS)
def rehearsed(
    request: pytest.FixtureRequest,
    clinic_in: Callable[[str, Path], Clinic],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Rehearsal]:
    """A rehearsed clinic in each place, without a migration (a transaction) and where that is possible with one."""
    place, how = str(request.param).split()
    folder = tmp_path_factory.mktemp("rehearsed")
    with settings_set_back():
        rehearsed = rehearsal_of(clinic_in(place, folder / "clinic"), folder, migrate=how == "exchange")
    yield rehearsed
    rehearsed.clinic.remove()
    shutil.rmtree(folder)


def carries_on(rehearsed: Rehearsal, short_runs: Runs, folder: Path) -> str:
    """After a kill: the database is whole, the next run settles what was begun and ends performed. Which it was."""
    clinic = rehearsed.clinic
    wait_for_the_dead(clinic.equipment().database)
    now = clinic.content()
    assert now in (rehearsed.before, rehearsed.after), "the database is neither as before nor as after"
    begun = [path.stem for path in (clinic.store / "journal").glob("*.json")]
    told = recover_at(clinic.equipment())
    said = "had changed nothing" if now == rehearsed.before else "had been performed whole"
    assert told == tuple(f"run {run} died; it {said}" for run in begun)
    assert not list(clinic.store.glob("journal/*.json")), "the journal still has an entry"
    assert clinic.content() == now, "recovery changed the database"
    if now == rehearsed.before:
        assert (
            short_runs.do(clinic, "perform", rehearsal=str(rehearsed.pickled), run=f"next-{folder.name}") == "performed"
        )
        assert clinic.content() == rehearsed.after
        assert clinic.scratches == [], "a scratch was left behind (P-95)"
    return said


def every_manifest_holds(equipment: Equipment, folder: Path) -> int:
    """Restore every backup that has a manifest; how many there are."""
    backups = list_backups(equipment.store, equipment.settings.database)
    for backup in backups:
        assert backup.manifest is not None, backup.fault
        target = equipment.database.scratch(folder)
        bring_back(equipment.store, backup.manifest, target)
        _, against = prove(equipment.store, backup.manifest, target, run="test", now=utc_now(), seconds=0)
        assert against == ()
        target.discard()
    return len(backups)


def test_promise_4_killed_between_any_two_acts_of_a_performance(
    rehearsed: Rehearsal, short_runs: Runs, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    exchanged = rehearsed.night.rehearsed.plan.migration is not None
    on_a_server = rehearsed.clinic.on is not None
    exchange = IN_AN_EXCHANGE_ON_A_SERVER if on_a_server else IN_AN_EXCHANGE
    transaction = IN_A_TRANSACTION_ON_A_SERVER if on_a_server else IN_A_TRANSACTION
    said = set()
    for number, moment in enumerate(exchange if exchanged else transaction):
        with subtests.test(moment=moment):
            own = rehearsed.copied(tmp_path / f"at-{number}")
            parameters: dict[str, Any] = {"rehearsal": str(own.pickled), "run": f"killed-{number}"}
            assert short_runs.do(own.clinic, "perform", moment=moment, **parameters) is None, "it was never killed"
            said.add(carries_on(own, short_runs, tmp_path / f"next-{number}"))
            own.clinic.remove()
    assert said == {"had changed nothing", "had been performed whole"}, "not every outcome was met"


def killed_at_random(rehearsed: Rehearsal, runs: Runs, folder: Path, times: int, seed: int) -> None:
    chance = Random(seed)  # noqa: S311 - a test that comes out the same again
    for number in range(times):
        own = rehearsed.copied(folder / f"at-{number}")
        after = chance.uniform(0.001, 1.3 * rehearsed.seconds)
        runs.do(own.clinic, "perform", kill_after=after, rehearsal=str(own.pickled), run=f"killed-{number}")
        carries_on(own, runs, folder / f"next-{number}")
        own.clinic.remove()


def test_promise_4_killed_at_a_random_moment_of_a_performance(
    rehearsed: Rehearsal, short_runs: Runs, tmp_path: Path
) -> None:
    killed_at_random(rehearsed, short_runs, tmp_path, times=3, seed=4)


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
def test_promise_4_killed_at_a_hundred_random_moments_of_a_performance(
    rehearsed: Rehearsal, short_runs: Runs, tmp_path: Path
) -> None:
    killed_at_random(rehearsed, short_runs, tmp_path, times=100, seed=40)


@pytest.mark.parametrize(
    ("damaged", "moment"),
    [
        *((place, moment) for place, own in IN_A_DUMP.items() for moment in own),
        *(pytest.param(place, moment, marks=_again(place)) for place in IN_A_DUMP for moment in IN_A_BACKUP),
    ],
    indirect=["damaged"],
)
def test_promise_4_a_backup_that_was_killed_is_no_backup_or_a_whole_one(
    damaged: Clinic, short_runs: Runs, tmp_path: Path, moment: str
) -> None:
    equipment = damaged.equipment()
    before = len(list_backups(equipment.store, "clinic"))
    assert short_runs.do(damaged, "back up", moment=moment) is None, "it was never killed"
    assert every_manifest_holds(equipment, tmp_path) - before in (0, 1)
    assert isinstance(short_runs.do(damaged, "back up"), str)
    assert every_manifest_holds(equipment, tmp_path) - before in (1, 2)
    assert damaged.scratches == [], "a scratch was left behind (P-95)"


@pytest.mark.parametrize("moment", ["call", "return upkeep/stores/directory.py:put 1"])
def test_promise_4_a_recovery_that_was_killed_is_recovered_from(
    rehearsed: Rehearsal, short_runs: Runs, tmp_path: Path, moment: str
) -> None:
    own = rehearsed.copied(tmp_path / "own")
    died = "call tasks/recovery.py:settle 1"
    moment = died if moment == "call" else moment
    assert short_runs.do(own.clinic, "perform", moment=died, rehearsal=str(own.pickled), run="killed") is None
    assert short_runs.do(own.clinic, "recover", moment=moment) is None, "it was never killed"
    assert short_runs.do(own.clinic, "recover") == ["run killed died; it had been performed whole"]
    assert short_runs.do(own.clinic, "recover") == []
    outcome = json.loads((own.clinic.store / "repairs" / "killed" / "outcome.json").read_text())
    assert outcome["plan"] == own.night.rehearsed.plan.digest
    assert outcome["found"] == "performed"


def test_promise_4_recovery_is_not_confused_by_an_application_that_goes_on(
    rehearsed: Rehearsal, short_runs: Runs, tmp_path: Path
) -> None:
    own = rehearsed.copied(tmp_path / "own")
    begun = "return upkeep/journal.py:write_intention 1"
    assert short_runs.do(own.clinic, "perform", moment=begun, rehearsal=str(own.pickled), run="killed") is None
    going = next(r for r in own.night.rehearsed.plan.repairs if r.table == "user_sessions" and r.action == "delete")
    own.clinic.change(f"DELETE FROM user_sessions WHERE id = {going.row[0]!r}")
    assert short_runs.do(own.clinic, "recover") == ["run killed died; it had changed nothing"]


@contextmanager
def commits_that_wait(clinic: Clinic) -> Iterator[Callable[[], bool]]:
    """Until this ends no commit to the clinic's database does, as with a standby that is slow; is one waiting?"""
    assert isinstance(clinic.on, PostgresqlBase)
    name, server, reload = clinic.on.name, clinic.on.server, "SELECT pg_reload_conf()"
    server.run("postgres", f"ALTER DATABASE {name} SET synchronous_commit = on")
    server.run("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", reload)
    waiting = f"SELECT 1 FROM pg_stat_activity WHERE datname = '{name}' AND wait_event = 'SyncRep'"
    try:
        yield lambda: bool(server.run("postgres", waiting))
    finally:
        server.run("postgres", "ALTER SYSTEM RESET synchronous_standby_names", reload)


@pytest.mark.parametrize("rehearsed", asked(SERVERS, " transaction"), indirect=True)
def test_promise_4_a_commit_that_the_server_goes_on_with_after_the_kill_is_waited_for(
    rehearsed: Rehearsal, short_runs: Runs, tmp_path: Path
) -> None:
    own = rehearsed.copied(tmp_path / "own")
    impatient = open_database("clinic", own.clinic.url, 0.5)
    with commits_that_wait(own.clinic) as is_waiting:
        after = 5 + 5 * rehearsed.seconds
        killed = short_runs.do(own.clinic, "perform", kill_after=after, rehearsal=str(own.pickled), run="killed")
        assert killed is None
        assert is_waiting(), "it was killed before its commit"
        assert own.clinic.content() == own.before, "nobody can see it yet"
        with pytest.raises(Unreachable, match="is locked by another program"), impatient.held("recover"):
            pass
    assert short_runs.do(own.clinic, "recover") == ["run killed died; it had been performed whole"]
    assert own.clinic.content() == own.after


def say_that_the_newest_backup_is_ours(damaged: Clinic) -> None:
    """What the run would ask a person: the database is set back, so rows come back out of what a dead run left."""
    store = damaged.equipment().store
    newest = list_backups(store, "clinic")[-1].manifest
    assert newest
    if receipt_of(store, newest) is None:
        assert upkeep("verify", newest.id).code == 0
    assert receipt_of(store, newest) is not None


@pytest.mark.exhaustive
@pytest.mark.parametrize("damaged", ["delete", *SERVERS, "mariadb"], indirect=True)
def test_promise_4_killed_at_every_boundary_of_a_whole_run_and_the_next_run_carries_on(
    damaged: Clinic, runs: Runs, tmp_path: Path
) -> None:
    """Each run comes further than the one before it, over what that one left behind."""
    untouched, before = damaged.copied(tmp_path / "untouched"), damaged.content()
    how: dict[str, Any] = {"perform": "within_limits", "migrate": damaged.on is None}
    for number, step in enumerate(STEPS):
        moment = f"call flows/clock.py:__call__ {2 * number + 1}"
        assert runs.maintain(damaged, moment=moment, **how) is None, f"never killed before {step}"
        performed = damaged.content() != before
        assert performed == (step not in BEFORE_IT_PERFORMS), f"killed before {step}"
        if performed:
            damaged.become(untouched)
            assert damaged.content() == before
            say_that_the_newest_backup_is_ours(damaged)
    every_manifest_holds(damaged.equipment(), tmp_path)
    report = runs.maintain(damaged, **how)
    assert [step["name"] for step in report["steps"]] == list(STEPS), "the names of the steps stand above"
    assert report["ended"] == "performed and verified"
    assert report["verdict"]["passed"]
    assert not list(damaged.store.glob("journal/*.json"))
    assert damaged.scratches == [], "a scratch was left behind (P-95)"
    again = runs.maintain(damaged, **how)
    assert again["ended"] == "nothing to do"


@pytest.mark.parametrize(
    ("damaged", "moment", "said"),
    [
        pytest.param(
            "delete",
            f"return upkeep/mending.py:mend 1 in {PERFORMS}",
            "had changed nothing",
            marks=pytest.mark.exhaustive,
        ),
        pytest.param(
            "delete",
            f"return upkeep/databases/sqlite_exchange.py:look 60 in {PERFORMS}",
            "had changed nothing",
            marks=pytest.mark.exhaustive,
        ),
        (
            "delete",
            f"return upkeep/databases/sqlite_exchange.py:_write_back 1 in {PERFORMS}",
            "had been performed whole",
        ),
        pytest.param("system", "return upkeep/mending.py:mend 2", "had changed nothing", marks=pytest.mark.exhaustive),
        ("system", "return tasks/work.py:work_on 2", "had been performed whole"),
        pytest.param("mariadb", "return upkeep/mending.py:mend 2", "had changed nothing", marks=pytest.mark.exhaustive),
        pytest.param(
            "mariadb", "return tasks/work.py:work_on 2", "had been performed whole", marks=pytest.mark.exhaustive
        ),
    ],
    indirect=["damaged"],
)
def test_promise_4_the_next_whole_run_says_what_became_of_the_one_that_died(
    damaged: Clinic, runs: Runs, moment: str, said: str
) -> None:
    how: dict[str, Any] = {"perform": "within_limits", "migrate": damaged.on is None}
    assert runs.maintain(damaged, moment=moment, **how) is None, "it was never killed"
    died = [path.stem for path in (damaged.store / "journal").glob("*.json")]
    report = runs.maintain(damaged, **how)
    assert report["recovered"] == [f"run {died[0]} died; it {said}"]
    assert report["ended"] == ("performed and verified" if said == "had changed nothing" else "nothing to do")
    assert report["verdict"]["passed"]
    assert damaged.scratches == [], "a scratch was left behind (P-95)"


def test_a_performance_that_is_refused_is_on_record_as_one_that_changed_nothing(
    damaged: Clinic, tmp_path: Path
) -> None:
    equipment = damaged.equipment()
    night = rehearse_at(equipment, tmp_path, migrate=False)
    one = next(repair for repair in night.rehearsed.plan.repairs if repair.action == "delete")
    damaged.change(f"DELETE FROM {one.table} WHERE id = {one.row[0]!r}")
    before = damaged.content()
    with pytest.raises(Exception, match="is gone since the rehearsal"):
        perform_at(equipment, tmp_path, night)
    assert damaged.content() == before
    outcome = json.loads(next((damaged.store / "repairs").glob("*/outcome.json")).read_text())
    assert outcome["found"] == "untouched"
    assert recover_at(equipment) == ()
