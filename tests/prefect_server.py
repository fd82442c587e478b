"""A real Prefect server with its worker, as `upkeep serve` brings them up, and clinics whose runs it carries out."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest

from tests.damaged_clinic import Clinic, build_clinic

HOUSE = Path(__file__).parents[1]
PROGRAM = Path(sys.executable).with_name("upkeep")
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
BUSY = 503
_PATIENCE = 170.0
_UPKEEP_SERVES = "upkeep serves "


class Settled(Protocol):
    """What a run works on, by its settings."""

    @property
    def environment(self) -> dict[str, str]:
        """The settings."""


@dataclass(frozen=True)
class Served:
    """A server that `upkeep serve` has brought up for a clinic: what its pages ask of its API, asked here."""

    api: str
    process: "subprocess.Popen[str]"
    clinic: Clinic

    @property
    def pages(self) -> str:
        """Where a browser finds it."""
        return self.api.removesuffix("/api")

    def post(self, path: str, content: Any) -> Any:
        """The answer of the API."""
        return self._ask("POST", path, content)

    def get(self, path: str) -> Any:
        """The answer of the API."""
        return self._ask("GET", path)

    def deployment(self, name: str) -> dict[str, Any]:
        """As Prefect knows it."""
        flow = name if name in ("migrate", "recover", "undo") else "maintain"
        found: dict[str, Any] = self.get(f"deployments/name/{flow}/{name}")
        return found

    def run(self, name: str, clinic: Settled | None, parameters: dict[str, Any] | None = None, **settings: str) -> str:
        """Have a deployment run, as an operator does from its page; the run's id. None: for the worker's own clinic."""
        own = clinic.environment if clinic else {}
        variables = {"env": own | {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"} | settings}
        asked = {"parameters": parameters or {}, "job_variables": variables, "state": {"type": "SCHEDULED"}}
        run = self.post(f"deployments/{self.deployment(name)['id']}/create_flow_run", asked)
        return str(run["id"])

    def state(self, run: str) -> dict[str, Any]:
        """The state of a run: type, name, message."""
        found: dict[str, Any] = self.get(f"flow_runs/{run}")["state"]
        return found

    def wait(self, run: str, *types: str) -> dict[str, Any]:
        """Wait until a run's state is one of these types, or final; the state."""
        found: dict[str, Any] = eventually(
            lambda: state if (state := self.state(run))["type"] in {*types, *FINAL} else None,
            lambda: f"{run} is {self.state(run)}",
        )
        return found

    def form(self, run: str) -> tuple[dict[str, Any], str]:
        """The form of a run that waits, as its page shows it: the fields, and what it says."""
        keys = self.wait(run, "PAUSED")["state_details"]["run_input_keyset"]
        schema = eventually(lambda: self._input(run, keys["schema"]), lambda: f"{run} has no form")
        return schema, str(self._input(run, keys["description"]))

    def answer(self, run: str, **said: str) -> dict[str, Any]:
        """Answer the form as the page does; what the server says to it."""
        told: dict[str, Any] = self.post(f"flow_runs/{run}/resume", {"run_input": said})
        return told

    def answer_in_vain(self, run: str, **said: str) -> str:
        """Answer so that one is asked again; what the new form says."""
        keys = self.wait(run, "PAUSED")["state_details"]["run_input_keyset"]
        assert self.answer(run, **said)["status"] == "ACCEPT"

        def is_new() -> bool:
            state = self.wait(run, "PAUSED")
            assert state["type"] == "PAUSED", state
            return bool(state["state_details"]["run_input_keyset"] != keys)

        eventually(is_new, lambda: f"{run} does not ask again")
        return self.form(run)[1]

    def log(self, run: str) -> str:
        """All that Prefect keeps of what a run that has ended said; its lines come in bundles, the last one last."""
        asked = {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_ASC", "limit": 200}

        def said() -> str:
            lines = [str(line["message"]) for line in self.post("logs/filter", asked)]
            return "\n".join(lines) if any("Finished in state" in line for line in lines[-3:]) else ""

        eventually(said, lambda: f"{run} has no log")
        time.sleep(3)  # a traceback would come after the state
        return str(eventually(said, lambda: f"the log of {run} goes on after its end"))

    def artifact(self, run: str, key: str) -> Any:
        """What an artifact of a run holds."""
        asked = {"flow_runs": {"id": {"any_": [run]}}, "artifacts": {"key": {"any_": [key]}}}
        found = self.post("artifacts/filter", asked)
        return found[0]["data"] if found else None

    def _ask(self, verb: str, path: str, content: Any = None) -> Any:
        """Ask again for as long as Prefect's database is locked, as Prefect's own client does."""
        answer = eventually(
            lambda: answer if (answer := self.response(verb, path, content)).status_code != BUSY else None,
            lambda: f"{path}: the server is busy",
        )
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def response(self, verb: str, path: str, content: Any = None) -> httpx.Response:
        """What the API says, refusals too."""
        return httpx.request(verb, f"{self.api}/{path}", json=content, timeout=30)

    def _input(self, run: str, key: str) -> Any:
        found = self.response("GET", f"flow_runs/{run}/input/{key}")
        return found.json() if found.is_success else None


def eventually(look: Callable[[], Any], told: Callable[[], str], seconds: float = _PATIENCE) -> Any:
    """What ``look`` finds as soon as it finds something; fails with ``told`` after ``seconds``."""
    until = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > until:
            pytest.fail(told())
        time.sleep(0.2)
    return found


@contextmanager
def serving(folder: Path, clinic: Clinic) -> Iterator[Served]:
    """`upkeep serve` on a free port, with a home of Prefect's in ``folder``; stopped by SIGINT, as from a keyboard."""
    environment = {**os.environ, **clinic.environment, "PREFECT_HOME": str(folder / "prefect"), "DO_NOT_TRACK": "1"}
    environment |= {"PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "5"}
    environment.pop("PREFECT_API_URL", None)
    said = folder / "serve.log"
    folder.mkdir(parents=True, exist_ok=True)
    with said.open("w") as log:
        process = subprocess.Popen(
            [str(PROGRAM), "serve", "--port", "0"],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    try:
        line = eventually(lambda: _line_with(said, _UPKEEP_SERVES, process), said.read_text)
        yield Served(f"{line.split()[-1]}/api", process, clinic)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def _line_with(said: Path, words: str, process: "subprocess.Popen[str]") -> str | None:
    assert process.poll() is None, said.read_text()
    return next((line for line in said.read_text().splitlines() if line.startswith(words)), None)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server and worker for all tests of a pytest process; each test brings a clinic of its own."""
    folder = tmp_path_factory.mktemp("served")
    with serving(folder, build_clinic(folder / "clinic", backed_up=False)) as server:
        yield server


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    """A damaged clinic that nobody else has."""
    return build_clinic(tmp_path / "clinic", backed_up=False)


@pytest.fixture(scope="session")
def prefect_here() -> Iterator[str]:
    """Prefect's own server for the runs of this process, entered once, whichever files ask for it; its API's URL."""
    from prefect.settings import PREFECT_API_URL  # reads PREFECT_HOME when it is imported
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield str(PREFECT_API_URL.value())
