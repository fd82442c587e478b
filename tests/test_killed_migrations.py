"""Promise 4 for migrations: killed at any moment all revisions are there or none, and the next run says which."""

import inspect
import pickle
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import pytest
from psycopg.errors import UniqueViolation

from tasks.preparation import preflight
from tests.after_a_kill import wait_for_the_dead
from tests.clinics import Night, Runs, perform_at, recover_at, rehearse_at, settings_set_back
from tests.damaged_clinic import SERVERS, asked
from tests.pending import HEAD, Pending, pending_at
from tests.shell import upkeep
from tests.test_killed import every_manifest_holds
from upkeep.errors import Refused

pytest_plugins = ("tests.clinics",)

PERFORMS = "tasks/performance.py:perform"
"""The rehearsal goes the same way before."""
IN_A_FILE = (
    "return upkeep/journal.py:write_intention 1",
    "call tasks/migration.py:upgrade 1",
    "call upkeep/databases/sqlite_exchange.py:_write_back 1",
    "return upkeep/databases/sqlite_exchange.py:look 7",
    "return upkeep/databases/sqlite_exchange.py:_write_back 1",
    "call upkeep/journal.py:clear_intention 1",
)
ON_A_SERVER = (
    "return upkeep/journal.py:write_intention 1",
    "return upkeep/databases/postgresql_locks.py:patient 1",
    "return tasks/migration.py:upgrade 1",
    "call upkeep/databases/postgresql_writing.py:commit 1",
    "return upkeep/databases/postgresql_writing.py:commit 1",
    "call upkeep/journal.py:clear_intention 1",
)


@dataclass(frozen=True)
class Rehearsal:
    """A migration that was rehearsed, and what the database holds before and after it is performed."""

    pending: Pending
    before: Any
    after: Any
    seconds: float

    @property
    def pickled(self) -> Path:
        """The file in which a child finds the rehearsal."""
        return self.pending.folder / "rehearsal.pickle"

    def copied(self, folder: Path) -> "Rehearsal":
        """The same for a copy of the database."""
        return Rehearsal(self.pending.copied(folder), self.before, self.after, self.seconds)


PLACES = ["delete", pytest.param("wal", marks=pytest.mark.exhaustive), *asked(SERVERS)]
"""Where migrations are performed. CI asks one journal mode, the one whose locks are stricter."""


@pytest.fixture(scope="module", params=PLACES)
def rehearsed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """Rehearsed once in each place where migrations are performed, and performed on a copy to see what comes of it."""
    folder = tmp_path_factory.mktemp("rehearsed")
    pending = pending_at(str(request.param), folder / "own", request)
    (folder / "work").mkdir()
    with settings_set_back():
        night = rehearsal_of(pending, folder / "work")
        done = pending.copied(folder / "done")
        begun = monotonic()
        perform_at(done.equipment(), folder / "work", night)
        seconds = monotonic() - begun
    yield Rehearsal(pending, pending.content(), done.content(), seconds)
    done.remove()
    pending.remove()
    shutil.rmtree(folder)


def rehearsal_of(pending: Pending, folder: Path) -> Night:
    """A rehearsal that passed, and stands where a child finds it."""
    night = rehearse_at(pending.equipment(), folder)
    night.scratch.discard()
    assert night.rehearsed.verdict.passed, night.rehearsed.verdict.failed
    (pending.folder / "rehearsal.pickle").write_bytes(pickle.dumps((night.manifest, night.rehearsed)))
    return night


def carries_on(own: Rehearsal, runs: Runs, folder: Path) -> str:
    """After a kill: all or nothing, the next run says which, and does it where it was not done. What it said."""
    pending = own.pending
    wait_for_the_dead(pending.equipment().database)
    now = pending.content()
    assert now in (own.before, own.after), "the database is neither as before nor as after (P-115)"
    begun = [path.stem for path in (pending.store / "journal").glob("*.json")]
    said = "had changed nothing" if now == own.before else "had been performed whole"
    assert recover_at(pending.equipment()) == tuple(f"run {run} died; it {said}" for run in begun)
    assert not list(pending.store.glob("journal/*.json")), "the journal still has an entry"
    assert pending.content() == now, "recovery changed the database"
    if now == own.before:
        assert runs.do(pending, "perform", rehearsal=str(own.pickled), run=f"next-{folder.name}") == "performed"
        assert pending.content() == own.after
        assert pending.scratches == [], "a scratch was left behind (P-95)"
    return said


def killed_at(own: Rehearsal, runs: Runs, folder: Path, name: str, **when: Any) -> str:
    """One performance that is killed on a copy, and what the next run said of it."""
    copy = own.copied(folder / name)
    runs.do(copy.pending, "perform", rehearsal=str(copy.pickled), run=name, **when)
    said = carries_on(copy, runs, folder / f"after-{name}")
    copy.pending.remove()
    return said


