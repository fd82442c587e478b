"""What an operator meets: a run that waits, a form that says what would be done, every answer brought to a told end."""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import pytest

from tests.damaged_clinic import Clinic
from tests.prefect_server import HOUSE, Served
from upkeep.approval import Duty, judge_approval, judge_within_limits, refuse_unnamed
from upkeep.errors import Refused
from upkeep.plan import Plan, Repair
from upkeep.policy import Action
from upkeep.question import Question
from upkeep.verdict import Check, Verdict
from upkeep.wording.markdown import approval_form

HEAD = "0e315951c2f5"
MERGEPOINT = "a47243be82f0"
DIGEST = "3f" * 32


def test_the_form_names_the_plan_and_an_approval_of_it_performs_and_migrates(served: Served, clinic: Clinic) -> None:
    run = served.run("remediate", clinic)
    fields, told = served.form(run)
    assert set(fields["properties"]) == set(fields["required"]) == {"answer", "digest", "name", "reason"}
    assert digest_in(told)[:12] in told.splitlines()[0]
    assert "| table | delete | nullify |" in told
    assert re.search(r"\| queue_entries \| [1-9]\d* \| [1-9]\d* \|", told)
    assert f"{MERGEPOINT} -> {HEAD}" in told
    assert re.search(r"The rehearsal passed: (\d+) of \1 claims hold", told)
    assert '"parents missing: ' in served.artifact(run, "findings")
    evidence = folder_of_evidence(told, clinic)
    assert {"suites.json", "rehearsal.json", "data-docs.zip"} <= {path.name for path in evidence}

    assert served.answer(run, answer="approve", digest=digest_in(told), name="Ada", reason="read")["status"] == "ACCEPT"
    state = served.wait(run)
    assert (state["type"], state["message"]) == ("COMPLETED", "performed and verified")
    assert revision(clinic) == HEAD
    assert "`Ada: read`" in served.artifact(run, "summary")
    before, after = backups_in(clinic)
    assert f"- backup before it was performed: `{before}`\n- backup after it was performed: `{after}`" in (
        served.artifact(run, "summary")
    )
    assert "/page.html" in served.artifact(run, "page")
    assert served.get(f"flow_runs/{run}")["name"] == "clinic-ask"


def test_what_is_no_approval_of_this_plan_is_told_and_asked_for_again_and_a_no_is_no_fault_promise_8(
    served: Served, clinic: Clinic
) -> None:
    before = clinic.path.read_bytes()
    run = served.run("remediate", clinic)
    served.form(run)
    of_another = f"the approval is of another plan ({DIGEST[:12]}), not of "
    told = served.answer_in_vain(run, answer="approve", digest=DIGEST[:12], name="Ada", reason="read")
    assert told.startswith(f"**The last answer was not taken: {of_another}")
    assert digest_in(told)[:12] in told.splitlines()[2]
    served.answer(run, answer="refuse", digest="-", name="Ada", reason="not today")
    state = served.wait(run)
    assert (state["type"], state["name"]) == ("CANCELLED", "Cancelled")
    assert state["message"] == "nothing was performed: refused by Ada: not today"
    assert clinic.path.read_bytes() == before
    assert f"- answers not taken: `{of_another}" in served.artifact(run, "summary")
    assert any(of_another in receipt.read_text() for receipt in clinic.store.glob("ledger/*.json"))
    log = served.log(run)
    assert "Finished in state Cancelled('nothing was performed: refused by Ada: not today')" in log
    assert "Traceback" not in log
    assert "RunReport" not in log


@pytest.mark.exhaustive
def test_answers_that_are_no_approval_come_to_an_end(served: Served, clinic: Clinic) -> None:
    run = served.run("remediate", clinic)
    _, told = served.form(run)
    for _ in range(3):
        served.answer_in_vain(run, answer="approve", digest=digest_in(told), name=" ", reason="read")
    served.answer(run, answer="approve", digest=digest_in(told), name=" ", reason="read")
    state = served.wait(run)
    assert (state["type"], state["message"]) == (
        "CANCELLED",
        "nothing was performed: an approval needs a name and a reason",
    )


