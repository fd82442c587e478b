"""Drawing up the plan: what the policy does to orphans, and to the orphans that this makes, to the end (P-56, P-113).

What is decided, and what is not left to the order in which rows are read:

- An orphan is a row and a key; each comes to the first action of its rule that is possible for it.
- A row that is deleted takes itself from those that point at it: where none of the rows that a key points at is left,
  the rule of that key decides over the child as over any other orphan.
- To delete wins: a row that goes for one key is neither nullified nor kept for another. ``keep`` leaves an orphan
  alone; it protects no row from the rule of another key.
- But a row cannot go while a row that stays would have to be kept for it. Then ``delete`` is impossible for it and
  the next action in its rule counts, at the end ``keep``; that may hold back its own parents in turn. Two rows that
  point at each other and both go hold nothing back.
- Where a key points at several rows alike, which only an unusable key does, and they would all go, none of them goes
  while the child must be kept.
- ``nullify`` and ``reassign`` touch no column that another key reads or points at, so they never make or mend an orphan
  of another.
- A parent is put back where a row that stays comes to ``restore``, and then it is there for all: whoever else points at
  it is an orphan no more, whatever the rule of that key. What it needs comes with it. Where a row goes that it points
  at, the rule of that key says what is set instead; if it says nothing of that kind the parent is not put back.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from upkeep.catalog import Catalog, ForeignKey
from upkeep.changes import Refusal
from upkeep.databases import Reading
from upkeep.findings import Finding
from upkeep.fixpoint import Orphan, Settled, Spot, settle
from upkeep.origins import Origins
from upkeep.orphans import bereaved, listing
from upkeep.plan import Healed, Kept, Migration, Plan, Repair
from upkeep.policy import Action, Policy
from upkeep.possible import Choice
from upkeep.rows import images_of, orphans_among, orphans_with
from upkeep.rulings import rulings
from upkeep.values import row_digest

_ORDER = {Action.RESTORE: 0, Action.DELETE: 2}
_NOTHING_TO_STAND_ON = "its parent points at a row that goes by this plan"


class Planner:
    """Draws up plans for one reading under one policy; rows that refused an action are not asked for it again."""

    def __init__(
        self,
        reading: Reading,
        keys: tuple[ForeignKey, ...],
        policy: Policy,
        refusals: tuple[Refusal, ...] = (),
        origins: Origins | None = None,
    ) -> None:
        self._reading = reading
        self._catalog = reading.catalog()
        ruled = rulings(reading, keys, policy, origins.gone if origins else None)
        self._keys, self._rules, self._choices = ruled.keys, ruled.rules, ruled.choices
        self._named = dict.fromkeys(ruled.named, "a rule reassigns orphans to it")
        self._refused = {(Spot(r.table, r.row), r.action): r.said for r in refusals}
        self._origins = (origins or Origins()).without(
            {spot: said for (spot, action), said in self._refused.items() if action is Action.RESTORE}
        )

    def plan(self, database: str, findings: tuple[Finding, ...], migration: Migration | None) -> Plan:
        """The plan for what was found. Equal databases, policies and refusals have equal plans."""
        orphaned = {str(f.key): f.orphans for f in findings if f.orphans and str(f.key) in self._keys}
        settled, restored = self._settled(orphaned)
        repairs = sorted(
            (*self._restoring(settled, restored), *self._with_digests(self._repairs(settled))),
            key=lambda r: (_ORDER.get(r.action, 1), -r.wave, r.table, repr(r.row), r.key),
        )
        healed = [
            Healed(orphan.key, *orphan.spot, self._origins.of[orphan])
            for orphan in self._healed_by(restored)
            if orphan.spot not in settled.doomed
        ]
        kept = self._kept(settled, orphaned, healed, restored)
        healed += self._reassigned(repairs)
        return Plan(
            database,
            tuple(repairs),
            tuple(sorted(Kept(key, rows, reason) for (key, reason), rows in kept.items() if rows)),
            migration,
            triggers_fired(self._catalog, repairs),
            scans=self._scans(repairs),
            healed=tuple(sorted(healed, key=repr)),
            tables=self._origins.tables,
        )

    def _settled(self, orphaned: Iterable[str]) -> tuple[Settled, dict[Spot, tuple[int, str | None]]]:
        """What follows from what, and the rows that are put back, each with its wave and the key by which it is needed.

        Each row that is put back dooms fewer others, and fewer doomed rows want no less: so there is one end. Only then
        it is known which of them have nothing to stand on, and without those it begins anew.
        """
        restored: dict[Spot, tuple[int, str | None]] = {}
        reachable = self._reachable(orphaned)
        while True:
            healed = self._healed_by(restored)
            settled = settle({o: p for o, p in reachable.items() if o not in healed}, self._choice, self._named)
            wanted = {self._origins.of[orphan] for orphan in self._wanting(settled)} | self._origins.of_whole_tables
            further = self._origins.with_needs(wanted | {spot for spot, (wave, _) in restored.items() if not wave})
            if further.keys() != restored.keys():
                restored = further
            elif lost := {spot: _NOTHING_TO_STAND_ON for spot in restored if self._is_lost(spot, settled)}:
                # Others may go now, so that more is reachable too.
                self._origins, restored = self._origins.without(lost), {}
                reachable = self._reachable(orphaned)
            else:
                return settled, further

    def _is_lost(self, spot: Spot, settled: Settled) -> bool:
        """Does a row go that this one points at and may not do without?"""
        return any(one.to in settled.doomed and one.instead is None for one in self._origins.found[spot].stands_on)

    def _healed_by(self, restored: Collection[Spot]) -> set[Orphan]:
        return {orphan for orphan, spot in self._origins.of.items() if spot in restored}

    def _wanting(self, settled: Settled) -> Iterator[Orphan]:
        """Orphans that stay and come to ``restore``."""
        for orphan in settled.reached:
            blocked = settled.blocked.get(orphan.spot)
            if orphan.spot not in settled.doomed and self._choice(orphan, blocked).action is Action.RESTORE:
                yield orphan

    def _restoring(self, settled: Settled, restored: dict[Spot, tuple[int, str | None]]) -> Iterator[Repair]:
        """The rows that are put back. One that orphans miss is told for the first key whose rule may restore it."""
        wanting: dict[Spot, str] = {}
        for orphan in self._healed_by(restored):
            restores = any(choice.action is Action.RESTORE for choice in self._choices[orphan.key])
            if restores and self._origins.why_not_for(orphan) is None:
                spot = self._origins.of[orphan]
                wanting[spot] = min(orphan.key, wanting.get(spot, orphan.key))
        for spot, (wave, key) in restored.items():
            origin, by = self._origins.found[spot], key or wanting.get(spot) or self._restoring_key(spot.table)
            for pointer in origin.stands_on:
                origin = origin.without(pointer) if pointer.to in settled.doomed else origin
            rule = self._rules[by][0] or 0
            yield Repair(*spot, Action.RESTORE, origin.columns, by, rule, wave, "", origin.values, origin.source)

    def _restoring_key(self, table: str) -> str:
        """The key for whose sake a whole table comes back, for rows of it that nobody misses."""
        return min(
            name
            for name, key in self._keys.items()
            if key.parent == table and any(choice.action is Action.RESTORE for choice in self._choices[name])
        )

    def _reassigned(self, repairs: list[Repair]) -> list[Healed]:
        """Orphans that get another parent, by the row that their rule names."""
        return [
            Healed(repair.key, repair.table, repair.row, (self._keys[repair.key].parent, repair.values))
            for repair in repairs
            if repair.action is Action.REASSIGN and repair.wave == 0
        ]

    def _scans(self, repairs: list[Repair]) -> tuple[str, ...]:
        """Declared keys without an index that point at tables of which rows go: the engine looks for their children."""
        losing = {repair.table for repair in repairs if repair.action is Action.DELETE}
        slow = (key for key in self._keys.values() if key.declared and not key.indexed and key.parent in losing)
        return tuple(sorted(map(str, slow)))

    def _choice(self, orphan: Orphan, blocked: str | None) -> Choice:
        """The first action that is possible for the orphan; ``blocked`` says why its row may not be deleted."""
        reasons: list[str] = []
        for choice in self._choices[orphan.key]:
            why_not = self._refused.get((orphan.spot, choice.action)) if self._refused else None
            if why_not is None and choice.action is Action.DELETE:
                why_not = blocked
            if choice.action is Action.RESTORE:
                why_not = self._origins.why_not_for(orphan)
            if why_not is None:
                return replace(choice, reason="; ".join(filter(None, [*reasons, choice.reason]))) if reasons else choice
            reasons.append(f"{choice.action} is impossible: {why_not}")
        raise AssertionError("every list of choices ends with keep")

    def _only_keeps(self, key: str) -> bool:
        """Is there nothing but ``keep`` for this key? Then its orphans are counted, not listed: they may be many."""
        return self._choices[key][0].action is Action.KEEP

    def _reachable(self, orphaned: Iterable[str]) -> dict[Orphan, set[Spot]]:
        """Every orphan there is or could be if no deletion were impossible, with the rows that it points at."""
        parents: dict[Orphan, set[Spot]] = {}
        doomed: dict[str, list[Spot]] = defaultdict(list)
        known: set[Spot] = set()

        def enter(found: Iterable[tuple[Orphan, Spot | None]]) -> set[str]:
            tables = set()
            for orphan, parent in found:
                pointed = parents.setdefault(orphan, set())
                if parent:
                    pointed.add(parent)
                if orphan.spot not in known and self._choice(orphan, None).action is Action.DELETE:
                    known.add(orphan.spot)
                    doomed[orphan.spot.table].append(orphan.spot)
                    tables.add(orphan.spot.table)
            return tables

        frontier = enter(self._listed(orphaned))
        while frontier:
            # All of a wave is read before any of it is entered, so that a wave is the same whatever the order.
            wave = [found for table in sorted(frontier) for found in self._bereaved(table, doomed[table])]
            frontier = enter(wave)
        return parents

    def _listed(self, orphaned: Iterable[str]) -> Iterator[tuple[Orphan, None]]:
        for name in orphaned:
            if not self._only_keeps(name):
                key = self._keys[name]
                sql = listing(key, self._catalog.tables[key.child].locator, self._reading.dialect)
                for row in self._reading.rows(sql):
                    yield Orphan(Spot(key.child, row), name), None

    def _bereaved(self, parent: str, doomed: list[Spot]) -> Iterator[tuple[Orphan, Spot]]:
        """Rows that lose all their parents in the table ``parent``, each with each of those.

        Rows that cannot be told apart are all one here: they can only be kept.
        """
        above = self._catalog.tables[parent].locator
        for name, key in self._keys.items():
            if key.parent != parent or not key.askable or key.deleted:  # of that the key without the mark speaks
                continue
            below = self._catalog.tables[key.child].locator
            with self._reading.chosen(parent, above, (spot.row for spot in doomed)) as relation:
                for row in self._reading.rows(bereaved(key, below, above, relation, self._reading.dialect)):
                    yield Orphan(Spot(key.child, row[: len(below)]), name), Spot(parent, row[len(below) :])

    def _repairs(self, settled: Settled) -> Iterator[Repair]:
        for spot, (wave, name) in settled.doomed.items():
            yield self._repair(spot, name, Choice(Action.DELETE), wave)
        for orphan, wave in settled.reached.items():
            if orphan.spot not in settled.doomed:
                choice = self._choice(orphan, settled.blocked.get(orphan.spot))
                if choice.action in (Action.NULLIFY, Action.REASSIGN):
                    yield self._repair(orphan.spot, orphan.key, choice, wave)

    def _repair(self, spot: Spot, key: str, choice: Choice, wave: int) -> Repair:
        rule = self._rules[key][0] or 0
        return Repair(spot.table, spot.row, choice.action, choice.columns, key, rule, wave, "", choice.values)

    def _kept(
        self, settled: Settled, orphaned: dict[str, int], healed: list[Healed], restored: Collection[Spot]
    ) -> Counter[tuple[str, str]]:
        """Orphans that stay, by key and reason."""
        kept: Counter[tuple[str, str]] = Counter()
        for orphan in settled.reached:
            if orphan.spot not in settled.doomed:
                choice = self._choice(orphan, settled.blocked.get(orphan.spot))
                if choice.action is Action.KEEP:
                    kept[orphan.key, choice.reason] += 1
        for name, orphans in orphaned.items():
            if self._only_keeps(name):
                key = self._keys[name]
                going = [spot.row for spot in settled.doomed if spot.table == key.child]
                locator = self._catalog.tables[key.child].locator
                less = orphans_among(self._reading, key, locator, going) if going else 0
                less += sum(one.key == name for one in healed) if locator else self._finding(key, restored)
                kept[name, self._choices[name][0].reason] += orphans - less
        return kept

    def _finding(self, key: ForeignKey, restored: Collection[Spot]) -> int:
        """How many orphans of a table whose rows cannot be told apart find a row that is put back."""
        images = (self._origins.found[spot] for spot in restored if spot.table == key.parent)
        held = (dict(zip(image.columns, image.values, strict=True)) for image in images)
        values = {
            tuple(row[name] for name in key.parent_columns) for row in held if {*key.parent_columns} <= row.keys()
        }
        return orphans_with(self._reading, key, values) if values else 0

    def _with_digests(self, repairs: Iterable[Repair]) -> Iterator[Repair]:
        by_table: dict[str, list[Repair]] = defaultdict(list)
        for repair in repairs:
            by_table[repair.table].append(repair)
        for table, several in by_table.items():
            images = images_of(self._reading, self._catalog.tables[table], {repair.row for repair in several})
            for repair in several:
                yield replace(repair, before=row_digest(images[repair.row]))


def triggers_fired(catalog: Catalog, repairs: Iterable[Repair]) -> tuple[str, ...]:
    """Triggers that the statements for these repairs may fire, for the operator to read (P-57)."""
    statements = {Action.DELETE: "DELETE", Action.RESTORE: "INSERT"}
    events = {(repair.table, statements.get(repair.action, "UPDATE")) for repair in repairs}
    return tuple(
        sorted(
            f"{trigger.name} ({trigger.event} on {table})"
            for table, event in events
            for trigger in catalog.tables[table].triggers
            if trigger.event == event
        )
    )
