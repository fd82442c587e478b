"""What an operator's answer is worth: an approval is of one digest, by somebody, for a reason."""

from dataclasses import dataclass
from unicodedata import normalize

from upkeep.errors import Refused

SHORTEST = 12
"""So many characters of a digest are enough to name a plan."""


@dataclass(frozen=True)
class Duty:
    """Who asked for the run, and whether the policy wants somebody else to approve it (P-105)."""

    requested_by: str = ""
    two_persons: bool = False

    def is_alone(self, by: str) -> bool:
        """Would whoever asked approve it too?"""
        return self.two_persons and person(self.requested_by) == person(by)


@dataclass(frozen=True)
class Approval:
    """Given or not, by whom, and why (or why not); ``alone`` where one person was enough though two were wanted.

    ``mistaken``: somebody meant to approve, and may be asked again.
    """

    given: bool
    by: str
    reason: str
    requested_by: str = ""
    alone: bool = False
    mistaken: bool = False

    def __str__(self) -> str:
        return f"{self.by}: {self.reason}{' (broke the glass: nobody else approved)' if self.alone else ''}"


def refuse_unnamed(duty: Duty, *, asks: bool) -> None:
    """Raise Refused where the policy wants two persons and one is not named, or none would be asked."""
    if not duty.two_persons:
        return
    if not asks:
        raise Refused(
            "the policy wants two persons, so no run approves itself; nothing was done",
            "use --perform ask and let somebody else approve",
        )
    if not duty.requested_by.strip():
        raise Refused(
            "the policy wants two persons, and nobody is named who asks for this run; nothing was done",
            "say who asks: --requested-by NAME; in the Prefect UI the parameter requested_by",
        )


def judge_within_limits(taken: tuple[str, ...], unrecorded: tuple[str, ...]) -> Approval:
    """The policy's own approval: of what the plan does to rows, and what comes out of backups that are on record.

    What a migration itself takes is a person's to approve. Rows of the plan that its migration keeps from coming back
    by an undo are told (``lasting``) and not declined: each stands in the store as it was.
    """
    said = []
    if taken:
        said.append(f"the migration takes what no undo brings back, which a person approves: {'; '.join(taken)}")
    if unrecorded:
        said.append(f"a person says first {'; '.join(unrecorded)}")
    if said:
        return Approval(given=False, by="", reason="; ".join(said))
    return Approval(given=True, by="policy", reason="within its limits")


def judge_approval(
    plan: str,
    *,
    approve: bool,
    digest: str,
    by: str,
    reason: str,
    duty: Duty = Duty(),
    break_glass: bool = False,
) -> Approval:
    """The answer to the plan with the digest ``plan``.

    An approval of another plan is void; one without name or reason is none, and one of the person's own request is
    none where the policy wants two, unless that person breaks the glass.
    """
    by, reason, digest = by.strip(), reason.strip(), digest.strip().lower()

    def no(why: str) -> Approval:
        return Approval(given=False, by=by, reason=why, requested_by=duty.requested_by, mistaken=approve)

    if not approve:
        return no(f"refused{f' by {by}' if by else ''}{f': {reason}' if reason else ''}")
    if len(digest) < SHORTEST or not plan.startswith(digest):
        return no(f"the approval is of another plan ({digest[:SHORTEST] or 'none'}), not of {plan[:SHORTEST]}")
    if not by or not reason:
        return no("an approval needs a name and a reason")
    alone = duty.is_alone(by)
    if alone and not break_glass:
        return no(f"{by} asked for it, and the policy wants somebody else to approve it")
    return Approval(given=True, by=by, reason=reason, requested_by=duty.requested_by, alone=alone)


def person(name: str) -> str:
    """Who is so called, however it was typed: an umlaut is one letter on one keyboard and two on another."""
    return " ".join(normalize("NFKC", name).casefold().split())
