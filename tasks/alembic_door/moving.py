"""Upgrading, downgrading and checking: on no other database than the one that was meant."""

from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.engine import Engine

from .batches import rebuilding
from .connections import at_each_connection, comparing
from .ears import Ears
from .faults import said_of, state_of


def move(config: Config, asked: dict[str, Any]) -> dict[str, Any]:
    """Upgrade to the head, or downgrade to ``to``; on no other database than the one with this fingerprint (P-87).

    ``only``: the revisions at which it ends, although the head is further; none: it goes there.
    """
    strangers: list[str] = []
    ears = Ears(asked["watch"])
    failed, state = None, ""
    try:
        scripts, to = ScriptDirectory.from_config(config), asked["to"]
        revisions = scripts._downgrade_revs if asked["verb"] == "downgrade" else scripts._upgrade_revs

        def steps(found: Any, context: MigrationContext) -> list[Any]:
            only = asked.get("only")
            wanted = (step for step in revisions(to, found) if not only or step.revision.revision in only)
            return [ears.listening(step, context) for step in wanted]

        event.listen(Engine, "before_cursor_execute", ears.hear)
        with at_each_connection(comparing(asked, strangers)), rebuilding(ears.rebuild):
            if asked["verb"] == "check":
                command.check(config)
            else:
                with EnvironmentContext(config, scripts, fn=steps, destination_rev=to):
                    scripts.run_env()
    except BaseException as fault:  # noqa: BLE001  # SystemExit in somebody's env.py included: the answer must be written
        failed, state = said_of(fault), state_of(fault)
    return {"failed": strangers[0] if strangers else failed, "state": state, "told": ears.told}
