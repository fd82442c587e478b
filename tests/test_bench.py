"""The bench measures what the design asks for: every figure at a size that says nothing of any speed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bench import __main__ as bench
from tests.bench.pages import figure_text, page
from tests.bench.processes import HOUSE, environment
from tests.bench.results import Ratio, Series, memory_ratio, ratio
from tests.bench.sizes import FULL, QUICK, TINY
from tests.servers import postgresql as servers

CHEAP = ("detection", "many-keys", "backup", "restore", "write-lock", "large-plan")
ON_POSTGRESQL = ("postgresql-detection", "postgresql-many-keys", "postgresql-backup", "postgresql-restore")
WITH_PREFECT = ("fixed-cost", "waiting")


def measured(folder: Path, *figures: str, more: tuple[str, ...] = ()) -> tuple[dict[str, Any], str]:
    """What the bench writes, and what it prints."""
    path = folder / "figures.json"
    only = [word for figure in figures for word in ("--only", figure)]
    ran = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--size", "tiny", "--json", path, "--folder", folder, *only, *more],
        cwd=HOUSE,
        env=environment(folder, {}),
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    document: dict[str, Any] = json.loads(path.read_text())
    return document, ran.stdout


def sound(document: dict[str, Any], *figures: str) -> None:
    """Every figure that was asked for is there, each with numbers and a machine."""
    assert [figure["name"] for figure in document["figures"]] == list(figures)
    assert document["machine"]["cores"] >= 1
    assert {"python", "sqlite", "sqlite3", "zstd", "upkeep"} <= document["machine"]["versions"].keys()
    for figure in document["figures"]:
        assert all(series["best"] > 0 for series in figure["series"])
        assert all(
            ratio["value"] > 0 and (ratio["aim"] is None) == (ratio["met"] is None) for ratio in figure["ratios"]
        )
        assert figure["ratios"]


def compared(document: dict[str, Any], name: str) -> set[tuple[str, str]]:
    """What is compared with what in one figure."""
    (figure,) = (figure for figure in document["figures"] if figure["name"] == name)
    return {(ratio["what"], ratio["over"]) for ratio in figure["ratios"]}


def test_detection_backup_restore_and_write_lock_are_measured_beside_what_one_would_do_by_hand(tmp_path: Path) -> None:
    document, printed = measured(tmp_path, *CHEAP)
    sound(document, *CHEAP)
    for way in ("find, the kernel's way", "run_suites, by Great Expectations"):
        for over in ("plain SQL, four NOT EXISTS", "PRAGMA foreign_key_check"):
            assert (way, over) in compared(document, "detection")
    assert ("take_backup", "sqlite3 .backup, zstd -3") in compared(document, "backup")
    peaks = {s["name"]: s["peak_mib"] for figure in document["figures"] for s in figure["series"]}
    assert peaks["take_backup"] > 0
    assert peaks["sqlite3 .backup, zstd -3"] > 0
    assert "Write lock of a performance" in printed
    shown = page(document)
    assert all(f"## {figure['title']}" in shown for figure in document["figures"])


@pytest.mark.usefixtures("wheel_postgresql")
def test_postgresql_is_measured_by_the_same_figures_beside_its_own_tools(tmp_path: Path) -> None:
    document, printed = measured(tmp_path, *ON_POSTGRESQL)
    sound(document, *ON_POSTGRESQL)
    assert document["left_out"] == []
    for way in ("find, the kernel's way", "run_suites, by Great Expectations"):
        assert (way, "plain SQL, four NOT EXISTS") in compared(document, "postgresql-detection")
    by_hand = "pg_dump -Fc -Z none | zstd -3"
    assert ("take_backup", by_hand) in compared(document, "postgresql-backup")
    assert ("bring_back and prove", "zstd -d | pg_restore") in compared(document, "postgresql-restore")
    tenth = "take_backup, a tenth of the size"
    assert ("peak memory of take_backup", tenth) in compared(document, "postgresql-backup")
    assert "Backup on PostgreSQL" in printed
    assert "parallel workers for the four keys" in printed


def test_postgresql_is_left_out_aloud_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(servers, "wheel_programs", lambda: None)
    monkeypatch.setattr(servers, "system_programs", lambda: None)
    path = tmp_path / "figures.json"
    monkeypatch.setattr(sys, "argv", ["bench", "--json", str(path), "--only", ON_POSTGRESQL[0]])
    bench.main()
    assert "postgresql-detection is left out: no PostgreSQL server is installed" in capsys.readouterr().out
    document = json.loads(path.read_text())
    assert [one["name"] for one in document["left_out"]] == [ON_POSTGRESQL[0]]
    assert "- postgresql-detection is left out: no PostgreSQL server is installed" in page(document)


@pytest.mark.exhaustive
def test_one_figure_can_be_measured_anew_and_the_others_stay(tmp_path: Path) -> None:
    before, _ = measured(tmp_path, "many-keys", "write-lock")
    after, _ = measured(tmp_path, "many-keys", more=("--keep",))
    sound(after, "many-keys", "write-lock")
    assert after["figures"][0] != before["figures"][0]
    assert after["figures"][1] == before["figures"][1]


@pytest.mark.exhaustive
@pytest.mark.usefixtures("wheel_postgresql")
def test_the_longest_wait_of_a_writer_is_measured_on_postgresql_too(tmp_path: Path) -> None:
    document, printed = measured(tmp_path, "postgresql-waiting")
    sound(document, "postgresql-waiting")
    (figure,) = document["figures"]
    steps = ("idle", "back up", "whole nightly", "nightly that only looks", "perform in a transaction")
    assert [series["name"] for series in figure["series"]] == [f"postgresql: {step}" for step in steps]
    assert "none failed" in printed


@pytest.mark.exhaustive
def test_fixed_cost_and_the_longest_wait_of_a_writer_are_measured_step_by_step(tmp_path: Path) -> None:
    document, printed = measured(tmp_path, *WITH_PREFECT)
    sound(document, *WITH_PREFECT)
    fixed, waiting = ({series["name"] for series in figure["series"]} for figure in document["figures"])
    assert {"upkeep check", "upkeep maintain", "maintain, step back up", "maintain, step rehearse"} <= fixed
    steps = ("idle", "back up", "perform in a transaction", "perform by exchange, with migration")
    assert {f"{mode}: {step}" for mode in ("delete", "wal") for step in steps} <= waiting
    assert {"delete: whole nightly", "delete: nightly that only looks"} <= waiting
    assert "none failed" in printed


def test_a_ratio_is_of_the_best_of_both_and_says_whether_its_aim_is_met() -> None:
    ours, theirs = Series("ours", (3.0, 2.2, 9.0)), Series("theirs", (2.0, 4.0))
    assert ratio(ours, theirs, 1.2) == Ratio("ours", "theirs", 1.1, 1.2)
    assert [ratio(ours, theirs, aim).is_met for aim in (1.2, 1.05, None)] == [True, False, None]


def test_aims_are_for_the_full_size() -> None:
    assert [sizes.aim(1.2) for sizes in (FULL, QUICK, TINY)] == [1.2, None, None]


def test_memory_that_was_not_measured_is_no_ratio() -> None:
    with pytest.raises(ValueError, match="no memory was measured of ours or theirs"):
        memory_ratio(Series("ours", (1.0,), peak_mib=5.0), Series("theirs", (1.0,)))


def test_a_missed_aim_is_said_aloud() -> None:
    figure = {
        "title": "Backup",
        "told": "how",
        "series": [Series("ours", (0.05,), peak_mib=12.0).document()],
        "ratios": [Ratio("ours", "theirs", 1.5, 1.2).document()],
        "notes": [],
    }
    assert "1.50 x  ours over theirs   aim at most 1.2: MISSED" in figure_text(figure)
    assert "50.0 ms" in figure_text(figure)
