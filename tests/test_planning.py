"""Plans and their performance in situations that are known to go wrong, each by its pitfall's number."""

import re
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from upkeep.changes import Change, Mended, RowsRefused, put_changes, stored_changes
from upkeep.databases.sqlite import SqliteDatabase
from upkeep.errors import Refused
from upkeep.finding import find, keys_of
from upkeep.mending import mend
from upkeep.plan import Plan, beyond
from upkeep.planning import Planner
from upkeep.policy import Limits, Policy
from upkeep.stores.directory import DirectoryStore
from upkeep.values import Row, Value

Make = Callable[[str], SqliteDatabase]

CLINIC = """
CREATE TABLE patients (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE visits (id INTEGER PRIMARY KEY, patient INTEGER REFERENCES patients (id));
CREATE TABLE notes (id INTEGER PRIMARY KEY, visit INTEGER REFERENCES visits (id), text TEXT);
INSERT INTO patients VALUES (1, 'here');
INSERT INTO visits VALUES (10, 1), (11, 99), (12, 99);
INSERT INTO notes VALUES (100, 10, 'a'), (110, 11, 'b'), (111, 11, 'c'), (120, NULL, 'd');
"""


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A database file out of SQL."""

    def made(sql: str) -> SqliteDatabase:
        path = tmp_path / "live.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(sql)
        return SqliteDatabase("live", path)

    return made


def rule(child: str, *actions: str, parent: str = "*", why: str = "") -> dict[str, object]:
    return {"child": child, "parent": parent, "orphan": list(actions), "why": why}


def policy(*rules: dict[str, object], **more: object) -> Policy:
    return Policy.model_validate({"rule": rules, **more})


def planned(database: SqliteDatabase, by: Policy, refusals: RowsRefused | None = None) -> Plan:
    with database.reading() as reading:
        keys = keys_of(reading, by)
        findings = tuple(find(reading, key, limit=0) for key in keys)
        return Planner(reading, keys, by, refusals.refusals if refusals else ()).plan("live", findings, None)


def performed(database: SqliteDatabase, plan: Plan, by: Policy) -> Mended:
    with database.writing() as writing:
        return mend(writing, plan, keys_of(writing, by))


def refused(database: SqliteDatabase, plan: Plan, by: Policy) -> RowsRefused:
    with pytest.raises(RowsRefused) as caught:
        performed(database, plan, by)
    return caught.value


def asked(database: SqliteDatabase, sql: str) -> list[Row]:
    with closing(sqlite3.connect(database.path)) as connection:
        connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        return connection.execute(sql).fetchall()


def change(database: SqliteDatabase, sql: str) -> None:
    with closing(sqlite3.connect(database.path)) as connection:
        connection.executescript(sql)


def done(plan: Plan) -> list[tuple[str, str, Row]]:
    return [(repair.action.value, repair.table, repair.row) for repair in plan.repairs]


def kept(plan: Plan) -> dict[str, tuple[int, str]]:
    return {one.key: (one.rows, one.reason) for one in plan.kept}


# To the end (P-56, P-113)


def test_children_of_a_deleted_orphan_stand_in_the_plan_by_name_and_go_first_p56_p113(make: Make) -> None:
    database, by = make(CLINIC), policy(rule("*", "delete"))
    plan = planned(database, by)
    assert done(plan) == [
        ("delete", "notes", (110,)),
        ("delete", "notes", (111,)),
        ("delete", "visits", (11,)),
        ("delete", "visits", (12,)),
    ]
    assert [repair.wave for repair in plan.repairs] == [1, 1, 0, 0]
    mended = performed(database, plan, by)
    assert mended.changed_in_all == 4
    assert planned(database, by).is_empty
    assert asked(database, "SELECT id FROM notes") == [(100,), (120,)]


def test_a_row_whose_child_must_be_kept_is_kept_too_and_says_why(make: Make) -> None:
    database, by = make(CLINIC), policy(rule("visits", "delete"))
    plan = planned(database, by)
    assert done(plan) == [("delete", "visits", (12,))]
    assert kept(plan) == {
        "visits(patient) -> patients(id)": (
            1,
            "delete is impossible: its row of notes is kept (the policy is silent)",
        )
    }


def test_a_row_that_may_not_be_deleted_comes_to_the_next_action_of_its_rule(make: Make) -> None:
    database, by = make(CLINIC), policy(rule("visits", "delete", "nullify"))
    plan = planned(database, by)
    assert done(plan) == [("nullify", "visits", (11,)), ("delete", "visits", (12,))]
    performed(database, plan, by)
    assert asked(database, "SELECT * FROM visits") == [(10, 1), (11, None)]
    assert planned(database, by).is_empty


def test_being_held_back_runs_up_a_long_chain(make: Make) -> None:
    length = 100
    database = make(
        "CREATE TABLE folders (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES folders (id));"
        "CREATE TABLE files (id INTEGER PRIMARY KEY, folder INTEGER REFERENCES folders (id));"
        "INSERT INTO folders VALUES (1, 0);"
        f"WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {length})"
        " INSERT INTO folders SELECT i, i - 1 FROM n;"
        f"INSERT INTO files VALUES (1, {length});"
    )
    assert kept(planned(database, policy(rule("folders", "delete"))))["folders(parent) -> folders(id)"][0] == 1
    plan = planned(database, policy(rule("*", "delete")))
    assert plan.rows == length + 1
    assert max(repair.wave for repair in plan.repairs) == length


CYCLE = """
CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER REFERENCES b (id), boss INTEGER REFERENCES a (id));
CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a (id), gone INTEGER REFERENCES a (id));
INSERT INTO a VALUES (1, 1, NULL), (2, 2, 2);
INSERT INTO b VALUES (1, 1, 77), (2, 2, NULL);
"""


def test_a_cycle_goes_as_a_whole_and_one_that_nothing_is_wrong_with_stays(make: Make) -> None:
    database, by = make(CYCLE), policy(rule("*", "delete"))
    plan = planned(database, by)
    assert done(plan) == [("delete", "a", (1,)), ("delete", "b", (1,))]
    performed(database, plan, by)
    assert asked(database, "SELECT id FROM a UNION ALL SELECT id FROM b") == [(2,), (2,)]


def test_in_a_cycle_a_row_that_must_be_kept_holds_back_all(make: Make) -> None:
    plan = planned(make(CYCLE), policy(rule("b.a", "keep"), rule("b.gone", "delete"), rule("a", "keep")))
    assert plan.rows == 0
    assert kept(plan)["b(gone) -> a(id)"][0] == 1


def test_two_rows_that_need_each_other_and_both_go_hold_nothing_back(make: Make) -> None:
    database = make(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER REFERENCES b (id), gone INTEGER REFERENCES b (id));"
        "CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a (id), gone INTEGER REFERENCES a (id));"
        "INSERT INTO a VALUES (1, 1, 9); INSERT INTO b VALUES (1, 1, 9);"
    )
    plan = planned(database, policy(rule("*.gone", "delete"), rule("*", "keep")))
    assert done(plan) == [("delete", "a", (1,)), ("delete", "b", (1,))]
    assert kept(plan) == {}


def test_of_rows_that_an_unusable_key_points_at_alike_one_is_enough_and_all_must_go_before_the_child_does(
    make: Make,
) -> None:
    database = make(
        "CREATE TABLE g (id INTEGER PRIMARY KEY, up INTEGER REFERENCES g (id));"
        "CREATE TABLE p (id INTEGER PRIMARY KEY, code TEXT, g INTEGER REFERENCES g (id));"
        "CREATE TABLE c (id INTEGER PRIMARY KEY, code TEXT REFERENCES p (code));"
        "INSERT INTO g VALUES (1, 9), (2, NULL);"
        "INSERT INTO p VALUES (1, 'a', 9), (2, 'a', 2), (3, 'b', 9), (4, 'b', 1);"
        "INSERT INTO c VALUES (1, 'a'), (2, 'b');"
    )
    upper = (rule("g", "delete"), rule("p.g", "delete"))
    plan = planned(database, policy(*upper, rule("c.code", "delete", parent="p")))
    assert [(r.table, r.row, r.wave) for r in plan.repairs] == [
        ("c", (2,), 2),
        ("p", (4,), 1),
        ("g", (1,), 0),
        ("p", (1,), 0),
        ("p", (3,), 0),
    ]
    held = planned(database, policy(*upper, rule("c", "delete")))
    assert done(held) == [("delete", "p", (1,))], "the key is unusable and no rule names it: its rows are kept"


def test_a_row_that_is_its_own_parent_does_not_hold_itself(make: Make) -> None:
    database = make(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, own INTEGER REFERENCES t (id), other INTEGER REFERENCES t (id));"
        "INSERT INTO t VALUES (1, 1, 9);"
    )
    assert done(planned(database, policy(rule("t.other", "delete")))) == [("delete", "t", (1,))]


def test_deletion_for_one_key_wins_over_keep_and_nullify_for_another(make: Make) -> None:
    database = make(
        "CREATE TABLE p (id INTEGER PRIMARY KEY);"
        "CREATE TABLE c (id INTEGER PRIMARY KEY, x REFERENCES p (id), y REFERENCES p (id), z REFERENCES p (id));"
        "INSERT INTO c VALUES (1, 7, 7, 7), (2, 7, NULL, 7);"
    )
    by = policy(rule("c.x", "keep"), rule("c.y", "delete"), rule("c.z", "nullify"))
    plan = planned(database, by)
    assert done(plan) == [("nullify", "c", (2,)), ("delete", "c", (1,))]
    assert kept(plan) == {"c(x) -> p(id)": (1, "the policy says keep")}, "the orphan of a row that goes is not kept"


def test_a_row_that_two_keys_nullify_is_changed_once_and_nothing_is_blamed_on_triggers_p58(make: Make) -> None:
    database = make(
        "CREATE TABLE p (id INTEGER PRIMARY KEY);"
        "CREATE TABLE c (id INTEGER PRIMARY KEY, x REFERENCES p (id), y REFERENCES p (id));"
        "INSERT INTO c VALUES (1, 7, 8);"
    )
    by = policy(rule("*", "nullify"))
    mended = performed(database, planned(database, by), by)
    assert asked(database, "SELECT * FROM c") == [(1, None, None)]
    assert (mended.changed_in_all, mended.beside_the_plan) == (1, 0)


def test_a_key_that_is_declared_twice_makes_each_orphan_once(make: Make) -> None:
    database = make(
        "CREATE TABLE p (id INTEGER PRIMARY KEY);"
        "CREATE TABLE c (id INTEGER PRIMARY KEY, x REFERENCES p (id) ON DELETE SET NULL,"
        " FOREIGN KEY (x) REFERENCES p (id) ON DELETE CASCADE);"
        "INSERT INTO c VALUES (1, 7);"
    )
    assert kept(planned(database, policy()))["c(x) -> p(id)"] == (1, "the policy is silent")
    by = policy(rule("*", "nullify"))
    performed(database, planned(database, by), by)
    assert planned(database, by).is_empty


# What nullify may touch (P-59, P-118)


def test_of_a_composite_key_the_tenant_that_another_key_needs_is_left_alone_p59(make: Make) -> None:
    database = make(
        "CREATE TABLE tenants (id INTEGER PRIMARY KEY);"
        "CREATE TABLE patients (tenant INTEGER, id INTEGER, PRIMARY KEY (tenant, id)) WITHOUT ROWID;"
        "CREATE TABLE visits (id INTEGER PRIMARY KEY, tenant INTEGER REFERENCES tenants (id), patient INTEGER,"
        " FOREIGN KEY (tenant, patient) REFERENCES patients (tenant, id));"
        "INSERT INTO tenants VALUES (1); INSERT INTO patients VALUES (1, 1);"
        "INSERT INTO visits VALUES (10, 1, 1), (11, 1, 9), (12, 1, NULL);"
    )
    by = policy(rule("*", "nullify"))
    plan = planned(database, by)
    assert [repair.columns for repair in plan.repairs] == [("patient",)]
    performed(database, plan, by)
    assert asked(database, "SELECT * FROM visits") == [(10, 1, 1), (11, 1, None), (12, 1, None)]


@pytest.mark.parametrize(
    "columns",
    [
        "x INTEGER NOT NULL REFERENCES p (id)",
        "x INTEGER PRIMARY KEY REFERENCES p (id)",
        "y INTEGER, x GENERATED ALWAYS AS (y) REFERENCES p (id)",
        "x INTEGER REFERENCES p (id) REFERENCES q (id)",
        "x INTEGER UNIQUE REFERENCES p (id), y INTEGER REFERENCES c (x)",
    ],
    ids=["not null", "primary key", "generated", "two keys, one column", "another key points at it"],
)
def test_where_nullify_is_impossible_the_row_is_kept_and_the_plan_says_why_p118(make: Make, columns: str) -> None:
    database = make(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE q (id INTEGER PRIMARY KEY);"
        f"INSERT INTO q VALUES (7); CREATE TABLE c ({columns});"
    )
    name = "y" if "GENERATED" in columns else "x"
    change(database, f"INSERT INTO c ({name}) VALUES (7)")
    plan = planned(database, policy(rule("*", "nullify")))
    assert plan.rows == 0
    ((rows, said),) = kept(plan).values()
    assert rows == 1
    assert said == "nullify is impossible: no column of x may be NULL and is free of other keys"


def test_rows_that_are_exactly_alike_are_mended_each_p118(make: Make) -> None:
    database = make(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (x INTEGER REFERENCES p (id), t TEXT);"
        "INSERT INTO c VALUES (7, 'same'), (7, 'same'), (NULL, 'same');"
    )
    by = policy(rule("*", "delete"))
    mended = performed(database, planned(database, by), by)
    assert [entry.before for entry in mended.changes] == [(7, "same"), (7, "same")]
    assert asked(database, "SELECT * FROM c") == [(None, "same")]


def test_rows_that_cannot_be_told_apart_are_kept_counted_and_hold_back_their_parents_p118(make: Make) -> None:
    database = make(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, up INTEGER REFERENCES p (id));"
        "CREATE TABLE c (rowid INTEGER REFERENCES p (id), oid, _rowid_);"
        "INSERT INTO p VALUES (1, 9), (2, 9);"
        "INSERT INTO c VALUES (1, 0, 0), (1, 0, 0), (7, 0, 0), (7, 0, 0);"
    )
    plan = planned(database, policy(rule("*", "delete")))
    assert done(plan) == [("delete", "p", (2,))]
    held = "delete is impossible: the rows of c cannot be told apart"
    assert kept(plan) == {
        "c(rowid) -> p(id)": (2, held),
        "p(up) -> p(id)": (1, f"delete is impossible: its row of c is kept ({held})"),
    }


def test_a_table_that_has_the_name_of_ours_is_not_hidden_by_it(make: Make) -> None:
    names = ("chosen", "upkeep_chosen")
    database = make(
        "".join(
            f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, k0 INTEGER REFERENCES {name} (id));"
            f"INSERT INTO {name} VALUES (1, 9), (2, NULL);"
            for name in names
        )
    )
    by = policy(rule("*", "delete"))
    performed(database, planned(database, by), by)
    assert [asked(database, f"SELECT * FROM {name}") for name in names] == [[(2, None)]] * 2


# What nobody may do unasked (P-64, P-108, P-109, promise 7)


def test_a_silent_policy_changes_nothing_and_counts_what_it_keeps_p64(make: Make) -> None:
    plan = planned(make(CLINIC), policy())
    assert plan.is_empty
    assert kept(plan) == {"visits(patient) -> patients(id)": (2, "the policy is silent")}


@pytest.mark.parametrize("child", ["visits", "*", "visits.patie*"])
def test_a_key_without_its_parent_table_is_mended_only_by_a_rule_for_that_very_key_p109(make: Make, child: str) -> None:
    database = make(f"{CLINIC} DELETE FROM notes; DROP TABLE patients;")
    plan = planned(database, policy(rule(child, "delete", parent="patients")))
    assert plan.is_empty
    ((rows, reason),) = kept(plan).values()
    assert rows == 3
    assert reason == "delete is impossible: the table patients is gone, and no rule was written for that very key"
    assert planned(database, policy(rule("visits.patient", "delete", parent="patients"))).rows == 3


def test_where_no_backup_gives_the_parent_back_the_next_action_counts_and_at_the_end_keep(make: Make) -> None:
    by = policy(rule("visits", "restore", "delete"), rule("notes", "restore"))
    plan = planned(make(CLINIC), by)
    assert {repair.action.value for repair in plan.repairs if repair.table == "visits"} <= {"delete"}
    assert all(reason.startswith("restore is impossible: ") for _, reason in kept(plan).values())


def test_a_plan_beyond_the_limits_says_by_how_much_p64_p114(make: Make) -> None:
    plan = planned(make(CLINIC), policy(rule("*", "delete")))
    rows_of = {"patients": 1, "visits": 3, "notes": 4}
    assert beyond(plan, Limits(rows=4, share=0.7), rows_of) == ()
    assert beyond(plan, Limits(rows=3, share=0.5), rows_of) == (
        "4 rows would change, the limit is 3",
        "2 of 3 rows of visits would change, the limit is 50%",
    )
    assert beyond(plan, Limits(), rows_of) == (
        "2 of 4 rows of notes would change, the limit is 5%",
        "2 of 3 rows of visits would change, the limit is 5%",
    )


# The database moved on (P-52, P-65, P-97)


@pytest.mark.parametrize(
    ("meanwhile", "said"),
    [
        (
            "INSERT INTO patients VALUES (99, 'back')",
            "2 rows are in the way of the plan: row 11 of visits is no orphan of visits(patient)",
        ),
        ("UPDATE visits SET patient = 98 WHERE id = 11", "row 11 of visits has changed since the rehearsal"),
        ("UPDATE notes SET text = 'new' WHERE id = 110", "row 110 of notes has changed since the rehearsal"),
        ("DELETE FROM visits WHERE id = 12", "row 12 of visits is gone since the rehearsal"),
        ("INSERT INTO notes VALUES (130, 12, 'e')", "row 130 of notes has come to point at a row of visits"),
        ("DROP TABLE notes", "the table notes of the plan is gone"),
    ],
    ids=["parent back", "orphan changed", "child changed", "orphan gone", "new child", "table gone"],
)
def test_what_is_no_longer_what_was_rehearsed_is_refused_and_nothing_is_done_p52_p65(
    make: Make, meanwhile: str, said: str
) -> None:
    database, by = make(CLINIC), policy(rule("*", "delete"))
    plan = planned(database, by)
    change(database, meanwhile)
    before = database.path.read_bytes()
    with pytest.raises(Refused, match=r".*") as caught:
        performed(database, plan, by)
    assert caught.value.message.startswith(said)
    assert caught.value.hint == "nothing was done; run it again for a new plan"
    assert database.path.read_bytes() == before


def test_every_row_that_is_no_longer_what_it_was_is_named_p52(make: Make) -> None:
    database, by = make(CLINIC), policy(rule("*", "delete"))
    plan = planned(database, by)
    change(database, "UPDATE visits SET patient = 98 WHERE id = 11; DELETE FROM notes WHERE id IN (110, 111)")
    with pytest.raises(Refused) as caught:
        performed(database, plan, by)
    assert caught.value.message == (
        "3 rows are in the way of the plan: row 110 of notes is gone since the rehearsal; "
        "row 111 of notes is gone since the rehearsal; row 11 of visits has changed since the rehearsal"
    )


def test_of_many_rows_that_are_no_longer_what_they_were_the_first_are_named_and_the_others_counted(make: Make) -> None:
    database, by = make(CLINIC), policy(rule("*", "delete"))
    change(database, "WITH n (i) AS (SELECT 200 UNION ALL SELECT i + 1 FROM n WHERE i < 6999) "
        "INSERT INTO visits SELECT i, 99 - i % 2 FROM n")  # fmt: skip
    plan = planned(database, by)
    change(database, "INSERT INTO patients VALUES (98, 'back')")
    with pytest.raises(Refused) as caught:
        performed(database, plan, by)
    said = caught.value.message
    assert said.startswith("3,400 rows are in the way of the plan: row ")
    assert said.endswith("; and 3,380 more")
    named = [int(number) for number in re.findall(r"row (\d+) of visits is no orphan", said)]
    assert len(set(named)) == 20
    assert all(number % 2 for number in named), "of the others no parent came back"


def test_a_row_beside_the_plan_may_change_meanwhile(make: Make) -> None:
    database, by = make(CLINIC), policy(rule("*", "delete"))
    plan = planned(database, by)
    change(
        database, "INSERT INTO visits VALUES (13, 1); UPDATE patients SET name = 'x'; DELETE FROM notes WHERE id = 100"
    )
    assert performed(database, plan, by).changed_in_all == 4


# Triggers and constraints (P-57, P-119)


def test_a_trigger_that_fires_is_named_in_the_plan_and_its_rows_are_counted_p57(make: Make) -> None:
    database = make(
        CLINIC
        + """
        CREATE TABLE audit (id INTEGER PRIMARY KEY, what TEXT);
        CREATE TRIGGER gone AFTER DELETE ON notes BEGIN INSERT INTO audit (what) VALUES (old.id), ('twice'); END;
        CREATE TRIGGER never AFTER UPDATE ON notes BEGIN SELECT RAISE(ABORT, 'not fired'); END;
        """
    )
    by = policy(rule("*", "delete"))
    plan = planned(database, by)
    assert plan.triggers == ("gone (DELETE on notes)",)
    mended = performed(database, plan, by)
    assert (len(mended.changes), mended.changed_in_all, mended.beside_the_plan) == (4, 8, 4)
    assert len(asked(database, "SELECT * FROM audit")) == 4


REFUSALS = {
    "abort": ("BEFORE", "SELECT RAISE(ABORT, 'never')", "never"),
    "fail": ("BEFORE", "SELECT RAISE(FAIL, 'never')", "never"),
    "ignore": ("BEFORE", "SELECT RAISE(IGNORE)", "a trigger leaves the row as it is"),
    "put back": ("AFTER", "INSERT INTO visits VALUES (12, 99)", "a trigger leaves the row as it is"),
}


@pytest.mark.parametrize("trigger", REFUSALS)
def test_a_trigger_that_refuses_one_row_is_a_finding_and_the_others_are_mended_p119(make: Make, trigger: str) -> None:
    when, action, said = REFUSALS[trigger]
    sql = f"CREATE TRIGGER t {when} DELETE ON visits WHEN old.id = 12 BEGIN {action}; END"
    database, by = make(f"{CLINIC}; {sql}"), policy(rule("*", "delete"))
    before = asked(database, "SELECT * FROM visits UNION ALL SELECT id, visit FROM notes")
    refusal = refused(database, planned(database, by), by)
    assert asked(database, "SELECT * FROM visits UNION ALL SELECT id, visit FROM notes") == before
    assert [(r.table, r.row, r.action.value, r.said) for r in refusal.refusals] == [("visits", (12,), "delete", said)]
    plan = planned(database, by, refusal)
    assert kept(plan) == {"visits(patient) -> patients(id)": (1, f"delete is impossible: {said}")}
    performed(database, plan, by)
    assert asked(database, "SELECT id FROM visits") == [(10,), (12,)]


def test_a_trigger_that_calls_what_is_not_here_is_a_finding_p119(make: Make) -> None:
    database = make(f"{CLINIC} CREATE TRIGGER t AFTER DELETE ON visits BEGIN SELECT mail_the_doctor(old.id); END;")
    by = policy(rule("*", "delete"))
    refusal = refused(database, planned(database, by), by)
    assert {r.row for r in refusal.refusals} == {(11,), (12,)}
    assert refusal.refusals[0].said == "no such function: mail_the_doctor"
    assert planned(database, by, refusal).is_empty


def test_a_trigger_that_rolls_everything_back_leaves_nothing_done_and_is_a_finding_p119(make: Make) -> None:
    database = make(
        CLINIC
        + "CREATE TABLE other (id INTEGER PRIMARY KEY, p INTEGER REFERENCES patients (id));"
        + "INSERT INTO other VALUES (1, 99);"
        + "CREATE TRIGGER t BEFORE DELETE ON notes WHEN old.id = 111 BEGIN SELECT RAISE(ROLLBACK, 'stop'); END;"
    )
    by = policy(rule("*", "delete"))
    before = database.path.read_bytes()
    refusal = refused(database, planned(database, by), by)
    assert database.path.read_bytes() == before
    assert {(r.table, r.row) for r in refusal.refusals} == {("notes", (110,)), ("notes", (111,))}
    assert refusal.refusals[0].said == "a trigger ended the whole transaction: stop"
    plan = planned(database, by, refusal)
    assert done(plan) == [("delete", "other", (1,)), ("delete", "visits", (12,))]
    performed(database, plan, by)


def test_a_check_that_refuses_null_is_a_finding_and_the_next_action_is_taken_p119(make: Make) -> None:
    database = make(
        "CREATE TABLE p (id INTEGER PRIMARY KEY);"
        "CREATE TABLE c (id INTEGER PRIMARY KEY, x INTEGER REFERENCES p (id), CHECK (x IS NOT NULL OR id = 2));"
        "INSERT INTO c VALUES (1, 7), (2, 7);"
    )
    by = policy(rule("*", "nullify", "delete"))
    refusal = refused(database, planned(database, by), by)
    assert [(r.row, r.action.value) for r in refusal.refusals] == [((1,), "nullify")]
    assert refusal.message == (
        "1 row refuses to change; nullify in c: CHECK constraint failed: x IS NOT NULL OR id = 2"
    )
    plan = planned(database, by, refusal)
    assert done(plan) == [("nullify", "c", (2,)), ("delete", "c", (1,))]
    performed(database, plan, by)
    assert asked(database, "SELECT * FROM c") == [(2, None)]


def test_a_plan_says_of_how_many_orphans_an_earlier_action_is_impossible_and_why(make: Make) -> None:
    database = make(
        "CREATE TABLE p (id INTEGER PRIMARY KEY);"
        "CREATE TABLE c (id INTEGER PRIMARY KEY, x INTEGER NOT NULL REFERENCES p (id), y INTEGER REFERENCES p (id));"
        "CREATE TABLE d (id INTEGER PRIMARY KEY, c INTEGER NOT NULL REFERENCES c (id));"
        "INSERT INTO p VALUES (1);"
        "INSERT INTO c VALUES (1, 7, 1), (2, 7, 8), (3, 1, 9), (4, 1, 1); INSERT INTO d VALUES (1, 1), (2, 4), (3, 6);"
    )
    plan = planned(database, policy(rule("*", "nullify", "delete")))
    assert [(one.key, one.action.value, one.rows) for one in plan.passed_over] == [
        ("c(x) -> p(id)", "delete", 2),
        ("d(c) -> c(id)", "delete", 2),
    ]
    assert {one.reason for one in plan.passed_over} == {
        "nullify is impossible: no column of x may be NULL and is free of other keys",
        "nullify is impossible: no column of c may be NULL and is free of other keys",
    }


def test_all_tables_that_refuse_are_found_in_one_attempt_p119(make: Make) -> None:
    tables = [f"t{number}" for number in range(25)]
    database = make(
        "CREATE TABLE p (id INTEGER PRIMARY KEY);"
        + "".join(
            f"CREATE TABLE {t} (id INTEGER PRIMARY KEY, x REFERENCES p (id)); INSERT INTO {t} VALUES (1, 7);"
            f"CREATE TRIGGER of_{t} BEFORE UPDATE ON {t} BEGIN SELECT RAISE(ABORT, 'never'); END;"
            for t in tables
        )
    )
    by = policy(rule("*", "nullify"))
    refusal = refused(database, planned(database, by), by)
    assert {r.table for r in refusal.refusals} == set(tables)
    assert planned(database, by, refusal).is_empty


def test_a_row_that_refuses_to_go_holds_back_its_parent(make: Make) -> None:
    database = make(f"{CLINIC}; CREATE TRIGGER t BEFORE DELETE ON notes BEGIN SELECT RAISE(ABORT, 'never'); END;")
    by = policy(rule("*", "delete"))
    plan = planned(database, by, refused(database, planned(database, by), by))
    assert done(plan) == [("delete", "visits", (12,))]
    assert kept(plan)["visits(patient) -> patients(id)"] == (
        1,
        "delete is impossible: its row of notes is kept (delete is impossible: never)",
    )


# Raw values (P-61, P-62, P-120)

RAW: dict[str, Value] = {
    "blob": b"\x00\xff",
    "64 bits": -(2**63),
    "real": 0.1,
    "infinite": float("inf"),
    "NUL": "a\x00b",
    "not UTF-8": "M\udcfcller",
    "text in BOOLEAN": "false",
    "surrogate in UTF-8": "\udced\udca0\udc80",
}


def _insert_raw(database: SqliteDatabase, sql: str, value: Value) -> None:
    raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
        connection.execute(sql.replace("?", "CAST(? AS TEXT)" if isinstance(value, str) else "?"), (raw,))


@pytest.mark.parametrize("value", RAW.values(), ids=RAW)
def test_values_go_to_the_record_and_come_back_raw_p61_p62_p120(make: Make, value: Value, tmp_path: Path) -> None:
    database = make("CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (x REFERENCES p (id), v BOOLEAN);")
    _insert_raw(database, "INSERT INTO c VALUES (7, ?)", value)
    by = policy(rule("*", "nullify"))
    (changed,) = performed(database, planned(database, by), by).changes
    assert changed == Change("c", (1,), ("x", "v"), (7, value), (None, value))
    assert asked(database, "SELECT v FROM c") == [(value,)]
    (tmp_path / "store").mkdir()
    store = DirectoryStore(tmp_path / "store")
    record = put_changes(store, "live/repairs/1/changes", (changed,))
    assert list(stored_changes(store, record)) == [changed]


@pytest.mark.parametrize("kind", ["", " WITHOUT ROWID"])
@pytest.mark.parametrize("value", RAW.values(), ids=RAW)
def test_rows_are_found_by_a_primary_key_of_any_value_p120(make: Make, value: Value, kind: str) -> None:
    database = make(
        "CREATE TABLE p (id INTEGER PRIMARY KEY);"
        f"CREATE TABLE c (k BLOB NOT NULL PRIMARY KEY, x INTEGER REFERENCES p (id)){kind};"
        "CREATE TABLE d (k BLOB REFERENCES c (k));"
    )
    _insert_raw(database, "INSERT INTO c VALUES (?, 7)", value)
    _insert_raw(database, "INSERT INTO d VALUES (?)", value)
    change(database, "INSERT INTO c VALUES ('beside', 7)")
    by = policy(rule("c.x", "delete"), rule("d", "delete"))
    mended = performed(database, planned(database, by), by)
    assert Counter(entry.before and entry.before[0] for entry in mended.changes) == {value: 2, "beside": 1}
    assert asked(database, "SELECT COUNT(*) FROM c") == asked(database, "SELECT COUNT(*) FROM d") == [(0,)]


# Many (P-114)


def test_a_hundred_thousand_orphans_of_a_silent_key_are_counted_and_not_listed_p114(make: Make) -> None:
    database = make(
        "CREATE TABLE p (id INTEGER PRIMARY KEY);"
        "CREATE TABLE c (id INTEGER PRIMARY KEY, x INTEGER REFERENCES p (id), y INTEGER REFERENCES p (id));"
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
        " INSERT INTO c SELECT i, i, CASE WHEN i % 1000 = 0 THEN i END FROM n;"
    )
    plan = planned(database, policy(rule("c.y", "delete")))
    assert plan.rows == 100
    assert kept(plan) == {"c(x) -> p(id)": (99_900, "the policy is silent")}


def test_fifty_thousand_orphans_are_planned_and_mended_to_the_end_p114(make: Make) -> None:
    database = make(
        "CREATE TABLE patients (id INTEGER PRIMARY KEY);"
        "CREATE TABLE visits (id INTEGER PRIMARY KEY, patient INTEGER REFERENCES patients (id));"
        "CREATE TABLE notes (id TEXT NOT NULL PRIMARY KEY, visit INTEGER REFERENCES visits (id), doctor INTEGER);"
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
        " INSERT INTO visits SELECT i, i FROM n;"
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)"
        " INSERT INTO notes SELECT 'note ' || i, i % 20000 + 1, i FROM n;"
    )
    by = policy(rule("notes.doctor", "nullify"), rule("*", "delete"))
    plan = planned(database, by)
    assert plan.by_table() == {("notes", "delete"): 30_000, ("visits", "delete"): 20_000}
    assert performed(database, plan, by).changed_in_all == 50_000
    assert planned(database, by).is_empty
