"""What pg_dump writes, as a file to read that ends only when pg_dump has ended well (P-124)."""

import io
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO

from upkeep.databases.dump_failure import failure
from upkeep.databases.postgresql_place import Connection, for_a_program
from upkeep.databases.postgresql_tools import Program

_CHUNK = 1 << 20
# The snapshot is gone where the connection that keeps it is: the last two, one of them in the words of each version.
_PASSES = re.compile(
    r"connection to server|server closed|terminating connection|lock timeout|could not (send|receive)"
    r"|could not import the requested snapshot|invalid snapshot identifier|snapshot \".*\" does not exist"
)
_MAY_NOT = re.compile(r"row-level security|permission denied")
_RIGHT = "give the role of DATABASE_URL the right to read all"


@contextmanager
def dumped(connection: Connection, snapshot: str, program: Program, patience: float) -> Iterator[BinaryIO]:
    """The dump of an exported snapshot, which ``connection`` keeps; pg_dump is ended where the context ends before it.

    Not compressed: the one stream does that, and pg_dump 15 has no zstd.
    """
    where, environment = for_a_program(connection)
    words = ["--format=custom", "--compress=0", "--no-password", f"--snapshot={snapshot}"]
    words += [f"--lock-wait-timeout={int(patience * 1000)}", f"--dbname={where}"]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [program.path, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            bufsize=0,
        )
        try:
            with io.BufferedReader(_Output(process, errors), _CHUNK) as dump:
                try:
                    yield dump
                finally:
                    process.kill()  # before the file is closed, which waits for whoever reads it in another thread
        finally:
            process.kill()
            process.wait()


class _Output(io.RawIOBase):
    """What a process writes; its end raises, each time that it is asked for, where the process did not end well."""

    def __init__(self, process: "subprocess.Popen[bytes]", errors: IO[bytes]) -> None:
        super().__init__()
        assert process.stdout is not None  # noqa: S101  # it was opened as a pipe
        self._process, self._pipe, self._errors = process, process.stdout, errors

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed asks for a Buffer
        size: int = self._pipe.readinto(buffer)  # type: ignore[attr-defined]  # unbuffered, so it is a FileIO
        if size == 0 and (code := self._process.wait()) != 0:
            raise failure("pg_dump", code, self._errors, _MAY_NOT, _PASSES, _RIGHT)
        return size

    def close(self) -> None:
        self._pipe.close()
        super().close()
