"""When and where: the deployments as Prefect knows them, the schedule, and what becomes of a run whose worker dies."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from yaml import safe_load  # type: ignore[import-untyped]  # a dependency of Prefect's, which ships no types

from tests.damaged_clinic import Clinic, build_clinic
from tests.pending import pending_at
from tests.prefect_server import HOUSE, PROGRAM, Served, eventually
from tests.test_approval import digest_in

DEPLOYMENTS = HOUSE / "deployments"
SHORT = 45  # seconds without a heartbeat; between two of a run that lives there are 30


def test_the_schedule_really_makes_scheduled_runs_p98(served: Served) -> None:
    deployment = served.deployment("nightly")
    schedule = deployment["schedules"][0]["schedule"]
    assert schedule["cron"] == "0 2 * * *"
    runs = eventually(lambda: scheduled(served, deployment["id"]), lambda: "the scheduler made no run")
    zone = ZoneInfo(schedule["timezone"])
    moments = [datetime.fromisoformat(run["expected_start_time"]).astimezone(zone) for run in runs]
    assert {(moment.hour, moment.minute) for moment in moments} == {(2, 0)}
    assert len(moments) >= 2
    assert {run["parameters"]["perform"] for run in runs} == {"never"}


def test_nightly_changes_nothing_promise_1(served: Served, clinic: Clinic) -> None:
    before = clinic.path.read_bytes()
    assert served.deployment("nightly")["parameters"] == {"perform": "never", "only_if_enabled": True}
    run = served.run("nightly", clinic)
    state = served.wait(run)
    assert (state["type"], state["message"]) == ("COMPLETED", "rehearsed; nothing was changed")
    assert clinic.path.read_bytes() == before
    assert served.get(f"flow_runs/{run}")["name"] == "clinic-never"
    assert {"upkeep", "changes-nothing"} <= set(served.get(f"flow_runs/{run}")["tags"])


@pytest.mark.slow
def test_nightly_does_nothing_where_backups_are_switched_off(served: Served, clinic: Clinic) -> None:
    state = served.wait(served.run("nightly", clinic, AUTO_BACKUP_ENABLED="false"))
    assert (state["type"], state["message"]) == ("COMPLETED", "AUTO_BACKUP_ENABLED is false: nothing was done")
    assert not list((clinic.folder / "store").iterdir())


@pytest.mark.parametrize("parameters", [{"perform": "always"}, {"migrate": "perhaps"}])
def test_a_wrong_parameter_is_refused_before_there_is_a_run(served: Served, parameters: dict[str, Any]) -> None:
    deployment = served.deployment("remediate")["id"]
    answer = served.response("POST", f"deployments/{deployment}/create_flow_run", {"parameters": parameters})
    assert answer.is_client_error, answer.text
    assert next(iter(parameters)) in answer.text


@pytest.mark.parametrize("name", ["nightly", "remediate", "migrate", "undo", "recover"])
def test_a_deployment_says_what_it_does(served: Served, name: str) -> None:
    deployment = served.deployment(name)
    assert deployment["description"]
    assert deployment["enforce_parameter_schema"]
    assert bool(deployment["schedules"]) == (name == "nightly")
    assert "upkeep" in deployment["tags"]


@pytest.mark.parametrize("name", ["nightly", "recover"])
def test_what_never_asks_runs_one_at_a_time(served: Served, name: str) -> None:
    deployment = served.deployment(name)
    assert deployment["global_concurrency_limit"]["limit"] == 1
    assert deployment["concurrency_options"]["collision_strategy"] == "ENQUEUE"


@pytest.mark.parametrize("name", ["remediate", "migrate", "undo"])
def test_what_asks_holds_no_slot_that_it_would_lose_by_pausing(served: Served, name: str) -> None:
    deployment = served.deployment(name)
    assert deployment["parameters"] == {"perform": "ask"}
    assert deployment["global_concurrency_limit"] is None


@pytest.mark.exhaustive
def test_a_run_waits_longer_than_prefect_renews_a_slot_and_is_then_performed(served: Served, clinic: Clinic) -> None:
    run = served.run("remediate", clinic)
    _, told = served.form(run)
    time.sleep(
        300
    )  # it was ended within 225 seconds, where Prefect renews for the first time; no setting shortens that
    assert served.state(run)["type"] == "PAUSED"
    served.answer(run, answer="approve", digest=digest_in(told), name="Ada", reason="slept over it")
    state = served.wait(run)
    assert (state["type"], state["message"]) == ("COMPLETED", "performed and verified")


@pytest.mark.slow
def test_migrate_names_what_goes_for_good_waits_for_an_answer_and_performs(
    served: Served, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    pending = pending_at("delete", tmp_path / "own", request, "pass", "op.drop_table('pets')")
    (pending.folder / "policy.toml").write_text("[limits]\nrows = 500\nshare = 1.0\n")
    before = pending.path.read_bytes()
    run = served.run("migrate", pending, UPKEEP_SUITES="")  # the worker has those of a clinic
    _, form = served.form(run)
    assert "takes for good" in form
    assert "- table pets is gone, as r2 says (199 rows)" in form
    assert pending.path.read_bytes() == before
    digest = form.split("`")[1]
    served.answer(run, answer="approve", digest=digest, name="Ann", reason="pets moved out")
    state = served.wait(run)
    assert (state["type"], state["message"]) == ("COMPLETED", "performed and verified")
    assert pending.base.ask("SELECT version_num FROM alembic_version") == [("r2",)]
    assert served.get(f"flow_runs/{run}")["name"] == "main-migrate-ask"


@pytest.mark.slow
def test_wrong_settings_end_in_a_run_that_says_so(served: Served, clinic: Clinic) -> None:
    state = served.wait(served.run("nightly", clinic, UPKEEP_APPROVAL_HOURS="soon"))
    assert state["type"] == "FAILED"
    assert "UPKEEP_APPROVAL_HOURS is no number" in state["message"]


def test_each_automation_is_there_once_and_stays_as_it_is_when_served_again(served: Served) -> None:
    before = served.post("automations/filter", {})
    make_automations(served, DEPLOYMENTS / "automations.yaml")
    assert served.post("automations/filter", {}) == before
    names = sorted(automation["name"] for automation in before)
    assert names == ["upkeep: a run that died is marked Crashed", "upkeep: recover after a crash"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "ending",
    [
        pytest.param(signal.SIGTERM, marks=pytest.mark.exhaustive, id="SIGTERM"),
        pytest.param(signal.SIGKILL, id="SIGKILL"),
    ],
)
def test_a_worker_that_dies_in_mid_run_loses_nothing_promise_4(served: Served, tmp_path: Path, ending: int) -> None:
    clinic = served.clinic  # an automation runs recover with the settings of the worker, and those name this one
    shutil.copyfile(build_clinic(tmp_path / "clinic", backed_up=False).path, clinic.path)
    with impatient(served, tmp_path):
        with other_worker_of(served, tmp_path) as worker:
            run = served.run("remediate", clinic, {"perform": "within_limits"})
            eventually(
                lambda: list((clinic.folder / "store/clinic/journal").glob("*.json")), lambda: str(served.state(run))
            )
            if ending == signal.SIGKILL:
                kill_with_all_below(worker.pid)
            else:
                worker.terminate()  # it takes its flows with it
            worker.wait(60)
        state = served.wait(run)
        assert state["type"] == "CRASHED"
        assert "its process is gone" in state["message"]
        assert served.wait(recovery_after(served, run))["type"] == "COMPLETED"
    assert not list((clinic.folder / "store/clinic/journal").glob("*.json"))

    again = served.wait(served.run("remediate", clinic, {"perform": "within_limits"}))
    assert again["type"] == "COMPLETED"
    assert again["message"] in ("performed and verified", "nothing to do")


@pytest.mark.slow
def test_who_stops_serving_beside_another_ends_no_run_of_that_one(
    served: Served, clinic: Clinic, tmp_path: Path
) -> None:
    run = served.run("remediate", clinic)
    served.form(run)
    other = build_clinic(tmp_path / "other", backed_up=False)
    environment = os.environ | other.environment | {"PREFECT_API_URL": served.api}
    environment |= {"PREFECT_HOME": str(tmp_path / "prefect")}
    beside = subprocess.Popen(
        [str(PROGRAM), "serve"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert beside.stdout
    assert beside.stdout.readline().startswith(f"upkeep serves clinic: {served.pages}")
    beside.send_signal(signal.SIGINT)
    assert "stopped; the next run" not in beside.communicate(timeout=100)[0]
    assert served.state(run)["type"] == "PAUSED"
    served.answer(run, answer="refuse", digest="-", name="Ada", reason="seen")
    assert served.wait(run)["message"] == "nothing was performed: refused by Ada: seen"


def test_serve_refuses_where_no_database_is_set(tmp_path: Path) -> None:
    told = refused(tmp_path, {}, "serve")
    assert told.startswith("upkeep: no database is set\n  set DATABASE_URL")


def test_serve_refuses_a_port_that_another_program_has(served: Served, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        told = refused(tmp_path, served.clinic.environment, "serve", "--port", str(port))
    assert told.startswith(
        f"upkeep: port {port} is taken by another program\n  serve on another: `upkeep serve --port "
    )


def test_serve_names_the_prefect_server_that_has_the_port(served: Served, tmp_path: Path) -> None:
    port = served.pages.rpartition(":")[2]
    told = refused(tmp_path, served.clinic.environment, "serve", "--port", port)
    assert told.startswith(
        f"upkeep: a Prefect server is on port {port} already\n  use it: PREFECT_API_URL={served.api}"
    )


def test_nothing_secret_stands_in_the_deployments() -> None:
    for file in DEPLOYMENTS.glob("*.yaml"):
        text = file.read_text()
        assert "://" not in text
        assert safe_load(text)


def scheduled(served: Served, deployment: str) -> list[dict[str, Any]]:
    """The runs that the scheduler has made, if any."""
    asked = {"deployments": {"id": {"any_": [deployment]}}, "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    return [run for run in served.post("flow_runs/filter", asked) if run["auto_scheduled"]]


def recovery_after(served: Served, run: str) -> str:
    """The run of recover that was made since ``run`` began."""
    begun = served.get(f"flow_runs/{run}")["start_time"]
    asked = {"flows": {"name": {"any_": ["recover"]}}, "flow_runs": {"expected_start_time": {"after_": begun}}}
    found = eventually(lambda: served.post("flow_runs/filter", asked), lambda: "recover was not run")
    return str(found[0]["id"])


def make_automations(served: Served, file: Path) -> None:
    """As `upkeep serve` does it at its start."""
    from flows.serving import make_automations as make

    make(served.api, file)


@contextmanager
def impatient(served: Served, folder: Path) -> Iterator[None]:
    """The automations with less patience; the server is that of other tests too, who find them as they were."""
    whole = DEPLOYMENTS / "automations.yaml"
    assert "within: 180" in whole.read_text()
    file = folder / "automations.yaml"
    file.write_text(whole.read_text().replace("within: 180", f"within: {SHORT}"))
    make_automations(served, file)
    try:
        yield
    finally:
        make_automations(served, whole)


@contextmanager
def other_worker_of(served: Served, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A second worker that may be killed; the first is stopped for as long, and goes on afterwards."""
    first = [pid for pid in children_of(served.process.pid) if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    for pid in first:
        os.kill(pid, signal.SIGSTOP)
    environment = (
        os.environ | served.clinic.environment | {"PREFECT_API_URL": served.api, "PREFECT_WORKER_QUERY_SECONDS": "1"}
    )
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "upkeep", "--type", "process"]
    worker = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True)
    try:
        yield worker
    finally:
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGKILL)
        for pid in first:
            os.kill(pid, signal.SIGCONT)


def children_of(pid: int) -> list[int]:
    """The processes that a process has started."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")  # any thread of it may have
    return [int(child) for thread in threads for child in thread.read_text().split()]


def kill_with_all_below(pid: int) -> None:
    """As a machine that loses its power; each is stopped first, so that none sees another die."""
    os.kill(pid, signal.SIGSTOP)
    for child in children_of(pid):
        kill_with_all_below(child)
    os.kill(pid, signal.SIGKILL)


def refused(folder: Path, settings: dict[str, str], *words: str) -> str:
    """What a command says that refuses."""
    environment = os.environ | settings | {"PREFECT_HOME": str(folder / "prefect")}
    done = subprocess.run(
        [str(PROGRAM), *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 2, done.stdout + done.stderr
    return done.stderr
