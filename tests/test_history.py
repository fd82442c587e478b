"""What runs remember of orphans: since when, what is new, what is gone and why, the alarm, and baselines."""

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shell import DELETES, FAMILY, Place, family, upkeep
from upkeep.baseline import against
from upkeep.databases.sqlite_reading import SqliteReading
from upkeep.equipment import equip
from upkeep.finding import diagnosed, find, keys_of
from upkeep.history import POINTS, Gone, History, Moment, Record, SeenKey, SeenRow, Trail, changes_between
from upkeep.policy import SILENCE
from upkeep.remembering import latest_record, record_of
from upkeep.vanishing import history_of
from upkeep.verdict import judge_history

KEY = "child(parent_id) -> parent(id)"
BORN = datetime(2026, 3, 1, 2, tzinfo=UTC)


def moment(day: int) -> Moment:
    return Moment(run=f"run-{day}", taken=BORN + timedelta(days=day), backup=f"backup-{day}")


# The judgement


@pytest.mark.parametrize(
    ("counts", "clean", "points"),
    [
        ([0, 0], 1, []),
        ([3], None, [(0, 3)]),
        ([0, 3, 3, 5], 0, [(1, 3), (3, 5)]),
        ([3, 0, 2], 1, [(2, 2)]),
        ([3, 5, 3], None, [(0, 3), (1, 5), (2, 3)]),
    ],
)
def test_a_trail_knows_the_last_clean_moment_and_how_the_count_grew(
    counts: list[int], clean: int | None, points: list[tuple[int, int]]
) -> None:
    trail = Trail()
    for day, count in enumerate(counts):
        trail = trail.and_then(moment(day), count)
    assert trail.clean == (None if clean is None else moment(clean))
    assert [(point.moment, point.orphans) for point in trail.points] == [(moment(day), n) for day, n in points]


def test_a_trail_stays_short_and_never_forgets_how_it_began() -> None:
    trail = Trail()
    for day in range(1, 500):
        trail = trail.and_then(moment(day), day)
    assert len(trail.points) == POINTS
    assert (trail.points[0].orphans, trail.points[-1].orphans) == (1, 499)


def record(*rows: int | None, unlisted: int = 0, unasked: bool = False, diagnosis: str = "parents missing") -> Record:
    seen = SeenKey(
        key=KEY,
        child="child",
        columns=("parent_id",),
        orphans=unlisted or len(rows),
        missing_keys=1,
        diagnosis=diagnosis,
        rows=None if unlisted else tuple(SeenRow(row=(row,), pointing="x") for row in rows),
    )
    return Record(database="main", salt="s", mark="m", seen=() if unasked else (seen,), unasked=(KEY,) * unasked)


@pytest.mark.parametrize(
    ("before", "now", "new", "gone", "holds"),
    [
        (record(1, 2), record(1, 2), 0, 0, True),
        (record(1, 2), record(2, 3), 1, 1, False),
        (record(1, 2), record(), 0, 2, True),
        (record(1, 2), record(unlisted=20_000), 19_998, 0, False),
        (record(unlisted=20_000), record(unlisted=19_990), 0, 10, True),
        (record(unasked=True), record(1), 1, 0, False),
        (record(1), record(unasked=True), 0, 0, False),
        (record(unasked=True), record(unasked=True), 0, 0, True),
        (record(), record(diagnosis="unusable key"), 0, 0, False),
        (record(diagnosis="unusable key"), record(diagnosis="unusable key"), 0, 0, True),
        (record(1), record(1, diagnosis="misdeclared"), 0, 0, False),
    ],
)
def test_only_what_a_baseline_does_not_know_is_new(
    before: Record, now: Record, new: int, gone: int, holds: bool
) -> None:
    found = against(before, now)
    assert (found.new, found.gone, found.holds) == (new, gone, holds)


@pytest.mark.parametrize(
    ("why", "holds"),
    [
        ({}, True),
        ({Gone.REPAIRED: 3, Gone.DELETED: 1, Gone.EMPTIED: 1, Gone.REPOINTED: 1}, True),
        ({Gone.REPAIRED: 3, Gone.HEALED: 1}, False),
        ({Gone.UNKNOWN: 1}, None),
    ],
)
def test_p53_an_orphan_whose_parent_is_there_again_is_an_alarm(why: dict[Gone, int], holds: bool | None) -> None:
    (check,) = judge_history(History(record(), record(1), (), {KEY: why}))
    assert check.holds is holds
    assert judge_history(History(record())) == ()


