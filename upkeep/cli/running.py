"""Commands that run flows, importing Prefect only then: maintain, recover, demo."""

import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from upkeep.cli.approving import Approve, BreakGlass, By, Given, Perform, Reason, RequestedBy, Wait
from upkeep.cli.saying import DOES_NOT_HOLD, HOLDS, Json, end, end_badly, say
from upkeep.equipment import equip
from upkeep.errors import Refused, Unreachable
from upkeep.report import RunReport, Step
from upkeep.verdict import Check, Verdict
from upkeep.wording import runs
from upkeep.wording.next_steps import approving


def add_to(app: typer.Typer) -> None:
    """Put the commands of this file into the program."""
    for command in (maintain, recover, demo):
        app.command()(command)


def quieten_prefect() -> None:
    """Prefect neither reports home nor asks; names that are set are left as they are."""
    for name, value in {
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",  # its 20 s are too few for a busy machine
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_CLI_PROMPT": "false",
    }.items():
        os.environ.setdefault(name, value)


def keep_the_shell_clean() -> None:
    """A refusal is one line in a shell and no traceback of Prefect's, whose server keeps every line all the same.

    So it is the handler's level that is set and not the loggers'. The handler is the root logger's, so Great
    Expectations is quiet too. Whoever looks for a fault sets the name to DEBUG.
    """
    quieten_prefect()
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")


def maintain(
    perform: Perform = "never",
    migrate: Annotated[bool, typer.Option(help="Go to the head of the migrations too.")] = True,
    approve: Approve = "",
    by: By = "",
    reason: Reason = "",
    wait: Wait = False,
    requested_by: RequestedBy = "",
    break_glass: BreakGlass = False,
    as_json: Json = False,
) -> None:
    """Back up, prove, detect, rehearse; with --perform also ask, perform and verify."""
    whole = "write `upkeep maintain --perform ask --approve DIGEST --by NAME --reason TEXT`"
    given = Given(approve, by, reason, wait, requested_by, break_glass)
    given.refuse_half(whole, asks=perform == "ask")
    report = run_maintain(
        perform=perform,
        migrate=migrate,
        **asdict(given),
    )
    say_report(report, as_json, asked=perform != "never")


def say_report(report: RunReport, as_json: bool, *, asked: bool, told: str = "") -> NoReturn:
    """Print what a run came to and leave with its exit code; a plan that was asked for and not approved is refused."""
    document, told = report.document(), told or runs.run_report(report)
    if asked and report.passed and not report.performed and report.plan and not report.plan.is_empty:
        end_badly(as_json, document, told, Refused(report.ended, f"approve it with `{approving(report)}`"))
    say(as_json, document, told)
    end(HOLDS if report.passed else DOES_NOT_HOLD)


def run_maintain(**parameters: Any) -> RunReport:
    """Run the runbook here; its report, or the error with which it ended."""
    return run_flow(_maintain, **parameters)


def _maintain() -> Any:
    from flows.maintenance import maintain as flow

    return flow


def run_flow(load: Callable[[], Any], **parameters: Any) -> RunReport:
    """Run here the flow that ``load`` imports; its report, or the error with which it ended."""
    equip().database.identity()  # what is plainly not there is said before Prefect has started, which takes seconds
    keep_the_shell_clean()
    flow = load()
    found: RunReport = _result_of(lambda: flow(**parameters, return_state=True))
    return found


def _result_of(run: Callable[[], Any]) -> Any:
    """What a flow gave; raises the error with which it ended."""
    from flows.ending import told_by

    try:
        state = run()
    except Exception as fault:
        if not _is_silence(fault):
            raise
        hint = "start it (`upkeep serve`), or unset PREFECT_API_URL to run without one; `upkeep restore` needs none"
        raise Unreachable(f"Prefect's server does not answer: {type(fault).__name__}", hint) from None
    return told_by(state)


def _is_silence(fault: Exception) -> bool:
    """Does Prefect's server not answer? Prefect itself says so by a plain RuntimeError."""
    library = type(fault).__module__.partition(".")[0]
    return library in ("httpx", "httpcore") or str(fault).startswith("Failed to reach API")


def recover(as_json: Json = False) -> None:
    """Settle what a run that died had begun, and remove its scratch."""
    settings = equip().settings
    keep_the_shell_clean()
    from flows.recovery import recover as flow

    begun = time.monotonic()
    told: tuple[str, ...] = _result_of(lambda: flow(return_state=True))
    settled = Check(claim="no run is left half done", holds=True, seen="; ".join(told) or "nothing was left behind")
    report = RunReport(
        run="",
        database=settings.database,
        ended="recovered" if told else "nothing was left behind",
        verification=Verdict(checks=(settled,)),
        recovered=told,
        steps=(Step("recover", time.monotonic() - begun),),
    )
    say(as_json, report.document(), "\n".join(told) or "nothing was left behind")


def demo(
    folder: Annotated[
        Path, typer.Option(help="Where the example is built; it must be empty or of an earlier demo.")
    ] = Path("upkeep-demo"),
    seed: Annotated[int, typer.Option(help="Other damage for another number.")] = 7,
    as_json: Json = False,
) -> None:
    """Build the damaged example clinic, rehearse, approve, perform, and run once more."""
    from upkeep.cli.demonstration import demonstrate

    end(demonstrate(folder, seed, as_json))
