"""Which columns look like references that nobody declares: by their names, and by where their values stand."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from upkeep.catalog import Catalog, Column, ForeignKey, Table
from upkeep.databases import Reading
from upkeep.diagnosis import UNLIKELY
from upkeep.inquiry import Inquiry
from upkeep.kinds import kind_of
from upkeep.numbers import listed, several
from upkeep.traits import found_of_all

_POINTER = re.compile(r"(?i)^(.*?)_?(id|ids|uuid|fk|ref|key|no|num|number|code|by)$")
_TYPE = re.compile(r"(?i)^(.*?)_?(type|kind)$")
_TYPES = 50
_FEW = 3
"""Fewer values than these stand anywhere by accident."""


@dataclass(frozen=True)
class Fit:
    """One table that a column may point at: how many of its different values stand there, and by what chance."""

    key: ForeignKey
    found: int
    chance: float
    is_named: bool


@dataclass(frozen=True)
class Candidate:
    """A column that may be a reference; ``values`` are its different ones.

    ``types`` are words of the column ``type`` and the tables that these name, where another column tells the type;
    ``strangers`` how many of its words name no table.
    """

    table: str
    column: str
    values: int
    fits: tuple[Fit, ...] = ()
    type: str = ""
    types: tuple[tuple[str, str], ...] = ()
    strangers: int = 0

    @property
    def likely(self) -> Fit | None:
        """The table that the column is named after, if most of its values stand there or it has none."""
        named = (fit for fit in self.fits if fit.is_named and 2 * fit.found >= self.values)
        return max(named, key=lambda fit: fit.found, default=None)

    @property
    def suspected(self) -> tuple[Fit, ...]:
        """Tables in which all of its values stand, and not by accident: a suspicion, for values prove nothing."""
        return tuple(f for f in self.fits if not f.is_named and f.found == self.values and f.chance <= UNLIKELY)

    @property
    def false_friends(self) -> int:
        """Tables in which all of its values stand as small numbers do in nearly every one."""
        return sum(f.found == self.values and f.chance > UNLIKELY and not f.is_named for f in self.fits)

    @property
    def toml(self) -> str:
        """What to write into the policy; '' where nothing is likely."""
        start = f'[[reference]]\nfrom = "{self.table}.{self.column}"\n'
        if self.types:
            words = ", ".join(f'{_toml_key(word)} = "{target}"' for word, target in self.types)
            return f'{start}type = "{self.type}"\ntypes = {{ {words} }}\n'
        if self.likely is None:
            return ""
        return f'{start}to = "{self.likely.key.parent}.{self.likely.key.parent_columns[0]}"\n'

    def __str__(self) -> str:
        return "; ".join(self._said())

    def _said(self) -> Iterator[str]:
        held = f"{several(self.values, 'different value')}"
        if self.types:
            more = f", and {several(self.strangers, 'word')} of it name no table" if self.strangers else ""
            yield f"{self.type} tells where it points: {listed(tuple(word for word, _ in self.types), 5)}{more}"
            return
        if fit := self.likely:
            stand = f"{fit.found:,} of its {held} stand there" if self.values else "it is empty"
            yield f"likely {fit.key.parent}({fit.key.parent_columns[0]}): it is named after it, and {stand}"
        elif self.suspected:
            where = tuple(f"{f.key.parent}({f.key.parent_columns[0]})" for f in self.suspected)
            yield f"a suspicion only: all of its {held} stand in {listed(where)}"
        elif not self.false_friends:
            most = max((fit.found for fit in self.fits), default=0)
            yield f"no table holds all of its {held}, at most {most:,} stand in one"
        if self.false_friends:
            stand = f"all of its {held} stand in {several(self.false_friends, 'other table')} too"
            yield f"{stand}, as small numbers do: that says nothing"

    def document(self) -> dict[str, Any]:
        """The candidate as JSON."""
        return {
            "from": f"{self.table}.{self.column}",
            "to": f"{self.likely.key.parent}.{self.likely.key.parent_columns[0]}" if self.likely else None,
            "values": self.values,
            "found": self.likely.found if self.likely else None,
            "suspected": [f"{f.key.parent}.{f.key.parent_columns[0]}" for f in self.suspected],
            "false_friends": self.false_friends,
            "type": self.type or None,
            "types": dict(self.types),
            "says": str(self),
            "write": self.toml or None,
        }


def candidates(reading: Reading, keys: tuple[ForeignKey, ...]) -> Iterator[Candidate]:
    """Columns of no known key that are named as pointers are, or after a table; in the order of their names."""
    catalog = reading.catalog()
    known = {(key.child, column) for key in keys for column in (*key.columns, key.array)}
    inquiry = Inquiry(reading, ())
    for table in sorted(catalog.tables.values(), key=lambda table: table.name):
        for column in table.columns:
            free = (table.name, column.name) not in known and not column.generated
            if free and column.name not in table.primary_key and _is_pointer(column.name, catalog):
                yield _polymorphic(reading, table, column) or _plain(reading, inquiry, table, column)


def _is_pointer(name: str, catalog: Catalog) -> bool:
    if found := _POINTER.match(name):
        return found[2].lower() not in ("no", "num", "number", "code", "key") or any(
            is_named_after(found[1], table) for table in catalog.tables
        )
    return any(is_named_after(name, table) for table in catalog.tables)


def is_named_after(stem: str, table: str) -> bool:
    """Does a column's name without its ending mean this table? patient, main_patient: patients; party: parties."""
    plain, name = stem.lower().strip("_"), table.rpartition(".")[2].lower()
    if not plain:
        return False
    last = plain.rpartition("_")[2]
    forms = {f"{word}{end}" for word in (plain, last) for end in ("", "s", "es")}
    forms |= {f"{word[:-1]}ies" for word in (plain, last) if word.endswith("y")}
    return name in forms


