"""What an operator reads of a plan: figures that sum up for each key, and where the plan stands."""

import re
from pathlib import Path

import pytest

from tests.shell import family, upkeep
from upkeep.catalog import ForeignKey
from upkeep.detected import Detected
from upkeep.findings import Finding
from upkeep.plan import Kept, PassedOver, Plan
from upkeep.policy import Action
from upkeep.question import Question
from upkeep.repair import Healed, Repair
from upkeep.report import RunReport
from upkeep.verdict import Check, Verdict
from upkeep.wording.markdown import approval_form, summary
from upkeep.wording.next_steps import next_step
from upkeep.wording.runs import run_report
from upkeep.wording.sentences import next_choices, what_would_be_done

KEY = ForeignKey("tokens", ("session",), "sessions", ("id",), "", True)


def repair(row: int, key: str = str(KEY), action: Action = Action.DELETE, wave: int = 0) -> Repair:
    """One that is done to a row of tokens."""
    return Repair("tokens", (row,), action, (), key, 1, wave, "digest")


@pytest.mark.parametrize(
    ("orphans", "plan", "told"),
    [
        (2, Plan("main", (repair(1), repair(2))), "delete 2"),
        (2, Plan("main", (repair(1), repair(2), repair(3, wave=1))), "delete 3 (1 as parents go)"),
        (0, Plan("main", (repair(3, wave=2),)), "delete 1 (as parents go)"),
        (2, Plan("main", (repair(1), repair(2, key="another"))), "delete 1, 1 deleted for another key"),
        (1, Plan("main", (repair(1, key="another"),)), "1 deleted for another key"),
        (
            4,
            Plan(
                "main",
                (repair(1, action=Action.NULLIFY), repair(2, key="another"), repair(5, wave=1)),
                kept=(Kept(str(KEY), 1, "silence"),),
                healed=(Healed(str(KEY), "tokens", (4,), ("sessions", (1,))),),
            ),
            "delete 1 (as parents go), heal 1, nullify 1, keep 1 (silence), 1 deleted for another key",
        ),
    ],
)
def test_the_figures_of_a_key_sum_up_to_its_orphans(orphans: int, plan: Plan, told: str) -> None:
    assert what_would_be_done(plan, Finding(KEY, orphans, orphans)) == told


SCHEMA = """
    CREATE TABLE roles (id INTEGER PRIMARY KEY);
    CREATE TABLE users (id INTEGER PRIMARY KEY, role INTEGER REFERENCES roles (id));
    CREATE TABLE notes (id INTEGER PRIMARY KEY, user INTEGER REFERENCES users (id), role INTEGER REFERENCES roles (id));
    INSERT INTO users VALUES (1, 7), (2, NULL);
    INSERT INTO notes VALUES (1, 1, 7), (2, 99, 7), (3, 99, NULL), (4, 2, NULL);
"""


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_here")
def test_a_whole_run_tells_where_its_plan_stands_and_what_follows_its_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place = family(tmp_path / "place")
    place.run(SCHEMA)
    place.policy(
        '[limits]\nrows = 99\nshare = 1.0\n[[rule]]\nchild = "users"\norphan = ["delete"]\n'
        '[[rule]]\nchild = "notes"\norphan = ["delete"]\n'
    )
    lines = " ".join(upkeep("maintain").out.split())
    found = re.search(r"next: read the plan, (\S+/plan\.json); `upkeep maintain --perform ask", lines)
    assert found, lines
    assert Path(found[1]).is_file()
    # Row 1 of notes is an orphan by its role and follows its user; row 2 is an orphan twice and goes once.
    assert "2 1 notes(role) -> roles(id) delete 2" in lines
    assert "2 1 notes(user) -> users(id) delete 1; 1 deleted for another key" in lines
    (report,) = place.store.glob("main/evidence/*/report.md")
    text = report.read_text()
    assert text.endswith("\n")
    assert "- since: nobody knows: no earlier run left what it found\n" in text
    assert "Of these, delete, nullify, reassign and restore count rows" in text


def test_the_next_step_in_a_bucket_is_the_address_of_the_plan() -> None:
    rehearsed = Verdict(checks=(Check(claim="c", holds=True, seen="s"),))
    report = RunReport(
        "run", "main", "rehearsed", plan=Plan("main", (repair(1),)), rehearsal=rehearsed, store="s3://bucket/upkeep"
    )
    assert next_step(report).startswith(
        "read the plan, s3://bucket/upkeep/main/repairs/run/plan.json; `upkeep maintain"
    )


def test_what_was_seen_and_is_too_long_for_a_cell_stands_below_the_table() -> None:
    seen = "; ".join(f"foreign key ({number}) is ON DELETE CASCADE, it was NO ACTION" for number in range(20))
    checks = (Check(claim="the schema", holds=True, seen=seen), Check(claim="other", holds=True, seen="a; b"))
    told = summary(RunReport("run", "main", "rehearsed", rehearsal=Verdict(checks=checks)))
    assert "| the schema | holds | 20 things, listed below |" in told
    assert "| other | holds | a; b |" in told
    assert "Seen of *the schema*:\n\n- foreign key (0) is ON DELETE CASCADE, it was NO ACTION\n- foreign" in told


def test_one_orphan_that_is_kept_is_told_as_one() -> None:
    found, kept = Detected(2, 9, (Finding(KEY, 1, 1),), 1), Kept(str(KEY), 1, "silence")
    told = run_report(RunReport("run", "main", "rehearsed", detected=found, plan=Plan("main", kept=(kept,))))
    assert "kept: 1 orphan of 1 key: silence" in told


def test_who_approves_reads_why_the_first_action_of_a_rule_was_passed_over() -> None:
    why = "restore is impossible: no backup proves the parent"
    passed = tuple(PassedOver(str(KEY), rows, f"{why} {rows}", Action.DELETE) for rows in range(1, 13))
    plan = Plan("main", (repair(1), repair(2)), passed_over=passed)
    found = Detected(2, 9, (Finding(KEY, 2, 1),), 2)
    report = RunReport("run", "main", "rehearsed", detected=found, plan=plan)
    held = Verdict(checks=(Check(claim="a", holds=True, seen="x"),))
    first = f"Not by the first action of their rule:\n\n- delete 12 orphans of {KEY}, for {why} 12\n"
    for told in (summary(report), approval_form(Question(plan, held, "file:///store"), 24)):
        assert first in told
        assert "- and 2 more: see the plan in the store" in told
        assert f"{KEY}, for {why} 3\n" in told
    several = (PassedOver("other", 4, why, Action.DELETE), PassedOver(str(KEY), 2, why, Action.DELETE))
    assert next_choices(Plan("main", passed_over=several)) == [f"delete 6 orphans of 2 keys, for {why}"]
    assert "(l) next choice: 9 orphans of 1 key: restore is" in run_report(report)
    assert f"of these 2 as the next choice ({why} 2)" in what_would_be_done(plan, found.findings[0])
    assert report.document()["plan"]["passed_over"][1] == {
        "key": str(KEY),
        "action": "delete",
        "rows": 2,
        "reason": f"{why} 2",
    }
    assert plan.digest != Plan("main", (repair(1), repair(2))).digest
