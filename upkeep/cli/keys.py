"""Commands about the keys of encrypted backups."""

from pathlib import Path
from typing import Annotated

import typer

from upkeep.cli.saying import Json, say
from upkeep.encryption.files import make_identity_file

app = typer.Typer(help="Make the keys with which backups are encrypted.")


@app.callback()  # without it Typer would make one command of the group
def keys() -> None:
    """Make the keys with which backups are encrypted."""


@app.command()
def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the private key is written; a new file.")],
    as_json: Json = False,
) -> None:
    """Make a pair of keys: the private one into FILE, which nobody else may read, the public one printed."""
    public = make_identity_file(file)
    told = (
        f"UPKEEP_RECIPIENTS={public}\n"
        f"next: set that; move {file} to where this machine cannot lose it, and keep a second copy: "
        "without it no backup can be read"
    )
    say(as_json, {"public_key": public, "identity_file": str(file)}, told)
