"""What no undo could put back once a migration is done is known before anybody approves, and is what the undo meets."""

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.foresight import foresee_undo
from tests.alembic_projects import project
from tests.clinics import Runs, rehearse_at
from tests.damaged_clinic import Clinic
from tests.pages import read
from tests.shell import Place, family, upkeep
from upkeep.catalog import Column, Table
from upkeep.lasting import Lasting, lasting_of, left_without_value
from upkeep.ledger_verdict import Demand
from upkeep.plan import Plan, Repair
from upkeep.policy import Action
from upkeep.question import Question
from upkeep.receipts import verify_ledger
from upkeep.undo import Conflict
from upkeep.verdict import Check, Verdict
from upkeep.wording.markdown import approval_form

pytest_plugins = ("tests.clinics",)


def told(document: Any) -> Counter[tuple[str, str]]:
    """What a run foresees: rows by table and reason."""
    return Counter({(one["table"], one["why"]): one["rows"] for one in document["lasting"]})


def met(document: Any) -> Counter[tuple[str, str]]:
    """What an undo meets."""
    assert document["plan"]["conflicts"] == len(document["plan"]["conflicting"])
    return Counter((one["table"], one["why"]) for one in document["plan"]["conflicting"])


@pytest.mark.slow
@pytest.mark.parametrize("place", ["delete", "system"])
def test_what_is_foreseen_of_the_clinic_is_what_its_undo_meets_and_without_a_migration_that_is_nothing(
    place: str, clinic_in: Callable[[str, Path], Clinic], runs: Runs, tmp_path: Path
) -> None:
    clinic = clinic_in(place, tmp_path / "clinic")
    assert runs.maintain(clinic, perform="never", migrate=False)["lasting"] == []
    report = runs.maintain(clinic, perform="within_limits")
    assert report["ended"] == "performed and verified", report
    shown = runs.do(clinic, "undo", run=report["run"], perform="never")
    assert told(report) == met(shown)
    assert {table for table, _ in told(report)} == {"file_shares", "refresh_tokens"}
    receipts = [link.receipt for link in verify_ledger(clinic.equipment().store, "clinic", Demand())[1]]
    said = [one.contents for one in receipts if one.kind == "rehearsed" and one.run == report["run"]]
    assert [one["lasting"] for one in said] == [report["lasting"]]
    evidence = clinic.store / "evidence" / report["run"]
    rows = read((evidence / "page.html").read_bytes()).tables["lasting"]
    assert [(row["table"], row["rows"], row["why"]) for row in rows] == [
        (one["table"], str(one["rows"]), one["why"]) for one in report["lasting"]
    ]
    summary = (evidence / "report.md").read_text()
    assert f"Since the migration is done, an undo of this run cannot put back {told(report).total()} of the " in summary
    assert all(str(Lasting(**one)) in summary for one in report["lasting"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "damaged", ["delete", "system", pytest.param("mariadb", marks=pytest.mark.exhaustive)], indirect=True
)
def test_of_more_rows_than_are_tried_the_schema_says_which_and_the_run_says_so(damaged: Clinic, tmp_path: Path) -> None:
    equipment = damaged.equipment()
    night = rehearse_at(equipment, tmp_path)
    tried, plan, worked = night.rehearsed.lasting, night.rehearsed.plan, night.rehearsed.worked
    judged = foresee_undo(equipment, night.scratch, plan, worked, attempts=1, most=0)
    assert {one.table: one.rows for one in judged.lasting} == {one.table: one.rows for one in tried}
    (untold,) = judged.untold
    assert untold.startswith(f"whether an undo could put back all {plan.rows} rows once the migration is done: ")
    assert night.rehearsed.verdict.left_out == (), "so few were tried"
    again = foresee_undo(equipment, night.scratch, plan, worked, attempts=20)
    assert (again.lasting, again.untold) == (tried, ()), "what was tried has left nothing behind"


TABLES = ("alike", "below", "checked", "dropped", "kept", "renamed", "set_anew", "wider")
SCHEMA = "\n".join(
    [
        "CREATE TABLE parent (id INTEGER PRIMARY KEY); INSERT INTO parent VALUES (1);",
        *(
            f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, up INTEGER REFERENCES "
            f"{'alike' if name == 'below' else 'parent'} (id), n INTEGER);"
            f"INSERT INTO {name} VALUES (1, 1, 1), (2, {2 if name == 'below' else 99}, 1);"
            for name in TABLES
        ),
        "UPDATE checked SET n = -1 WHERE id = 2;",
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);",
        "INSERT INTO alembic_version VALUES ('r1');",
    ]
)
POLICY = """
[limits]
share = 1.0

[[rule]]
child = "set_anew"
parent = "*"
orphan = ["nullify"]

[[rule]]
child = "*"
parent = "*"
orphan = ["delete"]
"""
REVISION = """
op.create_index('alike_n', 'alike', ['n'], unique=True)
with op.batch_alter_table('checked') as batch:
    batch.create_check_constraint('positive', 'n > 0')
op.drop_table('dropped')
op.alter_column('renamed', 'n', new_column_name='number')
op.execute('UPDATE set_anew SET n = 7')
op.add_column('wider', sa.Column('more', sa.Integer))
"""


