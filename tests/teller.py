"""The digests of plans for stories and of their undos, told by a process of its own: each has its own order of sets."""

import pickle
import sys
import tempfile
from pathlib import Path

from tests.test_restoring import Story, backups, drawn_up
from tests.test_restoring_on_engines import missed_by
from upkeep.finding import keys_of
from upkeep.mending import mend
from upkeep.undoing import Deed, draw_back


def digests_of(story: Story) -> tuple[str, str]:
    """What the plan for the last moment of a story comes to, with the others as backups, and what its undo does."""
    *past, today = story.states
    with tempfile.TemporaryDirectory() as folder:
        older = backups([story.write(state, Path(folder, f"{n}.db")) for n, state in enumerate(past)])
        database = story.write(today, Path(folder, "today.db"))
        plan = drawn_up(database, story.policy, older)
        with database.writing() as writing:
            mended = mend(writing, plan, keys_of(writing, story.policy))
        with database.reading() as reading:
            deed = Deed("run", mended.changes, missed_by(plan))
            return plan.digest, draw_back(reading, "small", deed, keys_of(reading, story.policy)).digest


if __name__ == "__main__":
    while True:
        try:
            asked = pickle.load(sys.stdin.buffer)  # noqa: S301  # from the test that started it
        except EOFError:
            break
        print(*digests_of(asked), flush=True)
