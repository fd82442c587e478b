"""Asking an operator: the form in the Prefect UI, and what an answer is worth."""

from enum import Enum

from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput
from pydantic import Field

from upkeep.approval import Approval, judge_approval
from upkeep.plan import Plan
from upkeep.verdict import Verdict
from upkeep.wording import markdown


class Answer(Enum):
    """What an operator may say."""

    REFUSE = "refuse"
    APPROVE = "approve"


class Decision(RunInput):
    """The approval form."""

    answer: Answer = Field(default=Answer.REFUSE, description="nothing is done unless you approve")
    digest: str = Field(default="", description="the plan's digest; its first 12 characters are enough")
    name: str = Field(default="", description="who you are")
    reason: str = Field(default="", description="why")


def ask(plan: Plan, verdict: Verdict, evidence: str, hours: float) -> Approval:
    """Pause until somebody answers; the answer, or the reason why there is none. No answer is a no (P-92).

    The run pauses in its process and is not suspended: a suspended run begins again from the top, with another
    backup and so another rehearsal than the one that was approved. A process that dies meanwhile loses nothing.
    """
    form = Decision.with_initial_data(description=markdown.approval_form(plan, verdict, evidence, hours))
    try:
        said = pause_flow_run(wait_for_input=form, timeout=int(hours * 3600), poll_interval=5, key=plan.digest[:12])
    except FlowPauseTimeout:
        return Approval(given=False, by="", reason=f"nobody answered within {hours:g} hours")
    return judge_approval(
        plan.digest, approve=said.answer is Answer.APPROVE, digest=said.digest, by=said.name, reason=said.reason
    )
