"""Gathering, for each key with orphans, what its diagnosis is judged by."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby

from upkeep.catalog import ForeignKey, Table
from upkeep.databases import Reading
from upkeep.diagnosis import FEW, UNLIKELY, Cause
from upkeep.facts import Facts, Missed, Resemblance, Share, Trait
from upkeep.findings import Finding
from upkeep.kinds import kind_of
from upkeep.orphans import counting
from upkeep.traits import NAMED, chosen_found_in, distinct_values, missing_found_in, rows_like, sorting
from upkeep.values import Row, Value

_Range = tuple[int, int, int]
_FEW_WORDS = 3


class Inquiry:
    """One inquiry into one reading; what was asked of a table is remembered."""

    def __init__(self, reading: Reading, sentinels: tuple[str, ...]) -> None:
        self._reading = reading
        self._sentinels = sentinels
        self._ranges: dict[str, _Range | None] = {}

    def into(self, finding: Finding) -> Finding:
        """The finding with its facts; a key without orphans has none."""
        if not finding.orphans:
            return finding
        key = finding.key
        facts = self._sorted(key)
        if key.meant:
            facts = replace(facts, there=Share(*self._reading.numbers(counting(key.meant, self._reading.dialect))))
        elif key.declared and not key.confirmed and len(key.columns) == 1:
            facts = self._compared(key, facts)
        return replace(finding, facts=facts)

    def _sorted(self, key: ForeignKey) -> Facts:
        known = self._reading.known(key)
        found = self._reading.few(sorting(key, self._sentinels, self._reading.dialect, known), known)
        shares, frequent = {}, {}
        for word, several in groupby(found, key=lambda row: str(row[0])):
            rows = list(several)
            shares[Trait(word)] = Share(_number(rows[0][1]), _number(rows[0][2]))
            frequent[Trait(word)] = tuple(Missed(row[4:], _number(row[3])) for row in rows)
        return Facts(shares, frequent)

    def _compared(self, key: ForeignKey, facts: Facts) -> Facts:
        """With the other tables in which everything is found that is missing, as far as that may say something.

        A table that holds nearly every number of its range says nothing, so it is not even asked, unless most of the
        column is missing where the key points.
        """
        missing = facts.share(Trait.MISSING)
        if missing.missing_keys < 2:
            return facts
        distinct = self._distinct(key) if missing.missing_keys >= FEW and not key.parent_missing else 0
        is_mostly_missing = 2 * missing.missing_keys >= distinct > 0
        named = [missed.key for missed in facts.frequent[Trait.MISSING]]
        found = []
        for table in self._reading.catalog().tables.values():
            if table.name == key.parent or not self._is_of_a_kind(key, table):
                continue
            chance = self._chance(table, named, missing.missing_keys)
            if chance is None or not (is_mostly_missing or chance <= UNLIKELY):
                continue
            other = self._reading.stated(_to(key, table))
            if other.fault is None and other.askable and self._holds_all(key, other, named, missing):
                is_whole = is_mostly_missing and self._reading.numbers(counting(other, self._reading.dialect))[0] == 0
                found.append(Resemblance(other, chance, is_whole))
        return replace(facts, distinct=distinct, resembling=tuple(found))

    def _distinct(self, key: ForeignKey) -> int:
        (distinct,) = self._reading.numbers(distinct_values(key, self._reading.dialect))
        return distinct

    def _holds_all(self, key: ForeignKey, other: ForeignKey, named: list[Row], missing: Share) -> bool:
        """Does the other table hold everything that is missing? The first of it are looked up before all of it is."""
        dialect = self._reading.dialect
        with self._reading.chosen(key.child, key.columns, named) as relation:
            (found,) = self._reading.numbers(chosen_found_in(other, relation, dialect))
        if found < len(named) or missing.missing_keys <= NAMED:
            return found == len(named)
        return self._reading.numbers(missing_found_in(key, other, self._sentinels, dialect)) == (missing.orphans,)

    def _is_of_a_kind(self, key: ForeignKey, table: Table) -> bool:
        """Has the table a key of one column, of the same kind as the child's? Of others the engine may say no least."""
        child = self._reading.catalog().tables[key.child].column(key.columns[0])
        parent = table.column(table.primary_key[0]) if len(table.primary_key) == 1 else None
        return child is not None and parent is not None and kind_of(child.type) == kind_of(parent.type)

    def _chance(self, table: Table, named: list[Row], missing_keys: int) -> float | None:
        """The chance that so many numbers of its range are keys of the table; None where it cannot hold all of them.

        For keys that are no numbers nobody knows: three of them by accident are taken to be rare.
        """
        values = [_whole(value) for (value,) in named]
        numbers = [value for value in values if value is not None]
        if not numbers:
            return 0.0 if missing_keys >= _FEW_WORDS else 1.0
        if len(numbers) < len(values):
            return None
        held = self._range(table)
        if held is None or not held[0] <= min(numbers) <= max(numbers) <= held[1]:
            return None
        return self.density(table) ** missing_keys

    def density(self, table: Table) -> float:
        """How much of the range of its keys a table holds: 1 where every number is one; 0 where they are no numbers."""
        held = self._range(table)
        return min(1.0, held[2] / (held[1] - held[0] + 1)) if held else 0.0

    def _range(self, table: Table) -> _Range | None:
        """The least and the greatest key of a table and how many there are; None where they are no whole numbers."""
        if table.name not in self._ranges:
            dialect = self._reading.dialect
            column = f"c.{dialect.quote(table.primary_key[0])}"
            sql = f"SELECT MIN({column}), MAX({column}), COUNT(*) FROM {dialect.source(table.name)} AS c"
            least, most, rows = map(_whole, self._reading.few(sql)[0])
            known = least is not None and most is not None and rows
            self._ranges[table.name] = (least or 0, most or 0, rows or 0) if known else None
        return self._ranges[table.name]


def rows_by_cause(reading: Reading, findings: Iterable[Finding], sentinels: tuple[str, ...]) -> dict[str, int]:
    """Rows by diagnosis: a row can be two orphans for one reason (P-114), and is one row."""
    of: dict[tuple[str, str], list[tuple[ForeignKey, Cause]]] = {}
    for finding in findings:
        for cause in finding.causes:
            of.setdefault((cause.diagnosis.value, finding.key.child), []).append((finding.key, cause))
    rows: dict[str, int] = {}
    for (diagnosis, _), several in of.items():
        number = several[0][1].orphans
        if len(several) > 1 or several[0][0].elements:
            keys = tuple(key for key, _ in several)
            (number,) = reading.numbers(rows_like(keys, several[0][1].trait, sentinels, reading.dialect))
        rows[diagnosis] = rows.get(diagnosis, 0) + number
    return rows


def _to(key: ForeignKey, table: Table) -> ForeignKey:
    return ForeignKey(key.child, key.columns, table.name, table.primary_key, ondelete="", declared=False)


def _whole(value: Value) -> int | None:
    """A whole number as the engine gives it, itself or printed."""
    text = str(value)
    return int(text) if text.removeprefix("-").isdecimal() and len(text) < 20 else None


def _number(value: Value) -> int:
    return int(str(value))
