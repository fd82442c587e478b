"""How long it takes to find orphans, over what one would write by hand and over what SQLite itself offers."""

from pathlib import Path

from tests.bench.processes import act, inner, interleaved
from tests.bench.results import Figure, cpu_ratio, ratio
from tests.bench.sizes import Sizes
from tests.bench.tables import make_references

AIM = 1.15


def measure(sizes: Sizes, folder: Path) -> Figure:
    """The same four keys asked in four ways, which must all count the same orphans."""
    path = folder / "references.db"
    make_references(path, sizes.detection_rows)
    ran = interleaved(
        sizes.rounds,
        {
            "plain SQL, four NOT EXISTS": lambda: act("plain_sql", folder, database=path),
            "PRAGMA foreign_key_check": lambda: act("foreign_key_check", folder, database=path),
            "find, the kernel's way": lambda: act("find", folder, database=path),
            "run_suites, by Great Expectations": lambda: act("suites", folder, database=path),
        },
    )
    counted = {one.said["orphans"] for several in ran.values() for one in several}
    if len(counted) != 1:
        raise RuntimeError(f"the four ways counted {sorted(counted)} orphans")
    plain, check, find, suites = (inner(name, several) for name, several in ran.items())
    return Figure(
        "detection",
        "Detection",
        f"{sizes.detection_rows:,} child rows, four keys, {counted.pop():,} orphans; the clock stands around the work, "
        "imports left out",
        (plain, check, find, suites),
        (
            ratio(find, plain, sizes.aim(AIM)),
            ratio(suites, plain, sizes.aim(AIM)),
            cpu_ratio(find, plain),
            cpu_ratio(suites, plain),
            ratio(find, check),
            ratio(suites, check),
        ),
    )