@pytest.mark.slow
def test_an_approval_while_another_upkeep_is_at_work_is_asked_for_again(served: Served, clinic: Clinic) -> None:
    run = served.run("remediate", clinic)
    _, form = served.form(run)
    with at_work(clinic):
        told = served.answer_in_vain(run, answer="approve", digest=digest_in(form), name="Ada", reason="read")
        assert told.startswith("**The last answer was not taken: another Upkeep is at work on clinic: run of another")
        refused = served.run("remediate", clinic)
        state = served.wait(refused)
        assert (state["type"], state["name"]) == ("FAILED", "Failed")
        assert state["message"].startswith("another Upkeep is at work on clinic: run of another (process ")
        assert "Traceback" not in served.log(refused)
    served.answer(run, answer="approve", digest=digest_in(told), name="Ada", reason="read")
    assert served.wait(run)["message"] == "performed and verified"


@pytest.mark.slow
def test_of_two_plans_that_wait_one_is_performed_and_a_night_goes_on_beside_them_promise_8(
    served: Served, clinic: Clinic
) -> None:
    runs = [served.run("remediate", clinic)]
    forms = [served.form(runs[0])[1]]
    runs.append(served.run("remediate", clinic))
    forms.append(served.form(runs[1])[1])
    assert served.wait(served.run("nightly", clinic))["message"] == "rehearsed; nothing was changed"
    ended = []
    for run, form in zip(runs, forms, strict=True):
        served.answer(run, answer="approve", digest=digest_in(form), name="Ada", reason="read")
        ended.append(served.wait(run))
    assert [state["type"] for state in ended] == ["COMPLETED", "FAILED"]
    assert "rows are in the way of the plan: row " in ended[1]["message"]
    assert "Traceback" not in served.log(runs[1])


def test_no_answer_is_a_no_and_the_run_says_so_p92(served: Served, clinic: Clinic) -> None:
    before = clinic.path.read_bytes()
    run = served.run("remediate", clinic, UPKEEP_APPROVAL_HOURS="0.002")
    state = served.wait(run)
    assert (state["type"], state["name"]) == ("CANCELLED", "Cancelled")
    assert state["message"] == "nothing was performed: nobody answered within 0.002 hours"
    assert clinic.path.read_bytes() == before
    assert served.artifact(run, "summary").startswith("# clinic: ")


@pytest.mark.parametrize(
    ("approve", "digest", "by", "reason", "told"),
    [
        (False, DIGEST, "Ada", "", "refused by Ada"),
        (False, "", "", "", "refused"),
        (True, "", "Ada", "seen", "the approval is of another plan (none)"),
        (True, DIGEST[:11], "Ada", "seen", "the approval is of another plan"),
        (True, "0" * 64, "Ada", "seen", "the approval is of another plan (000000000000), not of 3f3f3f3f3f3f"),
        (True, DIGEST, " ", "seen", "an approval needs a name and a reason"),
        (True, DIGEST, "Ada", "", "an approval needs a name and a reason"),
    ],
)
def test_what_is_no_approval(approve: bool, digest: str, by: str, reason: str, told: str) -> None:
    judged = judge_approval(DIGEST, approve=approve, digest=digest, by=by, reason=reason)
    assert not judged.given
    assert judged.reason.startswith(told)
    assert judged.mistaken == approve


@pytest.mark.parametrize(
    ("by", "break_glass", "given", "said"),
    [
        ("Bob", False, True, "Bob: seen"),
        ("Bob", True, True, "Bob: seen"),
        ("Ada Lovelace", False, False, "Ada Lovelace asked for it, and the policy wants somebody else to approve it"),
        (" ada  LOVELACE ", False, False, "ada  LOVELACE asked for it, and the policy wants"),
        ("Ada Lovelace", True, True, "Ada Lovelace: seen (broke the glass: nobody else approved)"),
    ],
)
def test_p105_who_asked_does_not_approve_but_by_breaking_the_glass(
    by: str, break_glass: bool, given: bool, said: str
) -> None:
    duty = Duty("Ada Lovelace", two_persons=True)
    judged = judge_approval(
        DIGEST, approve=True, digest=DIGEST, by=by, reason="seen", duty=duty, break_glass=break_glass
    )
    assert judged.given == given
    assert (str(judged) if given else judged.reason).startswith(said)
    assert judged.alone == ("broke the glass" in said)
    alone = Duty("Ada Lovelace", two_persons=False)
    assert judge_approval(DIGEST, approve=True, digest=DIGEST, by="Ada Lovelace", reason="seen", duty=alone).given


