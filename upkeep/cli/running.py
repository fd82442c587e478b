"""Commands that run flows: maintain, recover, demo, serve. Prefect is imported only when one of them runs."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from upkeep.cli.saying import DOES_NOT_HOLD, HOLDS, REFUSED, Json, end, say
from upkeep.errors import Refused, UpkeepError
from upkeep.report import RunReport
from upkeep.wording import text


def add_to(app: typer.Typer) -> None:
    """Put the commands of this file into the program."""
    for command in (maintain, recover, demo):
        app.command()(command)


def quieten_prefect() -> None:
    """Prefect neither reports home nor logs what a person did not ask for; set names are left as they are."""
    for name, value in {
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_LOGGING_LEVEL": "ERROR",
        "PREFECT_CLI_PROMPT": "false",
    }.items():
        os.environ.setdefault(name, value)


def maintain(
    perform: Annotated[
        Literal["never", "ask", "within_limits"], typer.Option(help="May the database be changed?")
    ] = "never",
    migrate: Annotated[bool, typer.Option(help="Go to the head of the migrations too.")] = True,
    approve: Annotated[str, typer.Option(metavar="DIGEST", help="The digest of the plan that you approve.")] = "",
    by: Annotated[str, typer.Option(metavar="NAME", help="Who approves.")] = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="With ask: wait for the form in the Prefect UI.")] = False,
    as_json: Json = False,
) -> None:
    """Back up, prove, detect, rehearse; with --perform also ask, perform and verify."""
    if approve and perform != "ask":
        raise Refused(
            "--approve goes with --perform ask",
            "write `upkeep maintain --perform ask --approve DIGEST --by NAME --reason TEXT`",
        )
    report = run_maintain(perform=perform, migrate=migrate, approve=approve, by=by, reason=reason, wait=wait)
    say(as_json, report.document(), text.run_report(report))
    end(exit_code(report, asked=perform != "never"))


def exit_code(report: RunReport, *, asked: bool) -> int:
    """What the end of a run means to a program."""
    if not report.passed:
        return DOES_NOT_HOLD
    something_to_do = report.plan is not None and not report.plan.is_empty
    return REFUSED if asked and something_to_do and not report.performed else HOLDS


def run_maintain(**parameters: Any) -> RunReport:
    """Run the flow here; its report, or the error with which it ended."""
    quieten_prefect()
    from flows.maintenance import maintain as flow

    found = flow(**parameters, return_state=True).result(raise_on_failure=False)
    if isinstance(found, UpkeepError):
        raise found
    if isinstance(found, BaseException):
        raise found
    return found  # type: ignore[no-any-return]  # a state gives what the flow gave


def recover(as_json: Json = False) -> None:
    """Settle what a run that died had begun, and remove its scratch."""
    quieten_prefect()
    from flows.recovery import recover as flow

    told = flow()
    say(as_json, {"recovered": list(told)}, "\n".join(told) or "nothing was left behind")


def demo(
    folder: Annotated[
        Path, typer.Option(help="Where the example is built; it must be empty or of an earlier demo.")
    ] = Path("upkeep-demo"),
    seed: Annotated[int, typer.Option(help="Other damage for another number.")] = 7,
    as_json: Json = False,
) -> None:
    """Build the damaged example clinic, rehearse, approve, perform, and run once more."""
    quieten_prefect()
    from upkeep.cli.demonstration import demonstrate

    end(demonstrate(folder, seed, as_json))
