"""Looking through older backups, newest first, for the parents that orphans miss, and for what those miss in turn."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache

from upkeep.catalog import ForeignKey
from upkeep.databases import Reading
from upkeep.fixpoint import Orphan, Spot
from upkeep.namesakes import namesakes
from upkeep.older_backups import CannotTell, Older
from upkeep.origins import Lost, Origin, Origins, Pointer
from upkeep.policy import Action, Policy
from upkeep.provenance import (
    NOT_TOLD_APART,
    NOWHERE,
    Glimpse,
    Image,
    Judgement,
    judge,
    newest_of,
    strongest,
)
from upkeep.recall import Memory
from upkeep.returning import Returning, Side, by_side, side
from upkeep.rulings import rulings
from upkeep.sightings import Missed, Seen, kept_since, missed_by, parents_of, seen_in
from upkeep.tombstones import tombstones
from upkeep.values import Value

ALSO_OTHERS = "other rows would take it for their parent, for which that is not proven"


def search(
    now: Reading,
    keys: tuple[ForeignKey, ...],
    policy: Policy,
    older: Sequence[Older],
    lost: Sequence[Lost] = (),
    own: Memory | None = None,
    put_back: Callable[[], Collection[Spot]] = tuple,
) -> Origins:
    """What ``older`` backups, newest first, give back of the parents that rows of ``now`` miss and rules would restore.

    No backup is opened where nothing is missed, nor one that is older than what is needed. ``lost`` tables were found
    already; in ``now`` they are there again, empty. ``own`` is the memory of the backup that ``now`` was made from;
    ``put_back`` tells the rows that earlier runs have put back, where that is asked.
    """
    looking = _Search(now, keys, policy, lost, put_back)
    wanted = looking.begin()
    while wanted:
        looking.look_into(older, wanted)
        wanted = looking.what_they_miss()
    if own and not lost:
        own.keep(looking.of_today())
    return looking.origins()


class _Search:
    """One search: what is missed, what each backup showed of it, and which rows that comes to."""

    def __init__(
        self,
        now: Reading,
        keys: tuple[ForeignKey, ...],
        policy: Policy,
        lost: Sequence[Lost],
        put_back: Callable[[], Collection[Spot]],
    ) -> None:
        self._now = now
        self._policy = policy
        self._put_back = cache(put_back)
        self._rulings = rulings(now, keys, policy)
        self._keys = {
            name: key for name, key in self._rulings.keys.items() if key.askable and not (key.deleted or key.elements)
        }
        self._glimpses: dict[Missed, list[Glimpse]] = {}  # newest first
        self._spots: dict[Missed, set[Spot]] = defaultdict(set)
        self._orphans: dict[str, set[Missed]] = {}
        self._since: dict[Missed, str] = {}  # rows that are put back themselves: out of which backup
        self._pointers: dict[Spot, list[Missed]] = {}
        self._stands_on: dict[Spot, list[Pointer]] = defaultdict(list)
        self._impossible: dict[Spot, str] = {}
        self._ended: dict[Missed, str] = {}
        self._returning = Returning(lost)

    def begin(self) -> set[Missed]:
        """Orphans of the keys whose rules would restore, and of all others that point at the same tables."""
        tables = {key.parent for name, key in self._keys.items() if self._restores(name)}
        if not any(self._list(name) for name, key in self._keys.items() if self._restores(name)):
            return set()
        return self._orphans_into(tables)

    def _restores(self, name: str) -> bool:
        return self._rulings.has(name, Action.RESTORE)

    def _list(self, name: str) -> set[Missed]:
        if name not in self._orphans:
            self._orphans[name] = set(missed_by(self._now, self._keys[name]))
        return self._orphans[name]

    def _orphans_into(self, tables: Iterable[str]) -> set[Missed]:
        wide = set(tables)
        return {missed for name, key in self._keys.items() if key.parent in wide for missed in self._list(name)}

    def look_into(self, older: Sequence[Older], wanted: set[Missed]) -> None:
        """Each backup once, until all is known that they can tell of what is wanted."""
        wanted = {missed for missed in wanted if missed not in self._glimpses and not self._is_into_a_lost(missed)}
        self._glimpses.update({missed: [] for missed in wanted})
        undecided = set(wanted)
        for backup in older:
            if not undecided:
                return
            if (recalled := backup.recalled(wanted)) is not None:
                undecided = self._enter(backup.backup, undecided, {}, recalled)
                continue
            try:
                with backup.opened() as reading:
                    undecided = self._look(reading, backup, wanted, undecided)
            except CannotTell as fault:
                self._ended.update(dict.fromkeys(undecided, fault.message))
                return

    def _is_into_a_lost(self, missed: Missed) -> bool:
        """Does it point into a table that comes back as a whole? Then no other backup is asked for it."""
        key = self._keys[missed.key]
        if key.parent not in self._returning:
            return False
        spot = self._returning.row(key, missed)
        self._spots[missed] = {spot} if spot else set()
        return True

    def _look(self, reading: Reading, backup: Older, wanted: set[Missed], undecided: set[Missed]) -> set[Missed]:
        """What one backup shows of all that is wanted, for ties; the answer is of what older ones have to tell more."""
        seen = seen_in(reading, self._now, self._keys, wanted)
        held = self._by_value(seen)
        for missed in wanted:
            image = seen.parents.get((missed.key, missed.values))
            if image:
                self._spots[missed].add(image.spot)
            elif alike := held.get(side(self._keys[missed.key], missed.values)):
                self._spots[missed].add(alike)
        shown = {missed: seen.parents.get((missed.key, missed.values)) for missed in wanted}
        if backup.memory:
            backup.memory.keep({missed: missed in seen.pointing for missed, image in shown.items() if image is None})
        told = {one: self._told(reading, one, image) for one in undecided if (image := shown[one]) is not None}
        return self._enter(backup.backup, undecided, told, seen.pointing)

    def _enter(
        self, backup: str, undecided: set[Missed], told: Mapping[Missed, Image], pointing: Collection[Missed]
    ) -> set[Missed]:
        """What one backup shows, written down; the answer is of what older ones have to tell more."""
        for missed in undecided:
            points = missed in pointing or backup >= self._since.get(missed, "~")
            self._glimpses[missed].append(Glimpse(backup, told.get(missed), points))
        return {missed for missed in undecided if not self._is_decided(missed)}

    def _by_value(self, seen: Seen) -> dict[Side, Spot]:
        """The rows that were seen, by table and what others point at: for who points from a table that is newer."""
        return by_side((self._keys[name], image) for (name, _), image in seen.parents.items())

    def _told(self, reading: Reading, missed: Missed, image: Image) -> Image:
        """The image; where a newer backup has it otherwise, with whether its number can have been given again."""
        newer = next((g.parent for g in reversed(self._glimpses[missed]) if g.parent), None)
        if newer is None or newer.values == image.values:
            return image
        return replace(image, is_kept=kept_since(reading, self._now, image, self._put_back()))

    def _is_decided(self, missed: Missed) -> bool:
        last = self._glimpses[missed][-1]
        asks = self._rulings.needs_no_proof(missed.key) and not any(one.parent for one in self._glimpses[missed])
        return not (last.points or asks)

    def _judged(self, missed: Missed) -> Judgement:
        key = self._keys[missed.key]
        if key.parent in self._returning:
            return self._returning.judged(key, missed)
        glimpses = self._glimpses.get(missed, [])[::-1]
        table = self._now.catalog().tables[key.child]
        told_apart = bool(table.locator) and {*table.locator} <= {*table.stored}
        judged = judge(glimpses) if told_apart or missed in self._since else Judgement(NOT_TOLD_APART)
        return newest_of(glimpses) if judged.image is None and self._rulings.needs_no_proof(missed.key) else judged

    def _proven(self) -> dict[Spot, Judgement]:
        """Rows that are proven to be the parent of some orphans, or of rows put back, and of others not disproven."""
        pointed: dict[Spot, list[Judgement]] = defaultdict(list)
        besides: dict[Spot, list[Judgement]] = defaultdict(list)
        for missed, spots in self._spots.items():
            judged = self._judged(missed)
            for spot in spots:
                (besides if missed in self._since else pointed)[spot].append(judged)
        proven = dict(self._returning.proven)
        for spot in sorted((pointed.keys() | besides.keys()) - self._returning.proven.keys(), key=repr):
            good = [one for one in pointed[spot] + besides[spot] if one.image and one.image.spot == spot]
            alike = len({one.image.values for one in good if one.image}) == 1
            # One that came when the parent was gone already proves nothing, but speaks for no other parent either.
            if alike and all(one in good or one.reason == NOWHERE for one in pointed[spot]):
                proven[spot] = strongest(good)
        return proven

    def of_today(self) -> dict[Missed, bool]:
        """What today's own state would show tomorrow of the orphans that were looked for: each misses its parent here.

        Whether it would be seen to point there is decided as ``seen_in`` decides it.
        """
        tables = self._now.catalog().tables
        answers = {}
        for name, several in self._orphans.items():
            child, parent = tables[self._keys[name].child], tables.get(self._keys[name].parent)
            points = bool(parent and parent.locator) and {*child.locator} <= {*child.stored}
            answers.update(dict.fromkeys(several, points))
        return answers

    def what_they_miss(self) -> set[Missed]:
        """What the rows that were found point at themselves and is gone, and others that point at the same tables."""
        further: set[Missed] = set()
        for spot, judged in self._proven().items():
            if spot not in self._pointers and judged.image:
                self._pointers[spot] = list(self._pointing(judged.image))
                for missed in self._pointers[spot]:
                    self._since[missed] = judged.backup
                further.update(self._pointers[spot])
        wanted = {missed for missed in further if self._restores(missed.key)}
        return wanted | self._orphans_into({self._keys[missed.key].parent for missed in wanted}) if wanted else set()

    def _pointing(self, image: Image) -> Iterator[Missed]:
        """The foreign keys by which a row points at one that is not there."""
        values = dict(zip(image.columns, image.values, strict=True))
        for name, key in self._keys.items():
            if key.child != image.spot.table or not values.keys() >= {*key.columns}:
                continue
            pointer = tuple(values[column] for column in key.columns)
            if None in pointer or (key.when and str(values.get(key.when[0])) != key.when[1]):
                continue
            there = {} if key.parent_missing else parents_of(self._now, key, [pointer])
            if pointer in there:
                self._stands_on[image.spot].append(Pointer(there[pointer].spot, name, self._instead(name)))
            else:
                yield Missed(name, image.spot.row, pointer)

    def origins(self) -> Origins:
        """The answer."""
        proven = {spot: judged for spot, judged in self._proven().items() if spot in self._pointers}
        images = [judged.image for judged in proven.values() if judged.image]
        self._impossible.update(namesakes(self._now, images))
        self._impossible.update(tombstones(self._now, self._policy, proven))
        found = self._complete({spot: judged for spot, judged in proven.items() if spot not in self._impossible})
        of, unproven, why_not = {}, {}, {}
        for name, several in self._orphans.items():
            for missed in several:
                orphan = Orphan(Spot(self._keys[name].child, missed.row), name)
                spot = min((spot for spot in self._spots.get(missed, ()) if spot in found), key=repr, default=None)
                if spot and not missed.row:
                    continue  # rows that cannot be told apart find it too, and no plan can name them
                if spot:
                    of[orphan] = spot
                    if self._judged(missed).image is None:
                        unproven[orphan] = self._why_not(missed)
                else:
                    why_not[orphan] = self._why_not(missed)
        return Origins(found, of, unproven, why_not, self._returning.comebacks)

    def _why_not(self, missed: Missed) -> str:
        judged = self._judged(missed)
        if judged.image is None:
            return "; ".join(filter(None, [judged.reason, self._ended.get(missed, "")]))
        return self._impossible.get(judged.image.spot, ALSO_OTHERS)

    def _complete(self, proven: dict[Spot, Judgement]) -> dict[Spot, Origin]:
        """Those rows with what has to come with them; without those that would be orphans themselves (P-70)."""
        found = dict(proven)
        while True:
            origins = {spot: self._origin(spot, judged, found) for spot, judged in found.items()}
            whole = {spot: origin for spot, origin in origins.items() if origin}
            if len(whole) == len(found):
                return whole
            found = {spot: found[spot] for spot in whole}

    def _origin(self, spot: Spot, judged: Judgement, found: dict[Spot, Judgement]) -> Origin | None:
        if judged.image is None:
            raise AssertionError("what is proven has an image")
        here = self._now.catalog().tables[spot.table].stored
        held = zip(judged.image.columns, judged.image.values, strict=True)
        image: dict[str, Value] = {column: value for column, value in held if column in here}
        origin = Origin(spot, tuple(image), tuple(image.values()), judged.backup, judged.reason)
        needs = []
        for missed in self._pointers[spot]:
            proven, instead = self._judged(missed).image, self._instead(missed.key)
            if (
                proven
                and proven.spot in found
                and (proven.spot in self._returning.proven or self._comes_before(missed.key))
            ):
                needs.append(Pointer(proven.spot, missed.key, instead))
            elif instead is not None:
                origin = origin.without(Pointer(spot, missed.key, instead))
            else:
                self._impossible[spot] = f"its parent would be an orphan itself: {missed.key}"
                return None
        stands_on = tuple(self._stands_on[spot])
        return replace(origin, needs=tuple(sorted(needs, key=repr)), stands_on=stands_on)

    def _comes_before(self, name: str) -> bool:
        """Is a parent put back, for a row that is put back itself, before anything else is done about it?"""
        return self._rulings.choices[name][0].action is Action.RESTORE

    def _instead(self, name: str) -> tuple[tuple[str, Value], ...] | None:
        """What a pointer of a row that is put back is set to where its parent cannot be there.

        None: the row cannot come. A row that would have to go again, or be kept as an orphan, is not put back at all.
        """
        choice = next(choice for choice in self._rulings.choices[name] if choice.action is not Action.RESTORE)
        values = choice.values or (None,) * len(choice.columns)
        return tuple(zip(choice.columns, values, strict=True)) if choice.columns else None
