"""What an operator's answer is worth: an approval is of one digest, by somebody, for a reason."""

from dataclasses import dataclass

SHORTEST = 12
"""So many characters of a digest are enough to name a plan."""


@dataclass(frozen=True)
class Approval:
    """Given or not, by whom, and why (or why not)."""

    given: bool
    by: str
    reason: str


def judge_approval(plan: str, *, approve: bool, digest: str, by: str, reason: str) -> Approval:
    """The answer to the plan with the digest ``plan``.

    An approval of another plan is void; one without name or reason is none.
    """
    by, reason, digest = by.strip(), reason.strip(), digest.strip().lower()
    if not approve:
        return Approval(
            given=False, by=by, reason=f"refused{f' by {by}' if by else ''}{f': {reason}' if reason else ''}"
        )
    if len(digest) < SHORTEST or not plan.startswith(digest):
        return Approval(
            given=False,
            by=by,
            reason=f"the approval is of another plan ({digest[:SHORTEST] or 'none'}), not of {plan[:SHORTEST]}",
        )
    if not by or not reason:
        return Approval(given=False, by=by, reason="an approval needs a name and a reason")
    return Approval(given=True, by=by, reason=reason)
