"""A migration that has to leave its transaction: each stage whole, what is cut short named and taken back, then on."""

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from psycopg.errors import UniqueViolation

from tasks.origins import opened
from tests.clinics import RUN, Runs, perform_at, recover_at, rehearse_at, settings_set_back
from tests.pending import Pending, pending_at
from tests.scribe import connected
from tests.shell import upkeep
from tests.test_killed_migrations import rehearsal_of
from tests.test_writers import of_kind, somebody_writing, wait_for_more
from upkeep.backups import take_backup
from upkeep.clock import utc_now
from upkeep.errors import Refused, Unfinished

pytest_plugins = ("tests.clinics",)


def beside(*lines: str) -> str:
    """The body of a revision that leaves the transaction for all that it does."""
    return "\n    ".join(["with op.get_context().autocommit_block():", *lines])


ADDS = "op.add_column('people', sa.Column('born', sa.Date))\nop.execute(\"UPDATE people SET born = '1815-12-10'\")"
INDEXES = beside(
    "op.create_index('people_born', 'people', ['born'], postgresql_concurrently=True)",
    "op.create_index('pets_name', 'pets', ['name'], unique=True, postgresql_concurrently=True)",
)
DROPS = beside("op.drop_index('notes_n', postgresql_concurrently=True, if_exists=True)")
MAKES = "op.create_table('visits', sa.Column('id', sa.Integer, primary_key=True))"
CHAIN = ("pass", ADDS, INDEXES, DROPS, MAKES)
WAITED = 0.5
"""Seconds that a writer waits at most for what is done beside it; the first stage's locks are had for less."""
_INVALID = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
_REVISION = "SELECT version_num FROM alembic_version"


def moved(pending: Pending, revision: str) -> None:
    """Go to a revision by Alembic alone, as a person does."""
    config = Config(str(pending.folder / "project" / "alembic.ini"))
    config.set_main_option("sqlalchemy.url", pending.base.url)
    command.upgrade(config, revision)


def chain_at(folder: Path, request: pytest.FixtureRequest, *revisions: str) -> Pending:
    """A database with these revisions pending, and an index that one of them may drop."""
    pending = pending_at("system", folder, request, *revisions)
    pending.base.run("CREATE INDEX notes_n ON notes (n)")
    return pending


@contextmanager
def in_the_way(pending: Pending, statement: str) -> Iterator[None]:
    """A transaction of somebody's that has written and is idle: an index that is made beside it waits for its end."""
    with closing(connected(pending.base.url)) as blocking, blocking.transaction():
        blocking.execute(statement)
        yield


def stands(pending: Pending) -> tuple[str, list[Any]]:
    """The revision, and the indexes that are not valid."""
    ((revision,),) = pending.base.ask(_REVISION)
    return revision, pending.base.ask(_INVALID)


@dataclass(frozen=True)
class Chain:
    """A chain that was rehearsed, and what the database holds at each revision when Alembic goes there alone."""

    pending: Pending
    at: dict[str, Any]

    def copied(self, folder: Path) -> Pending:
        """The same for a copy of the database."""
        return self.pending.copied(folder)

    def is_whole(self, pending: Pending) -> bool:
        """Does a database hold just what its revision says?"""
        return bool(pending.content() == self.at[stands(pending)[0]])


@pytest.fixture(scope="module")
def chain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """The oracle is independent of us: Alembic, run by hand, revision by revision."""
    folder = tmp_path_factory.mktemp("chain")
    pending = chain_at(folder / "own", request, *CHAIN)
    (folder / "work").mkdir()
    with settings_set_back():
        by_hand, at = pending.copied(folder / "by-hand"), {"r1": pending.content()}
        for number in range(2, len(CHAIN) + 1):
            moved(by_hand, f"r{number}")
            at[f"r{number}"] = by_hand.content()
        by_hand.remove()
        rehearsal_of(pending, folder / "work")
    yield Chain(pending, at)
    pending.remove()
    shutil.rmtree(folder)


