"""What it means for the caller that a dump program failed, the same for every engine that has one."""

import re
from typing import IO

from upkeep.errors import Refused, Unreachable, UpkeepError

_ITS_NAME = re.compile(r"^[\w-]+: (?:error: )?")


def failure(
    program: str, code: int, errors: IO[bytes], may_not: re.Pattern[str], passes: re.Pattern[str], right: str
) -> UpkeepError:
    """What ``program`` wrote to ``errors`` before it ended with ``code``.

    ``may_not`` finds words of a right that it lacks (``right`` is the hint then), ``passes`` those of a server that
    went away.
    """
    errors.seek(0)
    said = errors.read().decode("utf-8", "replace")
    first = next((line for line in said.splitlines() if "rror" in line), said.strip().partition("\n")[0])
    first = _ITS_NAME.sub("", first) or "it said nothing"
    if code < 0:
        return Unreachable(f"{program} was ended by signal {-code}", "nothing was kept; run it again")
    if may_not.search(said):
        return Refused(f"{program} may not read all of it: {first}", right)
    if passes.search(said):
        return Unreachable(f"{program} lost the server: {first}", "nothing was kept; run it again")
    return Refused(f"{program} ended with {code}: {first}", "nothing was kept; correct what it complains of")
