"""How long it takes to find orphans, over what one would write by hand and over what the engine itself offers."""

from functools import partial
from pathlib import Path

from tests.bench.engines import Engine
from tests.bench.processes import Ran, act, inner, interleaved
from tests.bench.results import Figure, cpu_ratio, ratio
from tests.bench.sizes import Sizes
from tests.bench.tables import make_references

OURS = {"find, the kernel's way": "find", "run_suites, by Great Expectations": "suites"}


def measure(sizes: Sizes, folder: Path, engine: Engine) -> Figure:
    """The same four keys asked in every way, all of which must count the same orphans."""
    url = engine.made(folder, "references", partial(make_references, rows=sizes.detection_rows))

    def asking(verb: str) -> Ran:
        return act(verb, folder, database=url)

    ways = {**engine.ways, **OURS}
    ran = interleaved(sizes.rounds, {name: partial(asking, verb) for name, verb in ways.items()})
    counted = {one.said["orphans"] for several in ran.values() for one in several}
    if len(counted) != 1:
        raise RuntimeError(f"the {len(ways)} ways counted {sorted(counted)} orphans")
    series = {name: inner(name, several) for name, several in ran.items()}
    by_hand = [(series[name], engine.aims.get(name)) for name in engine.ways]
    ours = [series[name] for name in OURS]
    return Figure(
        "detection",
        "Detection",
        f"{sizes.detection_rows:,} child rows, four keys, {counted.pop():,} orphans; the clock stands around the work, "
        "imports left out",
        tuple(series.values()),
        (
            *(ratio(one, other, aim and sizes.aim(aim)) for other, aim in by_hand for one in ours),
            *(cpu_ratio(one, other) for other, _ in by_hand for one in ours if engine.works_here),
        ),
        engine.notes(url, folder),
    )
