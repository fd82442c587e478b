"""When a missing parent is put back and when it is a finding for a person, case by case on SQLite."""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from upkeep.changes import Mended, RowsRefused
from upkeep.databases import Reading
from upkeep.databases.sqlite import SqliteDatabase
from upkeep.finding import find, keys_of
from upkeep.fixpoint import Spot
from upkeep.mending import mend
from upkeep.older_backups import CannotTell, Older
from upkeep.plan import Plan, beyond
from upkeep.planning import Planner
from upkeep.policy import Action, Limits, Policy
from upkeep.provenance import (
    ANOTHERS,
    JUST_BEFORE,
    NOWHERE,
    SIDE_BY_SIDE,
    TOO_LATE,
    Glimpse,
    Image,
    judge,
)
from upkeep.searching import search

ONE = Image(Spot("p", (1,)), ("id", "name"), (1, "Ada"))
CHANGED = Image(Spot("p", (1,)), ("id", "name"), (1, "Ada Lovelace"))
KEPT = Image(Spot("p", (1,)), ("id", "name"), (1, "Ada"), is_kept=True)
GIVEN = Image(Spot("p", (1,)), ("id", "name"), (1, "Ada"), is_kept=False)
"""Nothing that was numbered after it stands as it stood: its number may have been given again."""
WIDER = Image(Spot("p", (1,)), ("id", "name", "mail"), (1, "Ada", None))
A, C, X = False, True, None
"""The child is absent, or points, or nobody can tell."""


@pytest.mark.parametrize(
    ("parents", "points", "said", "backup"),
    [
        ((ONE, ONE, None), (C, C, C), SIDE_BY_SIDE, "1"),
        ((ONE, ONE, None), (A, C, C), SIDE_BY_SIDE, "1"),
        ((ONE, None, None), (A, C, C), JUST_BEFORE, "0"),
        ((GIVEN, None, None), (A, C, C), ANOTHERS, ""),
        ((GIVEN, ONE, None), (A, C, C), SIDE_BY_SIDE, "1"),
        ((ONE, None, None), (C, X, C), ANOTHERS, ""),
        ((ONE, ONE, None), (X, C, C), SIDE_BY_SIDE, "1"),
        ((None, ONE, None), (X, C, C), ANOTHERS, ""),
        ((None, None, None), (X, X, C), NOWHERE, ""),
        ((ONE, None), (A, A), NOWHERE, ""),
        ((ONE, None, None), (A, A, C), NOWHERE, ""),
        ((None, None), (C, C), NOWHERE, ""),
        ((), (), NOWHERE, ""),
        ((None, ONE, None), (C, C, C), TOO_LATE, ""),
        ((ONE, CHANGED, None), (C, C, C), ANOTHERS, ""),
        ((ONE, CHANGED, None), (A, C, C), ANOTHERS, ""),
        ((KEPT, CHANGED, None), (C, C, C), SIDE_BY_SIDE, "1"),
        ((ONE, None, CHANGED), (C, C, C), ANOTHERS, ""),
        ((ONE, None, ONE), (C, C, C), SIDE_BY_SIDE, "2"),
        ((ONE, WIDER, None), (C, C, C), SIDE_BY_SIDE, "1"),
        ((CHANGED, None, ONE), (A, A, A), JUST_BEFORE, "2"),
    ],
)
def test_what_backups_prove_of_a_parent_p110(
    parents: tuple[Image | None, ...], points: tuple[bool | None, ...], said: str, backup: str
) -> None:
    pairs = enumerate(zip(parents, points, strict=True))
    judged = judge([Glimpse(str(n), parent, there) for n, (parent, there) in pairs])
    assert (judged.reason, judged.backup) == (said, backup)
    assert (judged.image is None) == (not backup)


