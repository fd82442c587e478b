"""What a shell says of an approval: the same options for every command that performs a plan."""

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from upkeep.approval import SHORTEST
from upkeep.errors import Refused

Perform = Annotated[Literal["never", "ask", "within_limits"], typer.Option(help="May the database be changed?")]
Approve = Annotated[str, typer.Option(metavar="DIGEST", help="The digest of the plan that you approve.")]
By = Annotated[str, typer.Option(metavar="NAME", help="Who approves.")]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the form in the Prefect UI in place of --approve.")]
RequestedBy = Annotated[
    str, typer.Option(metavar="NAME", help="Who asks for it; the policy may want somebody else to approve.")
]
BreakGlass = Annotated[
    bool, typer.Option("--break-glass", help="In an emergency: approve what you asked for yourself; reports say so.")
]


@dataclass(frozen=True)
class Given:
    """What was said, by the names that flows have for it."""

    approve: str
    by: str
    reason: str
    wait: bool
    requested_by: str
    break_glass: bool

    def refuse_half(self, whole: str, *, asks: bool = True) -> None:
        """Raise Refused for half an approval: before the run, which may take hours. ``whole`` says what to type."""
        if (self.approve or self.by or self.reason or self.wait) and not asks:
            raise Refused("--approve, --by, --reason and --wait go with --perform ask", whole)
        if self.break_glass and not self.approve:
            raise Refused("--break-glass goes with --approve", whole)
        if self.approve and self.wait:
            raise Refused("--approve and --wait exclude each other", whole)
        if (self.by or self.reason) and not self.approve:
            raise Refused("--by and --reason go with --approve", whole)
        if self.approve and not (self.by.strip() and self.reason.strip()):
            raise Refused("an approval needs a name and a reason", whole)
        if self.approve and len(self.approve.strip()) < SHORTEST:
            raise Refused(
                f"{self.approve} is too short for the digest of a plan",
                f"give at least its first {SHORTEST} characters",
            )
