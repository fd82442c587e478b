"""`upkeep undo RUN` from its record to its receipts: the example clinic given back, kills, conflicts, tampering."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.clinics import Runs, settings_set_back
from tests.damaged_clinic import Clinic, Content
from tests.shell import DELETES, NULLIFIES, Place, Said, family, nothing_changes, upkeep
from upkeep.ledger_verdict import Demand
from upkeep.receipts import verify_ledger

pytest_plugins = ("tests.clinics",)


@dataclass(frozen=True)
class Remediated:
    """A clinic that a ``run`` has repaired, what it held before and since, and the report of an undo's rehearsal."""

    clinic: Clinic
    run: str
    before: Content
    repaired: Content
    shown: Any


@pytest.fixture(scope="session")
def remediated_in(
    clinic_in: Callable[[str, Path], Clinic], runs: Runs, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Remediated]:
    """One in each of the ``PLACES``, made once; nobody undoes that one."""

    @cache
    def made(place: str) -> Remediated:
        with settings_set_back():
            clinic = clinic_in(place, tmp_path_factory.mktemp("remediated") / "clinic")
            clinic.change("UPDATE user_sessions SET device = 'planted-7'")
            before = clinic.content()
            report = runs.maintain(clinic, perform="within_limits", migrate=False)
            assert report["ended"] == "performed and verified", [
                c for c in report["verdict"]["checks"] if not c["holds"]
            ]
            run, repaired = str(report["run"]), clinic.content()
            return Remediated(clinic, run, before, repaired, rehearsed(clinic, runs, run))

    return made


@pytest.fixture
def remediated(
    request: pytest.FixtureRequest, remediated_in: Callable[[str], Remediated], tmp_path: Path
) -> Remediated:
    """A copy of one's own."""
    made = remediated_in(getattr(request, "param", "delete"))
    return replace(made, clinic=made.clinic.copied(tmp_path / "clinic"))


def rehearsed(damaged: Clinic, runs: Runs, run: str, **more: Any) -> Any:
    """The report of an undo that changes nothing."""
    return runs.do(damaged, "undo", run=run, perform="never", **more)


def approved(damaged: Clinic, runs: Runs, run: str, digest: str, **more: Any) -> Any:
    """The report of an undo that somebody has approved."""
    approval: dict[str, Any] = {"approve": digest[:12], "by": "tester", "reason": "to see"}
    report = runs.do(damaged, "undo", run=run, perform="ask", wait=False, **approval, **more)
    assert "error" not in report, report
    return report


@pytest.mark.slow
@pytest.mark.parametrize(
    "remediated", ["delete", "system", pytest.param("mariadb", marks=pytest.mark.exhaustive)], indirect=True
)
def test_promise_3_an_undo_gives_back_the_damaged_clinic_and_its_undo_the_repaired_one(
    remediated: Remediated, runs: Runs
) -> None:
    damaged, run, shown = remediated.clinic, remediated.run, remediated.shown
    before, repaired = remediated.before, remediated.repaired
    assert before != repaired
    assert damaged.content() == repaired, "a rehearsal changes nothing"
    assert shown["verdict"]["passed"], shown["verdict"]
    assert (shown["undoes"], shown["plan"]["conflicts"], shown["performed"]) == (run, 0, False)

    report = approved(damaged, runs, run, shown["plan"]["digest"])
    assert report["ended"] == "performed and verified"
    assert report["verdict"]["passed"], report["verdict"]
    assert report["plan"]["digest"] == shown["plan"]["digest"]
    assert damaged.content() == before

    back = rehearsed(damaged, runs, report["run"])
    assert approved(damaged, runs, report["run"], back["plan"]["digest"])["verdict"]["passed"]
    assert damaged.content() == repaired
    equipment = damaged.equipment()
    said, links = verify_ledger(equipment.store, "clinic", Demand())
    assert said.intact
    assert said.complete, said
    assert [link.receipt.contents.get("undoes") for link in links if link.receipt.kind == "begun"] == [
        None, run, run, report["run"], report["run"],
    ]  # fmt: skip
    assert damaged.scratches == []


