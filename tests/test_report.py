"""The auditor's page: its figures are those of the store, each leads to a receipt, and it shows no value of a row."""

import csv
import io
import json
import random
import re
import zipfile
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.chronicles import OUTCOMES, Chronicle, counted, nights
from tests.pages import Reading, read, read_pdf
from tests.shell import DELETES, Place, family, upkeep, upkeep_in_a_process
from upkeep.ledger import Kind
from upkeep.ledger_verdict import Demand
from upkeep.pages.composing import Period, Source, period_page, run_page
from upkeep.pages.contents import Told, told
from upkeep.pages.frames import csv_of
from upkeep.pages.html import html_of
from upkeep.pages.page import Page
from upkeep.pages.pdf import BLOCKS, pdf_of, spelled
from upkeep.receipts import verify_ledger
from upkeep.stores import open_store

NOW = datetime(2026, 10, 2, 8, tzinfo=UTC)
FIRST = datetime(2026, 6, 20, 2, tzinfo=UTC)
QUARTER = ("--from", "2026-07-01", "--to", "2026-09-30")
json_values = some.recursive(
    some.none() | some.booleans() | some.integers(-(10**20), 10**20) | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=8,
)


def page_over(root: Path, first: str, last: str) -> Page:
    """The page of a period, from a store's folder."""
    store = open_store(root.as_uri())
    verdict, links = verify_ledger(store, "main", Demand())
    days = Period(date.fromisoformat(first), date.fromisoformat(last))
    return period_page(Source("main", store.url, NOW), told(links), days, verdict)


def rows_of(page: Page, name: str) -> list[dict[str, str]]:
    """One table of a page by way of its CSV."""
    (table,) = [table for table in page.tables if table.name == name]
    return list(csv.DictReader(io.StringIO(csv_of(table), newline="")))


def figures(reading: Reading) -> dict[str, str]:
    """The numbers that are read first."""
    found = re.findall(r"([\d,]+(?: of [\d,]+)?)((?:run|approval|row|restores|orphan|alarm)[a-z ]*)", reading.text)
    return {noun.strip(): shown for shown, noun in found[:6]}


