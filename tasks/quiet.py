"""The application kept quiet while its database is migrated, by the commands that the settings name (P-90)."""

import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from upkeep.errors import Refused, UpkeepError
from upkeep.settings import Settings
from upkeep.verdict import Check

_SECONDS = 60
_CLAIM = "the application is out of maintenance and well"


@contextmanager
def quiesced(settings: Settings) -> Iterator[list[Check]]:
    """UPKEEP_QUIESCE_ON before, UPKEEP_QUIESCE_OFF afterwards, whatever has become of it in between.

    The list holds what is to be claimed of that once the context has ended.

    Raises Refused where the application does not go quiet; then it is let go on and nothing was done.
    """
    awake: list[Check] = []
    try:
        if settings.quiesce_on and (said := _run(settings, settings.quiesce_on)):
            raise Refused(
                f"the application did not go into maintenance: UPKEEP_QUIESCE_ON {said}",
                "correct that command, or do it by hand and unset it; nothing was migrated",
            )
        yield awake
    except UpkeepError as fault:
        check = wake(settings)
        if check and not check.holds:
            raise type(fault)(fault.message, f"{fault.hint}; and {check.seen}") from None
        raise
    except BaseException:
        wake(settings)
        raise
    if check := wake(settings):
        awake.append(check)


def wake(settings: Settings) -> Check | None:
    """Let the application go on and ask whether it does; None where the settings say nothing of that.

    What says no is a claim that does not hold and no error: the migration itself may be done by then.
    """
    if settings.quiesce_off and (said := _run(settings, settings.quiesce_off)):
        return Check(claim=_CLAIM, holds=False, seen=f"UPKEEP_QUIESCE_OFF {said}: end the maintenance by hand")
    if not settings.quiesce_health:
        return Check(claim=_CLAIM, holds=True, seen="UPKEEP_QUIESCE_OFF went well") if settings.quiesce_off else None
    until = time.monotonic() + settings.lock_seconds
    while said := _run(settings, settings.quiesce_health):
        if time.monotonic() > until:
            return Check(claim=_CLAIM, holds=False, seen=f"UPKEEP_QUIESCE_HEALTH {said}: look at the application")
        time.sleep(0.5)
    return Check(claim=_CLAIM, holds=True, seen="UPKEEP_QUIESCE_HEALTH says so")


def _run(settings: Settings, command: str) -> str:
    """What is wrong with how a command ended; '' where nothing is. It sees the application's environment alone."""
    try:
        ended = subprocess.run(
            shlex.split(command),
            env=settings.application_environment({}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except OSError as fault:
        return f"cannot be run ({fault.strerror})"
    except subprocess.TimeoutExpired:
        return f"did not end within {_SECONDS} s"
    return f"ended with {ended.returncode}" if ended.returncode else ""
