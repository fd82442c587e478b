"""What would come back and would not be whole is found in the rehearsal and left out of the plan."""

from pathlib import Path

import pytest

from tests.test_origins import Case, kept
from upkeep.changes import RowsRefused
from upkeep.policy import Policy

THREE = """
    CREATE TABLE g (id INTEGER PRIMARY KEY, n INTEGER DEFAULT 0, gone TEXT);
    CREATE TABLE p (id INTEGER PRIMARY KEY, says TEXT{pointer});
    CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p (id));
    INSERT INTO g (id) VALUES (1), (2); INSERT INTO p (id, says{column}) VALUES (7, '1'{one}), (9, '2'{two});
    INSERT INTO c VALUES (10, 7), (11, 9);
"""
PLAIN = THREE.format(pointer=", g INTEGER REFERENCES g (id)", column=", g", one=", 1", two=", 2")
GENERATED = THREE.format(
    pointer=", g INTEGER GENERATED ALWAYS AS (CAST(says AS INTEGER)) STORED REFERENCES g (id)",
    column="",
    one="",
    two="",
)
COUNTS = "CREATE TRIGGER counts AFTER INSERT ON p BEGIN UPDATE g SET n = n + 1 WHERE id = NEW.g; END;"
RULES = [{"child": child, "orphan": ["restore"]} for child in ("c", "p")]
DELETED = {"from": "p.g", "to": "g.id", "deleted": "gone"}


@pytest.mark.parametrize(
    ("script", "damage", "references", "said"),
    [
        (GENERATED, "DELETE FROM p WHERE id = 7; DELETE FROM g", [], "it would be an orphan of p(g) -> g(id) itself"),
        (
            PLAIN,
            "DELETE FROM p WHERE id = 7; UPDATE g SET gone = 'today' WHERE id = 1",
            [DELETED],
            "it would be an orphan of p(g) -> g(id) unless gone itself",
        ),
        (
            PLAIN + "UPDATE g SET gone = 'long ago' WHERE id = 1;",
            "DELETE FROM g WHERE id = 1",
            [DELETED],
            "who points at it would still be an orphan of p(g) -> g(id) unless gone",
        ),
        (
            PLAIN + COUNTS,
            "DELETE FROM p WHERE id = 7; DELETE FROM g WHERE id = 1",
            [],
            "a trigger of another row of the plan changes it",
        ),
    ],
)
def test_what_would_not_be_whole_is_left_out_and_the_rest_of_the_plan_is_done(
    tmp_path: Path, script: str, damage: str, references: list[dict[str, str]], said: str
) -> None:
    case = Case(tmp_path)
    case.run(
        script + "CREATE TABLE d (id INTEGER PRIMARY KEY, c INTEGER REFERENCES c (id)); INSERT INTO d VALUES (1, 11)"
    )
    case.night()
    case.run(damage + "; DELETE FROM c WHERE id = 11")
    by = Policy.model_validate({"rule": [*RULES, {"child": "d", "orphan": ["restore"]}], "reference": references})
    with pytest.raises(RowsRefused) as refused:
        case.performed(case.planned(by), by)
    assert {one.said for one in refused.value.refusals} == {said}
    plan = case.planned(by, refused.value)
    case.performed(plan, by)
    assert [(one.table, one.row) for one in plan.repairs] == [("c", (11,))]
    assert any(said in reason or "is not put back" in reason for reason in kept(plan))
    assert case.planned(by, refused.value).is_empty, "run it twice: the second run finds nothing to do (promise 2)"


