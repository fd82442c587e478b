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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TypeVar

from upkeep.catalog import Catalog, ForeignKey
from upkeep.changes import Refusal
from upkeep.databases import Reading
from upkeep.findings import Finding
from upkeep.fixpoint import SPOTS, Due, Orphan, Spot, Web
from upkeep.gathered import Gathered
from upkeep.origins import Origin, Origins, Reached
from upkeep.orphans import bereaved, listing
from upkeep.plan import Healed, Kept, Migration, PassedOver, Plan, Repair
from upkeep.policy import Action, Policy
from upkeep.possible import Choice
from upkeep.repair import HEALED, REPAIRS
from upkeep.rows import images_of, orphans_among, orphans_with
from upkeep.rulings import rulings
from upkeep.spilled import Spilled, arranged
from upkeep.spilled_mapping import TEXTS, SpilledMapping
from upkeep.telling import SILENCE, Tell
from upkeep.values import Row, in_pieces, row_digest

T = TypeVar("T")
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
        tell: Tell = SILENCE,
    ) -> None:
        self._reading = reading
        self._tell = tell
        self._catalog = reading.catalog()
        self._ruled = partial(rulings, reading, keys, policy, origins.gone if origins else None)
        self._rule(())
        self._refused = {(Spot(r.table, r.row), r.action): r.said for r in refusals}
        self._origins = (origins or Origins()).without(
            {spot: said for (spot, action), said in self._refused.items() if action is Action.RESTORE}
        )

    def _rule(self, coming: Iterable[Origin]) -> None:
        """What the policy comes to where these rows are put back."""
        ruled = self._ruled(coming)
        self._keys, self._rules, self._choices = ruled.keys, ruled.rules, ruled.choices
        self._named = dict.fromkeys(ruled.named, "a rule reassigns orphans to it")

    def plan(self, database: str, findings: tuple[Finding, ...], migration: Migration | None) -> Plan:
        """The plan for what was found. Equal databases, policies and refusals have equal plans."""
        orphaned = {str(f.key): f.orphans for f in findings if f.orphans and str(f.key) in self._keys}
        web, restored = self._settled(orphaned)
        if coming := self._perhaps_named(restored):
            self._rule(coming)
            web, restored = self._settled(orphaned)
        done = {(spot.table, Action.RESTORE) for spot in restored}
        restoring = arranged(self._restoring(web, restored), _order, 4, REPAIRS)
        repairs = Spilled(chain(restoring, self._changing(web, done)), REPAIRS)
        finding = self._origins.fates.finding(restored)
        found = ((orphan, fate.parent) for orphan, fate in finding if fate.parent and not web.goes(orphan.spot))
        healed = Spilled((Healed(orphan.key, *orphan.spot, parent) for orphan, parent in found), HEALED)
        kept = self._kept(web, orphaned, healed, restored)
        assigns = any(action is Action.REASSIGN for _, action in done)
        told = chain(healed, self._reassigned(repairs) if assigns else ())
        return Plan(
            database,
            repairs,
            tuple(sorted(Kept(key, rows, reason) for (key, reason), rows in kept.items() if rows)),
            migration,
            triggers_fired(self._catalog, done),
            scans=self._scans(done),
            healed=Spilled(arranged(told, lambda one: (repr(one),), 1, HEALED), HEALED),
            tables=self._origins.tables,
            passed_over=tuple(sorted(PassedOver(key, rows, why, now) for key, now, why, rows in web.passed_over())),
        )

    def _perhaps_named(self, restored: Iterable[Spot]) -> list[Origin]:
        """Rows that are put back into tables of which a rule names a row for orphans that is not there."""
        wanting = {
            key.parent
            for name, key in self._keys.items()
            if Action.REASSIGN in self._rules[name][1].orphan
            and all(choice.action is not Action.REASSIGN for choice in self._choices[name])
        }
        return [self._origins.found[spot] for spot in restored if spot.table in wanting]

    def _settled(self, orphaned: Iterable[str]) -> tuple[Web, Mapping[Spot, Reached]]:
        """What follows from what, and the rows that are put back, each with its wave and the key by which it is needed.

        Each row that is put back dooms fewer others, and fewer doomed rows want no less: so there is one end. Only then
        it is known which of them have nothing to stand on, and without those it begins anew.
        """
        restored: Mapping[Spot, Reached] = {}
        web = self._reachable(orphaned)
        while True:
            web.settle((orphan for orphan, _ in self._origins.fates.finding(restored)), self._named)
            wanted = map(self._origins.parent_of, web.coming_to(Action.RESTORE))
            before = (spot for spot, reached in restored.items() if not reached.wave)
            further = self._origins.with_needs(chain(wanted, self._origins.of_whole_tables(), before))
            if len(further) != len(restored):  # it has all of them
                restored = further
            elif lost := self._lost(restored, web):
                # Others may go now, so that more is reachable too.
                self._origins, restored = self._origins.without(lost), {}
                web = self._reachable(orphaned)
            else:
                return web, further

    def _lost(self, restored: Iterable[Spot], web: Web) -> Mapping[Spot, str]:
        lost = ((spot, _NOTHING_TO_STAND_ON) for spot in restored if self._is_lost(spot, web))
        return SpilledMapping(SPOTS, TEXTS, lost)

    def _is_lost(self, spot: Spot, web: Web) -> bool:
        """Does a row go that this one points at and may not do without?"""
        return any(one.instead is None and web.goes(one.to) for one in self._origins.found[spot].stands_on)

    def _restoring(self, web: Web, restored: Mapping[Spot, Reached]) -> Iterator[Repair]:
        """The rows that are put back. One that orphans miss is told for the first key whose rule may restore it."""
        wanting = SpilledMapping(SPOTS, TEXTS)
        for orphan, (parent, why_not) in self._origins.fates.finding(restored):
            restores = any(choice.action is Action.RESTORE for choice in self._choices[orphan.key])
            if parent and restores and why_not is None:
                wanting[parent] = min(orphan.key, wanting.get(parent, orphan.key))
        for spot, (wave, key) in restored.items():
            origin, by = self._origins.found[spot], key or wanting.get(spot) or self._restoring_key(spot.table)
            for pointer in origin.stands_on:
                origin = origin.without(pointer) if web.goes(pointer.to) else origin
            rule = self._rules[by][0] or 0
            yield Repair(*spot, Action.RESTORE, origin.columns, by, rule, wave, "", origin.values, origin.source)

    def _restoring_key(self, table: str) -> str:
        """The key for whose sake a whole table comes back, for rows of it that nobody misses."""
        return min(
            name
            for name, key in self._keys.items()
            if key.parent == table and any(choice.action is Action.RESTORE for choice in self._choices[name])
        )

    def _reassigned(self, repairs: Iterable[Repair]) -> Iterator[Healed]:
        """Orphans that get another parent, by the row that their rule names."""
        return (
            Healed(repair.key, repair.table, repair.row, (self._keys[repair.key].parent, repair.values))
            for repair in repairs
            if repair.action is Action.REASSIGN and repair.wave == 0
        )

    def _scans(self, done: Iterable[tuple[str, Action]]) -> tuple[str, ...]:
        """Declared keys without an index that point at tables of which rows go: the engine looks for their children."""
        losing = {table for table, action in done if action is Action.DELETE}
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

    def _reachable(self, orphaned: Iterable[str]) -> Web:
        """Every orphan there is or could be if no deletion were impossible, with the rows that it points at."""
        web = Web(self._keys, self._choice)
        frontier = web.enter(self._counted("found", self._listed(orphaned)))
        while frontier:
            wave = (found for table in sorted(frontier) for found in self._bereaved(table, web))
            frontier = web.enter(self._counted("found", wave))
        return web

    def _counted(self, what: str, items: Iterable[T]) -> Iterator[T]:
        """The same, with word of how many there are by now."""
        for piece in in_pieces(items):
            yield from piece
            self._tell(what, len(piece))

    def _listed(self, orphaned: Iterable[str]) -> Iterator[tuple[Orphan, None]]:
        for name in orphaned:
            if not self._only_keeps(name):
                key = self._keys[name]
                sql = listing(key, self._catalog.tables[key.child].locator, self._reading.dialect)
                for row in self._reading.rows(sql):
                    yield Orphan(Spot(key.child, row), name), None

    def _bereaved(self, parent: str, web: Web) -> Iterator[tuple[Orphan, Spot]]:
        """Rows that lose all their parents in the table ``parent``, each with each of those.

        Rows that cannot be told apart are all one here: they can only be kept.
        """
        above = self._catalog.tables[parent].locator
        for name, key in self._keys.items():
            if key.parent != parent or not key.askable or key.deleted:  # of that the key without the mark speaks
                continue
            below = self._catalog.tables[key.child].locator
            with self._reading.chosen(parent, above, web.may_go(parent)) as relation:
                for row in self._reading.rows(bereaved(key, below, above, relation, self._reading.dialect)):
                    yield Orphan(Spot(key.child, row[: len(below)]), name), Spot(parent, row[len(below) :])

    def _changing(self, web: Web, done: set[tuple[str, Action]]) -> Iterator[Repair]:
        """Rows that are set and rows that go, in their order, each with the digest of what it is.

        What is done to which table is added to ``done``.
        """
        for piece in in_pieces(web.due()):
            rows: dict[str, set[Row]] = defaultdict(set)
            for due in piece:
                rows[due.spot.table].add(due.spot.row)
                done.add((due.spot.table, due.choice.action))
            images = {
                name: images_of(self._reading, self._catalog.tables[name], several) for name, several in rows.items()
            }
            for due in piece:
                yield self._repair(due, row_digest(images[due.spot.table][due.spot.row]))
            self._tell("planned", len(piece))

    def _repair(self, due: Due, before: str) -> Repair:
        rule, choice = self._rules[due.key][0] or 0, due.choice
        return Repair(*due.spot, choice.action, choice.columns, due.key, rule, due.wave, before, choice.values)

    def _kept(
        self, web: Web, orphaned: dict[str, int], healed: Iterable[Healed], restored: Iterable[Spot]
    ) -> Counter[tuple[str, str]]:
        """Orphans that stay, by key and reason."""
        kept: Counter[tuple[str, str]] = Counter({(key, reason): rows for key, reason, rows in web.kept()})
        finding = Counter(one.key for one in healed)
        for name, orphans in orphaned.items():
            if self._only_keeps(name):
                key = self._keys[name]
                locator = self._catalog.tables[key.child].locator
                less = orphans_among(self._reading, key, locator, web.going(key.child)) if locator else 0
                less += finding[name] if locator else self._finding(key, restored)
                kept[name, self._choices[name][0].reason] += orphans - less
        return kept

    def _finding(self, key: ForeignKey, restored: Iterable[Spot]) -> int:
        """How many orphans of a table whose rows cannot be told apart find a row that is put back."""
        images = (self._origins.found[spot] for spot in restored if spot.table == key.parent)
        held = (dict(zip(image.columns, image.values, strict=True)) for image in images)
        whole = (row for row in held if {*key.parent_columns} <= row.keys())
        values = Gathered((key.parent, tuple(row[name] for name in key.parent_columns)) for row in whole)
        return orphans_with(self._reading, key, values.get(key.parent, ()))


def _order(repair: Repair) -> tuple[int, str, str, str]:
    return -repair.wave, repair.table, repr(repair.row), repair.key


def triggers_fired(catalog: Catalog, done: Iterable[tuple[str, Action]]) -> tuple[str, ...]:
    """Triggers that what is done to these tables may fire, for the operator to read (P-57)."""
    statements = {Action.DELETE: "DELETE", Action.RESTORE: "INSERT"}
    events = {(table, statements.get(action, "UPDATE")) for table, action in done}
    return tuple(
        sorted(
            f"{trigger.name} ({trigger.event} on {table})"
            for table, event in events
            for trigger in catalog.tables[table].triggers
            if trigger.event == event
        )
    )
