"""Looking through older backups, newest first, for the parents that orphans miss, and for what those miss in turn."""

from collections import defaultdict
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice

from upkeep.catalog import ForeignKey
from upkeep.databases import Reading
from upkeep.fates import Fate, Fates
from upkeep.fixpoint import SPOTS, Orphan, Spot
from upkeep.judgements import Judgements
from upkeep.namesakes import namesakes
from upkeep.needs import Needs
from upkeep.older_backups import CannotTell, Older
from upkeep.origins import Lost, Origins
from upkeep.policy import Action, Policy
from upkeep.provenance import JUDGEMENTS, Glimpse, Image, Judgement, image_of
from upkeep.recall import MOST, Memory
from upkeep.returning import ByText, Returning
from upkeep.rulings import rulings
from upkeep.same_rows import SameRows
from upkeep.sightings import Missed, Seen, as_held, as_there, missed_by, seen_in
from upkeep.sought import Line, Sought
from upkeep.spilled_mapping import TEXTS, SpilledMapping
from upkeep.tombstones import tombstones

ALSO_OTHERS = "other rows would take it for their parent, for which that is not proven"


def search(
    now: Reading,
    keys: tuple[ForeignKey, ...],
    policy: Policy,
    older: Sequence[Older],
    lost: Sequence[Lost] = (),
    own: Memory | None = None,
    touched: Callable[[], Mapping[Spot, str]] = dict,
) -> Origins:
    """What ``older`` backups, newest first, give back of the parents that rows of ``now`` miss and rules would restore.

    No backup is opened where nothing is missed, nor one that is older than what is needed. ``lost`` tables were found
    already; in ``now`` they are there again, empty. ``own`` is the memory of the backup that ``now`` was made from;
    ``touched`` tells the rows that earlier runs have put back or set, where that is asked; see ``SameRows``.
    """
    looking = _Search(now, keys, policy, lost, touched)
    if looking.begin():
        looking.look_into(older)
        while looking.add_what_they_miss():
            looking.look_into(older)
    if own and not lost:
        looking.remember(own)
    return looking.origins()


