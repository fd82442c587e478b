"""Where the command line begins: every error ends as one line, one hint and an exit code."""

import os
import sys
import traceback
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from upkeep.cli import backing_up, keys, ledgers, looking, migrating, policies, reporting, running, serving, undoing
from upkeep.cli.saying import fail
from upkeep.errors import Refused, UpkeepError

_INTERRUPTED = 130  # what Typer makes of Ctrl-C

app = typer.Typer(
    help="Keeps a database well: proven backups, orphans found and repaired by policy, migrations rehearsed.",
    pretty_exceptions_enable=False,
    add_completion=False,
)
for group in (looking, backing_up, running, migrating, undoing, serving, reporting):
    group.add_to(app)
app.add_typer(policies.app, name="policy")
app.add_typer(ledgers.app, name="ledger")
app.add_typer(keys.app, name="keys")


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run one command and exit with its code."""
    given = sys.argv[1:] if arguments is None else arguments
    code = _run(given, as_json="--json" in given)
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # `upkeep check | head`: nobody reads on, and Python would complain at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _run(given: list[str], *, as_json: bool) -> int:
    try:
        code = app(args=given or ["--help"], prog_name="upkeep", standalone_mode=False)
        if code == _INTERRUPTED:
            raise Refused("stopped by the keyboard", "the next run carries on where it must")
        return code if isinstance(code, int) else 0
    except UpkeepError as error:
        return fail(error, as_json)
    except TyperException as error:
        return fail(_wrong_usage(error), as_json)
    except Exception as fault:  # noqa: BLE001 (the traceback is printed whole, the exit code is our own)
        # A fault of ours must neither be hidden nor look like "orphans were found", which is Python's own exit code 1.
        traceback.print_exc()
        named = f"Upkeep itself is at fault: {type(fault).__name__}"
        return fail(UpkeepError(named, "please report it with the traceback on standard error"), as_json)


def _wrong_usage(error: TyperException) -> Refused:
    """Typer carries Click inside itself and gives its errors no public names, so their parts are asked for by name."""
    said = getattr(error, "format_message", error.__str__)().splitlines()[0].rstrip(".")
    said = said.replace("Value error, ", "")  # a word of the library that Typer reads values with
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "upkeep"
    return Refused(said[:1].lower() + said[1:], f"see `{command} --help`")
