"""Running one process to its end: the seconds that it took, the most memory that it held, what it said."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.results import Series

HOUSE = Path(__file__).parents[2]
_LASTING = ("HOME", "LANG", "PATH")


@dataclass(frozen=True)
class Ran:
    """A process that ended: wall-clock ``seconds``, ``cpu`` seconds, ``peak_mib`` resident, and its standard output."""

    seconds: float
    cpu: float
    peak_mib: float
    output: str
    code: int

    @property
    def said(self) -> dict[str, Any]:
        """The output as the JSON that it is."""
        document: dict[str, Any] = json.loads(self.output)
        return document


def environment(folder: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """What a measured process sees: nothing of the settings of whoever measures, and a Prefect of its own."""
    quiet = {
        "DO_NOT_TRACK": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "ERROR",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300",
        "PREFECT_HOME": str(folder / "prefect"),
        "PYTHONPATH": str(HOUSE),
    }
    return {name: os.environ[name] for name in _LASTING if name in os.environ} | quiet | dict(extra)


def run(
    command: Sequence[str | Path], folder: Path, extra: Mapping[str, str] = {}, *, allowed: Sequence[int] = (0,)
) -> Ran:
    """Run ``command`` in ``folder``; raises RuntimeError for an exit code that is not ``allowed``.

    Linux counts the memory of whoever forks into the peak of the child, so this process must import nothing large.
    """
    begun = time.perf_counter()
    with (folder / "errors.txt").open("w+") as errors:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            env=environment(folder, extra),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        assert process.stdout is not None
        with process.stdout:
            output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in allowed:
            errors.seek(0)
            raise RuntimeError(
                f"{' '.join(map(str, command))} ended with {process.returncode}: {errors.read()[-2000:]}"
            )
    return Ran(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output, process.returncode)


def act(verb: str, folder: Path, extra: Mapping[str, str] = {}, **asked: Any) -> Ran:
    """One of ``tests.bench.acts`` in a process of its own; what it says holds its ``seconds`` without imports."""
    return run([sys.executable, "-m", "tests.bench.acts", verb, json.dumps(asked, default=str)], folder, extra)


def interleaved(rounds: int, things: Mapping[str, Callable[[], Ran]]) -> dict[str, list[Ran]]:
    """Each thing once in every round, so that what disturbs the machine disturbs all of them."""
    ran: dict[str, list[Ran]] = {name: [] for name in things}
    for number in range(rounds):
        names = list(things)
        for name in names if number % 2 == 0 else reversed(names):
            ran[name].append(things[name]())
    return ran


def outer(name: str, ran: Sequence[Ran]) -> Series:
    """How long whole processes took."""
    cpu = min(one.cpu for one in ran)
    return Series(name, tuple(one.seconds for one in ran), peak_mib=max(one.peak_mib for one in ran), cpu=cpu)


def inner(name: str, ran: Sequence[Ran]) -> Series:
    """How long acts took by their own clock, their imports left out."""
    said = [one.said for one in ran]
    peak, cpu = max(one.peak_mib for one in ran), min(one["cpu"] for one in said)
    return Series(name, tuple(one["seconds"] for one in said), peak_mib=peak, cpu=cpu)


def part(name: str, ran: Sequence[Ran], seconds: str) -> Series:
    """How long one part of acts took, by the name under which they say it."""
    return Series(name, tuple(one.said[seconds] for one in ran))
