"""How a command answers: text for a person or one JSON document, and an exit code that says what to do next."""

import json
import sys
from typing import Annotated, Any, NoReturn

import typer

from upkeep.errors import UpkeepError

HOLDS, DOES_NOT_HOLD, REFUSED, UNREACHABLE, DAMAGED = range(5)
"""0 all holds; 1 the verdict did not pass or orphans were found; 2 refused; 3 unreachable; 4 damaged."""

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, errors too.")]


def say(as_json: bool, document: dict[str, Any], text: str) -> None:
    """Print one of the two."""
    print(json.dumps(document, indent=1, default=str) if as_json else text)


def end(code: int) -> NoReturn:
    """Leave with an exit code."""
    raise typer.Exit(code)


def end_badly(as_json: bool, document: dict[str, Any], text: str, error: UpkeepError) -> NoReturn:
    """Print what there is to show, with what is wrong and what to do next, and leave with the error's exit code."""
    say(as_json, document | error_document(error), text)
    if not as_json:
        complain(error)
    end(error.exit_code)


def fail(error: UpkeepError, as_json: bool) -> int:
    """Say what went wrong and what to do next; the exit code."""
    if as_json:
        print(json.dumps(error_document(error), indent=1))
    else:
        complain(error)
    return error.exit_code


def complain(error: UpkeepError) -> None:
    """One line of what happened and one of what to do, where a person reads them."""
    print(f"upkeep: {error.message}\n  {error.hint}", file=sys.stderr)


def error_document(error: UpkeepError) -> dict[str, Any]:
    """The error as JSON."""
    return {"error": error.message, "hint": error.hint, "exit": error.exit_code}