def test_of_a_key_that_nobody_asks_any_more_no_orphan_is_gone() -> None:
    """Without the models, or without a line of the policy: the rows are as they were."""
    assert changes_between(record(1, 2), Record(database="main", salt="s", mark="m")) == ()


# Any two states of a small database, against plain sets


States = tuple[dict[int, int | None], frozenset[int]]


@st.composite
def states(draw: st.DrawFn) -> States:
    pointers = draw(st.dictionaries(st.integers(1, 8), st.one_of(st.none(), st.integers(1, 6)), max_size=8))
    return pointers, draw(st.frozensets(st.integers(1, 6), max_size=4))


def seen_in(state: States, before: Record | None) -> tuple[Record, Callable[[Record], History]]:
    pointers, parents = state
    connection = sqlite3.connect(":memory:")
    connection.executescript(FAMILY + "DELETE FROM parent; DELETE FROM child;")
    connection.executemany("INSERT INTO parent (id) VALUES (?)", [(number,) for number in parents])
    connection.executemany("INSERT INTO child (id, parent_id) VALUES (?, ?)", pointers.items())
    reading = SqliteReading(connection)
    found = diagnosed(reading, tuple(find(reading, key, limit=0) for key in keys_of(reading, SILENCE)), SILENCE)
    now = record_of(reading, "main", found, before, "secret")

    def since(past: Record, repaired: frozenset[int] = frozenset()) -> History:
        rows = {"child": frozenset((number,) for number in repaired)}
        with closing(connection):
            return history_of(reading, found, now, past, "secret", rows)

    return now, since


def orphans(state: States) -> dict[int, int]:
    pointers, parents = state
    return {row: to for row, to in pointers.items() if to is not None and to not in parents}


@settings(max_examples=int(os.environ.get("DIAGNOSIS_EXAMPLES", "200")), deadline=None)
@given(states(), states())
def test_what_is_new_and_what_is_gone_and_why_is_as_sets_say(first: States, second: States) -> None:
    before, _ = seen_in(first, None)
    _, since = seen_in(second, before)
    history = since(before)
    had, has, pointers = orphans(first), orphans(second), second[0]
    assert history.new == len(has.keys() - had.keys())
    expected = Counter(
        Gone.DELETED
        if row not in pointers
        else Gone.EMPTIED
        if pointers[row] is None
        else Gone.HEALED
        if pointers[row] == had[row]
        else Gone.REPOINTED
        for row in had.keys() - has.keys()
    )
    assert Counter(history.gone) == expected


def test_values_are_in_no_record_and_its_digests_cannot_be_made_without_the_secret() -> None:
    state: States = (
        {1: 4_711_000_000_001, 2: 4_711_000_000_002},
        frozenset(),
    )  # too long to stand in a digest by chance
    now, _ = seen_in(state, None)
    assert "471100000000" not in json.dumps(now.model_dump(mode="json")["seen"])
    assert len({row.pointing for key in now.seen for row in key.rows or ()}) == 2
    again, _ = seen_in(state, now)
    assert (again.salt, again.seen) == (now.salt, now.seen)
    other, _ = seen_in(state, None)
    assert changes_between(now, other) == ()
    assert other.mark != now.mark


