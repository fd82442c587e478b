"""The databases that Upkeep looks after: the verbs of an engine."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from sqlalchemy.engine import URL

from upkeep.catalog import Catalog, ForeignKey, Part
from upkeep.drafts import Draft
from upkeep.enforcement import Enforced, Lapse
from upkeep.making import Making
from upkeep.orphans import Dialect, Known
from upkeep.revisions import Lint
from upkeep.values import Row


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
class TableCount:
    """How many rows a table holds, and a digest of their content (None where it was not taken)."""

    rows: int
    digest: str | None = None


@dataclass(frozen=True)
class Tally:
    """Rows of a table, and where they are kept: another place when it is replaced, rewritten or emptied at once."""

    rows: int
    storage: str = ""


@dataclass(frozen=True)
class Counter:
    """How far a generator of keys has come: the values that it gave (None where that may go back by itself).

    ``is_behind``: the next one is already in the column that it fills, or another beyond it (P-69).
    """

    given: int | None
    is_behind: bool = False


@dataclass(frozen=True)
class Beside:
    """What belongs to a backup and is not in its dump: its bytes, or why there are none in ``missing``."""

    name: str
    holds: str
    content: BinaryIO | None
    missing: str | None = None


class Reading(Protocol):
    """One consistent look at a database, which it leaves as it is."""

    @property
    def dialect(self) -> Dialect:
        """How this engine spells names and compares keys."""

    def catalog(self) -> Catalog:
        """Tables and foreign keys, table by table, so that one that is broken hides no other (P-109)."""

    def stated(self, key: ForeignKey) -> ForeignKey:
        """A key that the schema does not declare, judged as the engine would: fault, askable, parent_missing."""

    def kept_as(self, ondelete: str) -> str:
        """An ON DELETE as this engine keeps it, to which two may be one; '' for one that it does not know."""

    def making(self, table: str) -> Making:
        """How the table is made again elsewhere; for an engine whose tables can be, see ``Database.unmakeable``."""

    def draft_ondelete(self, wanted: Mapping[ForeignKey, str]) -> Draft:
        """The lines of a revision by which these declared keys say this on delete, and those that take it back.

        What else the keys say, their names and what the engine holds of them stay, and so does all the rest.
        """

    def rows(self, sql: str) -> Iterator[Row]:
        """Raw rows of a query, streamed; other queries may be asked before it is exhausted."""

    def known(self, key: ForeignKey) -> Known | None:
        """A quick way to pass over child rows that find their parent; None where it would save nothing."""

    def few(self, sql: str, known: Known | None = None) -> tuple[Row, ...]:
        """Raw rows of a query that has not many; this may use more than one processor, where ``rows`` may not.

        ``known`` is what stands in the query.
        """

    def numbers(self, sql: str, known: Known | None = None) -> tuple[int, ...]:
        """The one row of a query that counts; otherwise as ``few``."""

    def parts(self) -> dict[Part, str]:
        """All that the schema says beside the names of tables, each thing with its wording.

        Two schemas that say the same in other words (quotes, blanks, the order of columns) have equal parts.
        """

    def count(
        self, table: str, *, digest: bool, like: str | None = None, columns: tuple[str, ...] | None = None
    ) -> TableCount:
        """Rows of a table and, if asked, the digest of their content, or of that of some ``columns``.

        A digest begins with its kind and a colon where an engine has several. It is of the kind of ``like``, another
        digest that it should be compared with, if it can be taken here.
        """

    def counters(self) -> dict[str, Counter]:
        """The generators of keys by name, where the engine has some that stand in no table; {} if not."""

    def contents_beside(self, *, digest: bool) -> dict[str, TableCount]:
        """What the database holds beside its tables, large objects say, by what it is; {} where there is nothing."""

    def complaints(self) -> tuple[str, ...]:
        """What the engine's own integrity check finds wrong, orphans apart (P-07)."""

    def half_built(self) -> dict[str, str]:
        """Indexes whose making was cut short so that the engine does not use them, each with the words that drop it."""

    def chosen(self, table: str, columns: tuple[str, ...], rows: Iterable[Row]) -> AbstractContextManager[str]:
        """A relation that holds ``rows``, values of these columns of the table, as k0, k1, ...; SQL to follow FROM."""

    def revision(self) -> tuple[str, ...]:
        """The Alembic revisions that the database says it is at; () where it knows none."""


