"""Drawing up the plan: the fixpoint of what the policy does to orphans and to the orphans that this makes (P-56, P-113)."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from upkeep.catalog import ForeignKey
from upkeep.changes import Refusal
from upkeep.databases import Reading
from upkeep.findings import Finding
from upkeep.orphans import bereaved, listing
from upkeep.plan import Kept, Migration, Plan, Repair
from upkeep.policy import Action, Policy
from upkeep.possible import Choice, choices
from upkeep.rows import images_of
from upkeep.values import Row, row_digest

Spot = tuple[str, Row]
"""A row: its table and the values of its locator."""


@dataclass
class _Draft:
    """One attempt at the fixpoint."""

    doomed: dict[Spot, Repair] = field(default_factory=dict)
    nullified: dict[tuple[Spot, ForeignKey], Repair] = field(default_factory=dict)
    kept: dict[tuple[Spot, ForeignKey], tuple[str, Spot | None]] = field(default_factory=dict)


class Planner:
    """Draws up plans for one reading under one policy."""

    def __init__(
        self,
        reading: Reading,
        keys: tuple[ForeignKey, ...],
        policy: Policy,
        refusals: tuple[Refusal, ...] = (),
    ) -> None:
        self._reading = reading
        self._catalog = reading.catalog()
        self._keys = keys
        self._rules = {key: policy.rule_for(key) for key in keys}
        self._choices = {
            key: choices(key, self._rules[key][1], self._catalog, keys)
            for key in keys
            if key.child in self._catalog.tables
        }
        self._refused = {((r.table, r.row), r.action): r.said for r in refusals}
        self._blocked: dict[Spot, str] = {}

    def plan(self, database: str, findings: tuple[Finding, ...], migration: Migration | None) -> Plan:
        """The plan for what was found. Deleting a row whose child must be kept is impossible; that is known only at
        the end of an attempt, so attempts are made until none blocks another row.
        """
        orphaned = [finding.key for finding in findings if finding.orphans]
        while True:
            draft = self._attempt(orphaned)
            blocked = {
                parent: f"its row of {spot[0]} is kept ({reason})"
                for (spot, _), (reason, parent) in draft.kept.items()
                if parent is not None and spot not in draft.doomed
            }
            if not blocked:
                return self._finished(database, draft, migration)
            self._blocked.update(blocked)

    def _attempt(self, orphaned: list[ForeignKey]) -> _Draft:
        draft = _Draft()
        frontier: list[Spot] = []
        for key in orphaned:
            locator = self._catalog.tables[key.child].locator
            if not locator or not key.askable:
                continue
            for row in self._reading.rows(listing(key, locator, self._reading.dialect)):
                frontier += self._decide(draft, key, (key.child, row), None, 0)
        wave = 0
        while frontier:
            wave += 1
            bereaved_now = [found for table in {t for t, _ in frontier} for found in self._bereaved(draft, table)]
            frontier = [
                spot for key, child, parent in bereaved_now for spot in self._decide(draft, key, child, parent, wave)
            ]
        return draft

    def _decide(self, draft: _Draft, key: ForeignKey, spot: Spot, parent: Spot | None, wave: int) -> list[Spot]:
        """Enter what happens to one orphan; the answer is the row if it is newly doomed."""
        if spot in draft.doomed:
            return []
        choice = self._choice(key, spot)
        if choice.action is Action.KEEP:
            draft.kept.setdefault((spot, key), (choice.reason, parent))
            return []
        rule = self._rules[key][0] or 0
        repair = Repair(key.child, spot[1], choice.action, choice.columns, str(key), rule, wave, "")
        if choice.action is Action.NULLIFY:
            draft.nullified.setdefault((spot, key), repair)
            return []
        draft.doomed[spot] = repair
        return [spot]

    def _choice(self, key: ForeignKey, spot: Spot) -> Choice:
        reasons = []
        for choice in self._choices[key]:
            why_not = self._refused.get((spot, choice.action))
            if why_not is None and choice.action is Action.DELETE:
                why_not = self._blocked.get(spot)
            if why_not is None:
                return Choice(choice.action, choice.columns, "; ".join([*reasons, choice.reason]).strip("; "))
            reasons.append(f"{choice.action} is impossible: {why_not}")
        raise AssertionError("every list of choices ends with keep")

    def _bereaved(self, draft: _Draft, parent: str) -> Iterator[tuple[ForeignKey, Spot, Spot]]:
        """Rows that lose their last parent in the table ``parent``, each with that parent."""
        doomed = [row for table, row in draft.doomed if table == parent]
        above = self._catalog.tables[parent].locator
        for key in self._catalog.children_of(parent, self._keys):
            below = self._catalog.tables[key.child].locator
            if not key.askable or not below:
                continue
            with self._reading.chosen(doomed, len(above)) as relation:
                for row in self._reading.rows(bereaved(key, below, above, relation, self._reading.dialect)):
                    yield key, (key.child, row[: len(below)]), (parent, row[len(below) :])

    def _finished(self, database: str, draft: _Draft, migration: Migration | None) -> Plan:
        nullified = [repair for (spot, _), repair in draft.nullified.items() if spot not in draft.doomed]
        repairs = [*nullified, *sorted(draft.doomed.values(), key=lambda repair: -repair.wave)]
        kept = Counter(
            (str(key), reason) for (spot, key), (reason, _) in draft.kept.items() if spot not in draft.doomed
        )
        order = sorted(
            self._with_digests(repairs), key=lambda r: (r.action is Action.DELETE, -r.wave, r.table, repr(r.row), r.key)
        )
        return Plan(
            database,
            tuple(order),
            tuple(sorted(Kept(key, rows, reason) for (key, reason), rows in kept.items())),
            migration,
            self._triggers(repairs),
        )

    def _with_digests(self, repairs: list[Repair]) -> Iterator[Repair]:
        by_table: dict[str, list[Repair]] = defaultdict(list)
        for repair in repairs:
            by_table[repair.table].append(repair)
        for table, several in by_table.items():
            images = images_of(self._reading, self._catalog.tables[table], [repair.row for repair in several])
            for repair in several:
                before = row_digest(images[repair.row])
                yield Repair(**{**repair.__dict__, "before": before})

    def _triggers(self, repairs: list[Repair]) -> tuple[str, ...]:
        events = {(repair.table, "DELETE" if repair.action is Action.DELETE else "UPDATE") for repair in repairs}
        return tuple(
            sorted(
                f"{t.name} ({t.event} on {table})"
                for table, event in events
                for t in self._catalog.tables[table].triggers
                if t.event == event
            )
        )
