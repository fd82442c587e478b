"""The databases that Upkeep looks after: the verbs of an engine."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from sqlalchemy.engine import URL

from upkeep.catalog import ForeignKey
from upkeep.databases.verbs.benches import Bench, Lent, Tally
from upkeep.databases.verbs.changing import Writing
from upkeep.databases.verbs.looks import Counter, Reading, TableCount
from upkeep.databases.verbs.snapshots import Beside, Snapshot
from upkeep.enforcement import Enforced, Lapse
from upkeep.revisions import Apart, Lint

__all__ = [
    "Behind",
    "Bench",
    "Beside",
    "Counter",
    "Database",
    "Identity",
    "Lent",
    "Means",
    "Reading",
    "Sight",
    "Snapshot",
    "TableCount",
    "Tally",
    "Writing",
]


@dataclass(frozen=True)
class Identity:
    """Which database this is and what serves it: fit to be shown, without credentials."""

    engine: str
    version: str
    place: str
    size: int


@dataclass(frozen=True)
class Means:
    """What an engine may use beside the URL of a database.

    ``patience``: how many seconds to wait for a lock. ``programs``: the folder of the engine's own programs, where they
    should not be looked for. ``scratch``: a database of the server that throw-away databases are made on, where that is
    not the live one's own.
    """

    patience: float = 30.0
    programs: Path | None = None
    scratch: URL | None = None


@dataclass(frozen=True)
class Behind:
    """How far a replica's state is behind the live database: bytes of changes, and the age in seconds of its last one.

    ``seconds`` is 0 where nothing is missing, and None where the replica does not know.
    """

    bytes: int
    seconds: float | None


@dataclass(frozen=True)
class Sight:
    """One state of a database that others go on writing to: ``reading`` and the suites see the same.

    Suites connect by ``url`` (secret) and begin each of their transactions with the statements ``at_begin``; or, where
    no words lead to the state, they use the connections of the driver's that ``lend`` gives them, which are in it.
    ``told`` says in words what is looked at; ``behind`` is None where that is no replica.
    """

    reading: Reading
    url: str = field(repr=False)
    at_begin: tuple[str, ...] = ()
    told: str = ""
    behind: Behind | None = None
    lend: Callable[[], Any] | None = field(default=None, repr=False)


class Database(Protocol):
    """One engine's way to do what Upkeep needs."""

    @property
    def name(self) -> str:
        """The short name under which settings, store and messages know it."""

    @property
    def engine(self) -> str:
        """The engine's name, as it stands in messages and manifests."""

    @property
    def uncompared(self) -> tuple[str, ...]:
        """What no census compares after a restore, so that a person knows what is not proven; () if all is."""

    @property
    def copies(self) -> int:
        """How many times its size a run needs in its workplace; 0 where its copies are on a server."""

    @property
    def copies_to_observe(self) -> int:
        """The same for a run that restores nothing and only looks."""

    @property
    def unmigratable(self) -> str:
        """Why a migration of the live database could not be kept whole or undone here; '' where it can."""

    def lint(self, scripts: Sequence[Sequence[str]], folder: Path) -> tuple[Lint, ...]:
        """What a linter for this engine says of each of these scripts, by settings of its own in ``folder``.

        () where there is no such linter; what was not asked, and why, is an answer.
        """

    @property
    def while_migrating(self) -> str:
        """In words, who waits while a migration is performed."""

    def room_to_migrate(self) -> tuple[Path, int] | None:
        """A folder and how many bytes must be free there for a migration; None where that is the server's affair."""

    @property
    def unmakeable(self) -> str:
        """Why a table that is gone cannot be made again in the transaction that brings its rows back; '' if it can."""

    @property
    def drops_keys(self) -> bool:
        """Does a foreign key go with the table that it points at, so that no schema says of its orphans any more?"""

    @property
    def unenforceable(self) -> str:
        """Why no foreign key can be brought into force while the application writes; '' where one can."""

    def identity(self) -> Identity:
        """Which database this is; raises Unreachable, Refused or Damaged with what to do."""

    def is_empty(self) -> bool:
        """Does nothing stand here: no file, or a database that holds nothing of its own?

        Raises Unreachable or Refused where that cannot be asked.
        """

    def reading(self) -> AbstractContextManager[Reading]:
        """A consistent look."""

    def writing(self) -> AbstractContextManager[Writing]:
        """A transaction that holds the engine's write lock from its begin."""

    def replica(self, url: str) -> "Database":
        """The replica of this database behind a SQLAlchemy URL, not connected to; Refused where there can be none.

        Its ``identity`` and ``observed`` raise Refused where it turns out to be no replica of this one.
        """

    def observed(self, workplace: Path, seconds: float) -> AbstractContextManager[Sight]:
        """One state of it for as long as the context lasts, while the application goes on working.

        No question to the server may take longer than ``seconds``; temporary files go to ``workplace``. Raises
        Unreachable where the state cannot be kept, or a question takes too long.
        """

    def snapshot(self, workplace: Path) -> AbstractContextManager[Snapshot]:
        """A frozen copy, made beside the running application; temporary files go to ``workplace``."""

    def restore(self, dump: BinaryIO) -> tuple[str, ...]:
        """Fill this database, which must be empty or absent, from the bytes of a dump; whole or not at all.

        The answer tells what could not be brought back as it was although the content is whole: a key that rows
        violate, say (P-13).
        """

    def probe_scratch(self) -> None:
        """Raises Refused or Unreachable, before anything is done, where no scratch could be made and filled."""

    def scratch(self, workplace: Path) -> "Database":
        """A throw-away database of the same engine, empty, in ``workplace``."""

    def discard(self) -> None:
        """Remove a scratch database; raises Refused for any other."""

    def sweep(self) -> tuple[str, ...]:
        """Remove the scratches, named in the answer, that no run needs any more: of those that died, too.

        Where a scratch is a file of its workplace there is nothing to do: it goes with that.
        """

    def exchanged(self, workplace: Path) -> AbstractContextManager[Bench]:
        """A bench for a clean-up and a migration; what was done there is kept when the context ends well.

        All or nothing: the database is as before or as after, also when the process is killed.
        """

    def apart(self, sql: Sequence[str]) -> Apart | None:
        """What a revision that says this does in no transaction; None where it can be kept or undone with the others.

        ``sql`` is what Alembic writes without a database, or what was heard while it ran.
        """

    def beside(self, workplace: Path) -> AbstractContextManager[Bench]:
        """A bench for a revision that is done ``apart``: on the database itself, and nothing of it is undone.

        Beside a working application: who reads and writes is not held up, and locks are waited for patiently.
        """

    def standing(self, apart: Apart) -> tuple[str, ...]:
        """What of that is there, half done or whole, by name: whoever asks before he begins knows what is not his."""

    def take_back(self, apart: Apart, there: Collection[str]) -> tuple[str, ...]:
        """Drop what a revision that was cut short has left of it, by name, but for what was ``there`` before.

        Sessions in which it may still go on are ended first. The second time nothing is done. Raises Unfinished where
        others are in the way.
        """

    def lapses(self, keys: Collection[ForeignKey]) -> dict[str, Lapse]:
        """What each of the keys lacks to be enforced and believed, by the key's name; nothing of those that are.

        Where the engine is ``unenforceable`` that is the reason why a key that is not declared stays so, and the next
        two raise Refused.
        """

    def hold_back(self, keys: Collection[Enforced]) -> None:
        """Let no new row violate the keys from now on; the old rows stay, whatever they say.

        Each key is a transaction of its own that is soon over, and none is taken back: killed or refused, a key that
        came into force stays so, which is safe. The second time nothing is done. Raises Busy where others hold the
        table for too long.
        """

    def validate(self, keys: Collection[Enforced]) -> None:
        """Have the old rows looked at while others read and write; a key that they violate stays as it was."""

    def held(self, by: str) -> AbstractContextManager[Callable[[], None]]:
        """Keep a second Upkeep out; raises Refused where one is at work already (P-94).

        What it gives raises Unreachable when it is called and the lock was lost since, with its connection.
        """

    def alembic_url(self) -> str:
        """The SQLAlchemy URL for the migration's subprocess. Secret: for its environment only."""

    def fingerprint(self) -> tuple[str, str]:
        """A query and its answer by which the migration's subprocess knows that it is connected to this one (P-87)."""

    def refuses_orphans(self) -> tuple[bool, str]:
        """Does a connection that enforces foreign keys refuse a violation? And what was tried, in words.

        For a scratch only, as the last thing that is done with it; raises Refused for any other.
        """
