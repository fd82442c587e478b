"""The command serve: Prefect's server, the deployments, the automations and a worker, on one machine."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from upkeep.cli.running import quieten_prefect
from upkeep.equipment import equip
from upkeep.errors import Refused, Unreachable

DEPLOYMENTS = Path(__file__).parents[2] / "deployments"
_HOST = "127.0.0.1"
_PORT = 4200
_SECONDS_TO_START = 120.0
_SECONDS_TO_STOP = 20.0
_HERE = (_HOST, "localhost", "::1")


def add_to(app: typer.Typer) -> None:
    """Put the command of this file into the program."""
    app.command()(serve)


def serve(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the server that is started; 0 for any that is free.")
    ] = _PORT,
) -> None:
    """Bring up the Prefect server (unless PREFECT_API_URL names one), the deployments, the schedule and a worker."""
    equipment = equip()
    equipment.database.identity()
    equipment.store.probe()
    if not (DEPLOYMENTS / "prefect.yaml").is_file():
        raise Refused(f"there is no {DEPLOYMENTS / 'prefect.yaml'}", "run `upkeep serve` from a checkout: `make serve`")
    _set_names()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _server(port) as (api, is_ours), _deployed(api, is_ours) as worker:
            print(_told(equipment.settings.database, api), flush=True)
            _watch(worker)
    except KeyboardInterrupt:
        print("stopped", flush=True)


def _set_names() -> None:
    """What the server, the worker and the runs find in their environment, unless somebody has set it otherwise."""
    for name, value in {
        "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",  # seconds; deployments/automations.yaml counts on it
        # In memory a restart of the server would crash whoever holds a slot, and leak the slot.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    }.items():
        os.environ.setdefault(name, value)
    quieten_prefect()


@contextmanager
def _server(port: int) -> Iterator[tuple[str, bool]]:
    """The URL of an API that answers: of the server that is set, or of our own that lives as long as the context."""
    from flows.serving import answers, named_api

    named = named_api()
    if named and answers(named):
        os.environ["PREFECT_API_URL"] = named
        yield named, False
        return
    if named:
        port = _port_of(named)
    port = _free(port, answers)
    api = f"http://{_HOST}:{port}/api"
    # The pages ask the API at the address in these names; --port alone does not tell them.
    os.environ.update(PREFECT_API_URL=api, PREFECT_SERVER_API_HOST=_HOST, PREFECT_SERVER_API_PORT=str(port))
    os.environ.update(PREFECT_UI_URL=f"http://{_HOST}:{port}")
    with _child("server", "start", "--host", _HOST, "--port", str(port)) as server:
        _await(server, lambda: answers(api))
        yield api, True


@contextmanager
def _deployed(api: str, is_ours: bool) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker that runs our deployments; what it was running when it is stopped is marked Crashed.

    On a server of others, which tells nobody whose worker a run has, its automation does that minutes later: a run that
    lives on another machine, or waits there for its approval, is not ours to end.
    """
    from flows.serving import POOL, make_automations, make_pool, tell_stopped

    make_pool(api)
    _prefect("--no-prompt", "deploy", "--all", "--prefect-file", str(DEPLOYMENTS / "prefect.yaml"))
    make_automations(api, DEPLOYMENTS / "automations.yaml")
    try:
        with _child("worker", "start", "--pool", POOL, "--type", "process") as worker:
            yield worker
    finally:
        why = "its worker was stopped; what it had begun is settled by the next run"
        for name in tell_stopped(api, why) if is_ours else ():
            print(f"{name} was running and was stopped; the next run, or `upkeep recover`, settles what it had begun")


def _told(database: str, api: str) -> str:
    from flows.serving import pages_of

    return (
        f"upkeep serves {database}: {pages_of(api)}\n"
        f"  nightly runs by its schedule and changes nothing\n"
        f"  to remediate: Deployments, remediate, Quick run; then Resume on the run's page. From a shell:\n"
        f"  PREFECT_API_URL={api} prefect deployment run maintain/remediate\n"
        f"  Ctrl-C stops all of it"
    )


def _watch(worker: "subprocess.Popen[bytes]") -> None:
    """Until the keyboard, or SIGTERM, says otherwise; raises Unreachable if the worker ends by itself."""
    raise Unreachable(f"the worker ended by itself with exit code {worker.wait()}", "see above; then serve again")


@contextmanager
def _child(*words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A Prefect command in a session of its own: Ctrl-C reaches it through us, so that all end in their order."""
    process = subprocess.Popen(
        [sys.executable, "-m", "prefect", *words],
        start_new_session=True,
        stdout=subprocess.DEVNULL,  # a banner; what goes wrong is said on standard error
    )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End a command and all that it started; a flow's process that outlives its worker would go on unseen."""
    process.terminate()
    try:
        process.wait(_SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def _prefect(*words: str) -> None:
    done = subprocess.run([sys.executable, "-m", "prefect", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise Refused(f"prefect {' '.join(words[1:3])} failed: {last}", "see the file named there")


def _await(process: "subprocess.Popen[bytes]", ready: Any) -> None:
    until = time.monotonic() + _SECONDS_TO_START
    while not ready():
        if process.poll() is not None:
            raise Unreachable(f"the Prefect server ended with exit code {process.returncode}", "see above what it said")
        if time.monotonic() > until:
            raise Unreachable(f"the Prefect server did not answer within {_SECONDS_TO_START:g} s", "try again")
        time.sleep(0.2)


def _port_of(api: str) -> int:
    """The port of a server that is set and does not answer, to start it here; raises Unreachable if it is elsewhere."""
    where = urlsplit(api)
    if where.hostname not in _HERE:
        raise Unreachable(
            f"the Prefect server {api} does not answer", "start it, or unset PREFECT_API_URL to have one started here"
        )
    return where.port or _PORT


def _free(port: int, answers: Any) -> int:
    """The port, if it is free, or one that is for 0; raises Refused with what to write instead."""
    try:
        return _bound(port)
    except OSError:
        api = f"http://{_HOST}:{port}/api"
        instead = f"serve on another: `upkeep serve --port {_bound(0)}`"
        if answers(api):
            raise Refused(
                f"a Prefect server is on port {port} already", f"use it: PREFECT_API_URL={api}; or {instead}"
            ) from None
        raise Refused(f"port {port} is taken by another program", instead) from None


def _bound(port: int) -> int:
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        candidate.bind((_HOST, port))
        return int(candidate.getsockname()[1])