@pytest.mark.slow
def test_promise_10_an_undo_tells_no_value_of_a_row(remediated: Remediated) -> None:
    assert remediated.shown["plan"]["by_action"]["restore"] > 0
    assert remediated.clinic.ask("SELECT 1 FROM user_sessions WHERE device LIKE 'planted-%' LIMIT 1")
    folder = remediated.clinic.store
    told = [path for path in folder.rglob("*") if path.is_file() and "backups" not in path.parts]
    assert len(told) > 10
    assert [path for path in told if b"planted-" in path.read_bytes()] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "said"),
    [
        ("return upkeep/mending.py:mend 2", "had changed nothing"),
        pytest.param("return tasks/work.py:work_on 2", "had been performed whole", marks=pytest.mark.exhaustive),
    ],
)
def test_promise_4_an_undo_that_is_killed_is_before_or_after_and_the_next_one_carries_on(
    remediated: Remediated, runs: Runs, moment: str, said: str
) -> None:
    damaged, run, digest = remediated.clinic, remediated.run, remediated.shown["plan"]["digest"]
    before, repaired = remediated.before, remediated.repaired
    approval = {"approve": digest, "by": "tester", "reason": "to see", "wait": False}
    assert runs.do(damaged, "undo", moment=moment, run=run, **approval) is None, "it was never killed"
    assert damaged.content() == (repaired if said == "had changed nothing" else before)
    (died,) = [path.stem for path in (damaged.store / "journal").glob("*.json")]
    report = approved(damaged, runs, run, digest)
    assert report["recovered"] == [f"run {died} died; it {said}"]
    assert report["ended"] == ("performed and verified" if said == "had changed nothing" else "nothing to do")
    assert damaged.content() == before
    if said == "had been performed whole":
        redo = rehearsed(damaged, runs, died)
        assert redo["verdict"]["passed"], redo["verdict"]
        approved(damaged, runs, died, redo["plan"]["digest"])
        assert damaged.content() == repaired, "one that died after its commit can be undone too"


# --- A small database, in the shell ---

CHANGED_SINCE = "INSERT INTO child VALUES (2, 1, 'a stranger')"


@pytest.fixture
def place(tmp_path: Path, prefect_here: str) -> Place:
    """A family of which a run has deleted the one orphan."""
    place = family(tmp_path / "place")
    place.set(PREFECT_API_URL=prefect_here)
    place.policy(DELETES)
    place.run("INSERT INTO child VALUES (4, 98, 'astray too')")
    assert upkeep("maintain", "--perform", "within_limits", "--json").document["performed"]
    assert place.ask("SELECT id FROM child ORDER BY id") == [(1,), (3,)]
    return place


def run_of(place: Place) -> str:
    """The run that has changed the family."""
    (outcome,) = (place.store / "main" / "repairs").glob("*/outcome.json")
    return outcome.parent.name


def undo(*arguments: str) -> Said:
    """Call it with JSON."""
    return upkeep("undo", *arguments, "--json")


def test_an_undo_is_rehearsed_first_and_performed_with_its_digest(place: Place) -> None:
    run = run_of(place)
    shown = upkeep("undo", run)
    assert shown.code == 0
    digest = shown.out.partition("\nplan ")[2][:12]
    words = f"`upkeep undo {run} --approve {digest} --by NAME --reason TEXT`"
    assert words in shown.out
    assert f"plan {digest}: undo of run {run}: insert again 2, 2 orphans again" in shown.out
    assert len(place.ask("SELECT id FROM child")) == 2
    done = undo(run, "--approve", digest, "--by", "me", "--reason", "a mistake")
    assert (done.code, done.document["performed"]) == (0, True)
    assert place.ask("SELECT id, parent_id, note FROM child ORDER BY id") == [
        (1, 1, "well"), (2, 99, "astray"), (3, None, "alone"), (4, 98, "astray too"),
    ]  # fmt: skip


def test_a_row_comes_back_though_a_trigger_sets_when_it_was_changed_and_that_is_told_before(
    tmp_path: Path, prefect_here: str
) -> None:
    place = family(tmp_path / "place")
    place.set(PREFECT_API_URL=prefect_here)
    place.policy(NULLIFIES)
    place.run(
        "CREATE TABLE seen (n INTEGER); INSERT INTO seen VALUES (0);"
        "CREATE TRIGGER touched AFTER UPDATE OF parent_id ON child BEGIN UPDATE seen SET n = n + 1;"
        " UPDATE child SET note = 'touched ' || (SELECT n FROM seen) WHERE id = NEW.id; END"
    )
    run = upkeep("maintain", "--perform", "within_limits", "--json").document["run"]
    assert place.ask("SELECT parent_id, note FROM child WHERE id = 2") == [(None, "touched 1")]
    shown = upkeep("undo", run)
    assert shown.code == 0
    assert "set back 1, 1 column set anew by triggers, 1 orphan again" in shown.out
    assert "child.note may come back otherwise than before the run" in " ".join(shown.out.split())
    digest = shown.out.partition("\nplan ")[2][:12]
    done = undo(run, "--approve", digest, "--by", "me", "--reason", "a mistake")
    assert (done.code, done.document["performed"]) == (0, True)
    assert place.ask("SELECT parent_id, note FROM child WHERE id = 2") == [(99, "touched 2")]
    second = undo(run)
    assert (second.code, second.document["plan"]["rows"], second.document["plan"]["there_already"]) == (0, 0, 1)


