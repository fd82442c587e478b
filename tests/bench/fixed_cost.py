"""What `upkeep check` and `upkeep maintain` cost where there is next to nothing to do."""

import sys
from functools import partial
from pathlib import Path

from tests.bench.engines import on_sqlite
from tests.bench.processes import Ran, interleaved, outer, run
from tests.bench.results import Figure, Series, ratio
from tests.bench.sizes import Sizes
from tests.bench.tables import make_references

FLOW = "from prefect import flow\n@flow\ndef nothing(): pass\nnothing()"
UPKEEP = "from upkeep.cli import main; main()"


def measure(sizes: Sizes, folder: Path) -> Figure:
    """Whole processes by the wall clock; the steps as `maintain` itself reports them."""
    with on_sqlite() as engine:
        url = engine.made(folder, "tiny", partial(make_references, rows=2000))
    settings = {
        "DATABASE_URL": url,
        "UPKEEP_STORE": (folder / "store").as_uri(),
        "UPKEEP_SCRATCH": str(folder / "scratch"),
    }

    def upkeep(*words: str) -> Ran:
        return run([sys.executable, "-c", UPKEEP, *words, "--json"], folder, settings, allowed=(0, 1))

    def flow() -> Ran:
        return run([sys.executable, "-c", FLOW], folder)

    first = outer("the first Prefect flow of a new home", [flow()])
    ran = interleaved(
        sizes.starts,
        {
            "python -c pass": lambda: run([sys.executable, "-c", "pass"], folder),
            "a Prefect flow that does nothing": flow,
            "upkeep check": lambda: upkeep("check"),
            "upkeep maintain": lambda: upkeep("maintain"),
        },
    )
    whole = {name: outer(name, several) for name, several in ran.items()}
    steps = _steps(ran["upkeep maintain"])
    rest = Series(
        "maintain, the rest: start, imports, Prefect",
        tuple(one.seconds - _seconds(one) for one in ran["upkeep maintain"]),
    )
    nothing, trivial = whole["python -c pass"], whole["a Prefect flow that does nothing"]
    return Figure(
        "fixed-cost",
        "Fixed cost on a tiny database",
        "2,000 child rows, four keys, no policy, no migrations; whole processes, in a used Prefect home",
        (first, *whole.values(), *steps, rest),
        (
            ratio(whole["upkeep check"], nothing),
            ratio(whole["upkeep maintain"], trivial),
            ratio(rest, trivial),
        ),
    )


def _seconds(ran: Ran) -> float:
    return float(sum(step["seconds"] for step in ran.said["steps"]))


def _steps(ran: list[Ran]) -> tuple[Series, ...]:
    names = [step["name"] for step in ran[0].said["steps"]]
    return tuple(
        Series(
            f"maintain, step {name}",
            tuple(step["seconds"] for one in ran for step in one.said["steps"] if step["name"] == name),
        )
        for name in names
    )
