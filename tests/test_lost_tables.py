"""A parent table that is gone comes back whole from the newest backup that has it, and an undo drops it (P-109)."""

import json
import sqlite3
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tasks.outcome import Found, what_became_of
from tests.shell import Place, family, upkeep
from tests.surgeries import Surgery, comes_back_and_goes_again, in_a_file, missed_of
from upkeep.changes import put_changes
from upkeep.databases import Reading
from upkeep.equipment import equip
from upkeep.errors import Refused
from upkeep.journal import Intention
from upkeep.older_backups import CannotTell, Older
from upkeep.plan import beyond
from upkeep.policy import Limits, Policy

RESTORES = Policy.model_validate({"rule": [{"child": "*", "orphan": ["restore", "nullify"]}]})
SURGERY = """
    CREATE TABLE doctors (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL COLLATE NOCASE UNIQUE CHECK (name <> ''),
        chief INTEGER REFERENCES doctors (id), "odd ""one" BLOB DEFAULT x'00ff'
    );
    CREATE INDEX by_chief ON doctors (chief) WHERE chief IS NOT NULL;
    CREATE TABLE heard (what TEXT);
    CREATE TRIGGER hired AFTER INSERT ON doctors BEGIN INSERT INTO heard VALUES ('hired ' || NEW.id); END;
    CREATE TRIGGER fired BEFORE DELETE ON doctors BEGIN SELECT RAISE(ABORT, 'nobody is fired here'); END;
    CREATE TABLE visits (id INTEGER PRIMARY KEY, doctor_id INTEGER REFERENCES doctors (id));
    CREATE TABLE notes (id INTEGER PRIMARY KEY, doctor_id INTEGER REFERENCES Doctors);
    INSERT INTO doctors (id, name, chief) VALUES (1, 'Ada', NULL), (2, 'Bob', 1), (7, 'Cy' || char(0) || 'x', 2);
    UPDATE sqlite_sequence SET seq = 40 WHERE name = 'doctors';
    INSERT INTO visits VALUES (10, 1), (11, 2), (12, NULL);
    INSERT INTO notes VALUES (20, 2), (21, 99);
"""
"""Nobody points at row 7; note 21 is an orphan before the table goes."""


@pytest.fixture
def surgery(tmp_path: Path) -> Surgery:
    """A surgery, a night, and its doctors are gone as a whole."""
    made = in_a_file(tmp_path, SURGERY)
    made.night()
    made.run("DROP TABLE doctors")
    return made


def test_p109_a_table_that_is_gone_comes_back_as_it_was_and_an_undo_takes_it_away_again(tmp_path: Path) -> None:
    surgery = in_a_file(tmp_path, SURGERY)
    whole = surgery.content()
    surgery.night()
    surgery.run("DROP TABLE doctors")
    damaged = surgery.content()
    plan = surgery.planned(RESTORES)
    assert surgery.content() == damaged, "what is drawn up as if the table were there leaves nothing"
    assert [(one.table, one.backup, plan.rows_of(one.table)) for one in plan.tables] == [("doctors", "00", 3)]
    mended = surgery.performed(plan, RESTORES)
    nobody = [
        line.replace('INSERT INTO "notes" VALUES(21,99);', 'INSERT INTO "notes" VALUES(21,NULL);') for line in whole
    ]
    assert surgery.content() == sorted(nobody), "note 21 misses a doctor that the table never had, so the rule goes on"
    assert surgery.planned(RESTORES).is_empty, "run it twice: the second run finds nothing to do (promise 2)"
    repaired = surgery.content()

    undo = surgery.undo_of(plan, mended, RESTORES)
    assert undo.undo is not None
    assert undo.undo.conflicts == ()
    undone = surgery.performed(undo, RESTORES)
    assert surgery.content() == damaged, "what forbids a deletion goes before the rows do"
    assert surgery.undo_of(plan, mended, RESTORES).is_empty
    redo = surgery.undo_of(undo, undone, RESTORES)
    surgery.performed(redo, RESTORES)
    assert surgery.content() == repaired
    assert surgery.undo_of(undo, undone, RESTORES).is_empty


def test_rows_that_point_at_each_other_come_back_together_whatever_the_rule_of_that_key(surgery: Surgery) -> None:
    by = Policy.model_validate({"rule": [{"child": "visits", "orphan": ["restore"]}]})
    plan = surgery.planned(by)
    assert plan.rows_of("doctors") == 3
    surgery.performed(plan, by)
    assert surgery.ask("SELECT id, chief FROM doctors") == [(1, None), (2, 1), (7, 2)]
    assert surgery.planned(by).is_empty


def test_the_newest_backup_that_has_it_is_the_only_one_that_is_opened(surgery: Surgery) -> None:
    for _ in range(3):
        surgery.night()
    assert surgery.planned(RESTORES).tables[0].backup == "00"
    assert surgery.opened == ["00"], "by their censuses the others have it not"


