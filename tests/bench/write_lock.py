"""How long a performance holds the write lock: it should grow with the plan and not with the database."""

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.bench.processes import Ran, act, inner, interleaved, part
from tests.bench.results import Figure, Ratio, cpu_ratio, ratio
from tests.bench.sizes import Sizes
from tests.bench.tables import make_damaged

AIM = 2.0


def measure(sizes: Sizes, folder: Path) -> Figure:
    """The same plan in a small and in a large database, with indexes on the foreign keys and without."""
    things = {}
    for indexed in (True, False):
        for rows in sizes.lock_rows:
            name = f"{rows:,} rows, {'indexed' if indexed else 'no index on the keys'}"
            path = folder / f"{rows}-{indexed}.db"
            make_damaged(path, rows, sizes.lock_repairs, indexed=indexed)
            things[name] = path
    ran = interleaved(sizes.rounds, {name: _mending(path, folder) for name, path in things.items()})
    repaired = {one.said["rows"] for several in ran.values() for one in several}
    if repaired != {sizes.lock_repairs}:
        raise RuntimeError(f"{sizes.lock_repairs} repairs were due and {sorted(repaired)} were done")
    series = [inner(name, several) for name, several in ran.items()]
    planning = [
        part(f"{name}: drawing up the plan, nothing locked", several, "planning") for name, several in ran.items()
    ]
    return Figure(
        "write-lock",
        "Write lock of a performance",
        f"{sizes.lock_repairs:,} repairs in three waves; from BEGIN IMMEDIATE to the commit",
        (*series, *planning),
        (
            ratio(series[1], series[0], sizes.aim(AIM)),
            cpu_ratio(series[1], series[0]),
            ratio(series[3], series[2]),
            _growth(sizes),
        ),
    )


def _mending(path: Path, folder: Path) -> Callable[[], Ran]:
    def mending() -> Ran:
        copy = folder / "copy.db"
        shutil.copyfile(path, copy)
        return act("mend", folder, database=f"sqlite:///{copy}")

    return mending


def _growth(sizes: Sizes) -> Ratio:
    small, large = sizes.lock_rows
    return Ratio("rows of the large database", "those of the small one", large / small)
