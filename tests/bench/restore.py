"""How long a backup takes to come back, over the engine's own way to bring back the very same dump."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench.engines import Engine
from tests.bench.processes import Ran, act, inner, interleaved, outer, part, run
from tests.bench.results import Figure, cpu_ratio, memory_ratio, ratio
from tests.bench.sizes import Sizes
from tests.bench.tables import make_records

FLAT = 1.2
OURS = "bring_back and prove"


def measure(sizes: Sizes, folder: Path, engine: Engine) -> Figure:
    """Brought back alone and brought back with proof, beside its like by hand; ours at a tenth of the size too."""
    taken = _taken(engine, folder, "source", sizes.backup_mib)
    tenth = _taken(engine, folder, "tenth", max(sizes.backup_mib // 10, 1))
    by_hand = engine.restores_by_hand(folder, taken["dump"], "restored")
    ran = interleaved(
        sizes.rounds,
        {name: partial(run, command, folder) for name, command in by_hand.items()}
        | {OURS: _restoring(engine, folder, taken), f"{OURS}, a tenth of the size": _restoring(engine, folder, tenth)},
    )
    measures = [outer(name, ran[name]) for name in by_hand]
    both, small = (inner(name, ran[name]) for name in (OURS, f"{OURS}, a tenth of the size"))
    brought = part("bring_back", ran[OURS], "bring_back")
    own = (cpu_ratio(both, measures[-1]), memory_ratio(both, measures[0])) if engine.works_here else ()
    return Figure(
        "restore",
        "Restore",
        f"{taken['plain'] / 2**20:.0f} MiB of dump out of a directory store; proof is the engine's own check and a "
        "content digest of every table",
        (*measures, both, brought, part("prove", ran[OURS], "prove"), small),
        (
            ratio(brought, measures[0]),
            *(ratio(both, measure) for measure in measures),
            memory_ratio(both, small, sizes.aim(FLAT)),
            *own,
        ),
    )


def _taken(engine: Engine, folder: Path, name: str, mib: int) -> dict[str, Any]:
    """A backup in a store of its own."""
    database = engine.made(folder, name, partial(make_records, mib=mib))
    store = (folder / f"store-{name}").as_uri()
    work = folder / "work"
    taken = act("back_up", folder, database=database, programs=engine.programs, store=store, workplace=work)
    return taken.said | {"store": store}


def _restoring(engine: Engine, folder: Path, taken: dict[str, Any]) -> Callable[[], Ran]:
    def restoring() -> Ran:
        engine.clear(folder, "restored")
        target = engine.url(folder, "restored")
        manifest, store = taken["manifest"], taken["store"]
        return act("restore", folder, manifest=manifest, programs=engine.programs, store=store, target=target)

    return restoring
