"""What a migration has lost, each thing with the revision that says so in words, or with nobody's word for it."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from upkeep.catalog import Part
from upkeep.policy import Limits
from upkeep.renames import Renames
from upkeep.sayings import Saying, Verb, called
from upkeep.standing import VERSIONS, Columns, Content, Standing

LEFT_BEHIND = "_alembic_tmp_"
"""So begin the names of the copies that a batch makes."""


@dataclass(frozen=True)
class Loss:
    """One thing that was there before and is not afterwards. ``by`` is the revision that means it; None: nobody does.

    ``rows`` counts those of ``table`` that are gone; a loss of none is one of the schema, or of values.
    ``is_for_good``: it is rows, or a column of them, which no undo brings back.
    """

    what: str
    by: str | None = None
    table: str = ""
    rows: int = 0
    is_of_schema: bool = True
    is_for_good: bool = False

    def __str__(self) -> str:
        return f"{self.what}, as {self.by} says" if self.by else self.what


def find_losses(before: Standing, after: Standing, said: tuple[Saying, ...], meant: dict[str, str]) -> tuple[Loss, ...]:
    """Everything that is less or otherwise than before, but for what the revisions say they create.

    ``meant`` are losses that authors have written down (``upkeep_loses``), each with its revision.
    """
    words = _Words(said, before, after)
    found = [*_tables(before, after, words), *_rows(before, after, words), *_parts(before, after, words)]
    return tuple(replace(loss, by=loss.by or meant.get(loss.what)) for loss in found)


def beyond_limits(losses: Iterable[Loss], limits: Limits, rows_of: dict[str, int]) -> tuple[str, ...]:
    """Why rows that go with a migration are more than the policy ever allows, in words; () if they are not."""
    gone = Counter[str]()
    for loss in losses:
        gone[loss.table] += loss.rows
    told = [f"{gone.total()} rows would change, the limit is {limits.rows}"] if gone.total() > limits.rows else []
    for table, rows in sorted(gone.items()):
        if rows > limits.share * rows_of.get(table, rows):
            told.append(
                f"{rows} of {rows_of.get(table, rows)} rows of {table} would change, the limit is {limits.share:.0%}"
            )
    return tuple(told)


def converted_columns(said: Iterable[Saying]) -> Columns:
    """Columns of which revisions say that they will be altered, so that their values may become others."""
    return frozenset((one.table, one.name) for one in said if one.verb is Verb.ALTER and one.table)


class _Words:
    """What the revisions say, by what it is said of."""

    def __init__(self, said: tuple[Saying, ...], before: Standing, after: Standing) -> None:
        self._said = said
        self._after = {*map(called, after.tables)}
        self.renames = Renames(said, before, after)

    def became(self, table: str) -> str | None:
        """The name that a table has afterwards; None if it is gone."""
        return self.renames.table(table)

    def of_rows(self, table: str, *verbs: Verb) -> str | None:
        """The revision that says one of this of the table, or of another that then took its name."""
        own = called(table)
        names = {own} | {old for old, new in self.renames.tables.items() if new == own}
        return next((one.revision for one in self._said if one.verb in verbs and one.name in names), None)

    def dropped(self, table: str) -> str | None:
        """The revision that says DROP of a table."""
        return next((one.revision for one in self._said if one.verb is Verb.DROP and one.name == called(table)), None)

    def of_part(self, part: Part, wording: str, *, gone: bool) -> str | None:
        """The revision that speaks of this part: by its name, by that of its column, or of what it stands upon.

        Who writes a whole CREATE TABLE says of which type its columns are. Who renames a table away to make another
        in its place says nothing of the keys and views that go with the old one.
        """
        anew = self.of_rows(part.table, Verb.CREATE) if part.kind == "column" and not gone else None
        away = {one.name for one in self._said if one.verb is Verb.RENAME and not one.table} & self._after
        tables = self.renames.names(part.table) if part.table else {""}
        speaking = (
            one.revision
            for one in self._said
            if not (one.verb is Verb.RENAME and one.name in away) and _speaks_of(one, part, wording, tables)
        )
        return next(speaking, anew)


def _speaks_of(one: Saying, part: Part, wording: str, tables: set[str]) -> bool:
    """``tables``: by which names revisions may speak of the part's table."""
    if one.verb in (Verb.WRITE, Verb.DELETE, Verb.CREATE):
        return False
    if part.kind in ("grant", "owner"):
        return one.verb is Verb.REVOKE and one.name in tables
    if one.verb is Verb.REVOKE:
        return False
    of_another = one.is_of_column and one.table not in tables and not _mentions(f"{part} {wording}", one.table)
    if one.verb is Verb.RENAME and not of_another and _mentions(f"{part} {wording}", one.name):
        return True
    if one.table and one.table not in tables:
        return False
    has_no_name = bool(part.name) and not _is_named(part)
    if one.name in (called(part.name.partition("(")[0]) if _is_named(part) else "", part.column.lower()):
        return bool(one.table) or not part.column
    if has_no_name and one.table and _IS_CONSTRAINT.search(part.kind):
        return one.is_of_constraint or _mentions(f"{part.name} {wording}", one.name)
    return one.verb is Verb.DROP and bool(one.table) and _mentions(f"{part.name} {wording}", one.name)


