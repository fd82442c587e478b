"""A reviewer signs runs off, and whoever owns what stays open stands in receipts and on the page (P-104)."""

import csv
import io
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.chronicles import Chronicle
from tests.pages import read
from tests.shell import Place, family, upkeep
from upkeep.answers import Answer
from upkeep.attestations import found, judged
from upkeep.catalog import ForeignKey
from upkeep.detected import Detected
from upkeep.findings import Finding
from upkeep.ledger_verdict import Demand
from upkeep.pages.composing import Period, Source, period_page, run_page
from upkeep.pages.contents import told
from upkeep.pages.frames import csv_of
from upkeep.pages.html import html_of
from upkeep.pages.page import Page
from upkeep.policy import Policy
from upkeep.receipts import verify_ledger
from upkeep.stores import open_store
from upkeep.verdict import Verdict, judge_business_rules

NIGHT = datetime(2026, 7, 1, 2, tzinfo=UTC)
FIRST, SECOND = "20260701T020000Z-000001", "20260702T020000Z-000002"
FINDINGS = [
    {"key": "visits(p) -> p(id)", "orphans": 3, "missing_keys": 1, "diagnosis": "parents missing", "owner": "records"},
    {"key": "bills(p) -> p(id)", "orphans": 2, "missing_keys": 1, "diagnosis": "parents missing"},
]
CHECKS = [
    {"claim": "every foreign key was asked", "holds": True},
    {"claim": "every bill has a sum", "holds": False, "owner": "accounting"},
]


