"""Which revisions leave the transaction on PostgreSQL, which of these may be performed, and what they may leave."""

from dataclasses import replace

import pytest

from upkeep.databases.postgresql_apart import apart_of
from upkeep.plan import Migration, Plan, Repair
from upkeep.policy import Action
from upkeep.question import Question
from upkeep.report import RunReport
from upkeep.revisions import Apart, Explained, Revision
from upkeep.stages import stages_of
from upkeep.verdict import Check, Verdict, joined
from upkeep.wording.markdown import approval_form, summary
from upkeep.wording.migration import explanation
from upkeep.wording.runs import run_report

BLOCK = ("COMMIT", "BEGIN")


def block(*statements: str) -> tuple[str, ...]:
    """As Alembic writes an autocommit block down."""
    return (BLOCK[0], *statements, BLOCK[1])


@pytest.mark.parametrize(
    "sql",
    [
        (),
        ("ALTER TABLE t ADD COLUMN a INTEGER",),
        block(),
        block("CREATE TABLE t (id INTEGER)"),
        (*block("CREATE TABLE at_once (id INTEGER)"), "INSERT INTO at_once VALUES (1)"),
        block("CREATE TYPE mood AS ENUM ('well')", "ALTER TYPE mood ADD VALUE 'ill'"),
        block("ALTER TYPE mood ADD VALUE 'ill'"),
        ("ALTER TABLE t VALIDATE CONSTRAINT c",),
        ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID", *block("ALTER TABLE t VALIDATE CONSTRAINT c")),
    ],
)
def test_what_can_be_undone_with_the_rest_stays_with_it(sql: tuple[str, ...]) -> None:
    assert apart_of(sql) is None


@pytest.mark.parametrize(
    ("statement", "apart"),
    [
        ("CREATE INDEX CONCURRENTLY i ON t (a)", Apart(makes=((("", "t"), ("", "i")),))),
        (
            'CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "Big I" ON "S"."T" USING gin (a, lower(b)) WHERE a > 3',
            Apart(makes=((("S", "T"), ("", "Big I")),)),
        ),
        ("create index concurrently I on ONLY App.T (a);", Apart(makes=((("app", "t"), ("", "i")),))),
        ("CREATE INDEX CONCURRENTLY i -- why\n ON t (a) /* ; */", Apart(makes=((("", "t"), ("", "i")),))),
        ("DROP INDEX CONCURRENTLY IF EXISTS app.i", Apart(drops=(("app", "i"),))),
        ("REINDEX INDEX CONCURRENTLY i", Apart(renews=(("", "i"),))),
        ("REINDEX (VERBOSE) TABLE CONCURRENTLY app.t", Apart(renews=(("app", "t"),))),
        ("VACUUM (ANALYZE) t", Apart()),
        ("ANALYZE", Apart()),
        ("SET lock_timeout = '5s'", Apart()),
        (
            "ALTER TABLE ONLY t VALIDATE CONSTRAINT c",
            Apart(repeats=("the foreign key that it has validated stays so",)),
        ),
        (
            "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'it''s; so' BEFORE 'well'",
            Apart(repeats=("a value that it has added to a type stays there",)),
        ),
    ],
)
def test_what_is_on_the_list_leaves_it_and_what_it_may_leave_is_known_by_name(statement: str, apart: Apart) -> None:
    assert apart_of(block(statement)) == apart


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (("CREATE INDEX CONCURRENTLY i ON t (a)",), "stands in no autocommit_block()"),
        (block("CREATE INDEX CONCURRENTLY ON t (a)"), "with a name of its own the index can be dropped again"),
        (block("DROP INDEX CONCURRENTLY i"), "with IF EXISTS"),
        (block("VACUUM FULL t"), "others wait for that"),
        (block("REINDEX DATABASE CONCURRENTLY d"), "REINDEX DATABASE CONCURRENTLY d; split the revision"),
        (block("CREATE INDEX CONCURRENTLY i ON t (a); DELETE FROM t"), "can be neither repeated nor taken back"),
        (block("UPDATE t SET a = 'secret'", "CREATE INDEX CONCURRENTLY i ON t (a)"), "UPDATE t SET a = ?; split"),
        ((*block("CREATE INDEX CONCURRENTLY i ON t (a)"), "UPDATE t SET a = 1"), "UPDATE t SET a = 1; split"),
        (block("CREATE INDEX CONCURRENTLY i ON t (a)", "CREATE EXTENSION pg_trgm"), "CREATE EXTENSION pg_trgm"),
    ],
)
def test_what_can_be_neither_repeated_nor_taken_back_is_told_without_its_values(
    sql: tuple[str, ...], said: str
) -> None:
    apart = apart_of(sql)
    assert apart is not None
    assert said in apart.wrong
    assert "secret" not in apart.wrong


