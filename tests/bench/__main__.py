"""`make bench`: measure the figures, print them, and write them as JSON."""

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench import backup, detection, fixed_cost, large_plan, restore, waiting, write_lock
from tests.bench.engines import Engine, on_postgresql, on_sqlite, why_no_postgresql
from tests.bench.machine import machine
from tests.bench.pages import figure_text, page
from tests.bench.processes import HOUSE
from tests.bench.results import Figure
from tests.bench.sizes import BY_NAME, Sizes

Measure = Callable[[Sizes, Path, Engine], Figure]


def _of(door: Callable[[], AbstractContextManager[Engine]], measure: Measure) -> Callable[[Sizes, Path], Figure]:
    """A figure on one engine, which is there for as long as it is measured; its title says on which."""

    def measured(sizes: Sizes, folder: Path) -> Figure:
        with door() as engine:
            figure = measure(sizes, folder, engine)
            return replace(figure, title=f"{figure.title}{engine.title}")

    return measured


ON_EVERY_ENGINE: dict[str, Measure] = {
    "detection": detection.measure,
    "many-keys": detection.measure_many_keys,
    "backup": backup.measure,
    "restore": restore.measure,
    "waiting": waiting.measure,
}
ON_POSTGRESQL = "postgresql-"
FIGURES: dict[str, Callable[[Sizes, Path], Figure]] = {
    "fixed-cost": fixed_cost.measure,
    **{name: _of(on_sqlite, measure) for name, measure in ON_EVERY_ENGINE.items()},
    "write-lock": write_lock.measure,
    "large-plan": large_plan.measure,
    # After the others: they make this process larger, and with it what it starts.
    **{f"{ON_POSTGRESQL}{name}": _of(on_postgresql, measure) for name, measure in ON_EVERY_ENGINE.items()},
}
PAGE = HOUSE / "docs" / "FIGURES.md"
BUSY = 1.2
"""The bench itself keeps about one core busy."""


def main() -> None:
    """Measure what the command line asks for."""
    asked = _asked()
    begun = time.monotonic()
    document: dict[str, Any] = {
        "machine": machine(),
        "size": asked.size,
        "taken": f"{datetime.now(UTC):%Y-%m-%d}",
        "figures": _kept(asked),
        "left_out": [],
    }
    with tempfile.TemporaryDirectory(prefix="upkeep-bench-", dir=asked.folder) as folder:
        for name in asked.only or FIGURES:
            if name.startswith(ON_POSTGRESQL) and (why := why_no_postgresql()):
                document["left_out"].append({"name": name, "why": why})
                print(f"\n{name} is left out: {why}", flush=True)
                continue
            load = _load()
            figure = _measured(name, BY_NAME[asked.size], Path(folder)).document() | {"name": name}
            figure["load"] = [load, _load()]
            document["figures"].append(figure)
            print(figure_text(figure), flush=True)
            if max(figure["load"]) > BUSY:
                print(f"  others were at work (load for each core {figure['load']}): measure it again", flush=True)
    document["figures"].sort(key=lambda figure: list(FIGURES).index(figure["name"]))
    document["seconds"] = round(time.monotonic() - begun, 1)
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(document, indent=1) + "\n")
    print(f"\n{document['seconds']:.0f} s in all; as JSON in {asked.json}")
    if asked.write:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(document))
        print(f"written to {PAGE}")


def _kept(asked: argparse.Namespace) -> list[dict[str, Any]]:
    """The figures that are not measured anew."""
    if not (asked.keep and asked.json.exists()):
        return []
    before = json.loads(asked.json.read_text())
    return [figure for figure in before["figures"] if figure["name"] not in (asked.only or FIGURES)]


def _load() -> float:
    """Programs that want to compute, for each core, over the last minute."""
    return round(os.getloadavg()[0] / (os.cpu_count() or 1), 2)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.set_defaults(size="full")
    parser.add_argument("--quick", dest="size", action="store_const", const="quick", help="a tenth of the size")
    parser.add_argument("--size", choices=BY_NAME, help="full, quick, or tiny for a smoke test")
    parser.add_argument("--only", action="append", choices=FIGURES, metavar="FIGURE", help=", ".join(FIGURES))
    parser.add_argument("--keep", action="store_true", help="keep the other figures that the JSON file has")
    parser.add_argument("--json", type=Path, default=Path("build/figures.json"), help="where the figures are written")
    parser.add_argument("--folder", type=Path, help="the folder for databases; unset, the system's temporary one")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(HOUSE)} too")
    return parser.parse_args()


def _measured(name: str, sizes: Sizes, folder: Path) -> Figure:
    """One figure in a folder of its own, so that a large one leaves the disk to the next."""
    own = folder / name
    own.mkdir()
    try:
        return FIGURES[name](sizes, own)
    finally:
        shutil.rmtree(own)


if __name__ == "__main__":
    main()