@pytest.mark.parametrize(
    ("column", "held", "pointer"), [("INTEGER", "7", "REAL"), ("TEXT COLLATE NOCASE", "'x'", "TEXT")]
)
def test_who_points_from_a_newer_table_finds_the_row_that_comes_back_however_it_writes_its_key(
    tmp_path: Path, column: str, held: str, pointer: str
) -> None:
    case = Case(tmp_path)
    case.run(
        f"CREATE TABLE p (id {column} NOT NULL PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES p)"
    )
    case.run(f"INSERT INTO p VALUES ({held}), (10); INSERT INTO c VALUES (1, {held})")
    case.night()
    case.run(f"DELETE FROM p WHERE id = {held}; CREATE TABLE d (id INTEGER PRIMARY KEY, p {pointer} REFERENCES p (id))")
    case.run(f"INSERT INTO d VALUES (1, upper({held}))")
    by = Policy.model_validate({"rule": [{"child": "c", "orphan": ["restore"]}, {"child": "d", "orphan": ["delete"]}]})
    plan = case.planned(by)
    assert (plan.by_action(), sorted(one.table for one in plan.healed)) == ({"restore": 1}, ["c", "d"])
    case.performed(plan, by)
    assert case.rows("SELECT COUNT(*) FROM d") == [(1,)]


def test_who_only_looks_alike_neither_finds_the_row_nor_hinders_it(tmp_path: Path) -> None:
    case = Case(tmp_path)
    case.run("CREATE TABLE p (id NOT NULL PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES p (id))")
    case.run("INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 1), (2, '1')")
    case.night()
    case.run("DELETE FROM p WHERE id = 1")
    by = Policy.model_validate({"rule": [{"child": "c", "orphan": ["restore"]}]})
    plan = case.planned(by)
    assert [one.row for one in plan.healed] == [(1,)]
    case.performed(plan, by)
    assert case.rows("SELECT id FROM p") == [(2,), (1,)]


def test_a_row_is_told_apart_as_it_is_today_where_the_backup_had_another_primary_key(tmp_path: Path) -> None:
    case = Case(tmp_path)
    case.run("CREATE TABLE p (id INTEGER PRIMARY KEY, code TEXT UNIQUE); INSERT INTO p VALUES (1, 'a'), (2, 'b')")
    case.run("CREATE TABLE c (id INTEGER PRIMARY KEY, p TEXT REFERENCES p (code)); INSERT INTO c VALUES (10, 'a')")
    case.night()
    by = Policy.model_validate({"rule": [{"child": "c", "orphan": ["restore"]}]})
    wider = "code TEXT NOT NULL UNIQUE, tenant INTEGER NOT NULL, PRIMARY KEY (code, tenant)"
    case.run(f"DROP TABLE p; CREATE TABLE p ({wider}) WITHOUT ROWID")
    assert case.planned(by).is_empty
    case.run("DROP TABLE p; CREATE TABLE p (code TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID")
    case.performed(case.planned(by), by)
    assert case.rows("SELECT * FROM p") == [("a",)]


def test_a_row_that_a_rule_names_for_orphans_may_come_back_by_the_same_plan(tmp_path: Path) -> None:
    case = Case(tmp_path)
    case.run("CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO p VALUES (1, 'nobody'), (2, 'b')")
    case.run("CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p (id)); INSERT INTO c VALUES (10, 99)")
    case.run("CREATE TABLE d (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p (id)); INSERT INTO d VALUES (20, 1)")
    case.night()
    case.run("DELETE FROM p WHERE id = 1")
    rules = [
        {"child": "d", "orphan": ["restore"]},
        {"child": "c", "orphan": ["reassign", "delete"], "reassign_to": 1},
    ]
    by = Policy.model_validate({"rule": rules})
    plan = case.planned(by)
    assert plan.by_action() == {"restore": 1, "reassign": 1}
    case.performed(plan, by)
    assert case.rows("SELECT p FROM c") == [(1,)]
    assert case.planned(by).is_empty, "run it twice: the second run finds nothing to do (promise 2)"
    case.run("DELETE FROM p WHERE id = 1; UPDATE c SET p = 99")
    case.run("CREATE TRIGGER t BEFORE INSERT ON p BEGIN SELECT RAISE(ABORT, ''); END")
    with pytest.raises(RowsRefused) as refused:
        case.performed(case.planned(by), by)
    assert case.planned(by, refused.value).by_action() == {"delete": 1, "keep": 1}
