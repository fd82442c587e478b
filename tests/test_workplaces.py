"""The folders of runs: who comes or goes beside others never takes theirs."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from upkeep.workplaces import sweep, workplace


def test_runs_that_begin_and_end_at_once_never_remove_each_others_folder_p95(tmp_path: Path) -> None:
    def come_and_go(run: str) -> None:
        for number in range(25):
            with workplace(tmp_path, "main", f"{run}-{number}") as folder:
                (folder / "rows").write_text(run)
                assert sweep(tmp_path, "main") == ()
                assert (folder / "rows").read_text() == run

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(come_and_go, "abcd")) == [None] * 4
    assert [*(tmp_path / "main").iterdir()] == []


def test_a_folder_that_nobody_holds_is_swept_whether_its_lock_was_made_or_not_p95(tmp_path: Path) -> None:
    assert sweep(tmp_path, "main") == ()
    with workplace(tmp_path, "main", "living"):
        for name in ("with-a-lock", "without"):
            (tmp_path / "main" / name).mkdir()
        (tmp_path / "main" / "with-a-lock" / "in-use").touch()
        assert sweep(tmp_path, "main") == ("with-a-lock", "without")
