"""Looking in older backups for parent tables that are gone as a whole, newest first (P-109)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from upkeep.catalog import ForeignKey
from upkeep.databases import Reading
from upkeep.errors import Refused
from upkeep.fixpoint import SPOTS, Spot
from upkeep.making import Bond, Comeback, Making
from upkeep.older_backups import CannotTell, Older
from upkeep.origins import POINTINGS, Lost, Pointing
from upkeep.orphans import counting
from upkeep.policy import Action, Policy
from upkeep.provenance import IMAGES, Image
from upkeep.sightings import as_there, missed_by, parents_of
from upkeep.spilled import Spilled
from upkeep.spilled_mapping import SpilledMapping
from upkeep.values import in_pieces


@dataclass(frozen=True)
class LostTables:
    """Tables that older backups have whole, and why others do not come back, by the name by which keys call them."""

    found: tuple[Lost, ...] = ()
    why_not: dict[str, str] = field(default_factory=dict)


def look_for_tables(
    now: Reading, keys: tuple[ForeignKey, ...], policy: Policy, older: Sequence[Older], unmakeable: str
) -> LostTables:
    """The tables that ``keys`` point at, that are gone, and whose orphans a rule would first of all restore.

    What a table that comes back points at in turn comes too, where the rule of that key says the same. Without such a
    table no backup is opened. ``unmakeable`` is why the engine could not make one again; '' if it can.
    """
    by_table = _wanted(now, keys, policy)
    if unmakeable:
        return LostTables((), {name: _by_hand(name, older, unmakeable) for name in by_table})
    found: dict[str, Lost] = {}
    why_not: dict[str, str] = {}
    while waiting := [name for name in by_table if name.lower() not in found and name not in why_not]:
        name = waiting[0]
        try:
            lost, further = _look(now, by_table[name], policy, older)
        except CannotTell as fault:
            why_not[name] = f"the table is gone; {fault.message}"
            continue
        if isinstance(lost, str):
            why_not[name] = lost
            continue
        found[name.lower()] = lost
        for key in further:
            by_table.setdefault(key.parent, []).append(key)
    return LostTables(tuple(found.values()), why_not)


def _by_hand(name: str, older: Sequence[Older], unmakeable: str) -> str:
    """Why the engine does not make it, with the words to type; by what the censuses say, for no backup is opened."""
    newest = next((one.backup for one in older if one.tables is not None and name.lower() in one.tables), None)
    if newest is None:
        return f"the table is gone, and no backup is known to have it; {unmakeable}"
    into = f"`upkeep restore {newest} --to URL` puts all of it into another database"
    return f"the table is gone, and {unmakeable}; {into}"


def _wanted(now: Reading, keys: tuple[ForeignKey, ...], policy: Policy) -> dict[str, list[ForeignKey]]:
    wanted: dict[str, list[ForeignKey]] = defaultdict(list)
    for key in keys:
        if key.parent_missing and key.askable and _is_to_come_back(key, policy):
            wanted[key.parent].append(key)
    orphaned = (
        name for name, several in wanted.items() if any(now.numbers(counting(key, now.dialect))[0] for key in several)
    )
    return {name: wanted[name] for name in orphaned}


def _is_to_come_back(key: ForeignKey, policy: Policy) -> bool:
    """Is to restore the first thing that its rule says? A key whose meaning depends on its row tells of no table.

    That a backup declared the key is no word for it: the table may have been dropped on purpose. Then the rule has to
    be one for that very key.
    """
    rule = policy.rule_for(key)[1]
    wanted = rule.orphan[:1] == (Action.RESTORE,) and not (key.when or key.deleted or key.meant)
    return wanted and (not key.last_in or rule.names(key))


def _look(
    now: Reading, keys: list[ForeignKey], policy: Policy, older: Sequence[Older]
) -> tuple[Lost | str, list[ForeignKey]]:
    """The newest that has it, or why not; and keys of that table whose own parents are gone as well."""
    name = keys[0].parent
    for backup in older:
        if backup.tables is not None and name.lower() not in backup.tables:
            continue
        with backup.opened() as reading:
            there = next((one for key in keys if (one := _there(reading, key))), None)
            if there is None and backup.tables is None:
                return f"the table is gone: brought to the revision of today backup {backup.backup} has none", []
            if there is not None:
                return _whole(reading, now, there.parent, keys, policy, backup.backup)
    return "the table is gone, and no backup has it", []


def _there(older: Reading, key: ForeignKey) -> ForeignKey | None:
    there = older.stated(key)
    return None if there.parent_missing or there.parent not in older.catalog().tables else there


def _whole(
    older: Reading, now: Reading, name: str, keys: list[ForeignKey], policy: Policy, backup: str
) -> tuple[Lost | str, list[ForeignKey]]:
    table, most = older.catalog().tables[name], policy.limits.rows
    rows = older.count(name, digest=False).rows
    if not rows:
        return f"the table is gone, and backup {backup} has it without a row", []
    if rows > most:
        return f"the table is gone; backup {backup} has it with {rows:,} rows, and the limit is {most:,}", []
    if not table.locator:
        return f"the table is gone, and its rows in backup {backup} cannot be told apart", []
    gone = [
        key
        for key in older.catalog().keys
        if key.child == name and key.parent not in now.catalog().tables and key.parent != name
    ]
    further = [key for key in gone if not key.parent_missing and _is_to_come_back(key, policy)]
    try:
        making = older.making(name)
    except Refused as fault:
        return f"the table is gone: {fault.message}; {fault.hint}", []
    lost = Lost(
        Comeback(name, backup, _for_today(making, older, now)),
        Spilled(_images(older, name), IMAGES),
        SpilledMapping(POINTINGS, SPOTS, _pointing(older, now, keys)),
    )
    return lost, further


def _for_today(making: Making, older: Reading, now: Reading) -> Making:
    """With the foreign keys alone that their tables of today lack, and with what else is gone and stays so."""
    bonds = tuple(bond for bond in making.bonds if _is_loose(bond, now))
    there, here = older.parts(), now.parts()
    views = [f"the {part}, which is gone too" for part in there if part.kind == "view" and part not in here]
    return replace(making, bonds=bonds, lacks=(*making.lacks, *sorted(views)))


def _is_loose(bond: Bond, now: Reading) -> bool:
    """Are the columns there, and has nobody let them point elsewhere since?"""
    child = now.catalog().tables.get(bond.child)
    pointing = ((key.child, key.columns) for key in now.catalog().keys)
    return child is not None and {*bond.columns} <= {*child.stored} and (bond.child, bond.columns) not in pointing


def _images(older: Reading, name: str) -> Iterator[Image]:
    """Every row; they are no more than the policy's limit."""
    dialect, table = older.dialect, older.catalog().tables[name]
    stored = (dialect.value("c", name, column) for column in table.stored)
    columns = ", ".join([*(f"c.{dialect.quote(column)}" for column in table.locator), *stored])
    width = len(table.locator)
    for row in older.rows(f"SELECT {columns} FROM {dialect.source(name)} AS c"):
        yield Image(Spot(name, row[:width]), table.stored, row[width:])


def _pointing(older: Reading, now: Reading, keys: Iterable[ForeignKey]) -> Iterator[tuple[Pointing, Spot]]:
    """Where the orphans of today would point in the table as it was, compared as the engine does."""
    for key in keys:
        there = as_there(older, key) if key.child in now.catalog().tables else None
        if there is None:
            continue
        for piece in in_pieces(missed_by(now, key)):
            pointers = {missed.values for missed in piece}
            for values, image in parents_of(older, there, pointers).items():
                yield (key.child, key.columns, values), image.spot
