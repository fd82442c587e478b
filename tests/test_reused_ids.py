"""Numbers that were given again: whose children found another parent is told from earlier states (P-53)."""

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.clinic import DEMO_KINDS
from examples.clinic import build as build_clinic
from examples.clinic.models import Base
from tasks.lookback import look_back
from tests.shell import Place, family, nothing_changes, upkeep
from upkeep.adopting import Then, adopted_since
from upkeep.backups import take_backup
from upkeep.births import NEWEST, given_again, newest_rows
from upkeep.clock import utc_now
from upkeep.databases.sqlite_reading import SqliteReading
from upkeep.equipment import equip
from upkeep.finding import keys_of
from upkeep.history import How, Moment
from upkeep.policy import SILENCE
from upkeep.vanishing import Secret
from upkeep.workplaces import workplace

HOUSE = Path(__file__).parents[1]
SECRET = Secret("salt", "secret")
MOMENT = Moment(run="run", taken=datetime(2026, 1, 1, tzinfo=UTC), backup="backup")
TABLES = """
    CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT, created_at TEXT);
    CREATE TABLE child (id INTEGER PRIMARY KEY, ref INTEGER REFERENCES parent (id), created_at TEXT);
"""


@dataclass(frozen=True)
class State:
    """Parents by their numbers with the moment at which each was made; children with what they point at, and theirs."""

    parents: dict[int, str]
    children: dict[int, tuple[int | None, str]]

    def reading(self) -> SqliteReading:
        """The state in a database."""
        connection = sqlite3.connect(":memory:")
        connection.executescript(TABLES)
        connection.executemany("INSERT INTO parent (id, created_at) VALUES (?, ?)", self.parents.items())
        rows = [(number, *child) for number, child in self.children.items()]
        connection.executemany("INSERT INTO child VALUES (?, ?, ?)", rows)
        return SqliteReading(connection)


NUMBERS, MADE = st.integers(1, 6), st.sampled_from(["monday", "tuesday"])
STATES = st.builds(
    State,
    st.dictionaries(NUMBERS, MADE, max_size=5),
    st.dictionaries(st.integers(1, 8), st.tuples(st.none() | NUMBERS, MADE), max_size=8),
)


def truth(then: State, now: State, ours: frozenset[int]) -> dict[int, How]:
    """Who has another parent, reckoned with sets."""
    found = {}
    for row, child in then.children.items():
        pointer = child[0]
        if pointer is None or now.children.get(row) != child or row in ours or pointer not in now.parents:
            continue
        if pointer not in then.parents:
            found[row] = How.MISSED
        elif then.parents[pointer] != now.parents[pointer]:
            found[row] = How.ANOTHER
    return found


@settings(max_examples=int(os.environ.get("DIAGNOSIS_EXAMPLES", "200")), deadline=None)
@given(STATES, STATES, st.frozensets(st.integers(1, 8), max_size=2))
def test_whose_parent_is_another_one_is_as_sets_say(then: State, now: State, ours: frozenset[int]) -> None:
    older, today = then.reading(), now.reading()
    (key,) = keys_of(today, SILENCE)
    again = given_again(newest_rows(older, [key], SECRET), today, SECRET)
    state = Then(older, MOMENT, again, {"child": frozenset((row,) for row in ours)})
    found = adopted_since(state, today, key, SECRET)
    assert {one.row[0]: one.how for one in found} == truth(then, now, ours)
    assert "day" not in str(found), "no value of a row"


def test_of_a_large_table_only_the_newest_rows_are_remembered() -> None:
    state = State(dict.fromkeys(range(1, 500), "monday"), {})
    reading = state.reading()
    (newest,) = newest_rows(reading, keys_of(reading, SILENCE), SECRET)
    assert [number for number, _ in newest.rows] == list(range(499, 499 - NEWEST, -1))


# Runs


def maintained() -> Any:
    said = upkeep("maintain", "--json")
    assert said.code in (0, 1), said
    return said.document


