"""How long it takes to find orphans, over what one would write by hand and over what the engine itself offers."""

from functools import partial
from pathlib import Path

from tests.bench.engines import Engine
from tests.bench.processes import Ran, act, inner, interleaved
from tests.bench.results import Figure, Series, cpu_ratio, ratio
from tests.bench.sizes import Sizes
from tests.bench.tables import make_many_keys, make_references

SUITES = "run_suites, by Great Expectations"
OURS = {"find, the kernel's way": "find", SUITES: "suites"}
MANY_KEYS_SECONDS = 2


def measure(sizes: Sizes, folder: Path, engine: Engine) -> Figure:
    """The same four keys asked in every way, all of which must count the same orphans."""
    url = engine.made(folder, "references", partial(make_references, rows=sizes.detection_rows))
    by_hand, ours, orphans = _asked(sizes, folder, engine, url)
    return Figure(
        "detection",
        "Detection",
        f"{sizes.detection_rows:,} child rows, four keys, {orphans:,} orphans; the clock stands around the work, "
        "imports left out",
        (*by_hand.values(), *ours),
        (
            *(
                ratio(one, other, aim and sizes.aim(aim))
                for name, other in by_hand.items()
                for aim in [engine.aims.get(name)]
                for one in ours
            ),
            *(cpu_ratio(one, other) for other in by_hand.values() for one in ours if engine.works_here),
        ),
        engine.notes(url, folder),
    )


def measure_many_keys(sizes: Sizes, folder: Path, engine: Engine) -> Figure:
    """What each key costs where there are next to no rows."""
    url = engine.made(folder, "keys", make_many_keys)
    by_hand, ours, orphans = _asked(sizes, folder, engine, url)
    (suites,) = (one for one in ours if one.name == SUITES)
    met = f": {'met' if suites.best < MANY_KEYS_SECONDS else 'MISSED'}" if sizes.is_judged else ""
    return Figure(
        "many-keys",
        "Detection of a hundred keys on a tiny schema",
        f"25 tables of one row, {orphans} orphans; the clock stands around the work, imports left out",
        (*by_hand.values(), *ours),
        tuple(ratio(one, other) for other in by_hand.values() for one in ours),
        (f"all keys by Great Expectations in {suites.best:.2f} s, the aim is {MANY_KEYS_SECONDS} s{met}",),
    )


def _asked(sizes: Sizes, folder: Path, engine: Engine, url: str) -> tuple[dict[str, Series], tuple[Series, ...], int]:
    """The ways by hand by their names, our ways, and how many orphans all of them counted."""

    def asking(verb: str) -> Ran:
        return act(verb, folder, database=url)

    ways = {**engine.ways, **OURS}
    ran = interleaved(sizes.rounds, {name: partial(asking, verb) for name, verb in ways.items()})
    counted = {one.said["orphans"] for several in ran.values() for one in several}
    if len(counted) != 1:
        raise RuntimeError(f"the {len(ways)} ways counted {sorted(counted)} orphans")
    series = {name: inner(name, several) for name, several in ran.items()}
    return {name: series[name] for name in engine.ways}, tuple(series[name] for name in OURS), counted.pop()
