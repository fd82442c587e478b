"""The command that migrates without a clean-up, and explains what is pending."""

from typing import Annotated, Any, Literal

import typer

from upkeep.cli.running import BreakGlass, RequestedBy, refuse_half_an_approval, run_flow, say_report
from upkeep.cli.saying import Json
from upkeep.equipment import equip
from upkeep.errors import Refused
from upkeep.wording import migration, text

_WHOLE = "write `upkeep migrate --perform ask --approve DIGEST --by NAME --reason TEXT`"


def add_to(app: typer.Typer) -> None:
    """Put the command of this file into the program."""
    app.command()(migrate)


def migrate(
    perform: Annotated[
        Literal["never", "ask", "within_limits"], typer.Option(help="May the database be changed?")
    ] = "never",
    approve: Annotated[str, typer.Option(metavar="DIGEST", help="The digest of the plan that you approve.")] = "",
    by: Annotated[str, typer.Option(metavar="NAME", help="Who approves.")] = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="With ask: wait for the form in the Prefect UI.")] = False,
    requested_by: RequestedBy = "",
    break_glass: BreakGlass = False,
    explain: Annotated[bool, typer.Option("--explain", help="Tell of each pending revision what it does.")] = False,
    as_json: Json = False,
) -> None:
    """Rehearse the pending migrations without repairing a row; with --perform also ask, perform and verify."""
    if (approve or by or reason or wait) and perform != "ask":
        raise Refused("--approve, --by, --reason and --wait go with --perform ask", _WHOLE)
    refuse_half_an_approval(approve, by, reason, wait, _WHOLE, break_glass)
    equipment = equip()
    if equipment.settings.alembic_ini is None:
        raise Refused("no Alembic project is set, so there is nothing to migrate", "set UPKEEP_ALEMBIC_INI")
    report = run_flow(
        _migrate,
        perform=perform,
        approve=approve,
        by=by,
        reason=reason,
        wait=wait,
        requested_by=requested_by,
        break_glass=break_glass,
    )
    told = migration.explanation(report, equipment.database.while_migrating) if explain else text.run_report(report)
    say_report(report, as_json, asked=perform != "never", told=told)


def _migrate() -> Any:
    from flows.migrating import migrate as flow

    return flow