def goes_on(pending: Pending, folder: Path) -> None:
    """A second run does the rest."""
    folder.mkdir()
    equipment = pending.equipment()
    night = rehearse_at(equipment, folder)
    assert night.rehearsed.verdict.passed, night.rehearsed.verdict.failed
    worked = perform_at(equipment, folder, night, run="20260402T020000Z-second")
    night.scratch.discard()
    assert worked.stopped == ""


def killed_when(chain: Chain, runs: Runs, folder: Path, name: str, **when: Any) -> tuple[Pending, tuple[str, ...]]:
    """A performance that is killed, and what the next run says; then the database is at a revision, and no further."""
    copy = chain.copied(folder / name)
    runs.do(copy, "perform", rehearsal=str(copy.folder / "rehearsal.pickle"), run=name, **when)
    told = recover_at(copy.equipment())
    assert chain.is_whole(copy), told
    assert stands(copy)[1] == []
    assert not list(copy.store.glob("journal/*.json"))
    assert recover_at(copy.equipment()) == (), "the second time there is nothing to do"
    return copy, told


def half_built(pending: Pending) -> Callable[[], bool]:
    """Is an index half built by now?"""

    def asked() -> bool:
        return bool(pending.base.ask(_INVALID))

    return asked


@pytest.mark.slow
def test_killed_while_an_index_is_made_the_next_run_drops_it_and_completes_p84(
    chain: Chain, short_runs: Runs, tmp_path: Path
) -> None:
    copy = chain.copied(tmp_path / "held")
    pickled = str(copy.folder / "rehearsal.pickle")
    with in_the_way(copy, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT n FROM notes"):
        short_runs.do(copy, "perform", rehearsal=pickled, run="held", kill_when=half_built(copy))
        assert copy.base.ask(_INVALID) == [("people_born",)]
        # The server goes on making it for a client that is gone, and would until that reader ends.
        (said,) = recover_at(copy.equipment())
    assert said == (
        "run held died; it had been performed in part; the database stands at r2; public.people_born, which r3 had "
        "left, was dropped; the next run goes on from there"
    )
    assert (stands(copy), copy.content()) == (("r2", []), chain.at["r2"])
    goes_on(copy, tmp_path / "again")
    assert copy.content() == chain.at["r5"]
    copy.remove()


RENEWS = beside('op.execute("REINDEX INDEX CONCURRENTLY notes_n")')


def killed_half_way(pending: Pending, runs: Runs, folder: Path, reads: str, left: str) -> str:
    """A performance that is killed while somebody reads there and it waits for that; what the next run says."""
    folder.mkdir()
    rehearsal_of(pending, folder)
    pickled = str(pending.folder / "rehearsal.pickle")
    with in_the_way(pending, f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT * FROM {reads}"):
        runs.do(pending, "perform", rehearsal=pickled, run="held", kill_when=half_built(pending))
        assert pending.base.ask(_INVALID) == [(left,)]
        with suppress(Unfinished):  # with that reader on the very table nothing can be dropped
            return "; ".join(recover_at(pending.equipment(UPKEEP_LOCK_SECONDS="1")))
    return "; ".join(recover_at(pending.equipment()))


@pytest.mark.slow
def test_killed_while_an_index_is_renewed_the_next_run_drops_the_copy_and_completes_p84(
    short_runs: Runs, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    pending = chain_at(tmp_path / "own", request, "pass", RENEWS)
    before = pending.content()
    assert killed_half_way(pending, short_runs, tmp_path / "work", "people", "notes_n_ccnew") == (
        "run held died; it had changed nothing that stays; public.notes_n_ccnew, which r2 had left, was dropped"
    )
    assert (stands(pending), pending.content()) == (("r1", []), before)
    goes_on(pending, tmp_path / "again")
    assert stands(pending) == ("r2", [])
    assert pending.base.ask("SELECT to_regclass('notes_n')::text") == [("notes_n",)]
    pending.remove()


@pytest.mark.slow
def test_killed_while_an_index_is_dropped_it_is_said_to_be_gone_and_the_next_run_completes_p84(
    short_runs: Runs, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    pending = chain_at(tmp_path / "own", request, "pass", DROPS)
    assert killed_half_way(pending, short_runs, tmp_path / "work", "notes", "notes_n") == (
        "run held died; it had been performed in part; the database stands at r1; public.notes_n, which r2 drops, is "
        "gone already; the next run goes on from there"
    )
    assert stands(pending) == ("r1", [])
    goes_on(pending, tmp_path / "again")
    assert stands(pending) == ("r2", [])
    assert pending.base.ask("SELECT to_regclass('notes_n')::text") == [(None,)]
    pending.remove()


MOMENTS = {
    "return upkeep/databases/postgresql_writing.py:commit 1": "r2",
    "return tasks/migration.py:upgrade 2": "r3",
}
EVERY_MOMENT = {
    "return tasks/migration.py:upgrade 1": "r1",
    "return tasks/migration.py:upgrade 4": "r4",
    "call upkeep/journal.py:clear_intention 1": "r5",
}
SAID = {"r1": "it had changed nothing that stays", "r5": "it had been performed whole"}


@pytest.mark.slow
@pytest.mark.parametrize("moments", [MOMENTS, pytest.param(EVERY_MOMENT, marks=pytest.mark.exhaustive)])
def test_killed_between_the_stages_the_database_is_at_the_revision_that_it_says(
    chain: Chain, short_runs: Runs, tmp_path: Path, moments: dict[str, str]
) -> None:
    for number, (moment, revision) in enumerate(moments.items()):
        name = f"at-{number}"
        copy, told = killed_when(chain, short_runs, tmp_path, name, moment=moment)
        so_far = SAID.get(revision, "it had been performed in part")
        assert stands(copy)[0] == revision
        assert told[0].startswith(f"run {name} died; {so_far}"), told
        copy.remove()


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
def test_killed_at_fifty_random_moments_the_database_is_at_a_revision(
    chain: Chain, short_runs: Runs, tmp_path: Path
) -> None:
    chance, met, begun = Random(6), dict[str, int](), time.monotonic()  # noqa: S311 - it comes out the same again
    whole, _ = killed_when(chain, short_runs, tmp_path, "whole")
    seconds = time.monotonic() - begun
    assert whole.content() == chain.at["r5"], "nobody has killed it"
    for number in range(50):
        after = chance.uniform(0.001, seconds)
        copy, told = killed_when(chain, short_runs, tmp_path, f"random-{number}", kill_after=after)
        key = f"{stands(copy)[0]}{' dropped' if any('dropped' in one for one in told) else ''}"
        met[key] = met.get(key, 0) + 1
        if number % 10 == 0 and stands(copy)[0] != "r5":
            goes_on(copy, tmp_path / f"again-{number}")
            assert copy.content() == chain.at["r5"]
        copy.remove()
    print(f"killed at 50 moments of {seconds:.1f} s: {met}")
    assert len(met) > 2


@pytest.mark.slow
def test_promise_9_an_index_that_waits_for_somebody_holds_no_writer_up(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    pending = chain_at(tmp_path / "own", request, "pass", INDEXES.replace("born", "id"))
    (tmp_path / "work").mkdir()
    equipment, log = pending.equipment(), tmp_path / "log"
    night, ended = rehearse_at(equipment, tmp_path / "work"), list[str]()

    def perform() -> None:
        ended.append(perform_at(equipment, tmp_path / "work", night).stopped)

    writes = ("UPDATE people SET name = 'person {n}' WHERE id = 7", "UPDATE pets SET name = 'pet {n}' WHERE id = 3")
    with somebody_writing(pending.base.url, log, *writes):
        with in_the_way(pending, "UPDATE people SET name = 'in the way' WHERE id = 9"):
            thread = threading.Thread(target=perform)
            thread.start()
            while not pending.base.ask(_INVALID):
                time.sleep(0.02)
            wait_for_more(log)
            time.sleep(1)
            assert ended == [], "it waits"
        thread.join(60)
        wait_for_more(log)
    assert ended == [""]
    assert of_kind(log, "refused") == []
    assert max(map(float, of_kind(log, "waited")), default=0.0) < WAITED
    there = {row[0] for row in pending.base.ask("SELECT n FROM notes")}
    assert {int(number) for number in of_kind(log, "written")} <= there, "it loses nothing"
    assert stands(pending) == ("r2", [])


def stopped_at(pending: Pending, folder: Path, *meanwhile: str) -> str:
    """What a live run says that meets what its rehearsal did not; it stops, and something of it stays."""
    folder.mkdir()
    equipment = pending.equipment(UPKEEP_LOCK_SECONDS="1")
    night = rehearse_at(equipment, folder)
    night.scratch.discard()
    assert night.rehearsed.verdict.passed
    pending.base.run(*meanwhile)
    worked = perform_at(equipment, folder, night)
    assert any(check.holds is False and worked.stopped in check.seen for check in worked.checks)
    return worked.stopped


@pytest.mark.slow
def test_an_index_that_fails_is_dropped_with_its_revisions_others_and_what_somebody_else_left_stays_p84(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    pending = chain_at(tmp_path / "own", request, *CHAIN)
    pending.base.run("UPDATE people SET name = 'Ada' WHERE id < 3")
    with suppress(UniqueViolation):
        pending.base.run("CREATE UNIQUE INDEX CONCURRENTLY of_somebody_else ON people (name)")
    by_hand = pending.copied(tmp_path / "by-hand")
    moved(by_hand, "r2")
    by_hand.base.run("UPDATE pets SET name = 'Rex' WHERE id < 3")
    said = stopped_at(pending, tmp_path / "work", "UPDATE pets SET name = 'Rex' WHERE id < 3")
    assert "it stopped at r3: " in said
    assert "could not create unique index" in said
    assert "public.people_born, public.pets_name, which r3 had left, was dropped" in said
    assert said.endswith("the database stands at r2")
    assert pending.content() == by_hand.content()
    assert stands(pending) == ("r2", [("of_somebody_else",)])
    assert recover_at(pending.equipment()) == (), "it has ended, and says so"


NULLIFIES = '[limits]\nshare = 1.0\n[[rule]]\nchild = "*"\norphan = ["nullify"]\nwhy = "it is kept"\n'


def with_an_orphan(pending: Pending) -> None:
    """One row that points at nothing, and a rule for it."""
    key = "ALTER TABLE pets ADD CONSTRAINT of_person FOREIGN KEY (person) REFERENCES people NOT VALID"
    pending.base.run("ALTER TABLE pets DROP CONSTRAINT pets_person_fkey", key)
    pending.base.run("UPDATE pets SET person = 999 WHERE id = 5")
    (pending.folder / "policy.toml").write_text(NULLIFIES)


@pytest.mark.slow
def test_where_somebody_stays_in_the_way_the_clean_up_is_kept_and_what_is_left_is_for_the_next_run(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    pending = chain_at(tmp_path / "own", request, "pass", INDEXES.replace("born", "id"))
    with_an_orphan(pending)
    (tmp_path / "work").mkdir()
    equipment = pending.equipment(UPKEEP_LOCK_SECONDS="0.3")
    night = rehearse_at(equipment, tmp_path / "work")
    night.scratch.discard()
    with in_the_way(pending, "UPDATE pets SET name = 'in the way' WHERE id = 9"):
        with pytest.raises(Unfinished) as left:
            perform_at(equipment, tmp_path / "work", night)
        assert "lock timeout" in left.value.message
        assert left.value.hint == "`upkeep recover` does it when nobody is in the way"
        assert stands(pending) == ("r1", [("pets_name",)])
    assert pending.base.ask("SELECT person FROM pets WHERE id = 5") == [(None,)]
    (said,) = recover_at(equipment)
    assert said == (
        f"run {RUN} died; it had been performed in part; the database stands at r1; "
        "public.pets_name, which r2 had left, was dropped; the next run goes on from there"
    )
    assert stands(pending) == ("r1", [])


@pytest.mark.exhaustive
@pytest.mark.usefixtures("prefect_here")
def test_a_run_that_cleans_up_first_says_where_it_stopped_its_rows_are_undone_and_it_goes_on(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    pending = chain_at(tmp_path / "own", request, "pass", INDEXES.replace("born", "id"), MAKES)
    with_an_orphan(pending)
    twice = tmp_path / "twice.py"
    twice.write_text(
        f"import psycopg\nwith psycopg.connect({pending.base.url.replace('+psycopg', '')!r}) as one:\n"
        "    one.execute(\"UPDATE pets SET name = 'Rex' WHERE id < 3\")\n"
    )
    pending.equipment()
    os.environ["UPKEEP_QUIESCE_ON"] = f"{sys.executable} {twice}"
    said = upkeep("maintain", "--perform", "within_limits", "--json")
    report = said.document
    assert (said.code, report["ended"]) == (1, "performed in part: the migration has stopped")
    assert report["stopped"].endswith("the database stands at r1")
    assert pending.base.ask("SELECT person FROM pets WHERE id = 5") == [(None,)], "the clean-up was kept"
    assert stands(pending) == ("r1", [])
    receipts = upkeep("ledger", "show", "--json").document["receipts"]
    performed = [one for one in receipts if one["kind"] == "performed"][-1]
    assert performed["contents"]["backup"]["revision"] == ["r1"]
    assert performed["contents"]["verification"]["passed"] is False
    del os.environ["UPKEEP_QUIESCE_ON"]
    rehearsed = upkeep("undo", report["run"], "--json").document
    approving = ("--approve", rehearsed["plan"]["digest"], "--by", "tester", "--reason", "to see")
    undone = upkeep("undo", report["run"], *approving, "--json")
    assert (undone.code, undone.document["ended"]) == (0, "performed and verified"), undone
    assert pending.base.ask("SELECT person FROM pets WHERE id = 5") == [(999,)]
    pending.base.run("UPDATE pets SET name = 'pet ' || id")
    again = upkeep("maintain", "--perform", "within_limits", "--json")
    assert (again.code, again.document["ended"]) == (0, "performed and verified"), again
    assert stands(pending) == ("r3", [])


def test_what_a_revision_says_only_when_it_is_connected_fails_the_rehearsal(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    body = beside(
        "op.create_index('pets_name', 'pets', ['name'], postgresql_concurrently=True)",
        "if not op.get_context().as_sql:",
        '    op.execute("DELETE FROM notes")',
    )
    pending = chain_at(tmp_path / "own", request, "pass", body)
    (tmp_path / "work").mkdir()
    night = rehearse_at(pending.equipment(), tmp_path / "work")
    night.scratch.discard()
    told = [check.seen for check in night.rehearsed.verdict.failed]
    assert any("r2 leaves the transaction" in seen and "DELETE FROM notes" in seen for seen in told), told
    before = pending.content()
    with pytest.raises(Refused, match="only where its rehearsal came to its end"):
        perform_at(pending.equipment(), tmp_path / "work", night)
    assert pending.content() == before


def test_an_older_backup_is_brought_up_past_such_a_revision(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    pending = chain_at(tmp_path / "own", request, *CHAIN)
    (tmp_path / "work").mkdir()
    equipment = pending.equipment()
    older = take_backup(equipment.database, equipment.store, tmp_path / "work", run=RUN, now=utc_now())
    with opened(equipment, older, ("r5",)) as reading:
        assert reading.revision() == ("r5",)
        assert "people_born" in [index.name for index in reading.catalog().tables["people"].indexes]
    assert stands(pending) == ("r1", [])
