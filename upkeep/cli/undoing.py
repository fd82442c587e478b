"""The command that takes a run back: undo."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from upkeep.cli.approving import Approve, BreakGlass, By, Given, Reason, RequestedBy, Wait
from upkeep.cli.running import run_flow, say_report
from upkeep.cli.saying import Json


def add_to(app: typer.Typer) -> None:
    """Put the command of this file into the program."""
    app.command()(undo)


def undo(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run, as `upkeep ledger show` names it.")],
    only_possible: Annotated[
        bool, typer.Option("--only-possible", help="Leave rows that cannot be put back as they are now.")
    ] = False,
    approve: Approve = "",
    by: By = "",
    reason: Reason = "",
    wait: Wait = False,
    requested_by: RequestedBy = "",
    break_glass: BreakGlass = False,
    as_json: Json = False,
) -> None:
    """Put back every row that a run changed: rehearsed first, performed with --approve."""
    given = Given(approve, by, reason, wait, requested_by, break_glass)
    given.refuse_half(f"write `upkeep undo {run} --approve DIGEST --by NAME --reason TEXT`")
    report = run_flow(
        _flow,
        run=run,
        perform="ask" if approve or wait else "never",
        only_possible=only_possible,
        **asdict(given),
    )
    say_report(report, as_json, asked=bool(approve or wait))


def _flow() -> Any:
    from flows.undoing import undo as flow

    return flow
