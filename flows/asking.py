"""Who approves a plan: the policy within its limits, a shell that answers beforehand, or whoever answers the form."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from flows.approval import ask
from tasks.explaining import taken_for_good
from tasks.rehearsal import Rehearsed
from upkeep.approval import Approval, Duty, judge_approval, judge_within_limits
from upkeep.question import Question

Perform = Literal["never", "ask", "within_limits"]


@dataclass(frozen=True)
class Answered:
    """What a shell says beforehand in place of the form, and who asks; no digest: it approves nothing."""

    digest: str
    by: str
    reason: str
    requested_by: str = ""
    break_glass: bool = False


@dataclass(frozen=True)
class Asking:
    """How one run comes to its approval.

    Where ``waits`` is False nobody is asked who has not ``answered`` beforehand. ``hours`` are given for the form;
    ``hindrance`` says why the plan cannot be performed now, '' where it can.
    """

    perform: Perform
    waits: bool
    answered: Answered
    two_persons: bool
    hours: float
    hindrance: Callable[[], str]

    @property
    def duty(self) -> Duty:
        """Who asked for the run, and whether somebody else has to approve it."""
        return Duty(self.answered.requested_by, self.two_persons)

    def approval(self, rehearsed: Rehearsed, evidence: str) -> tuple[Approval, tuple[str, ...]]:
        """The answer, and why those before it were not taken; ``evidence`` is where that of the rehearsal stands."""
        plan, said = rehearsed.plan, self.answered
        taken = taken_for_good(rehearsed.worked)
        if self.perform == "within_limits":
            return judge_within_limits(taken, rehearsed.unrecorded), ()
        if said.digest:
            answer = judge_approval(
                plan.digest,
                approve=True,
                digest=said.digest,
                by=said.by,
                reason=said.reason,
                duty=self.duty,
                break_glass=said.break_glass,
            )
            return answer, ()
        if not self.waits:
            told = f"it waits for approval: --approve {plan.digest[:12]} --by NAME --reason TEXT"
            return Approval(given=False, by="", reason=told), ()
        question = Question(plan, rehearsed.verdict, evidence, self.duty, taken, rehearsed.lasting)
        return ask(question, self.hours, self.hindrance)
