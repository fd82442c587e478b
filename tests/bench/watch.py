"""The clock of a measured process."""

import time
from pathlib import Path
from typing import Any

Said = dict[str, Any]


class Watch:
    """Seconds by the wall clock, and of this process's own work on all its threads, since it was made."""

    def __init__(self) -> None:
        self._begun, self._worked = time.perf_counter(), time.process_time()

    @property
    def seconds(self) -> float:
        """By the wall clock."""
        return time.perf_counter() - self._begun

    def said(self) -> Said:
        """Both, as an act says them."""
        return {"seconds": self.seconds, "cpu": time.process_time() - self._worked}


def own_peak_mib() -> float:
    """The most memory that this process held since its program began; whoever waits for it sees its maker's counted."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024