@pytest.mark.slow
def test_promise_4_killed_where_it_matters_in_a_live_migration(
    rehearsed: Rehearsal, short_runs: Runs, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    said = set()
    for number, moment in enumerate(ON_A_SERVER if rehearsed.pending.on else IN_A_FILE):
        with subtests.test(moment=moment):
            said.add(killed_at(rehearsed, short_runs, tmp_path, f"killed-{number}", moment=moment))
    with subtests.test(moment="any"):
        killed_at_random(rehearsed, short_runs, tmp_path, times=1, seed=6)
    assert said == {"had changed nothing", "had been performed whole"}, "not every outcome was met"


def killed_at_random(rehearsed: Rehearsal, runs: Runs, folder: Path, times: int, seed: int) -> dict[str, int]:
    """How often each outcome was met."""
    chance, met = Random(seed), dict[str, int]()  # noqa: S311 - a test that comes out the same again
    for number in range(times):
        after = chance.uniform(0.001, 1.3 * rehearsed.seconds)
        said = killed_at(rehearsed, runs, folder, f"killed-at-random-{number}", kill_after=after)
        met[said] = met.get(said, 0) + 1
    return met


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
def test_promise_4_killed_at_fifty_random_moments_of_a_live_migration(
    rehearsed: Rehearsal, short_runs: Runs, tmp_path: Path
) -> None:
    met = killed_at_random(rehearsed, short_runs, tmp_path, times=50, seed=66)
    print(f"{rehearsed.seconds:.2f} s without a kill; killed at 50 moments: {met}")
    assert met.get("had changed nothing", 0) > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "moment", "said"),
    [
        pytest.param(
            "delete",
            f"return upkeep/databases/sqlite_exchange.py:look 7 in {PERFORMS}",
            "had changed nothing",
            marks=pytest.mark.exhaustive,
        ),
        ("system", f"return upkeep/databases/postgresql_writing.py:commit 1 in {PERFORMS}", "had been performed whole"),
    ],
)
def test_promise_4_the_next_migrate_says_what_became_of_the_one_that_died(
    request: pytest.FixtureRequest, runs: Runs, tmp_path: Path, place: str, moment: str, said: str
) -> None:
    pending = pending_at(place, tmp_path / "own", request)
    before = pending.content()
    assert runs.do(pending, "migrate", moment=moment, perform="within_limits") is None, "it was never killed"
    assert (pending.content() == before) is (said == "had changed nothing")
    (died,) = [path.stem for path in (pending.store / "journal").glob("*.json")]
    report = runs.do(pending, "migrate", perform="within_limits")
    assert report["recovered"] == [f"run {died} died; it {said}"]
    assert report["ended"] == ("performed and verified" if said == "had changed nothing" else "nothing to do")
    assert pending.base.ask("SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert every_manifest_holds(pending.equipment(), tmp_path) > 0
    assert pending.scratches == [], "a scratch was left behind (P-95)"


@pytest.mark.slow
def test_an_index_that_was_begun_concurrently_and_cut_short_is_named_and_dropped_p84(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Upkeep leaves none, but Alembic run by hand does, and no copy that is restored from a backup has it."""
    pending = pending_at("system", tmp_path / "own", request, "pass", "op.create_index('pets_name', 'pets', ['name'])")
    pending.base.run("UPDATE pets SET name = 'Rex' WHERE id < 3")
    with pytest.raises(UniqueViolation):
        pending.base.run("CREATE UNIQUE INDEX CONCURRENTLY pets_name ON pets (name)")
    before, equipment = pending.content(), pending.equipment()
    with pytest.raises(Refused) as refused:
        inspect.unwrap(preflight)(equipment, tmp_path, migrate=True, performs=True)
    assert refused.value.message.startswith("the index pets_name is not valid: its making was cut short")
    assert pending.content() == before
    pending.base.run(refused.value.hint.split("`")[1])
    (tmp_path / "work").mkdir()
    perform_at(equipment, tmp_path / "work", rehearsal_of(pending, tmp_path / "work"))
    assert pending.base.ask("SELECT version_num FROM alembic_version") == [("r2",)]


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_here")
def test_on_mariadb_no_moment_can_hurt_for_no_migration_is_performed(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    pending = pending_at("mariadb", tmp_path / "own", request)
    before = pending.content()
    pending.equipment()
    rehearsed = upkeep("migrate", "--json")
    assert rehearsed.code == 0, rehearsed
    assert rehearsed.document["verdict"]["passed"] is True
    assert [one["seconds"] is not None for one in rehearsed.document["revisions"]] == [True] * 5
    code, sentence, hint = upkeep("migrate", "--perform", "within_limits").complaint
    assert code == 2
    assert sentence == pending.equipment().database.unmigratable
    assert hint == (
        "run `upkeep backup`, then Alembic in a maintenance window; `upkeep maintain --no-migrate` repairs rows; "
        "nothing was done"
    )
    assert pending.content() == before
