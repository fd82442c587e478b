"""How far a large plan has come is told piece by piece while it is worked with, and is written to the log."""

import logging
from collections import defaultdict
from pathlib import Path

from tasks.progress import told_in_log
from tests.bench.large_plan import build
from upkeep.databases.opening import open_database
from upkeep.finding import find, keys_of
from upkeep.mending import mend
from upkeep.planning import Planner
from upkeep.policy import Policy
from upkeep.telling import Tell

BY = Policy.model_validate({"rule": [{"child": "visits", "orphan": ["keep"]}, {"child": "*", "orphan": ["delete"]}]})
ROWS = 12_000


def work_on(path: Path, tell: Tell) -> int:
    """Plan and perform; how many rows."""
    build(path, ROWS)
    database = open_database("clinic", f"sqlite:///{path}")
    with database.reading() as reading:
        keys = keys_of(reading, BY)
        findings = tuple(find(reading, key, limit=0) for key in keys)
        plan = Planner(reading, keys, BY, tell=tell).plan("clinic", findings, None)
    with database.writing() as writing:
        return len(mend(writing, plan, keys, tell).changes)


def test_every_row_of_a_plan_is_told_once_in_each_part_of_the_work(tmp_path: Path) -> None:
    told: dict[str, list[int]] = defaultdict(list)
    assert work_on(tmp_path / "a.db", lambda what, rows: told[what].append(rows)) == ROWS
    assert {what: sum(rows) for what, rows in told.items()} == dict.fromkeys(
        ("found", "planned", "checked", "changed", "compared"), ROWS
    )
    assert max(map(max, told.values())) == 5000, "piece by piece"


def test_the_log_counts_the_rows(tmp_path: Path) -> None:
    lines: list[str] = []
    handler = logging.Handler(logging.INFO)
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]  # what it is for
    log = logging.getLogger("prefect.upkeep")
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        work_on(tmp_path / "a.db", told_in_log(0))
        told_in_log(3600)("found", 1)
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
    assert lines[0] == "5,000 rows found so far"
    assert lines[-1] == "12,000 rows compared so far"
    assert "1 rows found so far" not in lines