def passed_on(place: Place) -> None:
    """The newest parent goes and its number is given to the next one."""
    place.run("DELETE FROM parent WHERE id = 7; INSERT INTO parent VALUES (7, 'somebody else', 'tuesday')")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A parent and a child that points at it."""
    script = TABLES + "INSERT INTO parent VALUES (7, 'one', 'monday'); INSERT INTO child VALUES (1, 7, 'monday')"
    return family(tmp_path / "place", script)


def claims(document: Any) -> dict[str, bool | None]:
    return {check["claim"]: check["holds"] for check in document["verdict"]["checks"]}


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_here")
def test_a_number_given_again_between_two_runs_is_an_alarm_once_and_a_finding_until_it_is_settled(place: Place) -> None:
    first = maintained()
    passed_on(place)
    second = maintained()
    assert claims(second)["no orphan has healed by itself"] is False
    (finding,) = second["findings"]
    assert (finding["diagnosis"], finding["orphans"]) == ("re-used id", 0)
    assert finding["adopted"] == [
        {"row": [1], "how": How.ANOTHER.value, "run": first["run"], "backup": first["backup"]}
    ]
    assert second["plan"]["rows"] == 0, "no repair touches it"
    third = maintained()
    assert third["verdict"]["passed"] is True
    assert [one["diagnosis"] for one in third["findings"]] == ["re-used id"]
    said = upkeep("check")
    assert said.code == 1
    assert said.out.splitlines()[1:3] == [
        "why: re-used id 1 row (1 key)",
        "next: see whose the rows below are: no repair touches them",
    ]
    assert f"last in backup {first['backup']}" in " ".join(said.out.split())
    known = place.folder / "known.json"
    upkeep("check", "--write-baseline", str(known))
    assert upkeep("check", "--baseline", str(known)).code == 0
    place.run("INSERT INTO parent VALUES (8, 'one', 'monday'); UPDATE child SET ref = 8")
    assert upkeep("check").code == 0


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_here")
def test_backups_that_no_run_has_seen_are_looked_into_once_and_raise_no_alarm_but_a_finding(place: Place) -> None:
    nights = []
    scripts = ("DELETE FROM parent", "INSERT INTO parent VALUES (7, 'somebody else', 'tuesday')", "SELECT 1")
    for day, script in enumerate(scripts):
        equipment, when = equip(), utc_now() - timedelta(days=3 - day)
        with workplace(equipment.settings.scratch, "main", "night") as folder:
            nights.append(take_backup(equipment.database, equipment.store, folder, run="night", now=when).id)
        place.run(script)
    first = maintained()
    assert (first["findings"], first["verdict"]["passed"]) == ([], True), "the newest backup tells nothing"
    second = maintained()
    (finding,) = second["findings"]
    assert finding["adopted"] == [{"row": [1], "how": How.MISSED.value, "run": "night", "backup": nights[1]}]
    assert second["verdict"]["passed"] is True
    shutil.rmtree(place.store / "main" / "backups" / nights[1])
    third = maintained()
    assert [one["diagnosis"] for one in third["findings"]] == ["re-used id"], "what was seen once stays known"
    shutil.rmtree(place.store / "main" / "backups" / nights[0])
    with nothing_changes(place):
        assert upkeep("check").code == 1


@pytest.mark.slow
def test_every_child_of_the_clinic_that_a_night_can_tell_has_another_parent_is_told_and_nobody_else(
    tmp_path: Path,
) -> None:
    nights: list[Path] = []

    def nightly(when: datetime) -> None:
        nights.append(tmp_path / f"night-{len(nights)}.db")
        shutil.copyfile(tmp_path / "clinic" / "clinic.db", nights[-1])
        equipment = equip()
        with workplace(equipment.settings.scratch, "clinic", "night") as folder:
            take_backup(equipment.database, equipment.store, folder, run="night", now=when)

    policy = (
        (HOUSE / "examples/clinic/policy.toml").read_text().replace("[limits]", "[run]\nlook_back = 99\n\n[limits]")
    )
    (tmp_path / "policy.toml").write_text(policy)
    (tmp_path / "clinic").mkdir()
    os.environ.update(
        DATABASE_URL=f"sqlite:///{tmp_path / 'clinic' / 'clinic.db'}",
        UPKEEP_DATABASE="clinic",
        UPKEEP_STORE=(tmp_path / "store").as_uri(),
        UPKEEP_SCRATCH=str(tmp_path / "scratch"),
        UPKEEP_POLICY=str(tmp_path / "policy.toml"),
        UPKEEP_ALEMBIC_INI=str(HOUSE / "examples/clinic/alembic.ini"),
    )
    told = build_clinic(tmp_path / "clinic", kinds=DEMO_KINDS, nightly=nightly)
    equipment = equip()
    with workplace(equipment.settings.scratch, "clinic", "tonight") as folder:
        tonight = take_backup(equipment.database, equipment.store, folder, run="tonight", now=utc_now())
    back = look_back(equipment, equipment.database, tonight)
    assert (len(back.examined), back.silent) == (len(nights), ())
    with equipment.database.reading() as reading:
        keys = {str(key): key for key in keys_of(reading, equipment.policy)}
    found = {
        (keys[name].child, keys[name].columns[0], keys[name].parent, row.row)
        for name, rows in back.adopted.items()
        for row in rows
    }
    hidden = {(one.table, one.columns[0], one.parent, one.key) for one in told.hidden}
    telling = {
        pair for pair in hidden if any(_tells(night, tmp_path / "clinic" / "clinic.db", pair) for night in nights)
    }
    assert found == telling
    assert {parent for _, _, parent, _ in found} == {"patients", "users"}


def _tells(night: Path, today: Path, pair: tuple[str, str, str, tuple[Any, ...]]) -> bool:
    """Did the child point at the same in that night, and was nobody there, or somebody who was made at another time?"""
    table, column, parent, key = pair
    named = " AND ".join(f"c.{one.name} = ?" for one in Base.metadata.tables[table].primary_key)
    seen = []
    for path in (night, today):
        with closing(sqlite3.connect(path)) as connection:
            made = "'nobody knows'" if parent == "files" else "p.created_at"
            pointed = f"{table} c LEFT JOIN {parent} p ON p.id = c.{column}"
            sql = f"SELECT c.{column}, IIF(p.id IS NULL, NULL, {made}) FROM {pointed} WHERE {named}"
            seen.append(connection.execute(sql, key).fetchone())
    then, now = seen
    return then is not None and then[0] == now[0] and then[1] != now[1]
