"""How long a program that writes all the time waits at most for one commit while Upkeep is at work."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.engines import Engine
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


def measure(sizes: Sizes, folder: Path, engine: Engine) -> Figure:
    """One clinic in each mode in which the engine lets writers in, and a fresh copy where a performance migrates."""
    clinic = make_clinic(folder / "clinic", sizes.clinic_mib)
    size = clinic.stat().st_size / 2**20
    series, ratios, notes = [], [], []
    for mode in engine.modes:
        diary = _of_mode(mode, clinic, sizes, folder, engine)
        idle = diary.longest("idle")
        for step in diary.windows:
            name = f"{mode}: {step}"
            series.append(Series(name, (diary.longest(step),), "ms"))
            if step != "idle":
                ratios.append(Ratio(name, f"{mode}: idle", diary.longest(step) / idle))
        notes += [f"{mode}: {note}" for note in (*diary.notes, f"{len(diary.waits):,} commits, none failed")]
    exchange = (
        "; the exchange copies the database under the write lock and writes it back, so it grows with the database"
    )
    return Figure(
        "waiting",
        "Longest wait of a writer",
        f"a process of its own inserts and commits with a pause of 2 ms, in a clinic of {size:.0f} MiB"
        f"{exchange if engine.exchanges else ''}",
        tuple(series),
        tuple(ratios),
        tuple(notes),
    )


def _of_mode(mode: str, clinic: Path, sizes: Sizes, folder: Path, engine: Engine) -> Diary:
    diary = Diary()
    at = folder / f"{mode}-1"
    with _written_to(clinic, mode, at, diary, engine) as settings:
        diary.windows["idle"] = _idle(sizes.idle_seconds)
        diary.windows["back up"] = _back_up(at, settings, engine)
        if mode == engine.modes[0] or sizes.wal_nightly:
            diary.windows["whole nightly"] = _nightly(at, settings)
            diary.windows["nightly that only looks"] = _nightly(at, settings | {"UPKEEP_POLICY": _without_restore(at)})
        diary.windows["perform in a transaction"] = _perform(at, settings, diary, migrate=False)
    if engine.exchanges:
        at = folder / f"{mode}-2"
        with _written_to(clinic, mode, at, diary, engine) as settings:
            diary.windows["perform by exchange, with migration"] = _perform(at, settings, diary, migrate=True)
    return diary


def _back_up(at: Path, settings: dict[str, str], engine: Engine) -> Window:
    url, store = settings["DATABASE_URL"], settings["UPKEEP_STORE"]
    taken = act("back_up", at, database=url, programs=engine.programs, store=store, workplace=at / "work")
    begun, ended = taken.said["window"]
    return begun, ended


def _nightly(at: Path, settings: dict[str, str]) -> Window:
    begun = time.monotonic()
    run([sys.executable, "-c", UPKEEP, "maintain", "--json"], at, settings)
    return begun, time.monotonic()


def _without_restore(at: Path) -> str:
    """The clinic's policy, by which no night restores its backup."""
    path = at / "policy.toml"
    path.write_text('[run]\nsnapshot = "never"\n' + (HOUSE / "examples/clinic/policy.toml").read_text())
    return str(path)


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
def _written_to(clinic: Path, mode: str, at: Path, diary: Diary, engine: Engine) -> Iterator[dict[str, str]]:
    """A copy of the clinic in ``at`` with a writer at work on it; the settings for it."""
    at.mkdir()
    url = engine.clinic(clinic, mode, at)
    before = engine.count(url, "audit_log")
    (at / "prefect").symlink_to(_home(at.parent))
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.writer", url],
        env=environment(at, {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    programs = {"UPKEEP_POSTGRESQL_BIN": str(engine.programs)} if engine.programs else {}
    try:
        assert writer.stdout is not None
        writer.stdout.readline()  # it is at work: what it does not do yet nobody waits for
        yield programs | {
            "DATABASE_URL": url,
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
    after = engine.count(url, "audit_log")
    if after - before != len(waits):
        raise RuntimeError(f"the writer committed {len(waits)} rows and {after - before} are there")
    diary.waits += waits


def _home(folder: Path) -> Path:
    """One home for Prefect for all copies: making it takes ten seconds that are nobody's figure."""
    home = folder / "prefect"
    home.mkdir(exist_ok=True)
    return home
