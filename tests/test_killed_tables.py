"""Promise 4 for a table that comes back: killed at any moment it is there whole or not at all, and a run says which."""

import json
import pickle
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.after_a_kill import wait_for_the_dead
from tests.clinics import Night, Runs, perform_at, recover_at, rehearse_at, settings_set_back
from tests.damaged_clinic import MODES, SERVERS, asked
from tests.engines.postgresql import PostgresqlBase
from tests.surgeries import FilePlace, Place, ServerPlace, Ward
from upkeep.backups import take_backup
from upkeep.clock import utc_now

pytest_plugins = ("tests.clinics",)

MOMENTS = (
    "return upkeep/remaking.py:_begin 1",
    "return upkeep/remaking.py:_end 1",
    "return tasks/work.py:_mended 1",
)
WAYS = [pytest.param("delete", marks=pytest.mark.exhaustive), "wal", *asked(SERVERS)]
"""A file in each journal mode, of which the one says what the other says, and both servers."""
POLICY = """
[limits]
share = 1.0
[[reference]]
from = "visits.doctor_id"
to = "doctors.id"
[[rule]]
child = "visits"
orphan = ["restore"]
[[rule]]
child = "notes"
orphan = ["nullify"]
"""
SCRIPT = """
    CREATE TABLE doctors (id integer PRIMARY KEY, name text UNIQUE, chief integer REFERENCES doctors (id));
    CREATE TABLE visits (id integer PRIMARY KEY, doctor_id integer REFERENCES doctors (id));
    CREATE TABLE notes (id integer PRIMARY KEY, visit_id integer);
    CREATE INDEX by_chief ON doctors (chief);
    INSERT INTO doctors SELECT n, 'doctor ' || n, NULLIF(n / 2, 0) FROM numbers;
    INSERT INTO visits SELECT n, 1 + n % 200 FROM numbers;
    DROP TABLE numbers;
"""
NUMBERS = {
    "sqlite": "CREATE TABLE numbers AS WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 300)"
    " SELECT n FROM n;",
    "postgresql": "CREATE TABLE numbers AS SELECT generate_series(1, 300) AS n;",
}


@dataclass(frozen=True)
class Rehearsal:
    """A ward with a rehearsed plan, and what its database holds before and after that is performed."""

    ward: Ward
    before: list[str]
    after: list[str]


def rehearsed_in(ward: Ward, folder: Path) -> Rehearsal:
    """A night, the table is gone, a rehearsal; performed on a copy to see what comes of it."""
    (ward.folder / "policy.toml").write_text(POLICY)
    equipment, own = ward.equipment(), folder / "own"
    own.mkdir()
    take_backup(equipment.database, equipment.store, own, run="night", now=utc_now())
    whole = ward.content()
    ward.place.run(f"DROP TABLE doctors{' CASCADE' * isinstance(ward.place, ServerPlace)}")
    night: Night = rehearse_at(equipment, own, migrate=False)
    night.scratch.discard()
    assert night.rehearsed.verdict.passed, night.rehearsed.verdict.failed
    assert [(one.table, night.rehearsed.plan.rows_of(one.table)) for one in night.rehearsed.plan.tables] == [
        ("doctors", 300)
    ]
    (ward.folder / "rehearsal.pickle").write_bytes(pickle.dumps((night.manifest, night.rehearsed)))
    performed = ward.copied(folder / "performed")
    perform_at(performed.equipment(), own, night)
    assert performed.content() == whole
    return Rehearsal(ward, ward.content(), whole)


@pytest.fixture(scope="module", params=WAYS)
def rehearsed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """On SQLite in both journal modes, and on PostgreSQL."""
    folder = tmp_path_factory.mktemp("rehearsed")
    (folder / "ward").mkdir()
    if request.param in MODES:
        place: Place = FilePlace(folder / "ward" / "ward.db")
        with closing(sqlite3.connect(folder / "ward" / "ward.db")) as connection:
            connection.execute(f"PRAGMA journal_mode = {request.param}")
        place.run(NUMBERS["sqlite"] + SCRIPT)
    else:
        server = request.getfixturevalue(f"{request.param}_postgresql")
        place = ServerPlace(PostgresqlBase(server, server.make_database()))
        place.run(NUMBERS["postgresql"] + SCRIPT)
    with settings_set_back():
        rehearsed = rehearsed_in(Ward(folder / "ward", place), folder)
    yield rehearsed
    rehearsed.ward.remove()


def carries_on(rehearsed: Rehearsal, ward: Ward, short_runs: Runs, run: str) -> str:
    """After a kill: whole or not at all, the record agrees, the next run says which and ends performed."""
    wait_for_the_dead(ward.equipment().database)
    now = ward.content()
    assert now in (rehearsed.before, rehearsed.after), "the table is neither gone nor whole"
    is_there = now == rehearsed.after
    begun = [path.stem for path in (ward.store / "journal").glob("*.json")]
    said = "had been performed whole" if is_there else "had changed nothing"
    assert recover_at(ward.equipment()) == tuple(f"run {one} died; it {said}" for one in begun)
    for outcome in ward.store.glob("repairs/*/outcome.json"):
        assert (json.loads(outcome.read_text())["found"] == "performed") == is_there, "record and database differ"
    assert not list(ward.store.glob("journal/*.json")), "the journal still has an entry"
    assert ward.content() == now, "recovery changed the database"
    if not is_there:
        assert performs(ward, short_runs, f"next-{run}") == "performed"
        assert ward.content() == rehearsed.after
    return said


def performs(ward: Ward, short_runs: Runs, run: str, **fate: Any) -> Any:
    """The performance in a process of its own; None where it was killed."""
    return short_runs.do(ward, "perform", rehearsal=str(ward.folder / "rehearsal.pickle"), run=run, **fate)


@pytest.mark.slow
def test_promise_4_killed_between_any_two_acts_the_table_is_whole_or_gone(
    rehearsed: Rehearsal, short_runs: Runs, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    said = set()
    in_a_file = isinstance(rehearsed.ward.place, FilePlace)
    for number, moment in enumerate(MOMENTS[1:] if in_a_file else MOMENTS):
        with subtests.test(moment=moment):
            ward = rehearsed.ward.copied(tmp_path / f"at-{number}")
            assert performs(ward, short_runs, f"killed-{number}", moment=moment) is None, "it was never killed"
            said.add(carries_on(rehearsed, ward, short_runs, str(number)))
            ward.remove()
    assert said == {"had changed nothing", "had been performed whole"}, "not every outcome was met"


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
def test_promise_4_killed_at_a_hundred_random_moments_the_table_is_whole_or_gone(
    rehearsed: Rehearsal, short_runs: Runs, tmp_path: Path
) -> None:
    chance, said = Random(109), Counter[str]()  # noqa: S311 - a test that comes out the same again
    seconds = 0.5
    for number in range(100):
        ward = rehearsed.ward.copied(tmp_path / f"at-{number}")
        performs(ward, short_runs, f"killed-{number}", kill_after=chance.uniform(0.5, 1.2) * seconds)
        outcome = carries_on(rehearsed, ward, short_runs, str(number))
        seconds *= 0.9 if outcome == "had been performed whole" else 1.1  # so that most fall when it matters
        said[outcome] += 1
        ward.remove()
    print(said)  # for who runs it by hand
    assert set(said) == {"had changed nothing", "had been performed whole"}, said
