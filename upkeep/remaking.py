"""Doing what a plan says of whole tables around what it says of rows, in the same transaction (P-109)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from upkeep.catalog import ForeignKey
from upkeep.changes import Mended
from upkeep.databases import Database, Reading, Writing
from upkeep.errors import Refused
from upkeep.making import Comeback
from upkeep.mending import mend
from upkeep.plan import Plan
from upkeep.telling import SILENCE, Tell
from upkeep.undoing import is_as_made

_AGAIN = "nothing was done; run it again for a new plan"


def carry_out(
    writing: Writing, plan: Plan, keys_of: Callable[[Reading], tuple[ForeignKey, ...]], tell: Tell = SILENCE
) -> Mended:
    """Make the tables that come back, mend the rows, take away the tables that go; whole or not at all.

    ``keys_of`` tells the foreign keys once the tables are there: of one whose parent was gone more is known then.
    """
    for one in plan.tables:
        _begin(writing, one)
    for one in plan.tables:
        writing.define(() if one.goes else one.making.binding)
    mended = mend(writing, plan, keys_of(writing), tell)
    for one in plan.tables:
        _end(writing, one)
    return mended


def _begin(writing: Writing, one: Comeback) -> None:
    is_there = one.table in writing.catalog().tables
    if is_there != one.goes:
        what = "stands there again" if is_there else "is gone"
        raise Refused(f"the table {one.table} {what} since the rehearsal", _AGAIN)
    if one.goes and not is_as_made(writing, one):
        raise Refused(f"the table {one.table} has another schema since the rehearsal", _AGAIN)
    writing.define(one.making.loosening if one.goes else (*one.making.make, *one.making.counters))


def _end(writing: Writing, one: Comeback) -> None:
    if one.goes and writing.count(one.table, digest=False).rows:
        raise Refused(f"the table {one.table} has other rows since the rehearsal", _AGAIN)
    writing.define(one.making.drop if one.goes else one.making.finish)


def try_out(
    target: Database, plan: Plan, keys_of: Callable[[Reading], tuple[ForeignKey, ...]], tell: Tell = SILENCE
) -> None:
    """Do what a plan says and take it back, to see whether it can be done; raises what ``carry_out`` raises.

    Only for a copy: while it lasts the engine's write lock is held.
    """
    with suppress(_TakenBack), target.writing() as writing:
        carry_out(writing, plan, keys_of, tell)
        raise _TakenBack


class CannotMake(Refused):
    """A table cannot be made as a backup has it, for the reason that the engine gives."""

    def __init__(self, message: str, hint: str, table: str = "") -> None:
        super().__init__(message, hint)
        self.table = table


class _TakenBack(Exception):
    """Ends a transaction of which nothing is to stay."""


@contextmanager
def as_if_made(target: Database, tables: Sequence[Comeback]) -> Iterator[Reading]:
    """Look at ``target`` as if these tables were there again, empty; nothing of it stays.

    Only for a copy: while it lasts the engine's write lock is held. Raises CannotMake where one cannot be made.
    """
    if not tables:
        with target.reading() as reading:
            yield reading
        return
    try:
        with target.writing() as writing:
            for one in tables:
                _tried(writing, one, one.making.make)
            for one in tables:
                _tried(writing, one, one.making.binding)
            yield writing
            raise _TakenBack
    except _TakenBack:
        return


def _tried(writing: Writing, one: Comeback, statements: Sequence[str]) -> None:
    try:
        writing.define(statements)
    except Refused as fault:
        raise CannotMake(fault.message, fault.hint, one.table) from None