class Case:
    """A few tables of SQLite, whose backups are copies of the file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = SqliteDatabase("case", folder / "case.db")
        self.older: list[Older] = []
        self.touched: dict[Spot, str] = {}

    def run(self, sql: str) -> None:
        with closing(sqlite3.connect(self.database.path)) as connection:
            connection.executescript(sql)

    def night(self) -> None:
        copy = SqliteDatabase("older", self.folder / f"{len(self.older)}.db")
        copy.path.write_bytes(self.database.path.read_bytes())
        self.older.insert(0, Older(f"{len(self.older)}", partial(_opened, copy)))

    def planned(self, by: Policy, refused: RowsRefused | None = None) -> Plan:
        with self.database.reading() as now:
            keys = keys_of(now, by)
            origins = search(now, keys, by, self.older, touched=lambda: self.touched)
            findings = tuple(find(now, key, limit=0) for key in keys)
            refusals = refused.refusals if refused else ()
            return Planner(now, keys, by, refusals, origins).plan("case", findings, None)

    def performed(self, plan: Plan, by: Policy) -> Mended:
        with self.database.writing() as writing:
            return mend(writing, plan, keys_of(writing, by))

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.database.path)) as connection:
            return connection.execute(sql).fetchall()


def touched_by(plan: Plan) -> dict[Spot, str]:
    """The rows that a run has put back or set, as the next one finds them in its record."""
    return {Spot(one.table, one.row): one.before for one in plan.repairs if one.action is not Action.DELETE}


@contextmanager
def _opened(database: SqliteDatabase) -> Iterator[Reading]:
    with database.reading() as reading:
        yield reading


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Two people with a pet each, a night, and the first of them is gone."""
    made = Case(tmp_path)
    made.run(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT, mail TEXT UNIQUE);"
        "CREATE TABLE c (id INTEGER PRIMARY KEY, owner INTEGER REFERENCES p (id));"
        "INSERT INTO p VALUES (1, 'Ada', 'a@x'), (2, 'Bob', 'b@x'); INSERT INTO c VALUES (10, 1), (20, 2)"
    )
    made.night()
    made.run("DELETE FROM p WHERE id = 1")
    return made


def by(*actions: str, **more: object) -> Policy:
    return Policy.model_validate({"rule": [{"child": "c.owner", "parent": "p", "orphan": actions}], **more})


def kept(plan: Plan) -> list[str]:
    return [one.reason for one in plan.kept]


def test_p72_a_value_that_is_anothers_by_now_is_told_with_both_rows(case: Case) -> None:
    case.run("INSERT INTO p VALUES (7, 'Ada', 'a@x')")
    plan = case.planned(by("restore"))
    assert plan.is_empty
    assert kept(plan) == ["restore is impossible: mail of row 1 of p is that of row 7 by now"]


@pytest.mark.parametrize("said", ["closed", ""])
def test_a_trigger_that_refuses_a_row_is_a_finding_and_the_next_action_counts_p119(case: Case, said: str) -> None:
    case.run(f"CREATE TRIGGER t BEFORE INSERT ON p BEGIN SELECT RAISE(ABORT, '{said}'); END")
    rules = by("restore", "nullify")
    plan = case.planned(rules)
    assert plan.triggers == ("t (INSERT on p)",)
    with pytest.raises(RowsRefused) as refused:
        case.performed(plan, rules)
    again = case.planned(rules, refused.value)
    assert again.by_action() == {"nullify": 1}
    (passed,) = again.passed_over
    assert (passed.key, passed.action.value, passed.rows) == ("c(owner) -> p(id)", "nullify", 1)
    assert passed.reason.startswith("restore is impossible: ")
    assert plan.passed_over == ()
    case.performed(again, rules)
    assert case.rows("SELECT * FROM c ORDER BY id") == [(10, None), (20, 2)]


def test_p73_a_column_that_came_since_has_its_default(case: Case) -> None:
    case.run("ALTER TABLE p ADD COLUMN kind TEXT NOT NULL DEFAULT 'person'; ALTER TABLE p DROP COLUMN name")
    case.performed(case.planned(by("restore")), by("restore"))
    assert case.rows("SELECT * FROM p WHERE id = 1") == [(1, "a@x", "person")]


def test_a_share_is_of_the_rows_with_those_that_come_back_so_that_an_emptied_table_can(case: Case) -> None:
    case.run("DELETE FROM p")
    plan = case.planned(by("restore"))
    assert plan.by_action() == {"restore": 2}
    assert beyond(plan, Limits(share=1.0), {"p": 0}) == ()
    assert beyond(plan, Limits(share=0.5), {"p": 1}) == ("2 of 3 rows of p would change, the limit is 50%",)
    assert beyond(plan, Limits(share=0.5), {"p": 2}) == ()


def test_p120_values_come_back_raw(case: Case) -> None:
    raw = "INSERT INTO p VALUES (3, x'00ff', CAST(x'ff00fe' AS TEXT)); INSERT INTO c VALUES (30, 3)"
    case.run(raw)
    case.night()
    case.run("DELETE FROM p WHERE id = 3")
    case.performed(case.planned(by("restore")), by("restore"))
    assert case.rows("SELECT hex(name), typeof(name), hex(mail), typeof(mail) FROM p WHERE id = 3") == [
        ("00FF", "blob", "FF00FE", "text")
    ]


