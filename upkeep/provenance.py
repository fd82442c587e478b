"""Whether a row of an older backup is the parent that an orphan has lost, judged over what backups show (P-110)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from upkeep.fixpoint import Spot
from upkeep.spilled import Form, Plain
from upkeep.values import Row, Value

SIDE_BY_SIDE = "it stood there side by side with its child"
JUST_BEFORE = "it stood there before its child first appeared"
AS_THE_RULE_SAYS = "unproven, as a rule for that very key allows"
WHOLE_TABLE = "its whole table is gone, and comes back as it was there"
NOT_IN_THE_TABLE = "the table comes back from the newest backup that has it, in which the row is not"
NOWHERE = "no backup proves the parent: it was gone before its child came, or never there"
TOO_LATE = "the parent is unproven: it came after its child, so it may be another"
NOT_TOLD_APART = "the parent is unproven: nobody can tell since when its child has been there"
ANOTHERS = "the parent is unproven: its key was another row's since, or nobody can tell"


@dataclass(frozen=True, slots=True)
class Image:
    """A row as one backup holds it.

    ``is_kept``: rows that were numbered after it stand today as they did in that backup, so no generator can have
    given its number again since. None where it has no number that one gives.
    """

    spot: Spot
    columns: tuple[str, ...]
    values: Row
    is_kept: bool | None = None

    @property
    def named(self) -> dict[str, Value]:
        """Its values by the names of their columns."""
        return dict(zip(self.columns, self.values, strict=True))

    def plain(self) -> Plain:
        """As plain values, to keep it on disk."""
        return self.spot.table, self.spot.row, self.columns, self.values, self.is_kept

    @classmethod
    def made(cls, plain: Plain) -> "Image":
        """The image that was ``plain``."""
        table, row, *others = plain
        return cls(Spot(table, row), *others)


IMAGES = Form(Image.plain, Image.made)


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What one backup shows: the row under the key that is missed, and whether the child stood there and missed it.

    ``points`` is None where nobody can tell: the row there may be another that had the child's number.
    """

    backup: str
    parent: Image | None
    points: bool | None

    def plain(self) -> Plain:
        """As plain values, to keep it on disk."""
        return self.backup, self.parent and self.parent.plain(), self.points

    @classmethod
    def made(cls, plain: Plain) -> "Glimpse":
        """The glimpse that was ``plain``."""
        backup, parent, points = plain
        return cls(backup, parent and Image.made(parent), points)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The backup that proves a parent, with the row in it; or none, and why."""

    reason: str
    image: Image | None = None
    backup: str = ""

    def plain(self) -> Plain:
        """As plain values, to keep it on disk."""
        return self.reason, self.image and self.image.plain(), self.backup

    @classmethod
    def made(cls, plain: Plain) -> "Judgement":
        """The judgement that was ``plain``."""
        reason, image, backup = plain
        return cls(reason, image and Image.made(image), backup)


JUDGEMENTS = Form(Judgement.plain, Judgement.made)


def judge(glimpses: Sequence[Glimpse]) -> Judgement:
    """What backups, oldest first, prove of the parent of one orphan.

    What ties the two to each other is the backup in which the child first pointed there, or if the parent was gone by
    then, the one before. From there on the key must have been that row's alone: a number that was given again has led
    others to the wrong parent, in newer backups side by side.
    """
    if any(glimpse.points is None for glimpse in glimpses):
        either, other = (judge([_taken_for(glimpse, points) for glimpse in glimpses]) for points in (True, False))
        return other if _say_the_same(either, other) else Judgement(ANOTHERS)
    first = len(glimpses)
    while first and glimpses[first - 1].points:
        first -= 1
    shown = [glimpse.parent for glimpse in glimpses]
    before = shown[first - 1] if first else None
    if first < len(glimpses) and shown[first] is not None:
        if before is not None and not _is_same(before, shown[first]):
            return Judgement(ANOTHERS)
        tied = first
    elif before is not None:
        if before.is_kept is False:
            return Judgement(ANOTHERS)
        tied = first - 1
    else:
        return Judgement(TOO_LATE if any(shown[first:]) else NOWHERE)
    newest = tied
    for later in range(tied + 1, len(glimpses)):
        if shown[later] is not None:
            if not _is_same(shown[newest], shown[later]):
                return Judgement(ANOTHERS)
            newest = later
    proof = SIDE_BY_SIDE if glimpses[newest].points else JUST_BEFORE
    return Judgement(proof, shown[newest], glimpses[newest].backup)


def newest_of(glimpses: Sequence[Glimpse]) -> Judgement:
    """The newest row under the key, whoever it was: for a rule that asks for no proof."""
    for glimpse in reversed(glimpses):
        if glimpse.parent is not None:
            return Judgement(AS_THE_RULE_SAYS, glimpse.parent, glimpse.backup)
    return Judgement(NOWHERE)


def image_of(proof: Judgement) -> Image:
    """The row that is proven."""
    if proof.image is None:
        raise AssertionError("what is proven has an image")
    return proof.image


def strongest(proofs: Sequence[Judgement]) -> Judgement:
    """Of what proves one row for several orphans the one to tell, in whatever order they come: the newest proof.

    In one backup to have been seen side by side says more than to have been there before; what no proof was asked for
    says least.
    """
    return max(proofs, key=lambda one: (one.reason != AS_THE_RULE_SAYS, one.backup, one.reason == SIDE_BY_SIDE))


def _taken_for(glimpse: Glimpse, points: bool) -> Glimpse:
    return replace(glimpse, points=points) if glimpse.points is None else glimpse


def _say_the_same(either: Judgement, other: Judgement) -> bool:
    """Do both say the same row, or that there is none for the same reason?"""
    if either.image is None or other.image is None:
        return either == other
    return either.image.values == other.image.values


def _is_same(older: Image | None, newer: Image | None) -> bool:
    """The same row? Equal is the same; one that was changed is, where its number cannot have come again."""
    if older is None or newer is None or older.spot != newer.spot:
        return False
    return older.is_kept is True or agree(older.named, newer.named)


def agree(was: Mapping[str, Value], became: Mapping[str, Value]) -> bool:
    """Are all columns equal that both states of a row have?"""
    return all(was[name] == became[name] for name in was.keys() & became.keys())
