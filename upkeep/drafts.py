"""What the two functions of an Alembic revision do, as statements of Python that a person reads before they run."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from upkeep.catalog import ForeignKey
from upkeep.missing_indexes import MissingIndex
from upkeep.orphans import Dialect

_WIDTH = 100


@dataclass(frozen=True)
class Draft:
    """The lines of upgrade() and downgrade() without their indent. ``left_out``: keys that they leave, and why.

    ``loses``: what changes in the schema and is said in no SQL that Upkeep would hear, as ``losses`` words it.
    """

    upgrade: tuple[str, ...] = ()
    downgrade: tuple[str, ...] = ()
    left_out: Mapping[ForeignKey, str] = field(default_factory=dict)
    loses: tuple[str, ...] = ()

    @property
    def module_lines(self) -> tuple[str, ...]:
        """The lines of the revision outside of its functions."""
        if not self.loses:
            return ()
        head = "# Upkeep hears of these changes in no statement, and takes for meant what stands here."
        return head, "upkeep_loses = [", *(f"    {literal(one)}," for one in self.loses), "]"


def call(function: str, text: str) -> Iterator[str]:
    """A call with one text, which is broken at blanks where it is too long for a line."""
    pieces = list(_pieces(text))
    if len(pieces) == 1:
        yield f"{function}({literal(text)})"
        return
    yield f"{function}("
    yield from (f"    {literal(piece)}" for piece in pieces)
    yield ")"


def executed(sql: str) -> Iterator[str]:
    """``op.execute`` of one statement; SQLAlchemy would take a colon for a parameter."""
    return call("op.execute", sql.replace(":", "\\:"))


def literal(text: str) -> str:
    """The text as Python writes it in double quotes."""
    return json.dumps(text, ensure_ascii=False)


def indented(lines: Iterable[str]) -> Iterator[str]:
    """The lines one step further to the right."""
    return (f"    {line}" for line in lines)


def _pieces(text: str) -> Iterator[str]:
    first, *words = text.split(" ")
    piece = first
    for word in words:
        if piece.strip() and len(piece) + len(word) >= _WIDTH:
            yield piece
            piece = f" {word}"
        else:
            piece = f"{piece} {word}"
    yield piece


def draft_indexes(indexes: Iterable[MissingIndex], dialect: Dialect, *, concurrently: bool = False) -> Draft:
    """The indexes made one after the other, and taken away; ``concurrently`` as the engine does it beside writers.

    That can be done in no transaction, so the migration is done in stages and not all or nothing: it is asked for.
    """
    more = f", {dialect.beside_writers}" if concurrently else ""
    made, removed = [], []
    for index in indexes:
        table, schema = dialect.placed(index.table)
        where = f", schema={literal(schema)}" if schema else ""
        columns = ", ".join(map(literal, index.columns))
        name = f"op.f({literal(index.name)})"
        made.append(f"op.create_index({name}, {literal(table)}, [{columns}]{where}{more})")
        removed.append(f"op.drop_index({name}, table_name={literal(table)}{where}{more})")
    return Draft(tuple(_apart(made, concurrently)), tuple(_apart(reversed(removed), concurrently)))


def _apart(lines: Iterable[str], concurrently: bool) -> Iterator[str]:
    """In a transaction of Alembic's, or each outside of any."""
    if not concurrently:
        yield from lines
        return
    yield "with op.get_context().autocommit_block():"
    yield from indented(lines)
