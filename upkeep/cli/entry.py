"""Where the command line begins: every error ends as one line, one hint and an exit code."""

import sys

import click
import typer

from upkeep.cli import backing_up, looking, policies, running
from upkeep.cli.saying import fail
from upkeep.errors import Refused, UpkeepError

app = typer.Typer(
    help="Keeps a database well: proven backups, orphans found and repaired by policy, migrations rehearsed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for group in (looking, backing_up, running):
    group.add_to(app)
app.add_typer(policies.app, name="policy")


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit with its code."""
    given = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in given
    try:
        code = app(args=given, standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except UpkeepError as error:
        sys.exit(fail(error, as_json))
    except click.UsageError as error:
        usage = error.ctx.command_path if error.ctx else "upkeep"
        sys.exit(fail(Refused(error.format_message().rstrip(".").lower(), f"see `{usage} --help`"), as_json))
    except click.exceptions.Abort:
        sys.exit(fail(Refused("stopped by the keyboard", "the next run carries on"), as_json))
