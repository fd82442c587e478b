"""All the repairs of a rehearsal, in order, with a digest: what an operator approves."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from upkeep.enforcement import Enforced, Unenforced
from upkeep.errands import Errands
from upkeep.gathered import Gathered
from upkeep.making import Comeback
from upkeep.policy import Action, Limits
from upkeep.repair import Healed, Repair
from upkeep.revisions import Revision
from upkeep.undo import Undo
from upkeep.values import digest_in_parts

__all__ = ["Healed", "Kept", "Migration", "PassedOver", "Plan", "Repair", "beyond"]


@dataclass(frozen=True, order=True)
class Kept:
    """Orphans of one key that stay as they are, how many, and why."""

    key: str
    rows: int
    reason: str


@dataclass(frozen=True, order=True)
class PassedOver:
    """Orphans of one key that come to a later ``action`` of their rule, how many, and why to none before it."""

    key: str
    rows: int
    reason: str
    action: Action


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
    ``passed_over`` says of which orphans an earlier action of their rule is impossible.
    ``tables`` come back as a whole (or go again, in an undo of that) together with their repairs.
    Repairs and healed orphans may be more than fit into memory; what is counted of them is counted once.
    """

    database: str
    repairs: Sequence[Repair] = ()
    kept: tuple[Kept, ...] = ()
    migration: Migration | None = None
    triggers: tuple[str, ...] = ()
    enforced: tuple[Enforced, ...] = ()
    unenforced: tuple[Unenforced, ...] = ()
    scans: tuple[str, ...] = field(default=(), compare=False)
    undo: Undo | None = None
    healed: Sequence[Healed] = ()
    tables: tuple[Comeback, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the canonical form of everything that would be done, and of what would be left."""
        return digest_in_parts(self.in_parts())

    @property
    def is_empty(self) -> bool:
        """Is there nothing to do?"""
        return not self.repairs and self.migration is None and not self.enforced and not self.tables

    def document(self) -> dict[str, Any]:
        """The plan as JSON, rows by table and locator; the form that the digest is over (format 1)."""
        parts = self.in_parts()
        whole = {name: list(parts[name]) for name in ("repairs", "healed") if name in parts}
        return parts | whole | ({"undo": self.undo.document()} if self.undo else {})

    def in_parts(self) -> dict[str, Any]:
        """The same, its repairs, healed orphans and conflicts one by one as they are asked for.

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
        if self.passed_over:
            wanted["passed_over"] = [[one.key, one.action.value, one.rows, one.reason] for one in self.passed_over]
        migration = self.migration and [list(self.migration.found), self.migration.head, self.migration.digest]
        return {
            "format": 1,
            "database": self.database,
            "repairs": (repair.document() for repair in self.repairs),
            "kept": [[kept.key, kept.rows, kept.reason] for kept in self.kept],
            "migration": migration,
            "triggers": list(self.triggers),
            **({"undo": self.undo.in_parts()} if self.undo else {}),
            **({"healed": (healed.document() for healed in self.healed)} if self.healed else {}),
            **wanted,
        }

    @cached_property
    def errands(self) -> Errands:
        """What becomes of each row, told once for a row."""
        return Errands(self.repairs)

    def rows_of(self, table: str) -> int:
        """Rows of one table that would change."""
        return self.errands.rows_of[table]

    def by_table(self) -> dict[tuple[str, Action], int]:
        """Rows that change, counted by table and action; a row that is nullified for two keys counts once."""
        return dict(sorted(self.errands.by_table.items()))

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
        return {key: dict(words) for key, words in self._by_key.items()}

    @cached_property
    def following(self) -> dict[tuple[str, str], int]:
        """Of these, by key and word, the rows that were no orphans of the key and lose their parent by the plan."""
        counts: Counter[tuple[str, str]] = Counter()
        for (key, _, action, is_first), repairs in self.errands.pairs.items():
            if action is not Action.RESTORE and not is_first:
                counts[key, action.value] += repairs
        return dict(counts)

    @cached_property
    def _by_key(self) -> dict[str, dict[str, int]]:
        counts: dict[str, Counter[str]] = {}
        for (key, _, action, _), repairs in self.errands.pairs.items():
            if action is not Action.RESTORE:
                counts.setdefault(key, Counter())[action.value] += repairs
        if self.healed:
            changed = Gathered((one.key, one.row) for one in self.repairs if one.action is not Action.RESTORE)
            for one in self.healed:
                if not changed.holds(one.key, one.row):
                    counts.setdefault(one.key, Counter())["heal"] += 1
        return {key: dict(sorted(counts[key].items())) for key in sorted(counts)}

    @property
    def rows(self) -> int:
        """Rows that would change."""
        return self.errands.rows_of.total()


def beyond(plan: Plan, limits: Limits, rows_of: dict[str, int]) -> tuple[str, ...]:
    """Why the plan is beyond the limits, in words; () if it is within. ``rows_of`` counts the rows of each table.

    Rows that come back count with those that are there: else no share would let back what a table lost the most of. A
    table that comes back as a whole has no rows of which its own could be a share.
    """
    told = []
    if plan.rows > limits.rows:
        told.append(f"{plan.rows} rows would change, the limit is {limits.rows}")
    whole = {one.table for one in plan.tables}
    for table, rows in sorted((name, rows) for name, rows in plan.errands.rows_of.items() if name not in whole):
        there = rows_of[table] + plan.errands.by_table[table, Action.RESTORE]
        if rows > limits.share * there:
            told.append(f"{rows} of {there} rows of {table} would change, the limit is {limits.share:.0%}")
    return tuple(told)
