"""Asking an operator: the form in the Prefect UI, and what an answer is worth."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import replace
from enum import Enum
from threading import Event, Timer
from time import monotonic

from prefect.client.orchestration import get_client
from prefect.client.schemas import SetStateStatus
from prefect.context import FlowRunContext
from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput
from pydantic import ConfigDict, Field

from upkeep.approval import Approval, judge_approval
from upkeep.question import Question
from upkeep.wording import markdown

_NO = {"answer": "refuse", "digest": "", "name": "", "reason": ""}
_MISTAKES = 3
"""So many answers that were meant as an approval and are none are not yet the end."""
_GRACE = 600
"""So many seconds after the last moment for an answer Prefect itself would give up."""


class Answer(Enum):
    """What an operator may say."""

    REFUSE = "refuse"
    APPROVE = "approve"


class Decision(RunInput):
    """The approval form."""

    # Prefect's form calls optional what is not required, and what is required it does not send while it is empty.
    model_config = ConfigDict(json_schema_extra={"required": ["answer", "digest", "name", "reason"]})

    answer: Answer = Field(default=Answer.REFUSE, description="nothing is done unless you approve")
    digest: str = Field(description="the plan's digest, its first 12 characters are enough; to refuse, anything")
    name: str = Field(description="who you are")
    reason: str = Field(description="why")


class DecisionOfAnother(Decision):
    """The form where the policy wants two persons."""

    break_glass: bool = Field(
        default=False, description="in an emergency: approve what you asked for yourself; every report will say so"
    )


def ask(question: Question, hours: float, hindrance: Callable[[], str]) -> tuple[Approval, tuple[str, ...]]:
    """Pause until somebody answers; the answer, or the reason why there is none. No answer is a no (P-92).

    ``hindrance`` says why it cannot be performed now, '' if it can. An approval that is not one, or that comes while
    something is in the way, is asked for again, a few times and within the same hours: why each was not taken is the
    second half of what this gives.

    The run pauses in its process and is not suspended: a suspended run begins again from the top, with another
    backup and so another rehearsal than the one that was approved. A process that dies meanwhile loses nothing.
    """
    not_taken: tuple[str, ...] = ()
    until = monotonic() + hours * 3600
    while True:
        left = max(1, round(until - monotonic()))
        described = markdown.approval_form(question, left / 3600, not_taken)
        key = f"{question.plan.digest[:12]}-{len(not_taken)}"  # Prefect pauses once for each
        answer = _answer(question, described, left, key)
        if answer is None:
            before = f"; before that: {not_taken[-1]}" if not_taken else ""
            return Approval(given=False, by="", reason=f"nobody answered within {hours:g} hours{before}"), not_taken
        if answer.given and (why := hindrance()):
            answer = replace(answer, given=False, reason=why, mistaken=True)
        if not answer.mistaken or len(not_taken) == _MISTAKES:
            return answer, not_taken
        not_taken = (*not_taken, answer.reason)


def _answer(question: Question, described: str, seconds: int, key: str) -> Approval | None:
    """What somebody answers to one form, judged; None for nobody."""
    form = (DecisionOfAnother if question.duty.two_persons else Decision).with_initial_data(description=described)
    try:
        with _refusing_after(seconds) as refused:
            said = pause_flow_run(wait_for_input=form, timeout=seconds + _GRACE, poll_interval=5, key=key)
    except FlowPauseTimeout:
        return None
    if refused.is_set():
        return None
    return judge_approval(
        question.plan.digest,
        approve=said.answer is Answer.APPROVE,
        digest=said.digest,
        by=said.name,
        reason=said.reason,
        duty=question.duty,
        break_glass=isinstance(said, DecisionOfAnother) and said.break_glass,
    )


@contextmanager
def _refusing_after(seconds: int) -> Iterator[Event]:
    """Answer the form with a refusal when nobody else has; the event says that it was this that was heard.

    Prefect's own timeout is no end that one can tell: from then on its server makes Failed of whatever state the run
    proposes, with a message of its own. So that comes later, and serves only where this cannot reach the server.
    """
    refused, run = Event(), FlowRunContext.get().flow_run.id  # type: ignore[union-attr]  # a flow run is under way

    def refuse() -> None:
        with get_client(sync_client=True) as client:
            answered = client.resume_flow_run(run, run_input=_NO)
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
