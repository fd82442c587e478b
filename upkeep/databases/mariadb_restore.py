"""A dump poured into an empty database by the server's own client as it comes; what fails is taken out again."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, BinaryIO

from upkeep.databases.mariadb_asking import Conversation, quoted
from upkeep.databases.mariadb_dialect import quote
from upkeep.databases.mariadb_dump import COMPLETE
from upkeep.databases.mariadb_place import Place
from upkeep.databases.mariadb_shapes import MARK, read_relations
from upkeep.databases.mariadb_tools import Program
from upkeep.errors import Damaged, Refused, Unreachable, UpkeepError

_CHUNK = 1 << 20
_HEADS = (b"/*M!999999", b"/*!999999", b"-- MariaDB dump", b"-- MySQL dump")
_SETTINGS = "SET SESSION wait_timeout = 31536000, net_read_timeout = 31536000, foreign_key_checks = 0"
_AWAKE = re.compile(rb"(\n/\*!50106 CREATE\*/ [^\n]*? ON COMPLETION (?:NOT )?PRESERVE )ENABLE(?= COMMENT '| DO )")
_LONGEST_EVENT_HEAD = 1 << 16
_TAIL = 200
_ERROR = re.compile(r"ERROR (\d+) \((\w{5})\)[^:]*: (.*)")
_PASSES = {2002, 2003, 2006, 2013, 1053, 1927, 1205, 1213}
_FULL = {1021, 1030, 1041, 1114}
_DENIED = {1044, 1142, 1227, 1370, 1419}
_THINGS = """
SELECT (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = {name})
  + (SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = {name})
  + (SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {name})"""


def pour(dump: BinaryIO, place: Place, program: Program, *, asleep: bool) -> None:
    """Run what the dump says in the database of ``place``; raises what went wrong, with the database half filled.

    With ``asleep`` its events are made DISABLED: those of a throw-away copy must not do anything (P-21). Foreign keys
    come in unchecked, as in every dump of this server, so orphans come too, and are found by our own detection.
    """
    first = dump.read(_CHUNK)
    if not first.startswith(_HEADS):
        raise Damaged("what was stored is no dump of mariadb-dump", "use another backup, see `upkeep backups`")
    pieces = _pieces(first, dump)
    with place.for_a_program() as (option, file), tempfile.TemporaryFile() as errors:
        words = [option, "--batch", "--binary-mode", "--default-character-set=utf8mb4", "--max-allowed-packet=1G"]
        process = subprocess.Popen(
            [program.path, *words, f"--init-command={_SETTINGS}", place.database],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env={"LC_ALL": "C"},
            pass_fds=[file],
            bufsize=0,
        )
        try:
            code, tail = _fed(process, _without_events(pieces) if asleep else pieces)
        finally:
            process.kill()
            process.wait()
        if code:
            raise _failure(code, errors, place)
    if not COMPLETE.search(tail):
        raise Damaged("the dump has no last line: it is not whole", "use another backup, see `upkeep backups`")


def _pieces(first: bytes, dump: BinaryIO) -> Iterator[bytes]:
    while first:
        yield first
        first = dump.read(_CHUNK)


def _without_events(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same dump, in which no event is awake. Text of rows is never at the begin of a line there."""
    rest = b""
    for piece in pieces:
        block = _AWAKE.sub(rb"\1DISABLE", rest + piece)
        cut = max(0, len(block) - _LONGEST_EVENT_HEAD)
        yield block[:cut]
        rest = block[cut:]
    yield rest


def _fed(process: "subprocess.Popen[bytes]", pieces: Iterator[bytes]) -> tuple[int, bytes]:
    """Write all of the dump to the client; its exit code and the dump's end."""
    assert process.stdin is not None  # noqa: S101  # it was opened as a pipe
    tail = b""
    for piece in pieces:
        with suppress(BrokenPipeError):  # it has ended, and says why; the dump is read on, for its digest
            _write(process.stdin, piece)
        tail = (tail + piece[-_TAIL:])[-_TAIL:]
    with suppress(BrokenPipeError):
        process.stdin.close()
    return process.wait(), tail


def _write(pipe: IO[bytes], piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[pipe.write(rest) :]


def _failure(code: int, errors: IO[bytes], place: Place) -> UpkeepError:
    """What the client said; the server's words repeat values, so only those that name no row are told."""
    errors.seek(0)
    found = _ERROR.search(errors.read().decode("utf-8", "replace"))
    if code < 0:
        return Unreachable(f"the client of the server was ended by signal {-code}", "nothing was kept; run it again")
    if found is None:
        return Refused(f"the client of the server ended with {code}", "nothing was kept; look whether it can connect")
    number = int(found[1])
    if number in _PASSES | _FULL:
        return Unreachable(
            f"the server of {place} was lost, or has no room (error {number})", "nothing was kept; run it again"
        )
    if number in _DENIED:
        return Refused(
            f"the role of {place} may not make what the dump holds: {found[3]}",
            "GRANT ALL on the database, and SET USER (MySQL: SET_USER_ID) for views and triggers of other definers",
        )
    return Refused(f"{place} refuses what the dump holds (error {number})", "look whether the server is older than it")


def holds_anything(conversation: Conversation, place: Place) -> bool:
    """Does the database hold anything of its own (P-23)?"""
    ((things,),) = conversation.fetched(_THINGS.format(name=quoted(place.database)))
    return bool(things != "0")


def refuse_what_is_there(conversation: Conversation, place: Place) -> None:
    """Raises Refused for a database that is not empty."""
    if not holds_anything(conversation, place):
        return
    name = quoted(place.database)
    marked = conversation.fetched(
        f"SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = {name} AND TABLE_NAME = {quoted(MARK)}"
    )
    if marked:
        raise Refused(
            f"{place} holds a restore that did not end", f"DROP DATABASE `{place.database}`, then run it again"
        )
    raise Refused(f"{place} is not empty", "name a database that is not there yet; Upkeep never writes over a database")


def settle(conversation: Conversation, place: Place) -> None:
    """Let the server count the new tables: anti-joins would be planned for none (P-20)."""
    tables = [f"{quote(place.database)}.{quote(name)}" for name in read_relations(conversation, place.database)]
    if tables:
        conversation.fetched(f"ANALYZE TABLE {', '.join(tables)}")
