"""A dump and a census of one moment: two transactions that begin while nobody can write (P-19)."""

import io
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar, cast

import pymysql

from upkeep.databases import Beside
from upkeep.databases.mariadb_asking import Conversation
from upkeep.databases.mariadb_dialect import quote
from upkeep.databases.mariadb_dump import Dump, dumping
from upkeep.databases.mariadb_errors import code_of, speaking
from upkeep.databases.mariadb_place import Place
from upkeep.databases.mariadb_reading import MariadbReading
from upkeep.databases.mariadb_rights import refuse_what_is_missing
from upkeep.databases.mariadb_shapes import read_relations
from upkeep.databases.mariadb_tools import Program

LOOK = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
_TO_DUMP = ("SELECT", "SHOW VIEW", "TRIGGER", "EVENT", "LOCK TABLES")
_WAIT_ONCE = 1
_PAUSE_SECONDS = 0.25
_LOCKED = 1205
_UNDOABLE = "SELECT ENGINE FROM information_schema.ENGINES WHERE TRANSACTIONS = 'YES'"


@dataclass(frozen=True)
class MariadbSnapshot:
    """A transaction that sees one state, and a dump that is made of the same."""

    look: MariadbReading
    written: Dump
    size: int
    dump_is_the_content: ClassVar[bool] = False

    @contextmanager
    def reading(self) -> Iterator[MariadbReading]:
        """Look at the state, in the transaction that holds it."""
        yield self.look

    def companions(self) -> Iterator[Beside]:
        """None: who may use the database is the server's."""
        yield from ()

    @contextmanager
    def dump(self) -> Iterator[BinaryIO]:
        """What mariadb-dump writes of that state."""
        yield cast(BinaryIO, io.BufferedReader(self.written, 1 << 20))


@contextmanager
def frozen(place: Place, program: Program, workplace: Path, size: int) -> Iterator[MariadbSnapshot]:
    """Begin a transaction and a dump of the same state.

    Neither can be given the other's snapshot. So the tables are locked against writers for the tenth of a second in
    which both begin; who reads never waits. Tables of engines without transactions stay locked until the dump is read:
    nothing else keeps them as they were.
    """
    with (
        speaking(str(place)),
        closing(place.connect()) as conversation,
        closing(place.connect()) as brief,
        closing(place.connect()) as lasting,
    ):
        refuse_what_is_missing(conversation, place.database, _TO_DUMP)
        transactional, others = tables_of(conversation, place.database)
        lock_against_writers(lasting, place.database, others, place.patience)
        lock_against_writers(brief, place.database, transactional, place.patience)
        with dumping(place, program, workplace) as dump:
            conversation.run(LOOK)
            dump.wait_until_begun(max(place.patience, 10.0))
            brief.run("UNLOCK TABLES")
            yield MariadbSnapshot(MariadbReading(conversation, place.database, place.connect), dump, size)


def tables_of(conversation: Conversation, database: str) -> tuple[list[str], list[str]]:
    """The tables whose engine has transactions, and the others."""
    undoable = {row[0] for row in conversation.fetched(_UNDOABLE)}
    relations = read_relations(conversation, database)
    return (
        [name for name, relation in relations.items() if relation.kept_by in undoable],
        [name for name, relation in relations.items() if relation.kept_by not in undoable],
    )


def lock_against_writers(conversation: Conversation, database: str, tables: list[str], patience: float) -> None:
    """Lock the tables against writers, a second at a time: whoever queued up behind the try goes on after it."""
    if not tables:
        return
    locks = ", ".join(f"{quote(database)}.{quote(table)} READ" for table in tables)
    conversation.run(f"SET SESSION lock_wait_timeout = {_WAIT_ONCE}")
    until = time.monotonic() + patience
    while True:
        try:
            conversation.run(f"LOCK TABLES {locks}")
        except pymysql.MySQLError as fault:
            if code_of(fault) != _LOCKED or time.monotonic() >= until:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return
