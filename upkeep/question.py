"""What an operator is asked: may this plan be performed, so rehearsed, with what it takes for good?"""

from dataclasses import dataclass, field

from upkeep.approval import Duty
from upkeep.lasting import Lasting
from upkeep.plan import Plan
from upkeep.verdict import Verdict


@dataclass(frozen=True)
class Question:
    """One plan, put to whoever may approve it.

    ``verdict`` is the rehearsal's, ``evidence`` where its evidence stands, ``duty`` who asked for the run.
    ``taken`` is what the plan's migration takes for good, ``lasting`` the rows that no undo could put back afterwards.
    """

    plan: Plan
    verdict: Verdict
    evidence: str
    duty: Duty = field(default_factory=Duty)
    taken: tuple[str, ...] = ()
    lasting: tuple[Lasting, ...] = ()