def _plain(reading: Reading, inquiry: Inquiry, table: Table, column: Column) -> Candidate:
    ending = _POINTER.match(column.name)
    stem = ending[1] if ending else column.name
    fits, values = [], 0
    for other in reading.catalog().tables.values():
        named_by = other.column(other.primary_key[0]) if len(other.primary_key) == 1 else None
        if named_by is None or kind_of(named_by.type) != kind_of(column.type):
            continue
        key = reading.stated(
            ForeignKey(table.name, (column.name,), other.name, other.primary_key, ondelete="", declared=False)
        )
        if key.fault is not None or not key.askable:
            continue
        values, found = reading.numbers(found_of_all(key, reading.dialect))
        chance = inquiry.density(other) ** values if values >= _FEW else 1.0
        fits.append(Fit(key, found, chance, is_named_after(stem, other.name)))
    return Candidate(table.name, column.name, values, tuple(fits))


def _polymorphic(reading: Reading, table: Table, column: Column) -> Candidate | None:
    """A column whose neighbour tells the type: entity_id and entity_type."""
    ending = _POINTER.match(column.name)
    stems = {c.name: found[1].lower() for c in table.columns if (found := _TYPE.match(c.name))}
    neighbour = next((name for name, stem in stems.items() if ending and stem and stem == ending[1].lower()), None)
    if neighbour is None:
        return None
    dialect, tables = reading.dialect, reading.catalog().tables
    quoted = f"c.{dialect.quote(neighbour)}"
    source = dialect.source(table.name)
    words_of = f"SELECT DISTINCT {dialect.as_text(quoted)} FROM {source} AS c WHERE {quoted} IS NOT NULL"
    words = [str(word) for (word,) in reading.few(f"{words_of} ORDER BY 1 LIMIT {_TYPES}")]
    meant = {
        word: f"{name}.{other.primary_key[0]}"
        for word in words
        for name, other in tables.items()
        if len(other.primary_key) == 1 and is_named_after(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word), name)
    }
    strangers = len(words) - len(meant)
    return Candidate(table.name, column.name, 0, (), neighbour, tuple(meant.items()), strangers) if meant else None


def _toml_key(word: str) -> str:
    return word if re.fullmatch(r"[A-Za-z0-9_-]+", word) else '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
