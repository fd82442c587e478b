"""What pg_dump leaves out because it is the server's: roles, memberships and tablespaces (P-17)."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from upkeep.databases.postgresql_place import Connection, for_a_program
from upkeep.databases.postgresql_tools import find_program
from upkeep.errors import Refused, Unreachable

NAME = "globals.sql"
HOLDS = "roles, memberships and tablespaces of the server, without passwords"
_SECONDS = 600
_PASSES = re.compile(
    r"connection to server|server closed|terminating connection|could not connect|could not (send|rec)"
)


@contextmanager
def globals_of(connection: Connection, programs: Path | None) -> Iterator[tuple[BinaryIO | None, str | None]]:
    """What pg_dumpall says of the server, or None and why there is nothing: a role need not have the right to it.

    It is as large as the roles are many. Passwords stay out: whoever can read the store must not be able to try them.
    Raises Unreachable where the server was lost.
    """
    with tempfile.TemporaryFile() as content, tempfile.TemporaryFile() as errors:
        missing = _written(connection, programs, content, errors)
        content.seek(0)
        yield (None, missing) if missing else (content, None)


def _written(connection: Connection, programs: Path | None, content: IO[bytes], errors: IO[bytes]) -> str | None:
    """Why it was not written; None if it was."""
    try:
        program = find_program("pg_dumpall", connection.info.server_version // 10000, programs)
    except Refused as fault:
        return fault.message
    where, environment = for_a_program(connection)
    words = ["--globals-only", "--no-role-passwords", "--no-password"]
    words += [f"--database={connection.info.dbname}", f"--dbname={where}"]
    try:
        code = subprocess.run(
            [program.path, *words],
            stdin=subprocess.DEVNULL,
            stdout=content,
            stderr=errors,
            env=environment,
            timeout=_SECONDS,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        return f"pg_dumpall did not end within {_SECONDS} seconds"
    errors.seek(0)
    said = errors.read().decode("utf-8", "replace")
    if code and _PASSES.search(said):
        raise Unreachable("pg_dumpall lost the server", "nothing was kept; run it again")
    return f"pg_dumpall ended with {code}: {_first(said)}" if code else None


def _first(said: str) -> str:
    line = next((line for line in said.splitlines() if "error:" in line), said.strip().partition("\n")[0])
    return line.removeprefix("pg_dumpall: error: ") or "it said nothing"