class Writing(Reading, Protocol):
    """One transaction that changes rows; it commits when its context ends well and is undone otherwise."""

    def hold(self, rows: Mapping[str, Collection[Row]], steady: Collection[str]) -> None:
        """Until the end nobody else changes these rows (by table), points at them, or writes to the tables ``steady``.

        What is asked after this is still so when the changes are made. Raises Unreachable where a lock is not to be
        had in time.
        """

    def change(self, sql: str) -> int:
        """Run one statement and return the number of rows that it named; raises RowRefused where a row refuses it."""

    def delete(self, table: str, rows: Collection[Row]) -> int:
        """Remove rows by their locators, and lock no other; how many went.

        Raises RowRefused where one refuses it; the transaction is then as it was.
        """

    def nullify(self, table: str, columns: tuple[str, ...], rows: Collection[Row]) -> int:
        """Set these columns of rows, by their locators, to NULL, and lock no other row; how many rows that named.

        Raises RowRefused where one refuses it; the transaction is then as it was.
        """

    def insert(self, table: str, columns: tuple[str, ...], rows: Sequence[Row]) -> int:
        """Insert rows of raw values as they are, identity columns too, never over another row; how many there came.

        Raises RowRefused where a row is refused; the transaction is then as it was.
        """

    def assign(self, table: str, columns: tuple[str, ...], rows: Mapping[Row, Row]) -> int:
        """Set these columns of rows, by their locators, to the raw values of each; how many rows that named.

        Raises RowRefused where a row refuses it; the transaction is then as it was.
        """

    def define(self, statements: Sequence[str]) -> None:
        """Run statements of ``Reading.making``, which are undone with the transaction; raises Refused if one fails."""

    def unenforced(self, keys: Collection[ForeignKey]) -> AbstractContextManager[None]:
        """Within it rows may violate these keys, those and no others, and no cascade of theirs acts.

        Nobody else violates them meanwhile. What is done in it ends with ``changed_in_all``. Raises Refused where the
        engine enforces one of them and does not let it be.
        """

    def changed_in_all(self) -> int:
        """Rows inserted, updated or deleted so far in this transaction, by triggers too (P-58).

        What the engine had put off to the end of the transaction is done first; raises RowRefused if that fails.
        """


class Snapshot(Protocol):
    """A frozen copy of a database from which a dump and a census are taken in the same state."""

    def reading(self) -> AbstractContextManager[Reading]:
        """Look at the snapshot."""

    def dump(self) -> AbstractContextManager[BinaryIO]:
        """The bytes that bring this snapshot back."""

    def companions(self) -> Iterator[Beside]:
        """What belongs to the backup and is not in the dump; each is to be read before the next one comes."""

    @property
    def size(self) -> int:
        """Bytes that the dump will have, as near as is known."""

    @property
    def dump_is_the_content(self) -> bool:
        """Are the dump's bytes the database itself, so that their digest proves the content?

        Where they are not, the census of the snapshot holds the digest of each table, for the restored one to match.
        """


@dataclass(frozen=True)
class Lent:
    """For a migration's process: a URL, which is secret, and a query with its answer to know the place by (P-87).

    ``watch`` is a query that gives pairs, what and of which table, of what the process keeps others from or has
    written anew so far; '' where there is nothing of the kind.
    """

    url: str = field(repr=False)
    query: str
    answer: str
    watch: str = ""


class Bench(Protocol):
    """Where rows are cleaned up and then migrated, so that both are kept or neither is."""

    @property
    def is_a_copy(self) -> bool:
        """Is it a copy, of which every table is counted anyway? Where it is not, others use what we would read."""

    def reading(self) -> AbstractContextManager[Reading]:
        """Look at what has become of it so far."""

    def writing(self) -> AbstractContextManager[Writing]:
        """Change rows; undone by itself if it fails."""

    def take_locks(self, seen: Collection[tuple[str, str]]) -> None:
        """Have at once, or not at all, the locks that a rehearsal was seen to take: pairs as ``Lent.watch`` gives them.

        Called while nothing else is held. Nobody is held up while it waits; afterwards nobody is waited for but for a
        moment. Once they are had it does nothing. Raises Busy where the locks are not to be had in time.
        """

    def lent(self) -> AbstractContextManager[Lent]:
        """Let another process migrate it. Where it can be, what that did is undone if the context fails.

        Raises Escaped if it has done what cannot be undone.
        """

    def may_pass(self, state: str) -> bool:
        """Is an error of this SQLSTATE one that may not come again, because somebody else was in the way?"""

    def advice(self, state: str) -> str:
        """What to do about an error of this SQLSTATE, where the revision is sound and cannot be run here; '' else."""

    def tallies(self, counted: Collection[str] | None) -> dict[str, Tally]:
        """How many rows each table has, so that two tallies tell what was lost between them.

        Where others wait for the bench only the tables ``counted`` are counted (all if it is None), and of the others
        it is told what the transaction has put in and taken out.
        """


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

    def held(self, by: str) -> AbstractContextManager[None]:
        """Keep a second Upkeep out; raises Refused where one is at work already (P-94)."""

    def alembic_url(self) -> str:
        """The SQLAlchemy URL for the migration's subprocess. Secret: for its environment only."""

    def fingerprint(self) -> tuple[str, str]:
        """A query and its answer by which the migration's subprocess knows that it is connected to this one (P-87)."""

    def refuses_orphans(self) -> tuple[bool, str]:
        """Does a connection that enforces foreign keys refuse a violation? And what was tried, in words.

        For a scratch only, as the last thing that is done with it; raises Refused for any other.
        """