def test_no_number_is_given_twice_by_a_generator_that_came_back_p69(surgery: Surgery) -> None:
    surgery.performed(surgery.planned(RESTORES), RESTORES)
    surgery.run("INSERT INTO doctors (name) VALUES ('Di')")
    assert surgery.ask("SELECT id FROM doctors WHERE name = 'Di'") == [(41,)]
    assert surgery.ask("SELECT what FROM heard ORDER BY rowid DESC LIMIT 1") == [("hired 41",)]


def test_without_a_rule_that_restores_first_of_all_nothing_is_opened_and_nothing_comes(surgery: Surgery) -> None:
    for rule in ([], [{"child": "*", "orphan": ["nullify", "restore"]}], [{"child": "*", "orphan": ["keep"]}]):
        plan = surgery.planned(Policy.model_validate({"rule": rule}))
        assert (plan.tables, plan.repairs) == ((), ())
    assert surgery.opened == []


def test_a_table_of_more_rows_than_the_limit_is_told_and_left(surgery: Surgery) -> None:
    small = RESTORES.model_copy(update={"limits": Limits(rows=2)})
    plan = surgery.planned(small)
    assert (plan.tables, plan.repairs) == ((), ())
    assert "backup 00 has it with 3 rows, and the limit is 2" in plan.kept[0].reason


def test_a_table_that_was_empty_is_told_and_left(tmp_path: Path) -> None:
    surgery = in_a_file(tmp_path, SURGERY + "DROP TRIGGER fired; DELETE FROM doctors;")
    surgery.night()
    surgery.run("DROP TABLE doctors")
    plan = surgery.planned(RESTORES)
    assert plan.tables == ()
    assert "backup 00 has it without a row" in plan.kept[0].reason


def test_a_table_that_comes_back_counts_against_the_limit_of_rows_and_is_no_share_of_itself(surgery: Surgery) -> None:
    plan = surgery.planned(RESTORES)
    rows_of = {"visits": 3, "notes": 2, "heard": 0}
    assert beyond(plan, Limits(rows=4, share=0.5), rows_of) == ()
    assert beyond(plan, Limits(rows=3, share=0.5), rows_of) == ("4 rows would change, the limit is 3",)


def test_who_asked_to_be_erased_does_not_come_back_with_the_table_p71(surgery: Surgery) -> None:
    stone = {"table": "doctors", "keys": [7]}
    by = Policy.model_validate({"rule": [{"child": "*", "orphan": ["restore"]}], "tombstone": [stone]})
    surgery.performed(surgery.planned(by), by)
    assert surgery.ask("SELECT id FROM doctors") == [(1,), (2,)]


def test_a_table_that_migrations_have_dropped_stays_gone(surgery: Surgery) -> None:
    surgery.night(known=False)
    plan = surgery.planned(RESTORES)
    assert plan.tables == ()
    assert any("brought to the revision of today backup 01 has none" in kept.reason for kept in plan.kept)


def test_an_older_backup_that_cannot_be_compared_ends_the_search_with_its_reason(surgery: Surgery) -> None:
    def opened() -> AbstractContextManager[Reading]:
        raise CannotTell("backup 05 is at another revision")

    surgery.older.insert(0, Older("05", opened))
    assert surgery.lost(RESTORES).why_not == dict.fromkeys(
        ("doctors", "Doctors"), "the table is gone; backup 05 is at another revision"
    )


def test_what_came_since_is_refused_whole(surgery: Surgery) -> None:
    plan = surgery.planned(RESTORES)
    surgery.run("CREATE TABLE doctors (id INTEGER PRIMARY KEY)")
    before = surgery.content()
    with pytest.raises(Refused, match="the table doctors stands there again since the rehearsal"):
        surgery.performed(plan, RESTORES)
    assert surgery.content() == before


def test_a_table_with_new_rows_is_not_dropped_by_an_undo(surgery: Surgery) -> None:
    plan = surgery.planned(RESTORES)
    mended = surgery.performed(plan, RESTORES)
    undo = surgery.undo_of(plan, mended, RESTORES)
    surgery.run("INSERT INTO doctors (name) VALUES ('Di')")
    before = surgery.content()
    with pytest.raises(Refused):
        surgery.performed(undo, RESTORES)
    assert surgery.content() == before
    again = surgery.undo_of(plan, mended, RESTORES)
    assert again.undo is not None
    assert again.tables == ()
    assert {one.why for one in again.undo.conflicts} == {
        "the table doctors, which would go with it, has other rows or another schema since"
    }


