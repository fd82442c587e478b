"""How long a backup takes over the engine's own tool and `zstd -3`; its memory should not grow with the database."""

import shutil
from functools import partial
from pathlib import Path

from tests.bench.engines import Engine
from tests.bench.processes import Ran, act, inner, interleaved, outer, part, run
from tests.bench.results import Figure, cpu_ratio, memory_ratio, ratio
from tests.bench.sizes import Sizes
from tests.bench.tables import make_records

FLAT = 1.2


def measure(sizes: Sizes, folder: Path, engine: Engine) -> Figure:
    """Both ways on the large database; ours on one a tenth as large as well."""
    large = engine.made(folder, "large", partial(make_records, mib=sizes.backup_mib))
    small = engine.made(folder, "small", partial(make_records, mib=max(sizes.backup_mib // 10, 1)))
    by_hand_name, command = engine.backup_by_hand(folder, "large")
    ran = interleaved(
        sizes.rounds,
        {
            by_hand_name: lambda: run(command, folder),
            "take_backup": lambda: back_up(engine, large, folder),
            "take_backup, a tenth of the size": lambda: back_up(engine, small, folder),
        },
    )
    by_hand = outer(by_hand_name, ran[by_hand_name])
    whole = inner("take_backup", ran["take_backup"])
    tenth = inner("take_backup, a tenth of the size", ran["take_backup, a tenth of the size"])
    said = ran["take_backup"][-1].said
    by_hand_bytes = (folder / "by-hand.zst").stat().st_size
    if by_hand_bytes < said["stored"] // 2:
        raise RuntimeError(f"the backup by hand has {by_hand_bytes} bytes and ours {said['stored']}: it broke off")
    own = (cpu_ratio(whole, by_hand), memory_ratio(whole, by_hand)) if engine.works_here else ()
    return Figure(
        "backup",
        "Backup",
        f"{said['plain'] / 2**20:.0f} MiB of dump into a directory store, flushed to the disk, with census, "
        "digests and manifest; by hand two programs and nothing of that",
        (
            by_hand,
            whole,
            part("take_backup, copying", ran["take_backup"], "copying"),
            part("take_backup, counting, compressing and storing", ran["take_backup"], "storing"),
            tenth,
        ),
        (
            ratio(whole, by_hand, sizes.aim(engine.aims["backup"])),
            memory_ratio(whole, tenth, sizes.aim(FLAT)),
            *own,
        ),
        (f"stored bytes: {said['stored']:,} ours, {by_hand_bytes:,} by hand",),
    )


def back_up(engine: Engine, database: str, folder: Path) -> Ran:
    """One backup into a store of its own, which is gone afterwards."""
    store, work = folder / "store", folder / "work"
    try:
        return act("back_up", folder, database=database, programs=engine.programs, store=store.as_uri(), workplace=work)
    finally:
        shutil.rmtree(store, ignore_errors=True)