@settings(max_examples=30)
@given(outcomes=some.lists(some.sampled_from(OUTCOMES), max_size=14), seed=some.integers(0, 2**32))
def test_the_figures_of_a_period_are_those_counted_from_the_raw_receipts(
    outcomes: list[str], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("told") / "store"
    root.mkdir()
    nights(root, FIRST.replace(day=26), outcomes, seed)
    wanted = counted(root, "2026-07-01", "2026-07-04") if outcomes else None
    page = page_over(root, "2026-07-01", "2026-07-04")
    reading = read(html_of(page))
    if wanted is None:
        assert "There is no receipt" in reading.text
        return
    assert len(rows_of(page, "runs")) == len(reading.tables["runs"]) == wanted["runs"]
    assert len(reading.tables["approvals"]) == wanted["approvals"]
    by_table = {(row["table"], row["action"]): int(row["rows"]) for row in rows_of(page, "changes-by-table")}
    assert by_table == wanted["changed"]
    assert sum(int(row["rows"]) for row in rows_of(page, "changes")) == sum(wanted["changed"].values())
    assert sum(int(row["rows"]) for row in rows_of(page, "changes-by-rule")) == sum(wanted["changed"].values())
    assert len(reading.tables["restores"]) == wanted["restores"]
    assert f"{wanted['holding']} of {wanted['restores']}restores hold" in reading.text
    silences = sum(row["alarm"] == "silence" for row in rows_of(page, "alarms"))
    assert len(reading.tables["alarms"]) - silences == wanted["alarms"]
    open_now = {row["key"]: int(row["orphans"]) if row["orphans"] else None for row in rows_of(page, "findings")}
    assert open_now == wanted["findings"]


def recounted(place: Place) -> dict[str, Any]:
    """What whole runs left, from the files beside the ledger: changed rows, restores, what the last report found."""
    root, changed = place.store / "main", Counter[tuple[str, str]]()
    for path in root.glob("repairs/*/changes.jsonl.zst"):
        for line in zstd.decompress(path.read_bytes()).splitlines():
            said = json.loads(line)
            changed[said["table"], "delete" if said["after"] is None else "nullify"] += 1
    manifests = [json.loads(path.read_text()) for path in root.glob("backups/*/manifest.json")]
    reports = [json.loads(path.read_text()) for path in sorted(root.glob("evidence/*/report.json"))]
    census = json.loads(max(root.glob("backups/*/verified.json")).read_text())["census"]
    return {
        "changed": dict(changed),
        "runs": len(reports),
        "performed": sum(one["performed"] for one in reports),
        "restores": len([*root.glob("backups/*/verified.json")]),
        "sizes": sorted(one["stored_bytes"] for one in manifests),
        "orphans": sum(one["orphans"] or 0 for one in reports[-1]["findings"]),
        "rows": {name: table["rows"] for name, table in census["tables"].items()},
    }


PLANTED = ("Mariam-Petrova-1984", "born on 3 May", "+99890-1234567", "astray")
"""Values of rows: of them nothing may be read on any page."""


@pytest.fixture
def shop(tmp_path: Path, prefect_here: str) -> Place:  # noqa: ARG001 - the runs need the server
    """A small database of people, whose orphans a run has removed on somebody's word; and a run after it."""
    place = family(tmp_path / "shop")
    for number, value in enumerate(PLANTED, start=200):
        place.run(
            f"INSERT INTO parent VALUES ({number}, '{value}'); INSERT INTO child VALUES ({number}, 99, '{value}')"
        )
    place.policy(DELETES)
    plan = upkeep("maintain", "--json").document["plan"]["digest"]
    word = ("--approve", plan, "--by", "=Dr <b>Test</b> #panic()", "--reason", "*read* & Пётр saw 中 it")
    assert upkeep("maintain", "--perform", "ask", *word, "--json").document["performed"]
    assert upkeep("maintain", "--json").code == 0
    return place


@pytest.mark.slow
def test_the_pages_of_real_runs(shop: Place, tmp_path: Path) -> None:
    """One test for all that can be seen of three runs, which take their time."""
    wanted = recounted(shop)
    assert wanted["changed"] == {("child", "delete"): 5}
    said = upkeep("report", "--from", "2020-01-01", "--output", str(tmp_path / "all"), "--pdf", "--json").document
    assert (said["intact"], said["complete"]) == (True, True)
    assert said["figures"] == {
        "runs": "3",
        "approvals": "1",
        "changes": "5",
        "restores": "4 of 4",
        "findings": str(wanted["orphans"]),
        "alarms": "0",
    }
    reading = read((tmp_path / "all/page.html").read_bytes())
    assert (wanted["runs"], wanted["performed"], wanted["restores"], wanted["orphans"]) == (3, 1, 4, 0)
    table = list(csv.DictReader((tmp_path / "all/tables/changes.csv").open(newline="")))
    assert [(row["table"], row["action"], row["rows"], row["after"]) for row in table] == [
        ("child", "delete", "5", str(wanted["rows"]["child"]))
    ]
    backups = list(csv.DictReader((tmp_path / "all/tables/backups.csv").open(newline="")))
    assert sorted(int(row["stored_bytes"]) for row in backups) == wanted["sizes"]
    hashes = {json.loads(path.read_bytes())["hash"] for path in (shop.store / "main/ledger").iterdir()}
    assert {row["hash"] for row in reading.tables["receipts"]} == hashes
    # what an approver typed is text and nothing else, wherever it stands
    assert reading.tables["approvals"][0]["approved by"] == "=Dr <b>Test</b> #panic()"
    assert reading.tables["approvals"][0]["reason"] == "*read* & Пётр saw 中 it"
    printed = read_pdf((tmp_path / "all/page.pdf").read_bytes())
    assert (printed.is_tagged, printed.archival) == (True, "2A")
    words = " ".join(printed.text.split())
    assert "The ledger is intact and complete" in words
    assert "#panic()" in words
    assert "[U+4E2D]" in words.replace("\u200b", "").replace(" ", ""), "wherever its line was broken"
    (approved,) = csv.DictReader((tmp_path / "all/tables/approvals.csv").open(newline=""))
    assert approved["by"].startswith("'=Dr")
    _pages_that_the_runs_left(shop)
    _nothing_personal(shop, tmp_path)


def _pages_that_the_runs_left(shop: Place) -> None:
    assert upkeep("ledger", "verify").code == 0
    folders = sorted((shop.store / "main/evidence").iterdir())
    assert len(folders) == 3
    for folder in folders:
        left, printed = read((folder / "page.html").read_bytes()), read_pdf((folder / "page.pdf").read_bytes())
        assert [row["run"] for row in left.tables["runs"]] == [folder.name]
        assert left.tables["receipts"][-1]["number"] == "last"
        assert folder.name in printed.text
        last = max(
            (json.loads(path.read_bytes())["receipt"] for path in (shop.store / "main/ledger").iterdir()),
            key=lambda one: one["number"] if one["run"] == folder.name else 0,
        )
        assert {"page.html", "page.pdf", "page-tables.zip"} <= {
            one["name"].rpartition("/")[2] for one in last["evidence"]
        }
    again = upkeep("report", "--run", folders[1].name, "--output", str(shop.folder / "again"), "--json").document
    drawn, kept = read(Path(again["page"]).read_bytes()), read((folders[1] / "page.html").read_bytes())
    for name in ("changes", "claims", "findings", "restores", "steps", "approvals"):
        seen = [{key: value for key, value in row.items() if key != "receipts"} for row in drawn.tables[name]]
        assert seen == [{k: v for k, v in row.items() if k != "receipts"} for row in kept.tables[name]]
    assert drawn.tables["steps"]


def _nothing_personal(shop: Place, folder: Path) -> None:
    for path in [*folder.glob("all/**/*"), *shop.store.glob("main/evidence/*/page*")]:
        if path.is_file():
            content = path.read_bytes()
            text = content.decode(errors="replace")
            if path.suffix == ".pdf":
                text += read_pdf(content).text
            elif path.suffix == ".zip":
                with zipfile.ZipFile(path) as archive:
                    assert len(archive.namelist()) > 10
                    text += "".join(archive.read(name).decode() for name in archive.namelist())
            assert [value for value in PLANTED if value in text] == [], path


def test_a_tampered_ledger_stands_in_red_at_the_top(tmp_path: Path) -> None:
    place = family(tmp_path / "shop")
    nights(place.store, FIRST.replace(month=7), ["performed"] * 3, seed=1)
    assert upkeep("report", *QUARTER, "--output", str(tmp_path / "before")).code == 0
    path = place.store / "main/ledger/00000003.json"
    path.write_bytes(path.read_bytes().replace(b'"Ada"', b'"Eve"'))
    said = upkeep("report", *QUARTER, "--output", str(tmp_path / "after"), "--pdf", "--json")
    assert (said.code, said.document["intact"], said.document["exit"]) == (4, False, 4)
    before, after = (read((tmp_path / name / "page.html").read_bytes()) for name in ("before", "after"))
    assert ("banner bad" in before.classes, "banner bad" in after.classes) == (False, True)
    assert "THE LEDGER IS NOT INTACT" in after.text[: after.text.index("Alarms")]
    assert "receipt 3 was changed" in after.text
    assert "THE LEDGER IS NOT INTACT" in read_pdf((tmp_path / "after/page.pdf").read_bytes()).text


def test_an_empty_period_says_so_and_a_copy_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nights(tmp_path / "copy", FIRST, ["performed", "rehearsed"], seed=2)
    for name in ("DATABASE_URL", "UPKEEP_STORE"):
        monkeypatch.delenv(name, raising=False)
    said = upkeep_in_a_process(
        *("report", "--from", "2025-01-01", "--to", "2025-03-31", "--pdf", "--output", "empty"),
        *("--copy", str(tmp_path / "copy")),
        folder=tmp_path,
    )
    assert (said.code, said.err) == (0, "")
    assert "0 runs, 0 approvals, 0 rows changed, 0 of 0 restores hold, 0 orphans left, 0 alarms" in said.out
    reading = read((tmp_path / "empty/page.html").read_bytes())
    assert [name for name, rows in reading.tables.items() if rows] == []
    assert "no run began" in reading.text
    assert "no run began" in read_pdf((tmp_path / "empty/page.pdf").read_bytes()).text


def test_a_run_that_was_killed_is_an_alarm_whatever_became_of_it(tmp_path: Path) -> None:
    nights(tmp_path, FIRST.replace(month=7), ["died", "died after it", "stopped", "open"], seed=3)
    page = page_over(tmp_path, "2026-07-01", "2026-07-30")
    alarms = [(row["alarm"], row["told"]) for row in rows_of(page, "alarms") if "run " in row["alarm"]]
    assert alarms == [
        ("run died", "died; it had changed nothing"),
        ("run died", "died; it had performed its plan"),
        ("run stopped", "stopped: Refused, at detect"),
        ("run not ended", "has not ended: it is at work, or it died"),
    ]
    assert page.banner.tone == "plain"
    assert {row["run"] for row in rows_of(page, "changes")} == {rows_of(page, "runs")[1]["run"]}


def test_who_broke_the_glass_is_an_alarm(tmp_path: Path) -> None:
    chronicle, when = Chronicle(tmp_path), datetime(2026, 7, 1, 2, tzinfo=UTC)
    chronicle.write("begun", "20260701T020000Z-abcdef", when, {})
    word = {"approved_by": "Ada", "requested_by": "ada", "alone": True, "reason": "at night"}
    chronicle.write("performing", "20260701T020000Z-abcdef", when, word)
    chronicle.write("ended", "20260701T020000Z-abcdef", when, {"how": "performed", "performed": True, "passed": True})
    page = page_over(tmp_path, "2026-07-01", "2026-07-02")
    assert [(row["alarm"], row["receipts"]) for row in rows_of(page, "alarms")] == [("glass broken", "2")]
    assert [(row["requested"], row["by"]) for row in rows_of(page, "approvals")] == [("ada", "Ada")]


def test_a_finding_is_as_old_as_the_unbroken_row_of_looks_that_saw_it(tmp_path: Path) -> None:
    chronicle = Chronicle(tmp_path)
    seen = {1: "ab", 2: "ab", 9: "a", 20: "ab", 30: "ab"}
    for day, keys in seen.items():
        when = datetime(2026, 7, day, 2, tzinfo=UTC)
        findings = [{"key": key, "orphans": day, "missing_keys": 1, "diagnosis": "parents missing"} for key in keys]
        chronicle.write("looked", f"{when:%Y%m%dT%H%M%SZ}-000000", when, {"found": {"findings": findings}})
    page = page_over(tmp_path, "2026-07-01", "2026-09-30")
    assert [(row["key"], row["days"], row["orphans"]) for row in rows_of(page, "findings")] == [
        ("a", "29", "30"),
        ("b", "10", "30"),
    ]
    assert [(row["key"], row["days"]) for row in rows_of(page, "closed")] == [("b", "8")]
    silences = [row["told"] for row in rows_of(page, "alarms")]
    assert silences[-1] == "no run began for 62 days, since 2026-07-30"


@settings(max_examples=10)
@given(contents=some.lists(some.tuples(some.sampled_from(get_args(Kind)), json_values), max_size=6))
def test_whatever_receipts_say_a_page_can_be_drawn_of_them(contents: list[tuple[Kind, Any]]) -> None:
    """A page never stops a run: receipts may be of another version, and hold what this one does not know."""
    names = ("backup", "proof", "plan", "found", "rehearsal", "steps", "how", "outcome", "removed", "reasons", "tables")
    receipts = tuple(
        Told(place, "ab" * 32, kind, "20260701T020000Z-abcdef", "2026-07-01T02:00:00Z", dict.fromkeys(names, said))
        for place, (kind, said) in enumerate(contents)
    )
    page = run_page(Source("main", "file:///store", NOW), receipts, "20260701T020000Z-abcdef", None)
    read(html_of(page))
    assert read_pdf(pdf_of(page, NOW)).archival == "2A"
    assert [csv_of(table) for table in page.tables]


@settings(max_examples=10)
@given(text=some.text(some.characters(exclude_categories=["Cs", "Cc"]), max_size=40))
def test_no_letter_keeps_a_pdf_from_being_made(text: str) -> None:
    receipts = (Told(1, "", "performing", "r", "2026-07-01T02:00:00Z", {"approved_by": text, "reason": f"{text} 中"}),)
    page = run_page(Source("main", "file:///store", NOW), receipts, "r", None)
    assert "[U+4E2D]" in re.sub(r"[\s\u200b]", "", read_pdf(pdf_of(page, NOW)).text)


def test_every_letter_that_the_pdf_says_it_has_is_there() -> None:
    letters = "".join(chr(sign) for first, last in BLOCKS for sign in range(first, last + 1))
    letters = "".join(sign for sign in letters if spelled(sign) == sign and sign.isprintable())
    assert len(letters) > 1700
    reasons = " ".join(letters[start : start + 12] for start in range(0, len(letters), 12))
    receipts = (Told(1, "", "performing", "r", "2026-07-01T02:00:00Z", {"reason": reasons}),)
    assert pdf_of(run_page(Source("main", "file:///store", NOW), receipts, "r", None), NOW)[:5] == b"%PDF-"


def test_a_page_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    nights(tmp_path, FIRST, ["performed"], seed=4)
    one, two = (page_over(tmp_path, "2026-06-01", "2026-06-30") for _ in range(2))
    assert html_of(one) == html_of(two)
    assert pdf_of(one, NOW) == pdf_of(two, NOW)


@pytest.mark.slow
def test_a_thousand_receipts_are_one_page(tmp_path: Path) -> None:
    chance = random.Random(5)  # noqa: S311 - it shall be the same each time
    outcomes = [chance.choice(OUTCOMES[:4]) for _ in range(270)]
    chronicle = nights(tmp_path, datetime(2026, 1, 1, 2, tzinfo=UTC), outcomes, seed=6)
    assert chronicle.number > 900
    page, wanted = page_over(tmp_path, "2026-01-01", "2026-12-31"), counted(tmp_path, "2026-01-01", "2026-12-31")
    reading = read(html_of(page))
    assert len(reading.tables["receipts"]) == chronicle.number
    assert len(reading.tables["runs"]) == wanted["runs"] == len(outcomes)
    assert all(csv_of(table) for table in page.tables)


def test_what_is_asked_amiss_is_refused_in_words(tmp_path: Path) -> None:
    family(tmp_path / "shop")
    out = ("--output", str(tmp_path / "out"))
    assert upkeep("report", *out).complaint == (
        2,
        "say of what: a period or a run",
        "write `upkeep report --from 2026-07-01 --to 2026-09-30`",
    )
    assert upkeep("report", *QUARTER, *out).complaint[1].startswith("there is no ledger of main in file:")
    nights(tmp_path / "shop/store", FIRST, ["rehearsed"], seed=7)
    assert upkeep("report", "--from", "2026-07-01", "--to", "2026-06-01", *out).complaint[:2] == (
        2,
        "the period ends before it begins: 2026-07-01 to 2026-06-01",
    )
    assert upkeep("report", "--run", "none", *out).complaint[:2] == (2, "the ledger of main says nothing of run none")
    assert upkeep("report", "--from", "July", *out).code == 2
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    assert upkeep("report", *QUARTER, *out).complaint[1].endswith("out is there and not an empty folder")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
