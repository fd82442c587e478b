"""How long a program that writes all the time waits at most for one commit while Upkeep is at work."""

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.fixed_cost import UPKEEP
from tests.bench.processes import HOUSE, act, environment, run
from tests.bench.results import Figure, Ratio, Series
from tests.bench.sizes import Sizes
from tests.bench.tables import make_clinic

Window = tuple[float, float]


@dataclass
class Diary:
    """When each step ran, and every commit of the writer once it has ended."""

    windows: dict[str, Window] = field(default_factory=dict)
    waits: list[tuple[float, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def longest(self, step: str) -> float:
        """The longest wait in ms of a commit that was under way while ``step`` ran."""
        begun, ended = self.windows[step]
        return 1000 * max((wait for at, wait in self.waits if at < ended and at + wait > begun), default=0.0)


def measure(sizes: Sizes, folder: Path) -> Figure:
    """One clinic in each journal mode, and a fresh copy of it for the performance that migrates."""
    clinic = make_clinic(folder / "clinic", sizes.clinic_mib)
    size = clinic.stat().st_size / 2**20
    series, ratios, notes = [], [], []
    for mode in ("delete", "wal"):
        diary = _of_mode(mode, clinic, sizes, folder)
        idle = diary.longest("idle")
        for step in diary.windows:
            name = f"{mode}: {step}"
            series.append(Series(name, (diary.longest(step),), "ms"))
            if step != "idle":
                ratios.append(Ratio(name, f"{mode}: idle", diary.longest(step) / idle))
        notes += [f"{mode}: {note}" for note in (*diary.notes, f"{len(diary.waits):,} commits, none failed")]
    return Figure(
        "waiting",
        "Longest wait of a writer",
        f"a process of its own inserts and commits with a pause of 2 ms, in a clinic of {size:.0f} MiB; the exchange "
        "copies the database under the write lock and writes it back, so it grows with the database",
        tuple(series),
        tuple(ratios),
        tuple(notes),
    )


def _of_mode(mode: str, clinic: Path, sizes: Sizes, folder: Path) -> Diary:
    diary = Diary()
    at = folder / f"{mode}-1"
    with _written_to(clinic, mode, at, diary) as settings:
        path = at / "clinic.db"
        diary.windows["idle"] = _idle(sizes.idle_seconds)
        taken = act("back_up", at, database=path, store=settings["UPKEEP_STORE"], workplace=at / "work").said
        diary.windows["back up"] = taken["window"]
        if mode == "delete" or sizes.wal_nightly:
            begun = time.monotonic()
            run([sys.executable, "-c", UPKEEP, "maintain", "--json"], at, settings)
            diary.windows["whole nightly"] = (begun, time.monotonic())
        diary.windows["perform in a transaction"] = _perform(at, settings, diary, migrate=False)
    at = folder / f"{mode}-2"
    with _written_to(clinic, mode, at, diary) as settings:
        diary.windows["perform by exchange, with migration"] = _perform(at, settings, diary, migrate=True)
    return diary


def _perform(at: Path, settings: dict[str, str], diary: Diary, *, migrate: bool) -> Window:
    said = act("perform", at, settings, migrate=migrate).said
    if said["tries"] > 1:
        diary.notes.append(f"the exchange came through at try {said['tries']}: the writer was quicker before")
    begun, ended = said["window"]
    return begun, ended


def _idle(seconds: float) -> Window:
    begun = time.monotonic()
    time.sleep(seconds)
    return begun, time.monotonic()


@contextmanager
def _written_to(clinic: Path, mode: str, at: Path, diary: Diary) -> Iterator[dict[str, str]]:
    """A copy of the clinic in ``at`` with a writer at work on it; the settings for it."""
    at.mkdir()
    path = at / "clinic.db"
    shutil.copyfile(clinic, path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        before = connection.execute("SELECT COUNT(*) FROM audit_log").fetchone()[0]
    (at / "prefect").symlink_to(_home(at.parent))
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.writer", str(path)],
        env=environment(at, {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield {
            "DATABASE_URL": f"sqlite:///{path}",
            "UPKEEP_DATABASE": "clinic",
            "UPKEEP_STORE": (at / "store").as_uri(),
            "UPKEEP_SCRATCH": str(at / "scratch"),
            "UPKEEP_POLICY": str(HOUSE / "examples/clinic/policy.toml"),
            "UPKEEP_ALEMBIC_INI": str(HOUSE / "examples/clinic/alembic.ini"),
        }
        output, _ = writer.communicate()
    finally:
        writer.kill()
    waits = json.loads(output)
    with closing(sqlite3.connect(path)) as connection:
        after = connection.execute("SELECT COUNT(*) FROM audit_log").fetchone()[0]
    if after - before != len(waits):
        raise RuntimeError(f"the writer committed {len(waits)} rows and {after - before} are there")
    diary.waits += waits


def _home(folder: Path) -> Path:
    """One home for Prefect for all copies: making it takes ten seconds that are nobody's figure."""
    home = folder / "prefect"
    home.mkdir(exist_ok=True)
    return home