_IS_CONSTRAINT = re.compile("key|unique|check")


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text.lower()) is not None


def _tables(before: Standing, after: Standing, words: _Words) -> Iterator[Loss]:
    for name, tally in sorted(before.tables.items()):
        if name != VERSIONS and words.became(name) is None:
            gone = f"table {name} is gone"
            yield Loss(gone, words.dropped(name), name, tally.rows, is_of_schema=False, is_for_good=tally.rows > 0)
    for name in sorted(after.tables.keys() - before.tables.keys()):
        if name.startswith(LEFT_BEHIND):
            yield Loss(f"{name} was left behind")


def _rows(before: Standing, after: Standing, words: _Words) -> Iterator[Loss]:
    for name, tally in sorted(before.tables.items()):
        now = words.became(name)
        if name == VERSIONS or now is None:
            continue
        lost = tally.rows - after.tables[now].rows
        if lost > 0:
            told = f"{name} has lost {lost:,} row{'' if lost == 1 else 's'}"
            yield Loss(told, words.of_rows(name, Verb.DELETE), name, lost, is_of_schema=False, is_for_good=True)
        elif name in before.contents and now in after.contents:
            by = words.of_rows(name, Verb.WRITE, Verb.DELETE)
            for what in _values(name, before.contents[name], after.contents[now], words):
                yield Loss(what, by, name, is_of_schema=False)


def _values(table: str, before: Content, after: Content, words: _Words) -> list[str]:
    """Where the values of a table that has kept its rows are fewer or others."""
    told = []
    for column, count in before.values.items():
        now = words.renames.column(table, column)
        lost = count - after.values.get(now, count)
        if lost > 0:
            told.append(f"{table}.{column} has lost {lost:,} value{'' if lost == 1 else 's'}")
        elif (kinds := before.kinds.get(column, 0)) > (left := after.kinds.get(now, kinds)):
            told.append(f"{table}.{column} has {left:,} different value{'' if left == 1 else 's'}, it had {kinds:,}")
    if not told and before.digest and after.digest and before.digest != after.digest:
        told.append(f"the values of {table} are others")
    return told


def _parts(before: Standing, after: Standing, words: _Words) -> Iterator[Loss]:
    gone = {part for part in before.parts if part.kind == "column" and not _stays(part, before, after, words)}
    columns = {(part.table, part.column) for part in gone}
    for part, wording in sorted(before.parts.items()):
        if part.table == VERSIONS or _is_as_before(part, wording, after, words):
            continue
        if part not in gone and (part.table, part.column) in columns:
            continue  # it went with its column
        now = next((one for one, _ in words.renames.of(part, wording) if one in after.parts), None)
        if now is None and _has_another_name(part, wording, before, after, words):
            continue
        by = words.of_part(part, wording, gone=now is None)
        if now is not None:
            yield Loss(f"{part} is {after.parts[now] or 'otherwise'}, it was {wording or 'otherwise'}", by)
        else:
            yield Loss(f"{part} is gone", by, is_for_good=part.kind == "column")


def _stays(part: Part, before: Standing, after: Standing, words: _Words) -> bool:
    return any(one in after.parts for one, _ in words.renames.of(part, before.parts[part]))


def _is_as_before(part: Part, wording: str, after: Standing, words: _Words) -> bool:
    """Does it say the same, but for names that a revision has changed? What went with its table is told there."""
    ways = tuple(words.renames.of(part, wording))
    return not ways or any(after.parts.get(one) == said for one, said in ways)


def _has_another_name(part: Part, wording: str, before: Standing, after: Standing, words: _Words) -> bool:
    """Is there a new part that says the very same of the same table, but for its own name?

    Not of a column: another of the same type holds other values.
    """
    if part.column or not part.table or not _is_named(part) or not wording:
        return False
    ways = {(one.table, said.replace(one.name, "")) for one, said in words.renames.of(part, wording)}
    return any(
        other.kind == part.kind and (other.table, text.replace(other.name, "")) in ways
        for other, text in after.parts.items()
        if other not in before.parts and _is_named(other)
    )


def _is_named(part: Part) -> bool:
    """Has it a name of its own? What has none is called by what it says, in brackets."""
    return bool(part.name) and not part.name.startswith("(")
