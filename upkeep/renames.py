"""What is called otherwise after a migration because a revision says so: no loss, and nothing that came (P-85)."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from upkeep.catalog import Part
from upkeep.sayings import Saying, Verb, called
from upkeep.standing import Standing


class Renames:
    """The names of tables and columns from before a migration to after it, by what the revisions say."""

    def __init__(self, said: Iterable[Saying], before: Standing, after: Standing) -> None:
        renamed = [one for one in said if one.verb is Verb.RENAME and one.to and one.to != one.name]
        self.tables = {one.name: one.to for one in renamed if not one.table}
        self._columns = {(one.table, one.name): one.to for one in renamed if one.is_of_column}
        self._before = before.tables.keys()
        self._there: dict[str, list[str]] = defaultdict(list)
        for name in sorted(after.tables):
            self._there[called(name)].append(name)
        self._held = {(called(p.table), p.column.lower()): p.column for p in after.parts if p.kind == "column"}

    def table(self, name: str) -> str | None:
        """The name that a table has afterwards; None if it is gone."""
        own = called(name)
        if name in self._there.get(own, ()):
            return name
        return self._of_its_schema(name, own) or self._of_its_schema(name, _followed(own, self.tables))

    def _of_its_schema(self, table: str, now: str) -> str | None:
        """Who is called so now; of another schema only one that is new, for others have their names to themselves."""
        there = self._there.get(now, ())
        schema = table.rpartition(".")[0]
        own = [one for one in there if one.rpartition(".")[0] == schema]
        return next(iter(own or (one for one in there if one not in self._before)), None)

    def column(self, table: str, column: str) -> str:
        """The name that a column of a table has afterwards; its own where no revision says another."""
        tables = self.names(table)
        own = {old: new for (of, old), new in self._columns.items() if of in tables}
        called = _followed(column.lower(), own)
        there = next((held for of in tables if (held := self._held.get((of, called)))), called)
        return column if called == column.lower() and there == called else there

    def of(self, part: Part, wording: str) -> Iterator[tuple[Part, str]]:
        """How a part may stand afterwards: by its old name or the new ones, worded as before or with the new ones.

        Nothing where its table is gone. A column that is called otherwise has that name alone: another may have it.
        """
        table = self.table(part.table) if part.table else ""
        if table is None:
            return
        if part.column:
            column = self.column(part.table, part.column)
            name = column if part.name == part.column else part.name
            own = replace(part, table=table, column=column, name=name)
            yield from dict.fromkeys(((own, wording), (own, self._in_words(wording, part.table))))
            return
        own = replace(part, table=table)
        for name in dict.fromkeys((own.name, self._in_words(own.name, part.table))):
            for words in dict.fromkeys((wording, self._in_words(wording, part.table))):
                yield replace(own, name=name), words

    def names(self, table: str) -> set[str]:
        """By which names revisions may speak of a table; its own where that is another's afterwards (P-80)."""
        name = called(table)
        names = {name}
        if name in self._there:
            return names
        while (name := self.tables.get(name, name)) not in names:
            names.add(name)
        return names

    def _in_words(self, text: str, table: str) -> str:
        """The text with the new names; of what is there by its old name too, nobody knows which is meant."""
        known = {old: new for old, new in self.tables.items() if old not in self._there}
        of = self.names(table) if table else None
        known |= {
            old: new
            for (at, old), new in self._columns.items()
            if (of is None or at in of or _mentions(text, at)) and not any((t, old) in self._held for t in of or {at})
        }
        for old in known:
            new = _followed(old, known)
            text = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda _, to=new: to, text, flags=re.IGNORECASE)  # type: ignore[misc]
        return text


def _followed(name: str, renamed: dict[str, str]) -> str:
    """The last name of what was called otherwise several times."""
    seen = {name}
    while (name := renamed.get(name, name)) not in seen:
        seen.add(name)
    return name


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None
