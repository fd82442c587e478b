"""What Upkeep needs of a Prefect server: its work pool, its automations, a true word about runs that were stopped."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from prefect.automations import AutomationCore
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectAlreadyExists
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL, temporary_settings
from prefect.states import Crashed
from prefect.workers.process import ProcessWorker
from yaml import safe_load  # type: ignore[import-untyped]  # a dependency of Prefect's, which ships no types

POOL = "upkeep"
TAG = "upkeep"
_UNFINISHED = (StateType.RUNNING, StateType.PAUSED, StateType.PENDING, StateType.CANCELLING)


def named_api() -> str | None:
    """The URL of the API that Prefect's own settings name (environment, `.env`, profile); None for none."""
    return PREFECT_API_URL.value() or None


def pages_of(api: str) -> str:
    """Where the pages of the server with this API are."""
    with _at(api):
        return PREFECT_UI_URL.value() or api.removesuffix("/api")


def answers(api: str) -> bool:
    """Is there a Prefect server behind this URL?"""
    try:
        return httpx.get(f"{api}/admin/version", timeout=2).is_success
    except httpx.HTTPError:
        return False


def make_pool(api: str) -> None:
    """Make the work pool; one that is there stays as somebody has set it."""
    pool = WorkPoolCreate(
        name=POOL,
        type=ProcessWorker.type,
        description="the machines that look after databases: each with its own settings",
        base_job_template=ProcessWorker.get_default_base_job_template(),
    )
    with _client(api) as client:
        try:
            client.create_work_pool(pool)
        except ObjectAlreadyExists:
            return


def make_automations(api: str, file: Path) -> None:
    """Write the automations of ``file`` into the server, each under its name: there is one of each, however often.

    One that stands there as it is written is left alone: it may be counting the minutes of a run that has died.
    """
    with _client(api) as client:
        for written in safe_load(file.read_text(encoding="utf-8")):
            for action in written["actions"]:
                if "deployment" in action:
                    action["deployment_id"] = client.read_deployment_by_name(action.pop("deployment")).id
            wanted = AutomationCore.model_validate(written)
            there = client.read_automations_by_name(wanted.name)
            if not there:
                client.create_automation(wanted)
            elif _content(there[0]) != _content(wanted):
                client.update_automation(there[0].id, wanted)


def _content(automation: AutomationCore) -> dict[str, Any]:
    """What was written by a person; an automation that somebody has switched off stays off.

    Python's values and not JSON's: the events are sets, which JSON lists in any order.
    """
    return AutomationCore.model_validate(automation.model_dump()).model_dump(exclude={"id", "enabled"})


def tell_stopped(api: str, why: str) -> tuple[str, ...]:
    """Mark our runs that have not ended as Crashed, for their processes are gone and cannot; the names of the runs."""
    unfinished = FlowRunFilter.model_validate({"tags": {"all_": [TAG]}, "state": {"type": {"any_": list(_UNFINISHED)}}})
    with _client(api) as client:
        runs = client.read_flow_runs(flow_run_filter=unfinished)
        for run in runs:
            client.set_flow_run_state(run.id, Crashed(message=why), force=True)
    return tuple(run.name for run in runs)


@contextmanager
def _at(api: str) -> Iterator[None]:
    with temporary_settings({PREFECT_API_URL: api}):
        yield


@contextmanager
def _client(api: str) -> Iterator[SyncPrefectClient]:
    found: Any
    with _at(api), get_client(sync_client=True) as found:
        yield found
