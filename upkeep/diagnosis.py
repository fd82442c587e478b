"""Why a foreign key has orphans: a judgement over gathered facts, with its evidence in words."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from upkeep.catalog import ForeignKey
from upkeep.facts import Facts, Resemblance, Share, Trait
from upkeep.numbers import listed, several

UNLIKELY = 0.01
"""Keys that would all be found in a table by so small a chance are no accident."""
FEW = 5
"""With fewer missing keys nothing is suspected because of the share of a column that is missing."""


class Diagnosis(StrEnum):
    """Why a foreign key has orphans, in the order in which they are told."""

    NONE = "none"
    MISDECLARED = "misdeclared"
    PARENT_TABLE_MISSING = "parent table missing"
    UNUSABLE_KEY = "unusable key"
    PARENTS_MISSING = "parents missing"
    MARKED_DELETED = "parents marked deleted"
    SUSPECT = "suspect"
    SENTINEL = "sentinel"
    NEVER_A_KEY = "never a key"
    PARTIAL_KEY = "partial key"
    REUSED_ID = "re-used id"


@dataclass(frozen=True)
class Cause:
    """A part of a key's orphans that are there for one reason, and what speaks for it.

    ``orphans`` are pairs of a row and this key, so they are rows too; ``trait`` is what they are like. ``remark`` is
    what strikes one about them beside that.
    """

    diagnosis: Diagnosis
    orphans: int
    missing_keys: int
    evidence: str
    trait: Trait
    remark: str = ""

    def __str__(self) -> str:
        return "; ".join(filter(None, (self.evidence, self.remark)))


def diagnose(key: ForeignKey, orphans: int | None, facts: Facts) -> Diagnosis:
    """The one word for a key; a key that the engine cannot use is told even without any orphans.

    A key that the models or the policy point elsewhere is misdeclared whatever its orphans are like: until that is
    mended nobody knows which of them are any (P-108).
    """
    if key.meant and orphans:
        return Diagnosis.MISDECLARED
    if key.parent_missing:
        return Diagnosis.PARENT_TABLE_MISSING
    if key.fault is not None:
        return Diagnosis.UNUSABLE_KEY
    found = causes(key, orphans, facts)
    return max(found, key=lambda cause: cause.orphans).diagnosis if found else Diagnosis.NONE


def causes(key: ForeignKey, orphans: int | None, facts: Facts) -> tuple[Cause, ...]:
    """Why there are orphans, part by part, in the order of the diagnoses; together they are all orphans."""
    if not orphans:
        return ()
    order = list(Diagnosis)
    return tuple(sorted(_causes(key, facts), key=lambda cause: order.index(cause.diagnosis)))


def _causes(key: ForeignKey, facts: Facts) -> Iterator[Cause]:
    elsewhere, missing = facts.share(Trait.ELSEWHERE), facts.share(Trait.MISSING)
    if key.meant:
        yield _cause(Diagnosis.MISDECLARED, elsewhere, _misdeclared(key, key.meant, facts), Trait.ELSEWHERE)
    if missing.orphans:
        diagnosis, evidence = _missing(key, missing, facts)
        yield replace(_cause(diagnosis, missing, evidence, Trait.MISSING), remark=_most_missed(facts))
    for trait, diagnosis, told in (
        (Trait.SENTINEL, Diagnosis.SENTINEL, _sentinel),
        (Trait.NO_NUMBER, Diagnosis.NEVER_A_KEY, _no_number),
        (Trait.PARTIAL, Diagnosis.PARTIAL_KEY, _partial),
    ):
        share = facts.share(trait)
        if share.orphans:
            yield _cause(diagnosis, share, told(key, share, facts), trait)


def _cause(diagnosis: Diagnosis, share: Share, evidence: str, trait: Trait) -> Cause:
    return Cause(diagnosis, share.orphans, share.missing_keys, evidence, trait)


def _missing(key: ForeignKey, share: Share, facts: Facts) -> tuple[Diagnosis, str]:
    """What is said of orphans that have nothing else about them."""
    point = _rows(key, share.orphans, "points", "point")
    if key.parent_missing:
        keys = several(share.missing_keys, "key")
        since = f"; the key went with it, and backup {key.last_in} is the last that has them" if key.last_in else ""
        return Diagnosis.PARENT_TABLE_MISSING, f"the whole table {key.parent} is gone: {point} into it by {keys}{since}"
    if key.fault is not None:
        finds = _rows(key, share.orphans, "finds", "find")
        return Diagnosis.UNUSABLE_KEY, f"the database itself cannot use the key: {key.fault}; {finds} nothing"
    gone = several(share.missing_keys, "row")
    if key.deleted:
        told = f"{point} at {gone} of {key.parent} that {key.deleted} marks as deleted"
        return Diagnosis.MARKED_DELETED, told
    are = "is" if share.missing_keys == 1 else "are"
    if key.meant:
        told = f"{point} at {gone} that {are} neither in {key.parent} nor in {key.meant.parent}"
        return Diagnosis.PARENTS_MISSING, told
    if suspicion := _suspicion(key, share, facts):
        return Diagnosis.SUSPECT, suspicion
    return Diagnosis.PARENTS_MISSING, f"{point} at {gone} of {key.parent} that {are} not there"


def _misdeclared(key: ForeignKey, meant: ForeignKey, facts: Facts) -> str:
    found, all_of_it = facts.share(Trait.ELSEWHERE), sum(share.orphans for share in facts.shares.values())
    where = f"{meant.parent}({', '.join(meant.parent_columns)})"
    says = "say" if meant.stated_by.endswith("s") else "says"
    told = f"{meant.stated_by} {says} that {', '.join(key.columns)} points at {where}, not at {key.parent}"
    if not found.orphans:
        return f"{told}; but none of its {several(all_of_it, 'orphan')} is found there"
    left = ""
    if facts.there is not None:
        left = f"; pointed there, the key would have {several(facts.there.orphans, 'orphan')}"
    return f"{told}: {found.orphans:,} of its {several(all_of_it, 'orphan')} are found there{left}"


def is_telling(resemblance: Resemblance, missing_keys: int, distinct: int) -> bool:
    """Does it say anything that the orphans' values all stand in another table?

    Small whole numbers do in nearly every one (P-108). It says something where so many would not be found there by
    chance; or where most of what the column holds is missing where it points, and nothing is missing in the other.
    """
    if missing_keys < 2:
        return False
    most = resemblance.is_whole and missing_keys >= FEW and 2 * missing_keys >= distinct > 0
    return resemblance.chance <= UNLIKELY or most


def telling(key: ForeignKey, facts: Facts) -> tuple[Resemblance, ...]:
    """The other tables that give reason for suspicion; none where somebody who knows has spoken of the key."""
    if key.confirmed or key.meant or not key.declared:
        return ()
    missing = facts.share(Trait.MISSING).missing_keys
    return tuple(r for r in facts.resembling if is_telling(r, missing, 0 if key.parent_missing else facts.distinct))


def _suspicion(key: ForeignKey, share: Share, facts: Facts) -> str:
    found = tuple(f"{one.key.parent}({', '.join(one.key.parent_columns)})" for one in telling(key, facts))
    if not found:
        return ""
    missed = _rows(key, share.orphans, "misses", "miss")
    where = f"all {share.missing_keys:,} keys that {missed} in {key.parent} stand in {listed(found)}"
    return f"{where}: does the key point at the wrong table? No model says so, and values alone prove nothing"


def _sentinel(key: ForeignKey, share: Share, facts: Facts) -> str:
    words = [_plain(missed.key) for missed in facts.frequent.get(Trait.SENTINEL, ())]
    held = listed(tuple(dict.fromkeys(words)), 4)
    return f"{_hold(key, share)} {held} in {', '.join(key.columns)}, as if that meant none"


def _no_number(key: ForeignKey, share: Share, _: Facts) -> str:
    held = f"{_hold(key, share)} in {', '.join(key.columns)} what is no number"
    return f"{held}, and every key of {key.parent} is one"


def _partial(key: ForeignKey, share: Share, _: Facts) -> str:
    held = f"{_rows(key, share.orphans, 'fills', 'fill')} in only a part of {', '.join(key.columns)}"
    return f"{held}, and the key wants all of it or none"


def _rows(key: ForeignKey, number: int, one: str, more: str) -> str:
    if key.elements:
        return f"{several(number, 'element')} of {key.child}.{key.array} {one if number == 1 else more}"
    return f"{several(number, 'row')} of {key.child} {one if number == 1 else more}"


def _hold(key: ForeignKey, share: Share) -> str:
    return _rows(key, share.orphans, "holds", "hold")


def _most_missed(facts: Facts) -> str:
    """The key that most of them miss, where one stands out: it may be a word for none that nobody has told us (P-117).

    Only a whole number is told. Any other value may be a person's.
    """
    share, frequent = facts.share(Trait.MISSING), facts.frequent.get(Trait.MISSING, ())
    if not frequent or share.missing_keys < 2 or 2 * frequent[0].orphans <= share.orphans:
        return ""
    named = f" ({_plain(frequent[0].key)})" if all(map(_is_whole_number, frequent[0].key)) else ""
    return f"one key alone{named} is missed by {frequent[0].orphans:,} of them"


def _plain(values: tuple[object, ...]) -> str:
    return ", ".join("an empty text" if value in ("", b"") else str(value) for value in values)


def _is_whole_number(value: object) -> bool:
    text = str(value)
    return text.lstrip("-").isdecimal() and len(text) < 20
