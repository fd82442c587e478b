"""What is waited for after a run was killed, before anybody looks at what it has left."""

import time

from upkeep.databases import Database
from upkeep.errors import Refused, Unreachable

_SECONDS = 30


def wait_for_the_dead(database: Database) -> None:
    """Until the server has ended what the killed run had sent to it; recovery begins with that, too.

    A commit that was on its way is still made: who looks at once may see the rows as before, or some of each. Fails
    where the dead run's lock stays.
    """
    until = time.monotonic() + _SECONDS
    while True:
        try:
            with database.held("who looks after a kill"):
                return
        except (Refused, Unreachable):
            if time.monotonic() > until:
                raise
        time.sleep(0.05)
