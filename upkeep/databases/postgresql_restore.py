"""A dump poured into a database by pg_restore as it comes, with nothing that it complained of lost (P-13)."""

import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, BinaryIO

import psycopg

from upkeep.databases.postgresql_complaints import Complaint, complaints_in
from upkeep.databases.postgresql_errors import refusal_of
from upkeep.databases.postgresql_place import Connection, Place, for_a_program
from upkeep.databases.postgresql_tools import find_program
from upkeep.errors import Damaged, Refused, Unreachable

_CHUNK = 1 << 20
_MAGIC = b"PGDMP"
_FORMATS = {(1, 14): 12, (1, 15): 16, (1, 16): 17}
"""The oldest pg_restore for each version of the archive's format."""
_NOT_VALID = "SELECT oid, conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'f' AND NOT convalidated"


def pour(
    dump: BinaryIO, place: Place, connection: Connection, folder: Path | None, *, in_one: bool, replicating: bool
) -> tuple[str, ...]:
    """Restore ``dump`` into the empty database of ``connection``; what could not be brought back as it was, in words.

    Nothing is written to a disk on the way: the archive is read in its own order. With ``in_one`` it is one
    transaction, so that a database which is not ours to remove is filled whole or not at all; without it a foreign key
    that rows violate is put back NOT VALID (P-14), and every other complaint is raised. A throw-away copy is not
    ``replicating``: it must not publish or subscribe to anything (P-21).
    """
    first = dump.read(_CHUNK)
    program = find_program("pg_restore", max(connection.info.server_version // 10000, _needed(first)), folder)
    where, environment = for_a_program(connection)
    # Whose it is and who may use it is the server's: roles of the one need not be there on the other (P-16).
    words = ["--no-owner", "--no-privileges", "--no-password", f"--dbname={where}"]
    words += ["--single-transaction", "--exit-on-error"] if in_one else []
    words += [] if replicating else ["--no-publications", "--no-subscriptions"]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [program.path, *words], stdin=subprocess.PIPE, stdout=errors, stderr=errors, env=environment, bufsize=0
        )
        try:
            code = _fed(process, first, dump)
        finally:
            process.kill()
            process.wait()
        complaints = _complaints(code, errors, str(place))
    remarks = _settled(complaints, connection, str(place), in_one=in_one)
    connection.execute("ANALYZE")  # a fresh database has no statistics, and anti-joins would be planned for none (P-20)
    return remarks


def _needed(first: bytes) -> int:
    """The oldest major version of pg_restore that can read an archive which begins so."""
    if not first.startswith(_MAGIC) or len(first) < len(_MAGIC) + 2:
        raise Damaged("what was stored is no archive of pg_dump", "use another backup, see `upkeep backups`")
    return _FORMATS.get((first[len(_MAGIC)], first[len(_MAGIC) + 1]), max(_FORMATS.values()))


def _fed(process: "subprocess.Popen[bytes]", first: bytes, dump: BinaryIO) -> int:
    """Write all of the dump to pg_restore; its exit code.

    One piece is always held back: the dump's digest is known only at its end, and without its last bytes pg_restore
    cannot have committed.
    """
    assert process.stdin is not None  # noqa: S101  # it was opened as a pipe
    held = first
    with suppress(BrokenPipeError):  # it has ended, and says why
        while held:
            coming = dump.read(_CHUNK)
            _write(process.stdin, held)
            held = coming
    with suppress(BrokenPipeError):
        process.stdin.close()
    return process.wait()


def _write(pipe: IO[bytes], piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[pipe.write(rest) :]


def _complaints(code: int, errors: IO[bytes], place: str) -> tuple[Complaint, ...]:
    errors.seek(0)
    said = errors.read().decode("utf-8", "replace")
    complaints = complaints_in(said)
    if code < 0:
        raise Unreachable(f"pg_restore was ended by signal {-code}", "nothing was kept; run it again")
    if code and not complaints:
        raise Complaint(said.strip().partition("\n")[0] or f"pg_restore ended with {code}", "").as_error(place)
    return complaints


def _settled(complaints: tuple[Complaint, ...], connection: Connection, place: str, *, in_one: bool) -> tuple[str, ...]:
    """Put back what can be put back; raises what cannot."""
    remarks = [f"not restored: {one.said}" for one in complaints if one.is_remark]
    serious = [one for one in complaints if not one.is_remark and not one.is_nothing]
    lost = [one for one in serious if one.keyed_table]
    for one in serious:
        if one not in lost:
            raise one.as_error(place)
    if lost and in_one:
        raise Refused(
            f"rows violate a foreign key, so that {place} cannot be filled whole: {lost[0].said}",
            "name a database that is not there yet: Upkeep makes it and adds that key NOT VALID",
        )
    before = {row[0] for row in connection.execute(_NOT_VALID)}
    for one in lost:
        _put_back(one, connection, place)
    found = connection.execute(_NOT_VALID)
    put_back = sorted(f"{name} of {table}" for oid, table, name in found if oid not in before)
    if put_back:
        remarks.append(f"put back NOT VALID, for rows violate them: {', '.join(put_back)}")
    return tuple(remarks)


def _put_back(complaint: Complaint, connection: Connection, place: str) -> None:
    """Add the foreign key NOT VALID; to each partition by itself where the server cannot do it for all of a table."""
    table, statement = complaint.keyed_table or "", complaint.statement.rstrip(";")
    tables = [(table,)]
    partitions = "SELECT relid::regclass::text FROM pg_partition_tree(%s::regclass) WHERE isleaf"
    with connection.transaction():
        connection.execute("SET LOCAL search_path = ''")
        found = connection.execute("SELECT relkind = 'p' FROM pg_class WHERE oid = %s::regclass", (table,)).fetchone()
        if found and found[0] and connection.info.server_version < 180000:
            tables = connection.execute(partitions, (table,)).fetchall()
        for (one,) in tables:
            try:
                connection.execute((statement.replace(table, one, 1) + " NOT VALID").encode())
            except psycopg.Error as fault:
                raise refusal_of(fault, place) or complaint.as_error(place) from None


def holds_anything(connection: Connection) -> bool:
    """Does the database hold anything of its own (P-23)? What an extension brought is not its own."""
    held = connection.execute(
        "SELECT count(*) FROM (SELECT oid, relnamespace AS space FROM pg_class"
        " UNION ALL SELECT oid, pronamespace FROM pg_proc UNION ALL SELECT oid, typnamespace FROM pg_type"
        " UNION ALL SELECT oid, oid FROM pg_namespace WHERE nspname <> 'public') AS thing"
        " JOIN pg_namespace n ON n.oid = thing.space"
        " WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
        " AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = thing.oid AND d.deptype = 'e')"
    ).fetchone()
    return bool(held and held[0])


def refuse_what_is_there(connection: Connection, place: str) -> None:
    """Raises Refused for a database that is not empty."""
    if holds_anything(connection):
        raise Refused(
            f"{place} is not empty", "name a database that is not there yet; Upkeep never writes over a database"
        )
