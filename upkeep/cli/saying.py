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


def fail(error: UpkeepError, as_json: bool) -> int:
    """Say what went wrong and what to do next; the exit code."""
    if as_json:
        print(json.dumps({"error": error.message, "hint": error.hint, "exit": error.exit_code}, indent=1))
    else:
        print(f"upkeep: {error.message}\n  {error.hint}", file=sys.stderr)
    return error.exit_code