def test_what_is_unproven_comes_back_only_where_a_rule_for_that_very_key_allows_it(case: Case) -> None:
    case.night()
    case.run("UPDATE c SET owner = 1 WHERE id = 20")
    case.run("DELETE FROM c WHERE id = 10")
    assert kept(case.planned(by("restore"))) == [f"restore is impossible: {NOWHERE}"]
    rule = {"child": "c.owner", "parent": "p", "orphan": ["restore"], "restore_unproven": True}
    assert case.planned(Policy.model_validate({"rule": [rule]})).by_action() == {"restore": 1}
    wider = rule | {"child": "c*"}
    assert case.planned(Policy.model_validate({"rule": [wider]})).is_empty


def test_a_backup_that_cannot_be_compared_ends_the_search_and_is_named(case: Case) -> None:
    def not_so() -> AbstractContextManager[Reading]:
        raise CannotTell("backup 9 is at r1, the database at r2")

    case.older.insert(0, Older("9", not_so))
    (reason,) = kept(case.planned(by("restore")))
    assert reason == f"restore is impossible: {NOWHERE}; backup 9 is at r1, the database at r2"


def test_a_parent_that_stood_there_changed_is_the_same_where_later_numbers_stand_as_they_stood(case: Case) -> None:
    case.run("INSERT INTO p VALUES (1, 'Ada', 'a@x')")
    case.night()
    case.run("UPDATE p SET name = 'Ada Lovelace' WHERE id = 1")
    case.night()
    case.run("DELETE FROM p WHERE id = 1")
    case.performed(case.planned(by("restore")), by("restore"))
    assert case.rows("SELECT name FROM p WHERE id = 1") == [("Ada Lovelace",)]


def test_p110_nobody_comes_back_who_may_have_had_her_number_from_another_in_between(case: Case) -> None:
    """The newest row goes, another is given its number, a child points at that one, and it goes too."""
    case.run("INSERT INTO p VALUES (3, 'Cy', 'c@x')")
    case.night()
    case.run("DELETE FROM p WHERE id = 3; INSERT INTO p VALUES (3, 'Dora', 'd@x'); INSERT INTO c VALUES (30, 3)")
    case.run("DELETE FROM p WHERE id = 3")
    assert (3,) not in [one.row for one in case.planned(by("restore")).repairs]
    assert f"restore is impossible: {ANOTHERS}" in kept(case.planned(by("restore")))
    case.run("UPDATE c SET owner = 1 WHERE id = 30")
    assert [one.row for one in case.planned(by("restore")).repairs] == [(1,)], (
        "below a row that stayed nobody is another"
    )


def test_p110_who_came_when_the_parent_was_gone_may_mean_another_who_had_its_number(case: Case) -> None:
    case.run("INSERT INTO p VALUES (3, 'Cy', 'c@x'); INSERT INTO c VALUES (5, 3)")
    case.night()
    case.run("DELETE FROM p WHERE id = 3")
    case.night()
    assert (3,) in [one.row for one in case.planned(by("restore")).repairs]
    case.run("INSERT INTO p VALUES (3, 'Dora', 'd@x'); INSERT INTO c VALUES (30, 3); DELETE FROM p WHERE id = 3")
    assert (3,) not in [one.row for one in case.planned(by("restore")).repairs]


def test_p110_a_child_whose_own_number_was_given_again_proves_nothing(case: Case) -> None:
    case.run("ALTER TABLE c ADD COLUMN note TEXT; INSERT INTO p VALUES (3, 'Cy', 'c@x')")
    case.run("INSERT INTO c VALUES (30, 3, 'of Cy')")
    case.night()
    case.run("DELETE FROM p WHERE id = 3; DELETE FROM c WHERE id = 30; INSERT INTO p VALUES (3, 'Dora', 'd@x')")
    case.run("INSERT INTO c VALUES (30, 3, 'of Dora')")
    case.run("DELETE FROM p WHERE id = 3")
    assert (3,) not in [one.row for one in case.planned(by("restore")).repairs]
    case.run("INSERT INTO c VALUES (40, 2, '')")
    case.night()
    assert (3,) not in [one.row for one in case.planned(by("restore")).repairs]