@pytest.mark.parametrize(
    ("taken", "unrecorded", "said"),
    [
        (
            ("table pets is gone",),
            (),
            "the migration takes what no undo brings back, which a person approves: table pets",
        ),
        ((), ("whether it is ours",), "a person says first whether it is ours"),
        (
            ("a table",),
            ("whether",),
            "the migration takes what no undo brings back, which a person approves: a table; a",
        ),
    ],
)
def test_the_policy_approves_nothing_that_a_person_has_to_know(
    taken: tuple[str, ...], unrecorded: tuple[str, ...], said: str
) -> None:
    judged = judge_within_limits(taken, unrecorded)
    assert not judged.given
    assert judged.reason.startswith(said)
    assert judge_within_limits((), ()).given


def test_the_form_says_before_its_long_table_what_nobody_checked() -> None:
    plan = Plan("main", (Repair("child", (1,), Action.DELETE, (), "k", 1, 0, ""),))
    verdict = Verdict(checks=(Check(claim="a", holds=True, seen="x"),), left_out=("whether it is ours",))
    form = approval_form(Question(plan, verdict, "file:///store"), 24)
    assert 0 < form.index("Left out: whether it is ours") < form.index("| table |")


def test_p105_one_person_is_one_person_however_the_name_is_typed() -> None:
    duty = Duty("J\u00f6rg  M\u00fcller", two_persons=True)
    assert duty.is_alone("jo\u0308rg mu\u0308ller")
    assert not duty.is_alone("Jorg Muller")


@pytest.mark.parametrize(
    ("duty", "asks", "told"),
    [
        (Duty("", two_persons=True), True, "nobody is named who asks for this run"),
        (Duty("  ", two_persons=True), True, "nobody is named who asks for this run"),
        (Duty("Ada", two_persons=True), False, "so no run approves itself"),
        (Duty("Ada", two_persons=True), True, ""),
        (Duty("", two_persons=False), False, ""),
    ],
)
def test_p105_where_two_persons_are_wanted_a_run_names_who_asks_for_it_and_asks(
    duty: Duty, asks: bool, told: str
) -> None:
    with pytest.raises(Refused, match=told) if told else nullcontext():
        refuse_unnamed(duty, asks=asks)


@pytest.mark.parametrize("digest", [DIGEST, DIGEST[:12], f" {DIGEST[:20].upper()} "])
def test_twelve_characters_of_the_digest_name_the_plan(digest: str) -> None:
    assert judge_approval(DIGEST, approve=True, digest=digest, by="Ada", reason="seen").given


def digest_in(told: str) -> str:
    found = re.search(r"`([0-9a-f]{64})`", told)
    assert found, told
    return found.group(1)


def backups_in(clinic: Clinic) -> list[str]:
    """The backups of a clinic by their age."""
    return sorted(folder.name for folder in (clinic.store / "backups").iterdir())


@contextmanager
def at_work(clinic: Clinic) -> Iterator[None]:
    """Another process has the lock of the clinic's database meanwhile."""
    held = (
        "from upkeep.equipment import equip\nwith equip().database.held('run of another'):\n"
        "    print('held', flush=True)\n    input()\n"
    )
    environment = os.environ | clinic.environment
    with subprocess.Popen(
        [sys.executable, "-c", held], env=environment, cwd=HOUSE, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        yield
        other.communicate(b"\n")


def folder_of_evidence(told: str, clinic: Clinic) -> list[Path]:
    place = re.search(r"`(file://[^`]+/evidence/[^`]+)`", told)
    assert place, told
    folder = clinic.folder / place.group(1).removeprefix(clinic.folder.as_uri() + "/")
    return list(folder.iterdir())


def revision(clinic: Clinic) -> str:
    with closing(sqlite3.connect(clinic.path)) as connection:
        found: str = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
    return found