def night(book: Chronicle, run: str, when: datetime) -> None:
    """A run that was approved by Ada, on Bob's request, and left two findings and one claim open."""
    book.write("begun", run, when, {"perform": "ask"})
    rehearsal = {"passed": False, "checks": CHECKS, "not_asked": []}
    seen = {"findings": FINDINGS, "keys_not_asked": [], "orphans": 5, "rows": 10, "orphan_rows": 5}
    book.write("rehearsed", run, when, {"found": seen, "rehearsal": rehearsal})
    book.write(
        "performing", run, when, {"approved_by": "Ada", "requested_by": "Bob", "reason": "r", "plan_sha256": "0"}
    )
    book.write("ended", run, when, {"how": "rehearsed", "passed": False, "performed": False})


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A store with two runs, the second of which nobody reviews here."""
    monkeypatch.chdir(tmp_path)
    made = family(tmp_path / "place")
    made.store.mkdir()
    book = Chronicle(made.store)
    night(book, FIRST, NIGHT)
    night(book, SECOND, NIGHT.replace(day=2))
    return made


def pages(place: Place) -> tuple[Page, Page]:
    """The page of the period, and that of the first run."""
    store = open_store(place.store.as_uri())
    verdict, links = verify_ledger(store, "main", Demand())
    source, days = Source("main", store.url, NIGHT), Period(date(2026, 7, 1), date(2030, 12, 31))
    return period_page(source, told(links), days, verdict), run_page(source, told(links), FIRST, verdict)


def rows(page: Page, name: str) -> list[dict[str, str]]:
    """One table of a page by way of its CSV."""
    (table,) = [table for table in page.tables if table.name == name]
    return list(csv.DictReader(io.StringIO(csv_of(table), newline="")))


def signed(run: str, by: str = "Eve", note: str = "read it") -> Any:
    """What the command says."""
    return upkeep("ledger", "sign-off", run, "--by", by, "--note", note, "--json").document


def test_a_review_is_a_receipt_and_stands_on_the_pages_beside_the_runs_that_have_none(place: Place) -> None:
    said = signed(FIRST)
    assert (said["by"], said["note"], said["reviewed"]) == ("Eve", "read it", [1, 2, 3, 4])
    assert (said["findings"], said["orphans"], said["claims"], said["without_owner"]) == (2, 5, 1, 1)
    ledger = upkeep("ledger", "show", "--run", FIRST, "--json").document["receipts"]
    assert said["up_to_sha256"] == ledger[3]["hash"]
    assert [one["kind"] for one in ledger] == ["begun", "rehearsed", "performing", "ended", "reviewed"]
    verified = upkeep("ledger", "verify", "--json").document
    assert (verified["intact"], verified["complete"], len(verified["receipts"])) == (True, True, 9)
    period, of_the_run = pages(place)
    assert {row["run"]: row["reviewed"] for row in rows(period, "runs")} == {FIRST: "Eve", SECOND: "nobody yet"}
    for page in (period, of_the_run):
        (row,) = rows(page, "reviews")
        assert (row["run"], row["by"], row["note"], row["receipts"]) == (FIRST, "Eve", "read it", "9")
        assert "read it" in read(html_of(page)).text
    assert signed(FIRST, by="Fay")["reviewed"] == [1, 2, 3, 4], "a second reviewer reviews the run, not the review"
    assert rows(pages(place)[0], "runs")[0]["reviewed"] == "Eve, Fay"


def test_what_is_open_stands_by_owner_and_what_has_none_is_told(place: Place) -> None:
    period, of_the_run = pages(place)
    assert [(row["owner"], row["what"], row["times"]) for row in rows(period, "owners")] == [
        ("accounting", "claim", "1"),
        ("records", "finding", "1"),
        ("nobody is named", "finding", "1"),
    ]
    assert {row["key"]: row["owner"] for row in rows(of_the_run, "findings")} == {
        "visits(p) -> p(id)": "records",
        "bills(p) -> p(id)": "",
    }
    assert any("(owner: accounting)" in row["told"] for row in rows(period, "alarms"))


@pytest.mark.parametrize(
    ("run", "by", "note", "sentence"),
    [
        (FIRST, " ", "read it", "a sign-off needs a name and a note"),
        (FIRST, "Eve", "", "a sign-off needs a name and a note"),
        ("20200101T000000Z-ffffff", "Eve", "x", "the ledger says nothing of run 20200101T000000Z-ffffff"),
        (FIRST, "ada", "x", f"ada asked for run {FIRST} or approved it, and the policy wants two persons"),
        (FIRST, "Bob ", "x", f"Bob  asked for run {FIRST} or approved it, and the policy wants two persons"),
    ],
)
def test_p105_what_is_no_review_is_refused_and_writes_nothing(
    place: Place, run: str, by: str, note: str, sentence: str
) -> None:
    place.policy("[approval]\ntwo_persons = true\n")
    before = place.bytes()
    code, said, _ = upkeep("ledger", "sign-off", run, "--by", by, "--note", note).complaint
    assert (code, said) == (2, sentence)
    assert place.bytes() == before


def test_a_run_that_has_not_ended_and_a_ledger_that_is_not_intact_are_not_signed_off(place: Place) -> None:
    book = Chronicle(place.store, 8, *_end(place))
    book.write("begun", "20260703T020000Z-000003", NIGHT, {"perform": "never"})
    code, said, hint = upkeep("ledger", "sign-off", "20260703T020000Z-000003", "--by", "Eve", "--note", "x").complaint
    assert (code, said) == (2, "run 20260703T020000Z-000003 has not ended")
    assert "upkeep recover" in hint
    (place.store / "main/ledger/00000002.json").unlink()
    code, said, _ = upkeep("ledger", "sign-off", FIRST, "--by", "Eve", "--note", "x").complaint
    assert code == 4
    assert "not intact" in said


def _end(place: Place) -> tuple[str, dict[str, Any]]:
    document = json.loads((place.store / "main/ledger/00000008.json").read_text())
    return document["hash"], document["receipt"]["open"]


def test_receipts_name_who_owns_a_finding_by_the_policy_and_a_claim_by_its_suite() -> None:
    policy = Policy.model_validate({"rule": [{"child": "visits*", "owner": "records"}]})
    several = tuple(Finding(ForeignKey(child, ("p",), "p", ("id",)), 2, 1) for child in ("visits", "bills"))
    contents = found(Detected(3, 9, several, 4), policy)
    assert [one.get("owner") for one in contents["findings"]] == ["records", None]
    answers = [Answer("s", "n", "every bill has a sum", "critical", False, "one has none", owner="accounting")]
    verdict = judged(Verdict(checks=judge_business_rules(answers)))
    assert verdict["checks"] == [{"claim": "every bill has a sum", "holds": False, "owner": "accounting"}]
