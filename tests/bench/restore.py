"""How long a backup takes to come back, over `zstd -d` to a file that is flushed and moved into place."""

from pathlib import Path

from tests.bench.processes import Ran, act, inner, interleaved, outer, part, run
from tests.bench.results import Figure, cpu_ratio, memory_ratio, ratio
from tests.bench.sizes import Sizes
from tests.bench.tables import make_records

BY_HAND = 'rm -f "$2" && zstd -d -q -f -o "$2.part" "$1" && sync "$2.part" && mv "$2.part" "$2"'
PROVEN_BY_HAND = f"{BY_HAND} && sqlite3 \"$2\" 'PRAGMA integrity_check'"


def measure(sizes: Sizes, folder: Path) -> Figure:
    """Brought back alone and brought back with proof, each beside its like by hand."""
    source, target = folder / "source.db", folder / "restored.db"
    make_records(source, sizes.backup_mib)
    store = (folder / "store").as_uri()
    taken = act("back_up", folder, database=source, store=store, workplace=folder / "work").said

    def ours() -> Ran:
        target.unlink(missing_ok=True)
        return act("restore", folder, manifest=taken["manifest"], store=store, target=target)

    ran = interleaved(
        sizes.rounds,
        {
            "zstd -d": lambda: run(["sh", "-c", BY_HAND, "sh", taken["dump"], target], folder),
            "zstd -d, integrity_check": lambda: run(["sh", "-c", PROVEN_BY_HAND, "sh", taken["dump"], target], folder),
            "bring_back and prove": ours,
        },
    )
    plain, proven = (outer(name, ran[name]) for name in ("zstd -d", "zstd -d, integrity_check"))
    both = inner("bring_back and prove", ran["bring_back and prove"])
    brought = part("bring_back", ran["bring_back and prove"], "bring_back")
    return Figure(
        "restore",
        "Restore",
        f"{taken['plain'] / 2**20:.0f} MiB out of a directory store; proof is the integrity check and a content digest "
        "of every table",
        (plain, proven, both, brought, part("prove", ran["bring_back and prove"], "prove")),
        (
            ratio(brought, plain),
            ratio(both, plain),
            ratio(both, proven),
            cpu_ratio(both, proven),
            memory_ratio(both, plain),
        ),
    )
