"""The command that takes a run back: undo."""

from typing import Annotated, Any

import typer

from upkeep.cli.running import BreakGlass, RequestedBy, refuse_half_an_approval, run_flow, say_report
from upkeep.cli.saying import Json


def add_to(app: typer.Typer) -> None:
    """Put the command of this file into the program."""
    app.command()(undo)


def undo(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run, as `upkeep ledger show` names it.")],
    only_possible: Annotated[
        bool, typer.Option("--only-possible", help="Leave rows that cannot be put back as they are now.")
    ] = False,
    approve: Annotated[str, typer.Option(metavar="DIGEST", help="The digest of the undo that you approve.")] = "",
    by: Annotated[str, typer.Option(metavar="NAME", help="Who approves.")] = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the form in the Prefect UI.")] = False,
    requested_by: RequestedBy = "",
    break_glass: BreakGlass = False,
    as_json: Json = False,
) -> None:
    """Put back every row that a run changed: rehearsed first, performed with --approve."""
    refuse_half_an_approval(
        approve, by, reason, wait, f"write `upkeep undo {run} --approve DIGEST --by NAME --reason TEXT`", break_glass
    )
    report = run_flow(
        _flow,
        run=run,
        perform="ask" if approve or wait else "never",
        only_possible=only_possible,
        approve=approve,
        by=by,
        reason=reason,
        wait=wait,
        requested_by=requested_by,
        break_glass=break_glass,
    )
    say_report(report, as_json, asked=bool(approve or wait))


def _flow() -> Any:
    from flows.undoing import undo as flow

    return flow
