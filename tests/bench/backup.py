"""How long a backup takes over `sqlite3 .backup | zstd -3`, and that its memory does not grow with the database."""

import shutil
from pathlib import Path

from tests.bench.processes import Ran, act, inner, interleaved, outer, part, run
from tests.bench.results import Figure, cpu_ratio, memory_ratio, ratio
from tests.bench.sizes import Sizes
from tests.bench.tables import make_records

AIM = 1.2
FLAT = 1.2
# .backup needs a file in which it can seek, so the pipe of the pair is a file between them, as it is in Upkeep.
BY_HAND = (
    'sqlite3 "$1" ".backup $2/by-hand.db" && zstd -q -3 -f -o "$2/by-hand.zst" "$2/by-hand.db" && rm "$2/by-hand.db"'
)


def measure(sizes: Sizes, folder: Path) -> Figure:
    """Both ways on the large database; ours on one a tenth as large as well."""
    large, small = folder / "large.db", folder / "small.db"
    make_records(large, sizes.backup_mib)
    make_records(small, max(sizes.backup_mib // 10, 1))
    ran = interleaved(
        sizes.rounds,
        {
            "sqlite3 .backup, zstd -3": lambda: run(["sh", "-c", BY_HAND, "sh", large, folder], folder),
            "take_backup": lambda: back_up(large, folder),
            "take_backup, a tenth of the size": lambda: back_up(small, folder),
        },
    )
    by_hand = outer("sqlite3 .backup, zstd -3", ran["sqlite3 .backup, zstd -3"])
    whole = inner("take_backup", ran["take_backup"])
    tenth = inner("take_backup, a tenth of the size", ran["take_backup, a tenth of the size"])
    said = ran["take_backup"][-1].said
    by_hand_bytes = (folder / "by-hand.zst").stat().st_size
    return Figure(
        "backup",
        "Backup",
        f"{said['plain'] / 2**20:.0f} MiB of rows into a directory store, flushed to the disk, with census, "
        "digests and manifest; by hand two programs and nothing of that",
        (
            by_hand,
            whole,
            part("take_backup, copying and counting", ran["take_backup"], "copying"),
            part("take_backup, compressing and storing", ran["take_backup"], "storing"),
            tenth,
        ),
        (
            ratio(whole, by_hand, sizes.aim(AIM)),
            cpu_ratio(whole, by_hand),
            memory_ratio(whole, tenth, sizes.aim(FLAT)),
            memory_ratio(whole, by_hand),
        ),
        (f"stored bytes: {said['stored']:,} ours, {by_hand_bytes:,} by hand",),
    )


def back_up(database: Path, folder: Path) -> Ran:
    """One backup into a store of its own, which is gone afterwards."""
    store = folder / "store"
    try:
        return act("back_up", folder, database=database, store=store.as_uri(), workplace=folder / "work")
    finally:
        shutil.rmtree(store, ignore_errors=True)