@pytest.mark.parametrize("settled", ["created_at TEXT DEFAULT 'monday'", "higher INTEGER"])
def test_a_child_that_was_changed_since_is_the_same_where_that_can_be_told(case: Case, settled: str) -> None:
    case.run(f"ALTER TABLE c ADD COLUMN note TEXT; ALTER TABLE c ADD COLUMN {settled}")
    case.run(
        "UPDATE c SET owner = 1 WHERE id = 20; DELETE FROM c WHERE id = 10; INSERT INTO p VALUES (1, 'Ada', 'a@x')"
    )
    if "higher" in settled:
        case.run("INSERT INTO c (id) VALUES (30)")
    case.night()
    case.run("DELETE FROM p WHERE id = 1; UPDATE c SET note = 'changed' WHERE id = 20")
    assert [one.source.partition(": ")[2] for one in case.planned(by("restore")).repairs] == [SIDE_BY_SIDE]


def test_somebody_who_points_elsewhere_since_the_rehearsal_stops_the_plan(case: Case) -> None:
    plan = case.planned(by("restore"))
    case.run("UPDATE c SET owner = 2 WHERE id = 10")
    with pytest.raises(Exception, match="row 10 of c is no orphan of"):
        case.performed(plan, by("restore"))
    assert case.rows("SELECT id FROM p") == [(2,)]


def test_a_key_that_depends_on_a_type_is_not_restored_and_does_not_hinder_others(case: Case) -> None:
    case.run("CREATE TABLE notes (id INTEGER PRIMARY KEY, kind TEXT, at INTEGER); INSERT INTO notes VALUES (1, 'p', 1)")
    reference = {"from": "notes.at", "type": "kind", "types": {"p": "p.id"}}
    rules = [{"child": "c.owner", "orphan": ["restore"]}, {"child": "notes.at", "parent": "p", "orphan": ["restore"]}]
    rules_with_it = Policy.model_validate({"reference": [reference], "rule": rules})
    plan = case.planned(rules_with_it)
    assert plan.by_action() == {"restore": 1}
    assert sorted(one.table for one in plan.healed) == ["c", "notes"]
    case.performed(plan, rules_with_it)
    assert case.planned(rules_with_it).is_empty


def test_p110_a_row_that_a_run_has_put_back_proves_nothing_of_another_that_was_changed(case: Case) -> None:
    """While it was gone a generator could give the number again that it stands above."""
    case.run("INSERT INTO p VALUES (1, 'Ada', 'a@x')")
    case.night()
    case.run("UPDATE p SET name = 'Ada Lovelace' WHERE id = 1")
    case.night()
    case.run("DELETE FROM p")
    by = Policy.model_validate({"rule": [{"child": "*", "orphan": ["restore"]}]})
    plan = case.planned(by)
    assert [one.row for one in plan.repairs] == [(2,)]
    case.performed(plan, by)
    assert not case.planned(by).is_empty, "as if the row had never been gone"
    case.touched = touched_by(plan)
    assert case.planned(by).is_empty, "run it twice: the second run finds nothing to do (promise 2)"


def test_p110_what_a_run_has_set_proves_no_more_to_the_next_than_it_did_to_the_first(case: Case) -> None:
    """The newest child cannot be told from another under its number: its second pointer is not what it was."""
    case.run(
        "CREATE TABLE q (id INTEGER PRIMARY KEY);"
        "CREATE TABLE d (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p (id), q INTEGER REFERENCES q (id));"
        "INSERT INTO p VALUES (3, 'Cy', 'c@x'); INSERT INTO d VALUES (1, 3, NULL)"
    )
    case.night()
    case.run("UPDATE d SET q = 9; DELETE FROM p WHERE id = 3; DELETE FROM c")
    rules = [
        {"child": "d.p", "parent": "p", "orphan": ["restore", "keep"]},
        {"child": "d.q", "parent": "q", "orphan": ["nullify"]},
    ]
    by = Policy.model_validate({"rule": rules})
    plan = case.planned(by)
    assert plan.by_action() == {"nullify": 1, "keep": 1}
    case.performed(plan, by)
    assert case.planned(by).by_action() == {"restore": 1}, "as if nobody had touched it"
    case.touched = touched_by(plan)
    assert case.planned(by).by_action() == {"keep": 1}, "run it twice: the second run finds nothing to do (promise 2)"
    case.run("UPDATE d SET q = 9")
    case.performed(case.planned(by), by)
    case.run("UPDATE d SET q = 9")
    assert case.planned(by).by_action() == plan.by_action(), "undone it is as if no run had been"