# Runs, one after the other


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A small database with one orphan."""
    return family(tmp_path / "place")


def maintained(*arguments: str) -> Any:
    said = upkeep("maintain", *arguments, "--json")
    assert said.code in (0, 1), said
    return said.document


def claim(document: Any) -> Any:
    return next(c for c in document["verdict"]["checks"] if c["claim"] == "no orphan has healed by itself")


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_here")
def test_runs_tell_what_is_new_and_gone_and_an_orphan_that_heals_by_itself_raises_the_alarm(place: Place) -> None:
    first = maintained()
    assert first["history"]["before"] is None
    assert [c for c in first["verdict"]["checks"] if "healed" in c["claim"]] == []

    place.run("INSERT INTO child VALUES (4, 98, 'new')")
    second = maintained()
    assert (second["history"]["new"], second["history"]["gone"]) == (1, {})
    assert claim(second) == {"claim": "no orphan has healed by itself", "holds": True, "seen": "1 new"}
    (finding,) = second["findings"]
    assert finding["new"] == 1
    assert finding["since"]["points"][0]["moment"]["backup"] == first["backup"]

    place.run("INSERT INTO parent VALUES (99, 'somebody else'); DELETE FROM child WHERE id = 4")
    third = maintained()
    assert third["verdict"]["passed"] is False
    assert claim(third)["holds"] is False
    assert claim(third)["seen"] == (
        f"1 of {KEY}: the parent is there again, is it the same row?; 1 gone: its row was deleted"
    )
    fourth = maintained()
    assert (fourth["verdict"]["passed"], fourth["history"]["gone"]) == (True, {})
    assert latest_record(equip().store, "main") is not None


@pytest.mark.usefixtures("prefect_here")
def test_what_upkeep_itself_repaired_raises_no_alarm_and_is_the_last_clean_moment(place: Place) -> None:
    place.policy(DELETES)
    done = maintained("--perform", "within_limits")
    assert done["performed"]
    place.run("INSERT INTO child VALUES (5, 55, 'later')")
    said = upkeep("check", "--json").document
    (finding,) = said["findings"]
    assert (said["history"]["new"], said["history"]["gone"], finding["new"]) == (1, {}, 1)
    assert finding["since"]["clean"]["backup"] == done["backup"]
    lines = upkeep("check").out.splitlines()
    (since,) = (line for line in lines[:5] if line.startswith("since: "))
    assert since.startswith("since: 1 key clean until ")
    assert f", backup {done['backup']}" in " ".join(" ".join(lines).split())


@pytest.mark.usefixtures("prefect_here")
def test_a_run_that_died_after_it_had_performed_explains_what_is_gone(place: Place) -> None:
    place.policy(DELETES)
    done = maintained("--perform", "within_limits")
    (place.store / "main" / "evidence" / done["run"] / "findings-after.json").unlink()
    said = upkeep("check", "--json").document
    assert said["history"]["gone"] == {"repaired by Upkeep": 1}


def test_without_a_run_nobody_knows_since_when(place: Place) -> None:
    lines = upkeep("check").out.splitlines()
    assert lines[2] == "since: nobody knows: no earlier run left what it found; `upkeep maintain` does"
    os.environ["UPKEEP_STORE"] = (place.folder / "no-store").as_uri()
    assert upkeep("check").code == 1


# Baselines


def test_with_a_baseline_only_new_orphans_fail(place: Place) -> None:
    file = place.folder / "baseline.json"
    assert upkeep("check", "--write-baseline", str(file)).code == 1
    said = upkeep("check", "--baseline", str(file), "--json")
    assert (said.code, said.document["orphans"], said.document["baseline"]["new"]) == (0, 1, 0)
    told = upkeep("check", "--baseline", str(file)).out
    assert "next: nothing: nothing is new; " in told
    place.run("INSERT INTO child VALUES (4, 98, 'new'); DELETE FROM child WHERE id = 2")
    said = upkeep("check", "--baseline", str(file), "--json")
    assert said.code == 1
    found = {name: said.document["baseline"][name] for name in ("orphans", "new", "gone", "new_by_key")}
    assert found == {"orphans": 1, "new": 1, "gone": 1, "new_by_key": {KEY: 1}}
    told = upkeep("check", "--baseline", str(file)).out
    assert f"has 1 orphan; 1 new: {KEY} 1; 1 gone" in " ".join(told.split())


def test_the_policy_may_name_the_baseline_as_a_file_beside_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    upkeep("check", "--write-baseline", str(place.folder / "known.json"))
    place.policy('[check]\nbaseline = "known.json"\n')
    monkeypatch.chdir("/")
    assert upkeep("check").code == 0


@pytest.mark.usefixtures("prefect_here")
def test_the_last_run_may_be_the_baseline(place: Place) -> None:
    code, sentence, hint = upkeep("check", "--baseline", "latest").complaint
    assert (code, sentence) == (2, f"no run has left what it found of main in {place.store.as_uri()}")
    assert "upkeep maintain" in hint
    maintained()
    assert upkeep("check", "--baseline", "latest").code == 0
    place.run("INSERT INTO child VALUES (4, 98, 'new')")
    assert upkeep("check", "--baseline", "latest").code == 1


@pytest.mark.parametrize("content", [None, "{}", "[1]"])
def test_a_baseline_that_is_none_is_refused(place: Place, content: str | None) -> None:
    file = place.folder / "baseline.json"
    if content is not None:
        file.write_text(content)
    code, sentence, hint = upkeep("check", "--baseline", str(file)).complaint
    assert code == 2
    assert "baseline" in sentence
    assert hint == "write one with `upkeep check --write-baseline FILE`"
