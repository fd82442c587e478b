"""The command that migrates without a clean-up, and explains what is pending."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from upkeep.cli.approving import Approve, BreakGlass, By, Given, Perform, Reason, RequestedBy, Wait
from upkeep.cli.running import run_flow, say_report
from upkeep.cli.saying import Json
from upkeep.equipment import equip
from upkeep.errors import Refused
from upkeep.wording import migration, runs

_WHOLE = "write `upkeep migrate --perform ask --approve DIGEST --by NAME --reason TEXT`"


def add_to(app: typer.Typer) -> None:
    """Put the command of this file into the program."""
    app.command()(migrate)


def migrate(
    perform: Perform = "never",
    approve: Approve = "",
    by: By = "",
    reason: Reason = "",
    wait: Wait = False,
    requested_by: RequestedBy = "",
    break_glass: BreakGlass = False,
    explain: Annotated[bool, typer.Option("--explain", help="Tell of each pending revision what it does.")] = False,
    as_json: Json = False,
) -> None:
    """Rehearse the pending migrations without repairing a row; with --perform also ask, perform and verify."""
    given = Given(approve, by, reason, wait, requested_by, break_glass)
    given.refuse_half(_WHOLE, asks=perform == "ask")
    equipment = equip()
    if equipment.settings.alembic_ini is None:
        raise Refused("no Alembic project is set, so there is nothing to migrate", "set UPKEEP_ALEMBIC_INI")
    report = run_flow(
        _migrate,
        perform=perform,
        **asdict(given),
    )
    told = migration.explanation(report, equipment.database.while_migrating) if explain else runs.run_report(report)
    say_report(report, as_json, asked=perform != "never", told=told)


def _migrate() -> Any:
    from flows.migrating import migrate as flow

    return flow