def test_an_approval_of_another_plan_is_void(place: Place) -> None:
    run = run_of(place)
    digest = undo(run).document["plan"]["digest"]
    place.run(CHANGED_SINCE)
    said = undo(run, "--only-possible", "--approve", digest, "--by", "me", "--reason", "a mistake")
    assert said.code == 2
    assert "the approval is of another plan" in said.document["error"]
    assert place.ask("SELECT note FROM child WHERE id IN (2, 4)") == [("a stranger",)]


def test_p67_conflicts_are_told_and_nothing_is_done_unless_a_person_says_that_they_may_stay(place: Place) -> None:
    run = run_of(place)
    place.run(CHANGED_SINCE)
    said = undo(run)
    assert said.code == 1
    plan = said.document["plan"]
    assert plan["conflicting"] == [{"table": "child", "row": [2], "why": "its key is another row's now"}]
    refused = upkeep("undo", run, "--approve", plan["digest"], "--by", "me", "--reason", "a mistake")
    assert refused.code == 1
    assert "the rehearsal did not pass, so nothing was performed" in refused.out
    assert "conflict  row 2 of child: its key is another row's now" in refused.out
    assert f"`upkeep undo {run} --only-possible` leaves them as they are" in refused.out
    assert place.ask("SELECT id FROM child ORDER BY id") == [(1,), (2,), (3,)]
    done = undo(run, "--only-possible", "--approve", plan["digest"], "--by", "me", "--reason", "a mistake")
    assert (done.code, done.document["performed"], done.document["only_possible"]) == (0, True, True)
    assert place.ask("SELECT id, note FROM child WHERE id IN (2, 4) ORDER BY id") == [
        (2, "a stranger"), (4, "astray too"),
    ]  # fmt: skip


def test_a_run_that_changed_nothing_or_is_unknown_has_nothing_to_undo(place: Place) -> None:
    said = undo("20200101T000000Z-abcdef")
    assert (said.code, said.document["error"]) == (2, "the store knows no run 20200101T000000Z-abcdef of main")
    only_rehearsed = upkeep("maintain", "--json").document["run"]
    with nothing_changes(place):
        said = undo(only_rehearsed)
    assert (said.code, said.document["hint"]) == (2, "there is nothing to undo")


def test_p101_a_record_that_is_not_what_the_ledger_says_is_not_written_into_the_database(place: Place) -> None:
    run = run_of(place)
    folder = place.store / "main" / "repairs" / run
    outcome = json.loads((folder / "outcome.json").read_text())
    forged = {
        "outcome.json": json.dumps(outcome | {"approved_by": "somebody else"}).encode(),
        "plan.json": (folder / "plan.json").read_bytes() + b" ",
        "changes.jsonl.zst": (folder / "changes.jsonl.zst").read_bytes()[:-1] + b"x",
        "changes-as-performed.json": b"{}",
    }
    for name, content in forged.items():
        file = folder / name
        true = file.read_bytes() if file.exists() else None
        file.unlink(missing_ok=True)
        file.write_bytes(content)
        with nothing_changes(place):
            said = undo(run)
        assert said.code == 4
        assert f"main/repairs/{run}/{name} is not what receipt" in said.document["error"]
        file.unlink()
        if true is not None:
            file.write_bytes(true)
    assert undo(run).code == 0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--by", "me"), "--by and --reason go with --approve"),
        (("--approve", "abcdefabcdef"), "an approval needs a name and a reason"),
        (("--approve", "abcdefabcdef", "--wait"), "--approve and --wait exclude each other"),
        (("--approve", "abc", "--by", "me", "--reason", "x"), "abc is too short for the digest of a plan"),
    ],
)
def test_half_an_approval_is_refused_before_the_run(tmp_path: Path, arguments: tuple[str, ...], error: str) -> None:
    place = family(tmp_path / "place")
    with nothing_changes(place):
        said = undo("20200101T000000Z-abcdef", *arguments)
    assert (said.code, said.document["error"]) == (2, error)
