"""What pages tell of undos and of re-used ids, where a reader could be misled; drawn of receipts that a test writes."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.chronicles import Chronicle
from tests.pages import read
from upkeep.attestations import found
from upkeep.catalog import ForeignKey
from upkeep.detected import Detected
from upkeep.findings import Finding
from upkeep.history import Adopted, History, How, Moment, Record
from upkeep.ledger_verdict import Demand
from upkeep.pages.composing import Period, Source, period_page, run_page
from upkeep.pages.contents import told
from upkeep.pages.html import html_of
from upkeep.pages.page import Page
from upkeep.policy import SILENCE
from upkeep.receipts import verify_ledger
from upkeep.reviews import review_of
from upkeep.stores import open_store
from upkeep.wording.past import looked_back
from upkeep.wording.sentences import what_is_open

NIGHT = datetime(2026, 7, 1, 2, tzinfo=UTC)
RUN = "20260701T020000Z-000001"
MIGRATION = "no undo takes the migration a -> b back: `upkeep restore` brings the schema of a backup back"


def page_of(root: Path, run: str = "") -> Page:
    """The page of a run, or of July."""
    store = open_store(root.as_uri())
    verdict, links = verify_ledger(store, "main", Demand())
    source = Source("main", store.url, NIGHT)
    if run:
        return run_page(source, told(links), run, verdict)
    return period_page(source, told(links), Period(date(2026, 7, 1), date(2026, 7, 31)), verdict)


def rows(page: Page, name: str, *fields: str) -> list[tuple[Any, ...]]:
    """These columns of one table."""
    (table,) = [one for one in page.tables if one.name == name]
    places = [[column.field for column in table.columns].index(field) for field in fields]
    return [tuple(row[place] for place in places) for row in table.rows]


def undone(root: Path, *, is_done: bool) -> Page:
    """The page of an undo that left 28 rows, and was performed or not."""
    book = Chronicle(root)
    book.write("begun", RUN, NIGHT, {"perform": "ask" if is_done else "never", "undoes": "20260630T020000Z-abcdef"})
    plan = {"sha256": "0", "rows": 2, "conflicts": 28, "undoes": "20260630T020000Z-abcdef"}
    rehearsal = {"passed": is_done, "checks": [], "not_asked": [MIGRATION]}
    book.write("rehearsed", RUN, NIGHT, {"plan": plan, "rehearsal": rehearsal})
    if is_done:
        book.write("performing", RUN, NIGHT, {"approved_by": "Ada", "plan_sha256": "0"})
        book.write("performed", RUN, NIGHT, {"tables": []})
    book.write("ended", RUN, NIGHT, {"how": "rehearsed", "passed": is_done, "performed": is_done})
    return page_of(root, RUN)


def test_of_an_undo_that_was_only_rehearsed_nobody_reads_that_the_rest_was_taken_back(tmp_path: Path) -> None:
    page = undone(tmp_path, is_done=False)
    assert rows(page, "exceptions", "what", "told") == [
        ("left out", "no undo takes the migration a -> b back"),
        (
            "only rehearsed",
            "nothing of run 20260630T020000Z-abcdef was taken back; of its rows 28 had changed since or could not go "
            "back",
        ),
    ]
    assert rows(page, "runs", "asked", "rows") == [("rehearse to take back 20260630T020000Z-abcdef", 0)]


def test_of_one_that_was_performed_the_rows_that_stay_are_told(tmp_path: Path) -> None:
    page = undone(tmp_path, is_done=True)
    assert ("not taken back", "28 rows, which had changed since or could not go back") in rows(
        page, "exceptions", "what", "told"
    )
    assert rows(page, "runs", "asked") == [("take back 20260630T020000Z-abcdef",)]


BEFORE = Moment(run="night", taken=NIGHT - timedelta(days=9), backup="older")


def seen(orphans: int, reused: int, *, looked_into: int, waiting: int) -> Detected:
    """One key with so many orphans and so many rows that found another parent, and one without fault."""
    key, other = (ForeignKey(child, ("p",), "patients", ("id",), "", True) for child in ("visits", "bills"))
    adopted = tuple(Adopted(row=(n,), pointing="x", before=BEFORE, how=How.MISSED) for n in range(reused))
    findings = (Finding(key, orphans, orphans, adopted=adopted), Finding(other, 0, 0))
    record = Record(database="main", salt="", mark="", examined=tuple(map(str, range(looked_into))))
    return Detected(3, 100, findings, orphans, history=History(record, waiting=waiting))


@pytest.mark.parametrize(
    ("orphans", "reused", "wanted", "open_now"),
    [
        (4, 0, "1 (1 key with orphans)", 1),
        (4, 3, "2 (1 key with orphans, 1 key with re-used ids in 3 rows)", 2),
        (0, 3, "1 (1 key with re-used ids in 3 rows)", 1),
        (0, 0, "", 0),
    ],
)
def test_page_run_and_sign_off_count_the_same_findings(
    orphans: int, reused: int, wanted: str, open_now: int, tmp_path: Path
) -> None:
    detected = seen(orphans, reused, looked_into=2, waiting=3)
    book = Chronicle(tmp_path)
    book.write("begun", RUN, NIGHT, {})
    book.write("looked", RUN, NIGHT, {"found": found(detected, SILENCE), "look": {"checks": []}})
    book.write("ended", RUN, NIGHT, {"how": "looked", "passed": True})
    _, links = verify_ledger(open_store(tmp_path.as_uri()), "main", Demand())
    signed = review_of(links, RUN, by="Ada", note="read", two_persons=False)
    page = page_of(tmp_path, RUN)
    assert what_is_open(detected) == wanted
    assert (signed["findings"], signed["without_owner"], len(rows(page, "findings", "key"))) == (open_now,) * 3
    assert sum(row[0] or 0 for row in rows(page, "findings", "reused")) == reused
    assert rows(page, "looks", "reused", "back") == [(reused, "2 of 5")]
    assert ("not looked into yet",) in rows(page, "exceptions", "what")


def test_a_re_used_id_is_as_old_as_the_first_look_that_saw_it_as_such(tmp_path: Path) -> None:
    book = Chronicle(tmp_path)
    for day, (orphans, reused) in enumerate([(4, 0), (4, 2), (0, 2)], start=1):
        when = NIGHT.replace(day=day)
        contents = {"found": found(seen(orphans, reused, looked_into=day, waiting=0), SILENCE)}
        book.write("looked", f"{when:%Y%m%dT%H%M%SZ}-000000", when, contents)
    page = page_of(tmp_path)
    assert rows(page, "findings", "diagnosis", "orphans", "reused", "since", "days") == [
        ("re-used id", None, 2, "2026-07-02T02:00:00Z", 1)
    ]
    assert rows(page, "closed", "diagnosis", "orphans", "closed") == [("parents missing", 4, "2026-07-03T02:00:00Z")]


@pytest.mark.parametrize(
    ("reused", "looked_into", "waiting", "said"),
    [
        (0, 1, 4, "none by 1 older backup; 4 more may tell of others, and each run looks into as"),
        (8, 2, 0, "8 rows by 2 older backups"),
        (0, 5, 0, ""),
    ],
)
def test_a_run_says_by_what_re_used_ids_are_known(reused: int, looked_into: int, waiting: int, said: str) -> None:
    told_of = looked_back(seen(0, reused, looked_into=looked_into, waiting=waiting))
    assert told_of.startswith(said) if waiting else told_of == said


def test_the_size_of_a_table_stands_once_beside_what_changed_it(tmp_path: Path) -> None:
    book = Chronicle(tmp_path)
    book.write("begun", RUN, NIGHT, {"perform": "ask"})
    actions = [
        {"table": table, "action": action, "rows": 2, "table_rows": 189}
        for table, action in (("bills", "nullify"), ("bills", "restore"), ("visits", "delete"), ("visits", "restore"))
    ] + [{"table": "files", "action": "nullify", "rows": 8, "table_rows": 104}]
    book.write("rehearsed", RUN, NIGHT, {"plan": {"sha256": "0", "rows": 16, "actions": actions}})
    after = [{"table": name, "table_rows": rows} for name, rows in (("bills", 191), ("visits", 189), ("files", 104))]
    book.write("performing", RUN, NIGHT, {"approved_by": "Ada", "plan_sha256": "0"})
    book.write("performed", RUN, NIGHT, {"tables": after})
    page = page_of(tmp_path, RUN)
    assert rows(page, "changes", "table", "action", "before", "after") == [
        ("bills", "nullify", None, None),
        ("bills", "restore", 189, 191),
        ("visits", "delete", 189, 189),
        ("visits", "restore", None, None),
        ("files", "nullify", 104, 104),
    ]
    cells = read(html_of(page)).tables["changes"]
    assert {cell["run"] for cell in cells} == {RUN}
    assert all("\N{NO-BREAK SPACE}" in part for part in cells[0]["receipts"].split(", ")), "a number and its hash"
    assert f'<td class="short">{RUN}</td>' in html_of(page).decode()


def test_what_the_policy_keeps_is_kept_after_an_undo_too(tmp_path: Path) -> None:
    book, key = Chronicle(tmp_path), "visits(p) -> patients(id)"
    findings = {"findings": [{"key": key, "orphans": 4, "missing_keys": 2, "diagnosis": "parents missing"}]}
    for number, plan in enumerate(({"kept": [{"key": key, "orphans": 4}]}, {"kept": [], "undoes": RUN}), start=1):
        book.write("rehearsed", f"20260701T020000Z-00000{number}", NIGHT, {"found": findings, "plan": plan})
    assert rows(page_of(tmp_path), "findings", "key", "standing") == [(key, "kept by the policy")]