numbers = st.integers(1, 6)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_whatever_tables_are_dropped_the_database_is_afterwards_what_it_was(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """The oracle is the database itself before it was hurt, as SQLite writes it down."""
    ids = {name: sorted(data.draw(st.sets(numbers, min_size=1))) for name in "abc"}

    def pointer(name: str) -> str:
        return str(data.draw(st.sampled_from([*ids[name], "NULL"])))

    kind = data.draw(
        st.sampled_from(["INTEGER PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT", "TEXT PRIMARY KEY NOT NULL"])
    )
    implied = data.draw(st.booleans())
    to = {name: name.upper() if implied else f"{name} (id)" for name in "abc"}
    above = data.draw(st.sampled_from("ab"))  # b may point at itself
    rowid = "" if "AUTO" in kind else data.draw(st.sampled_from(["", " WITHOUT ROWID"]))
    script = [
        f"CREATE TABLE a (id {kind}, b INTEGER){rowid};",
        f"CREATE TABLE b (id {kind}, up REFERENCES {to[above]}){rowid};",
        f"CREATE TABLE c (id INTEGER PRIMARY KEY, a REFERENCES {to['a']}, b REFERENCES {to['b']});",
        *(f"INSERT INTO a VALUES ({one}, {number});" for number, one in enumerate(ids["a"])),
        *(f"INSERT INTO b VALUES ({one}, {pointer(above)});" for one in ids["b"]),
        *(f"INSERT INTO c VALUES ({one}, {pointer('a')}, {pointer('b')});" for one in ids["c"]),
    ]
    surgery = in_a_file(tmp_path_factory.mktemp("surgery"), "".join(script))
    whole = surgery.content()
    for _ in range(data.draw(st.integers(1, 2))):
        surgery.night()
    gone = data.draw(st.sets(st.sampled_from("ab"), min_size=1))
    surgery.run("".join(f"DROP TABLE {name};" for name in gone))
    missed = missed_of(surgery, gone, above)
    plan = comes_back_and_goes_again(surgery, RESTORES, whole if missed == gone else None, missed)
    event(f"tables {len(plan.tables)}, rows {min(plan.rows, 5)}")


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_here")
def test_a_run_brings_a_table_back_says_so_and_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place = family(tmp_path / "surgery", SURGERY)
    place.policy('[[rule]]\nchild = "visits"\norphan = ["restore"]\n')
    place.run("DELETE FROM notes WHERE id = 21")
    assert upkeep("backup").code == 0
    place.run("DROP TABLE doctors")
    damaged = dump(place)
    said = upkeep("maintain", "--no-migrate", "--perform", "within_limits")
    assert said.code == 0, said.out + said.err
    (backup,) = {one["backup"] for one in plan_of(place)["tables"]}
    assert f"table doctors comes back with 3 rows from backup {backup}" in " ".join(said.out.split())
    assert place.ask("SELECT COUNT(*) FROM doctors") == [(3,)]
    (run,) = {path.parent.name for path in place.store.glob("main/repairs/*/outcome.json")}
    undo = upkeep("undo", run, "--json").document
    assert undo["verdict"]["passed"], undo["verdict"]
    approval = ("--approve", undo["plan"]["digest"][:12], "--by", "tester", "--reason", "to see")
    done = upkeep("undo", run, *approval, "--json").document
    assert done["verdict"]["passed"], done["verdict"]
    assert dump(place) == damaged
    assert upkeep("ledger", "verify").code == 0


def dump(place: Place) -> list[str]:
    """All that the database says."""
    with closing(sqlite3.connect(place.path)) as connection:
        return sorted(connection.iterdump())


def plan_of(place: Place) -> Any:
    """The plan of the one run that has performed one."""
    (outcome,) = place.store.glob("main/repairs/*/outcome.json")
    return json.loads(outcome.with_name("plan.json").read_text())


def test_p95_of_a_run_that_died_it_is_found_out_whether_the_table_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    surgery = in_a_file(tmp_path, SURGERY)
    surgery.night()
    surgery.run("DROP TABLE doctors")
    damaged = (tmp_path / "now.db").read_bytes()
    plan = surgery.planned(RESTORES)
    mended = surgery.performed(plan, RESTORES)
    place = family(tmp_path / "place", "CREATE TABLE other (id)")
    place.set(DATABASE_URL=surgery.place.url)
    equipment = equip()
    intention = Intention(
        run="killed",
        database="main",
        plan=plan.digest,
        changes=put_changes(equipment.store, "main/repairs/killed/changes", mended.changes),
        migration=None,
        backup="00",
        approved_by="tester",
        begun=datetime(2026, 7, 1, tzinfo=UTC),
    )
    assert what_became_of(equipment, intention, {}) is Found.PERFORMED
    (tmp_path / "now.db").write_bytes(damaged)
    assert what_became_of(equipment, intention, {}) is Found.UNTOUCHED
