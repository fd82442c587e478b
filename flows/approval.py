"""Asking an operator: the form in the Prefect UI, and what an answer is worth."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from enum import Enum
from threading import Event, Timer

from prefect.client.orchestration import get_client
from prefect.client.schemas import SetStateStatus
from prefect.context import FlowRunContext
from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput
from pydantic import Field

from upkeep.approval import Approval, Duty, judge_approval
from upkeep.lasting import Lasting
from upkeep.plan import Plan
from upkeep.verdict import Verdict
from upkeep.wording import markdown

_GRACE = 600
"""So many seconds after the last moment for an answer Prefect itself would give up."""


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


class DecisionOfAnother(Decision):
    """The form where the policy wants two persons."""

    break_glass: bool = Field(
        default=False, description="in an emergency: approve what you asked for yourself; every report will say so"
    )


def ask(
    plan: Plan,
    verdict: Verdict,
    taken: tuple[str, ...],
    evidence: str,
    hours: float,
    duty: Duty,
    lasting: tuple[Lasting, ...],
) -> Approval:
    """Pause until somebody answers; the answer, or the reason why there is none. No answer is a no (P-92).

    ``taken`` is what the plan's migration takes for good, ``lasting`` the rows that no undo could put back afterwards.

    The run pauses in its process and is not suspended: a suspended run begins again from the top, with another
    backup and so another rehearsal than the one that was approved. A process that dies meanwhile loses nothing.
    """
    described = markdown.approval_form(plan, verdict, taken, evidence, hours, duty, lasting)
    form = (DecisionOfAnother if duty.two_persons else Decision).with_initial_data(description=described)
    seconds = max(1, round(hours * 3600))
    silence = Approval(given=False, by="", reason=f"nobody answered within {hours:g} hours")
    try:
        with _refusing_after(seconds, silence.reason) as refused:
            said = pause_flow_run(wait_for_input=form, timeout=seconds + _GRACE, poll_interval=5, key=plan.digest[:12])
    except FlowPauseTimeout:
        return silence
    if refused.is_set():
        return silence
    return judge_approval(
        plan.digest,
        approve=said.answer is Answer.APPROVE,
        digest=said.digest,
        by=said.name,
        reason=said.reason,
        duty=duty,
        break_glass=isinstance(said, DecisionOfAnother) and said.break_glass,
    )


@contextmanager
def _refusing_after(seconds: int, reason: str) -> Iterator[Event]:
    """Answer the form with a refusal when nobody else has; the event says that it was this that was heard.

    Prefect's own timeout is no end that one can tell: from then on its server makes Failed of whatever state the run
    proposes, with a message of its own. So that comes later, and serves only where this cannot reach the server.
    """
    refused, run = Event(), FlowRunContext.get().flow_run.id  # type: ignore[union-attr]  # a flow run is under way

    def refuse() -> None:
        with get_client(sync_client=True) as client:
            answered = client.resume_flow_run(run, run_input={"answer": Answer.REFUSE.value, "reason": reason})
        if answered.status == SetStateStatus.ACCEPT:
            refused.set()

    # A plain thread has no settings of Prefect's of its own, and would look for the server elsewhere.
    timer = Timer(seconds, copy_context().run, [refuse])
    timer.daemon = True
    timer.start()
    try:
        yield refused
    finally:
        timer.cancel()
