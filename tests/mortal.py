"""Runs that can be killed: one process that has imported everything forks a child for each, and a child may have a fatal moment.

Started as ``python -m tests.mortal``; reads one JSON request a line and answers each with two lines: the child's process
number, then its wait status. Forked, a run begins within milliseconds, where a new interpreter would need ten seconds.
"""

import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

import expectations.run  # noqa: F401 - so that no child has to import it
from flows.maintenance import maintain
from upkeep.errors import UpkeepError

OURS = ("flows", "tasks", "upkeep")


class Fate:
    """Kills its own process at the ``nth`` time that ``function`` of our own ``file`` is called or returns."""

    def __init__(self, moment: str) -> None:
        """``moment`` is written "call tasks/performance.py:perform 1"."""
        self._event, place, nth = moment.split()
        self._file, self._function = place.split(":")
        self._left = int(nth)

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        """What ``sys.setprofile`` calls."""
        code = frame.f_code
        if event == self._event and code.co_name == self._function and code.co_filename.endswith(self._file):
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def live(request: dict[str, Any]) -> int:
    """The child: one run of the runbook; what it came to stands in the request's ``answer`` file."""
    os.environ.update(request["environment"])
    if request["moment"]:
        fate = Fate(request["moment"])
        threading.setprofile(fate)
        sys.setprofile(fate)
    try:
        report = maintain(**request["parameters"], return_state=True).result(raise_on_failure=False)
        if isinstance(report, BaseException):
            raise report
        document = report.document()
    except UpkeepError as error:
        document = {"error": error.message, "hint": error.hint, "exit": error.exit_code}
    Path(request["answer"]).write_text(json.dumps(document))
    return 0


def main() -> None:
    """Fork a child for each request, and say how it ended."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 70
            try:
                code = live(json.loads(line))
            except BaseException:  # noqa: BLE001 - whatever it was is told, and the child never returns to the loop
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    main()