class _Search:
    """One search: what is missed, what each backup showed of it, and which rows that comes to."""

    def __init__(
        self,
        now: Reading,
        keys: tuple[ForeignKey, ...],
        policy: Policy,
        lost: Sequence[Lost],
        touched: Callable[[], Mapping[Spot, str]],
    ) -> None:
        self._now = now
        self._policy = policy
        self._touched = cache(touched)
        self._rulings = rulings(now, keys, policy)
        self._keys = {
            name: key for name, key in self._rulings.keys.items() if key.askable and not (key.deleted or key.elements)
        }
        self._sought = Sought(self._keys)
        self._listed: set[str] = set()
        self._returning = Returning(lost)
        self._judgements = Judgements(now, self._sought, self._rulings, self._returning)
        self._proven: Mapping[Spot, Judgement] = {}
        self._needs = Needs(now, self._keys, self._rulings, self._returning)

    def begin(self) -> bool:
        """Orphans of the keys whose rules would restore, and of all others that point at the same tables; any?"""
        restoring = [name for name in self._keys if self._restores(name)]
        self._list(restoring)
        if not self._sought.has_any:
            return False
        self._list_into({self._keys[name].parent for name in restoring})
        return True

    def _restores(self, name: str) -> bool:
        return self._rulings.has(name, Action.RESTORE)

    def _list(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._listed:
                self._listed.add(name)
                key = self._keys[name]
                # What points into a table that comes back as a whole no other backup is asked for.
                self._sought.add(missed_by(self._now, key), is_asked=key.parent not in self._returning)

    def _list_into(self, tables: Collection[str]) -> None:
        self._list(name for name, key in self._keys.items() if key.parent in tables)

    def look_into(self, older: Sequence[Older]) -> None:
        """Each backup once, until all is known that they can tell of what was added last."""
        added = self._sought.begin_turn()
        for backup in older:
            if not self._sought.has_open:
                break
            pointing = backup.recalled(self._asked()) if added <= MOST else None
            if pointing is not None:
                self._recall(backup.backup, pointing)
                continue
            try:
                with backup.opened() as reading:
                    self._look(reading, backup)
            except CannotTell as fault:
                self._sought.end_turn(fault.message)
        self._sought.end_turn()

    def _asked(self) -> Iterator[Missed]:
        return (line.missed for piece in self._sought.of_this_turn() for line in piece)

    def _recall(self, backup: str, pointing: Collection[Missed]) -> None:
        """What a backup is known not to have, and who pointed there already."""
        for piece in self._sought.of_this_turn():
            self._sought.tell(
                self._with_glimpse(line, backup, None, Seen({}, frozenset(pointing))) for line in piece if line.is_open
            )

    def _look(self, reading: Reading, backup: Older) -> None:
        """What one backup shows of all that was added; of what is decided already too, for ties."""
        parents, same = ByText(), SameRows(reading, self._now, self._touched, self._proven)
        absent: dict[Missed, bool] = {}
        for piece in self._sought.of_this_turn():
            seen = seen_in(reading, self._now, self._keys, [line.missed for line in piece], same)
            told = []
            for line in piece:
                name, _, values = line.missed
                image = seen.parents.get((name, values))
                if image:
                    parents.add(self._keys[name], image)
                    told.append(self._shown(same, line, backup.backup, image, seen))
                    continue
                if line.is_open:
                    told.append(self._with_glimpse(line, backup.backup, None, seen))
                if backup.memory and len(absent) <= MOST and line.missed not in seen.doubtful:
                    absent[line.missed] = line.missed in seen.pointing
            self._sought.tell(told)
        self._tie_by_value(reading, backup.backup, parents)
        if backup.memory and len(absent) <= MOST:
            backup.memory.keep(absent)

    def _shown(self, same: SameRows, line: Line, backup: str, image: Image, seen: Seen) -> Line:
        line = line._replace(ties=self._sought.with_tie(line.ties, image.spot), shown_in=backup)
        if not line.is_open:
            return line
        return self._with_glimpse(line, backup, replace(image, is_kept=same.kept(image.spot)), seen)

    def _with_glimpse(self, line: Line, backup: str, parent: Image | None, seen: Seen) -> Line:
        points = _points(line, backup, seen)
        story = self._sought.with_glimpse(line.story, Glimpse(backup, parent, points))
        asks = self._rulings.needs_no_proof(line.missed.key) and not any(g.parent for g in self._sought.glimpses(story))
        return line._replace(story=story, is_open=points is not False or asks)

    def _tie_by_value(self, reading: Reading, backup: str, parents: ByText) -> None:
        """Who points from a table that is newer finds by value the rows that were seen for others."""
        newer = {name for name, key in self._keys.items() if not as_there(reading, key)} if parents else ()
        for piece in self._sought.of_this_turn() if newer else ():
            unseen: dict[str, list[Line]] = defaultdict(list)
            for line in piece:
                if line.shown_in != backup and line.missed.key in newer:
                    unseen[line.missed.key].append(line)
            for name, several in unseen.items():
                key = self._keys[name]
                held = as_held(reading, self._now, key, {line.missed.values for line in several})
                found = [(line, parents.row(key, held.get(line.missed.values, ()))) for line in several]
                self._sought.tell(
                    line._replace(ties=self._sought.with_tie(line.ties, spot)) for line, spot in found if spot
                )

    def remember(self, own: Memory) -> None:
        """What today's own state would show tomorrow of the orphans that were looked for: each misses its parent here.

        Whether it would be seen to point there is decided as ``seen_in`` decides it.
        """
        tables = self._now.catalog().tables
        answers = {}
        for line in islice(self._sought.of_today(), MOST + 1):
            key = self._keys[line.missed.key]
            child, parent = tables[key.child], tables.get(key.parent)
            answers[line.missed] = bool(parent and parent.locator) and {*child.locator} <= {*child.stored}
        if len(answers) <= MOST:
            own.keep(answers)

    def add_what_they_miss(self) -> bool:
        """What rows that were found point at themselves and is gone, and others that point there; were any found?"""
        tables, before = set(), len(self._needs)
        self._proven = SpilledMapping(SPOTS, JUDGEMENTS, self._judgements.proven())
        new = ((spot, judged) for spot, judged in self._proven.items() if spot not in self._needs)
        for backup, missed in self._needs.enter(new):
            if self._restores(missed.key):
                key = self._keys[missed.key]
                tables.add(key.parent)
                self._sought.add([missed], backup, is_asked=key.parent not in self._returning)
        self._list_into(tables)
        return len(self._needs) > before

    def origins(self) -> Origins:
        """The answer."""
        images = (image_of(judged) for _, judged in self._proven.items())
        impossible = SpilledMapping(SPOTS, TEXTS, namesakes(self._now, images))
        impossible.put(tombstones(self._now, self._policy, self._proven))
        found = self._needs.complete(
            self._proven, impossible, lambda missed: self._judgements.of(missed, self._sought.line(missed))
        )
        return Origins(found, Fates(self._fates(found, impossible)), self._returning.comebacks)

    def _fates(self, found: Container[Spot], impossible: Mapping[Spot, str]) -> Iterator[tuple[Orphan, Fate]]:
        """What it all comes to for each orphan. Rows that cannot be told apart no plan can name: they are as one."""
        alike: dict[str, str] = {}
        for line in self._sought.of_today():
            fate = self._fate(line, found, impossible)
            if line.missed.row:
                yield Orphan(Spot(self._keys[line.missed.key].child, line.missed.row), line.missed.key), fate
            elif fate.parent is None:
                reason = fate.why_not or ""
                alike[line.missed.key] = min(reason, alike.get(line.missed.key, reason))
        for name, reason in alike.items():
            yield Orphan(Spot(self._keys[name].child, ()), name), Fate(None, reason)

    def _fate(self, line: Line, found: Container[Spot], impossible: Mapping[Spot, str]) -> Fate:
        key = self._keys[line.missed.key]
        if key.parent in self._returning:
            there = self._returning.row(key, line.missed)
            spots = frozenset({there} if there else ())
        else:
            spots = self._sought.tied(line.ties)
        parent = min((spot for spot in spots if spot in found), key=repr, default=None)
        judged = self._judgements.of(line.missed, line)
        if judged.image is None:
            return Fate(parent, "; ".join(filter(None, [judged.reason, line.ended])))
        return Fate(parent, None if parent else impossible.get(judged.image.spot, ALSO_OTHERS))


def _points(line: Line, backup: str, seen: Seen) -> bool | None:
    if line.missed in seen.pointing or (line.since is not None and backup >= line.since):
        return True
    return None if line.missed in seen.doubtful else False