MAKES = Apart(makes=((("", "t"), ("", "i")),))
ROW = Repair("t", ("1",), Action.DELETE, (), "t(a) -> u(id)", 0, 0, "")


@pytest.mark.parametrize(
    ("revisions", "repairs", "stages"),
    [
        ((None, None), (), [("r1", "r2")]),
        ((None, MAKES, None, None), (), [("r1",), ("r2",), ("r3", "r4")]),
        ((None, MAKES, None), (ROW,), [("r1",), ("r2",), ("r3",)]),
        ((MAKES, MAKES), (), [("r1",), ("r2",)]),
        ((MAKES, None), (ROW,), [(), ("r1",), ("r2",)]),
        ((None, None), (ROW,), [("r1", "r2")]),
    ],
)
def test_each_revision_that_leaves_is_a_stage_and_rows_are_changed_in_a_transaction(
    revisions: tuple[Apart | None, ...], repairs: tuple[Repair, ...], stages: list[tuple[str, ...]]
) -> None:
    known = tuple(Revision(f"r{number}", apart=apart) for number, apart in enumerate(revisions, start=1))
    names = tuple(one.name for one in known)
    plan = Plan("main", repairs, migration=Migration(("r0",), names[-1], names, "", known))
    found = stages_of(plan)
    assert [stage.revisions for stage in found] == stages
    assert tuple(name for stage in found for name in stage.revisions) == names
    assert all(len(stage.revisions) == 1 for stage in found if stage.apart)


def test_a_claim_of_several_stages_holds_where_it_holds_in_all() -> None:
    checks = [
        ("a", True, "x"),
        ("b", True, "y"),
        ("a", None, "z"),
        ("a", False, "x"),
        ("b", True, "y"),
        ("c", None, "z"),
    ]
    assert joined(Check(claim=claim, holds=holds, seen=seen) for claim, holds, seen in checks) == (
        Check(claim="a", holds=False, seen="x; z"),
        Check(claim="b", holds=True, seen="y"),
        Check(claim="c", holds=None, seen="z"),
    )


def test_who_approves_and_who_explains_is_told_that_it_cannot_be_undone_as_a_whole() -> None:
    names = ("r1", "r2", "r3")
    wrong = Apart(wrong="leaves the transaction, and more")
    revisions = tuple(Revision(name, apart=apart) for name, apart in zip(names, (None, MAKES, wrong), strict=True))
    plan = Plan("main", (ROW,), migration=Migration(("r0",), "r3", names, "", revisions))
    told = (
        "The migration cannot be undone as a whole: r2 and r3 can be done in no transaction. So it is done in 3 stages "
        "(r1; r2; r3)"
    )
    kept = "The clean-up is kept with the first stage and `upkeep undo` takes it back."
    passed = Verdict(checks=(Check(claim="a", holds=True, seen="x"),))
    form = approval_form(Question(plan, passed, "file:///store"), 24)
    report = RunReport(
        "run", "main", "rehearsed", plan=plan, rehearsal=passed, revisions=tuple(map(Explained, revisions))
    )
    explained = " ".join(explanation(report, "nobody").split())
    for said in (form, " ".join(run_report(report).split()), summary(report), explained):
        assert told in said
        assert kept in said
    assert "apart in no transaction: nobody waits for it, and where it fails the index i is dropped" in explained
    assert "apart not performed: it leaves the transaction, and more" in explained
    assert [one["in_a_transaction"] for one in report.document()["revisions"]] == [True, False, False]
    whole = replace(plan, migration=Migration(("r0",), "r1", ("r1",), "", revisions[:1]))
    assert "undone as a whole" not in approval_form(Question(whole, passed, "file:///store"), 24)
