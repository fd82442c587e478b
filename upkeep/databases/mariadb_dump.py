"""What mariadb-dump writes, as a file to read that ends only when all of it was written (P-124)."""

import io
import os
import re
import select
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from upkeep.databases.dump_failure import failure
from upkeep.databases.mariadb_place import Place
from upkeep.databases.mariadb_tools import Program
from upkeep.errors import Damaged, Unreachable

COMPLETE = re.compile(rb"\n-- Dump completed[^\n]*\s*\Z")
_BEGUN = re.compile(rb"-- (Table|Sequence|Temporary table) structure for|-- Dump completed")
_WORDS = (
    "--single-transaction",
    "--routines",
    "--triggers",
    "--events",
    "--hex-blob",
    "--skip-add-locks",  # whoever locks a table may not ask the sequence that its default names
    "--tz-utc",
    "--default-character-set=utf8mb4",
    "--no-tablespaces",  # it would want the right PROCESS, for what InnoDB has no need of
    "--max-allowed-packet=1G",
)
_OF_MYSQL = ("--set-gtid-purged=OFF", "--column-statistics=0")
_CHUNK = 1 << 20
_TAIL = 200
_SIP_SECONDS = 10.0
_SIP = 4 << 20
_PASSES = re.compile(r"\b(2002|2003|2006|2013|1053|1927|1205|1412)\b|Lost connection|gone away|Can't connect")
_MAY_NOT = re.compile(r"denied|insufficient privileges|\b(1044|1045|1142|1227|1356)\b")
_RIGHT = "GRANT what it lacks to the role of DATABASE_URL"


@contextmanager
def dumping(place: Place, program: Program, workplace: Path) -> Iterator["Dump"]:
    """The dump of one database, which the program reads in one transaction; it is ended where the context ends."""
    with place.for_a_program() as (option, file), tempfile.TemporaryFile() as errors:
        words = [option, *_WORDS, *(() if program.is_mariadb else _OF_MYSQL), place.database]
        process = subprocess.Popen(
            [program.path, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={"LC_ALL": "C"},
            pass_fds=[file],
            bufsize=0,
        )
        dump = Dump(process, errors, workplace)
        try:
            yield dump
        finally:
            process.kill()
            process.wait()
            dump.close()


class Dump(io.RawIOBase):
    """What the program writes; its end raises, each time that it is asked for, where not all of it was written.

    Until it is read for the first time a sip is taken every ten seconds and put aside: after a minute in which
    nothing is taken the server would end the program's connection, and its own timeout is not ours to set.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", errors: IO[bytes], workplace: Path) -> None:
        super().__init__()
        assert process.stdout is not None  # noqa: S101  # it was opened as a pipe
        self._process, self._pipe, self._errors = process, process.stdout, errors
        self._aside = tempfile.TemporaryFile(dir=workplace)  # noqa: SIM115  # close() closes it
        self._tail = b""
        self._wanted = threading.Event()
        self._sipping: threading.Thread | None = None

    def wait_until_begun(self, seconds: float) -> None:
        """Until something stands there that the program has read within its transaction; Unreachable after a time."""
        until = time.monotonic() + seconds
        head = b""
        while not _BEGUN.search(head):
            if not select.select([self._pipe], [], [], max(0.0, until - time.monotonic()))[0]:
                raise Unreachable("the dump does not begin", "look whether the server is busy, then run it again")
            piece = os.read(self._pipe.fileno(), _CHUNK)
            if not piece:
                break  # the end says what was wrong
            self._aside.write(piece)
            head += piece
        self._sipping = threading.Thread(target=self._sip, daemon=True)
        self._sipping.start()

    def _sip(self) -> None:
        while not self._wanted.wait(_SIP_SECONDS):
            taken = 0
            while taken < _SIP and select.select([self._pipe], [], [], 0)[0]:
                piece = os.read(self._pipe.fileno(), _CHUNK)
                if not piece:
                    return
                self._aside.write(piece)
                taken += len(piece)

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed asks for a Buffer
        """Some of it; raises in place of an end that is none."""
        if not self._wanted.is_set():
            self._stop_sipping()
            self._aside.seek(0)
        size = self._aside.readinto(buffer)
        size = size or self._pipe.readinto(buffer)  # type: ignore[attr-defined]  # unbuffered, so it is a FileIO
        if size:
            self._tail = (self._tail + bytes(buffer[max(0, size - _TAIL) : size]))[-_TAIL:]
            return int(size)
        if (code := self._process.wait()) != 0:
            raise failure("mariadb-dump", code, self._errors, _MAY_NOT, _PASSES, _RIGHT)
        if not COMPLETE.search(self._tail):
            raise Damaged("mariadb-dump ended without its last line", "nothing was kept; run it again")
        return 0

    def close(self) -> None:
        """Let go of everything."""
        self._stop_sipping()
        self._pipe.close()
        self._aside.close()
        super().close()

    def _stop_sipping(self) -> None:
        self._wanted.set()
        if self._sipping is not None:
            self._sipping.join()
            self._sipping = None