@pytest.mark.usefixtures("prefect_here")
def test_each_way_in_which_a_migration_keeps_rows_from_coming_back_is_foreseen(tmp_path: Path) -> None:
    place = family(tmp_path / "place", SCHEMA)
    place.policy(POLICY)
    place.set(UPKEEP_ALEMBIC_INI=str(project(tmp_path / "project", "pass", REVISION)))
    foreseen = {
        ("alike", "the database refuses it: UNIQUE constraint failed: alike.n"): 1,
        ("below", "what it points at by below(up) -> alike(id) cannot be put back"): 1,
        ("checked", "the database refuses it: CHECK constraint failed: positive"): 1,
        ("dropped", "the table dropped is gone"): 1,
        ("renamed", "renamed has not all columns any more that it had"): 1,
        ("set_anew", "it was changed since"): 1,
    }
    first = upkeep("maintain")
    assert first.code == 0, first
    assert "no undo" in first.out
    words = " ".join(first.out.split())
    assert "Once the migration is done, an undo of this run could not put back 6 of the 8 rows: " in words
    assert "approve a run without the migration first (`upkeep maintain --no-migrate`" in words
    undo = performed_and_undone(place, migrate=True)
    assert met(undo) == foreseen
    documents = [json.loads(path.read_text()) for path in (place.store / "main/evidence").glob("*/report.json")]
    assert [told(one) for one in documents if one["performed"]] == [foreseen]


@pytest.mark.usefixtures("prefect_here")
def test_without_its_migration_the_undo_of_the_very_same_rows_is_whole(tmp_path: Path) -> None:
    place = family(tmp_path / "place", SCHEMA)
    place.policy(POLICY)
    place.set(UPKEEP_ALEMBIC_INI=str(project(tmp_path / "project", "pass", REVISION)))
    assert upkeep("maintain", "--no-migrate", "--json").document["lasting"] == []
    assert met(performed_and_undone(place, migrate=False)) == {}


def performed_and_undone(place: Place, *, migrate: bool) -> Any:
    """Approve the clean-up; the report of the rehearsal of its undo."""
    how = ("maintain", "--perform", "ask", *(() if migrate else ("--no-migrate",)), "--json")
    digest = upkeep(*how).document["plan"]["digest"]
    done = upkeep(*how, "--approve", digest, "--by", "Ada", "--reason", "to see").document
    assert done["ended"] == "performed and verified", done
    assert os.environ["DATABASE_URL"] == place.environment["DATABASE_URL"]
    return upkeep("undo", done["run"], "--json").document


def test_who_approves_reads_how_many_rows_of_which_table_why_and_what_to_do() -> None:
    plan = Plan("main", tuple(Repair("child", (n,), Action.DELETE, (), "k", 1, 0, "") for n in range(3)))
    passed = Verdict(checks=(Check(claim="a", holds=True, seen="x"),))
    lasting = lasting_of(Conflict("child", (n,), "the database refuses it") for n in range(2))
    form = approval_form(Question(plan, passed, "file:///store", lasting=lasting), 24)
    told = "Once the migration is done, an undo of this run could not put back 2 of the 3 rows:"
    assert f"{told}\n\n- 2 rows of child: the database refuses it\n\n" in form
    assert form.index("**Not all of it can be undone: see below the table.**") < form.index("|")
    assert "approve a run without the migration first (`upkeep maintain --no-migrate`; in the Prefect UI" in form
    assert "Or accept it: " in form
    assert "undo" not in approval_form(Question(plan, passed, "file:///store"), 24)


def test_conflicts_are_counted_by_table_and_reason_the_most_first() -> None:
    found = [("b", "gone"), ("a", "refused"), ("a", "gone"), ("a", "refused")]
    lasting = lasting_of(Conflict(table, (n,), why) for n, (table, why) in enumerate(found))
    assert lasting == (Lasting("a", 2, "refused"), Lasting("a", 1, "gone"), Lasting("b", 1, "gone"))
    assert [str(one) for one in lasting[:2]] == ["2 rows of a: refused", "1 row of a: gone"]
    assert lasting_of(()) == ()


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        (Column("more", "INTEGER", nullable=False), True),
        (Column("more", "INTEGER", nullable=True), False),
        (Column("more", "INTEGER", nullable=False, default="0"), False),
        (Column("more", "INTEGER", nullable=False, default="identity"), False),
        (Column("more", "INTEGER", nullable=False, generated=True), False),
        (Column("id", "INTEGER", nullable=False), False),
    ],
)
def test_only_a_column_that_has_no_value_of_its_own_keeps_an_old_row_out(column: Column, wanted: bool) -> None:
    table = Table("child", (Column("id", "INTEGER", nullable=False), column))
    assert left_without_value(table, ("id",)) == (("more",) if wanted else ())
