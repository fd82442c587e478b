"""All the repairs of a rehearsal, in order, with a digest: what an operator approves."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from upkeep.enforcement import Enforced, Unenforced
from upkeep.making import Comeback
from upkeep.policy import Action, Limits
from upkeep.revisions import Revision
from upkeep.undo import Undo
from upkeep.values import Row, digest, encode, row_digest


@dataclass(frozen=True, slots=True)
class Repair:
    """One action on one row.

    ``row`` are the values of the table's locator; ``columns`` those that are set: to ``values``, raw, or to NULL where
    there are none. A row that is restored has all stored columns there that its backup has. ``before`` is the digest of
    the whole row as it was found, '' where there was none; ``key`` and ``rule`` say why, ``source`` where the values
    come from and what proves them. ``wave`` is 0 for a row that was an orphan, n for one whose parent goes in wave n-1;
    of restored rows 0 is for the parent of an orphan, n for the parent of one that comes in wave n-1.
    """

    table: str
    row: Row
    action: Action
    columns: tuple[str, ...]
    key: str
    rule: int
    wave: int
    before: str
    values: Row = ()
    source: str = ""

    def document(self) -> list[Any]:
        """The repair as JSON. Of values there is only the digest: a plan is shown to people."""
        row = [encode(value) for value in self.row]
        set_to = [row_digest(self.values), *([self.source] if self.source else [])] if self.values else []
        said = [self.table, row, self.action.value, list(self.columns), self.key, self.rule, self.wave, self.before]
        return said + set_to


@dataclass(frozen=True, order=True)
class Kept:
    """Orphans of one key that stay as they are, how many, and why."""

    key: str
    rows: int
    reason: str


@dataclass(frozen=True)
class Healed:
    """An orphan, by its key, table and row, that is none any more when ``parent`` is there, by table and locator."""

    key: str
    table: str
    row: Row
    parent: tuple[str, Row]

    def document(self) -> list[Any]:
        """As JSON."""
        table, row = self.parent
        return [self.key, self.table, list(map(encode, self.row)), table, list(map(encode, row))]


@dataclass(frozen=True)
class Migration:
    """The way from the database's revisions to the head of the scripts; ``digest`` is over the revisions' files.

    ``revisions`` tell of each that is pending what it says it will do; they are no part of what was approved.
    """

    found: tuple[str, ...]
    head: str
    pending: tuple[str, ...]
    digest: str
    revisions: tuple[Revision, ...] = field(default=(), compare=False, repr=False)

    def __str__(self) -> str:
        return f"{', '.join(self.found) or 'nothing'} -> {self.head}"


@dataclass(frozen=True)
class Plan:
    """What would be done to one database. Equal plans have equal digests, whichever run drew them up.

    ``enforced`` are foreign keys that come into force with it, ``unenforced`` those that the policy wants enforced and
    that stay as they are. ``scans`` are foreign keys that make its deletions slow; they are no part of what is done, so
    not of the digest. ``undo`` stands in a plan that puts back what a run did, and in no other.
    ``healed`` are the orphans that find their parent by it without being changed themselves, and those reassigned.
    ``tables`` come back as a whole (or go again, in an undo of that) together with their repairs.
    """

    database: str
    repairs: tuple[Repair, ...] = ()
    kept: tuple[Kept, ...] = ()
    migration: Migration | None = None
    triggers: tuple[str, ...] = ()
    enforced: tuple[Enforced, ...] = ()
    unenforced: tuple[Unenforced, ...] = ()
    scans: tuple[str, ...] = field(default=(), compare=False)
    undo: Undo | None = None
    healed: tuple[Healed, ...] = ()
    tables: tuple[Comeback, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical form of everything that would be done, and of what would be left."""
        return digest(self.document())

    @property
    def is_empty(self) -> bool:
        """Is there nothing to do?"""
        return not self.repairs and self.migration is None and not self.enforced and not self.tables

    def document(self) -> dict[str, Any]:
        """The plan as JSON, rows by table and locator; the form that the digest is over (format 1).

        What a plan without restored rows or keys to enforce lacks is left out, so that plans of before have the digest
        that they had.
        """
        wanted: dict[str, Any] = {}
        if self.enforced:
            wanted["enforced"] = [one.document() for one in self.enforced]
        if self.tables:
            wanted["tables"] = [one.document() for one in self.tables]
        if self.unenforced:
            wanted["unenforced"] = [[one.key, one.reason] for one in self.unenforced]
        migration = self.migration and [list(self.migration.found), self.migration.head, self.migration.digest]
        return {
            "format": 1,
            "database": self.database,
            "repairs": [repair.document() for repair in self.repairs],
            "kept": [[kept.key, kept.rows, kept.reason] for kept in self.kept],
            "migration": migration,
            "triggers": list(self.triggers),
            **({"undo": self.undo.document()} if self.undo else {}),
            **({"healed": [healed.document() for healed in self.healed]} if self.healed else {}),
            **wanted,
        }

    def rows_of(self, table: str) -> int:
        """Rows of one table that would change."""
        return len({repair.row for repair in self.repairs if repair.table == table})

    def by_table(self) -> dict[tuple[str, Action], int]:
        """Rows that change, counted by table and action; a row that is nullified for two keys counts once."""
        rows = {(repair.table, repair.action, repair.row) for repair in self.repairs}
        return dict(sorted(Counter((table, action) for table, action, _ in rows).items()))

    def by_action(self) -> dict[str, int]:
        """Rows by action, kept pairs included."""
        counts: Counter[str] = Counter()
        for (_, action), rows in self.by_table().items():
            counts[action.value] += rows
        if self.kept:
            counts[Action.KEEP.value] = sum(kept.rows for kept in self.kept)
        return dict(counts)

    def by_key(self) -> dict[str, dict[str, int]]:
        """What becomes of the orphans of each key that are not kept, those that the plan makes too: how many, by word.

        A row that is put back is none of them; the orphans that find it are healed.
        """
        counts: dict[str, Counter[str]] = {}
        changed = set()
        for repair in self.repairs:
            if repair.action is not Action.RESTORE:
                counts.setdefault(repair.key, Counter())[repair.action.value] += 1
                changed.add((repair.key, repair.row))
        for one in self.healed:
            if (one.key, one.row) not in changed:
                counts.setdefault(one.key, Counter())["heal"] += 1
        return {key: dict(sorted(counts[key].items())) for key in sorted(counts)}

    @property
    def rows(self) -> int:
        """Rows that would change."""
        return len({(repair.table, repair.row) for repair in self.repairs})


def beyond(plan: Plan, limits: Limits, rows_of: dict[str, int]) -> tuple[str, ...]:
    """Why the plan is beyond the limits, in words; () if it is within. ``rows_of`` counts the rows of each table.

    A table that comes back as a whole has no rows of which its own could be a share.
    """
    told = []
    if plan.rows > limits.rows:
        told.append(f"{plan.rows} rows would change, the limit is {limits.rows}")
    touched = Counter(table for table, _ in {(repair.table, repair.row) for repair in plan.repairs})
    whole = {one.table for one in plan.tables}
    for table, rows in sorted((name, rows) for name, rows in touched.items() if name not in whole):
        allowed = limits.share * rows_of[table]
        if rows > allowed:
            told.append(f"{rows} of {rows_of[table]} rows of {table} would change, the limit is {limits.share:.0%}")
    return tuple(told)
