"""Runs that can be killed: a process that has imported everything forks a child for each, and a child has its fate.

Started as ``python -m tests.mortal``; reads one JSON request a line and answers each with two lines: the child's
process number, then its wait status. Forked, a run begins at once; a new interpreter would need ten seconds.
"""

import inspect
import json
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import expectations.run  # noqa: F401 - so that no child has to import it
from flows.ending import told_by
from flows.maintenance import maintain
from flows.migrating import migrate
from flows.undoing import undo
from tasks.performance import perform
from tasks.recovery import recover_runs
from upkeep.backups import take_backup
from upkeep.clock import utc_now
from upkeep.equipment import equip
from upkeep.errors import UpkeepError
from upkeep.workplaces import workplace


class Fate:
    """Kills its own process at the ``nth`` time that ``function`` of our own ``file`` is called or returns.

    What comes before a certain function is called for the first time does not count, where one is named.
    """

    def __init__(self, moment: str) -> None:
        """``moment`` is written "call tasks/performance.py:perform 1", or "... 1 in tasks/performance.py:perform"."""
        moment, _, since = moment.partition(" in ")
        self._event, place, nth = moment.split()
        self._file, self._function = place.split(":")
        self._left = int(nth)
        self._since = tuple(since.split(":")) if since else None

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        """What ``sys.setprofile`` calls."""
        code = frame.f_code
        if self._since is not None:
            file, function = self._since
            if event == "call" and code.co_name == function and code.co_filename.endswith(file):
                self._since = None
            return
        if event == self._event and code.co_name == self._function and code.co_filename.endswith(self._file):
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def run_all(**parameters: Any) -> Any:
    """The whole runbook; its report as JSON."""
    return told_by(maintain(**parameters, return_state=True)).document()


def run_migration(**parameters: Any) -> Any:
    """A migration without a clean-up; its report as JSON."""
    return told_by(migrate(**parameters, return_state=True)).document()


def run_undo(**parameters: Any) -> Any:
    """An undo; its report as JSON."""
    return told_by(undo(**parameters, return_state=True)).document()


def run_performance(rehearsal: str, run: str) -> str:
    """The performance alone, of what was pickled in the file ``rehearsal``: manifest and rehearsal."""
    equipment = equip()
    manifest, rehearsed = pickle.loads(Path(rehearsal).read_bytes())  # noqa: S301 - the test has written it
    scratch, name = equipment.settings.scratch, equipment.settings.database
    with equipment.database.held(run) as is_alone, workplace(scratch, name, run) as folder:
        plan, worked = rehearsed.plan, rehearsed.worked
        inspect.unwrap(perform)(equipment, run, plan, worked, manifest.id, "tester: to see", folder, is_alone)
    return "performed"


def run_backup() -> str:
    """A backup alone; its id."""
    equipment = equip()
    with workplace(equipment.settings.scratch, equipment.settings.database, "backup") as folder:
        return take_backup(equipment.database, equipment.store, folder, run="killed", now=utc_now()).id


def run_recovery() -> list[str]:
    """Recovery alone; what it says."""
    equipment = equip()
    with equipment.database.held("recover"):
        return list(inspect.unwrap(recover_runs)(equipment))


VERBS: dict[str, Callable[..., Any]] = {
    "maintain": run_all,
    "migrate": run_migration,
    "undo": run_undo,
    "perform": run_performance,
    "back up": run_backup,
    "recover": run_recovery,
}


def live(request: dict[str, Any]) -> None:
    """The child: one verb; what it came to stands in the request's ``answer`` file."""
    os.environ.update(request["environment"])
    if request["moment"]:
        fate = Fate(request["moment"])
        threading.setprofile(fate)
        sys.setprofile(fate)
    try:
        document = VERBS[request["verb"]](**request["parameters"])
    except UpkeepError as error:
        document = {"error": error.message, "hint": error.hint, "exit": error.exit_code}
    Path(request["answer"]).write_text(json.dumps(document))


def main() -> None:
    """Fork a child for each request, and say how it ended."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 70
            try:
                live(json.loads(line))
                code = 0
            except BaseException:  # noqa: BLE001 - whatever it was is told, and the child never returns to the loop
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    main()
