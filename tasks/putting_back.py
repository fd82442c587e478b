"""A migration in stages that died: how far it came, and what it has left half done taken back (P-84, P-95)."""

from collections.abc import Collection
from dataclasses import dataclass

from tasks.outcome import Found, by_its_rows
from upkeep.databases import Database
from upkeep.equipment import Equipment
from upkeep.journal import Intention
from upkeep.revisions import Apart
from upkeep.stages import Stage


def put_back(equipment: Equipment, intention: Intention) -> tuple[Found, str]:
    """A migration in stages: what the one has left that was not done is dropped; what was done by then, in words.

    alembic_version says how far it came, for it stands still within a stage. One that was moved further by somebody
    else since tells nothing, and nothing is dropped.
    """
    equipment.database.take_back(Apart(), ())  # of nothing: only that no session of it moves the revision any more
    with equipment.database.reading() as reading:
        revision = set(reading.revision())
    stages = intention.stages
    reached = [number for number, stage in enumerate(stages) if stage.revisions and set(stage.arrives) == revision]
    begins = revision == set(intention.found)
    if not reached and not begins:
        done, word = Found.IN_PART, f"the database is at {', '.join(sorted(revision)) or 'no revision'} by now"
        return done, f"run {intention.run} died in a migration in stages; {word}, and nothing was dropped"
    done, upcoming = _so_far(equipment, intention, reached)
    cleared = Cleared()
    for stage in stages[upcoming : upcoming + 1]:
        if stage.apart:
            cleared = clear(equipment.database, stage, stage.apart, stage.there, intention.there)
    if cleared.gone and done is Found.UNTOUCHED:
        done = Found.IN_PART
    words = [f"run {intention.run} died; {_SO_FAR[done]}"]
    if done is not Found.IN_PART:
        return done, "; ".join([*words, *cleared.words])
    words.append(f"the database stands at {', '.join(sorted(revision)) or 'no revision'}")
    return done, "; ".join([*words, *cleared.words, "the next run goes on from there"])


_SO_FAR = {
    Found.PERFORMED: "it had been performed whole",
    Found.IN_PART: "it had been performed in part",
    Found.UNTOUCHED: "it had changed nothing that stays",
}


def _so_far(equipment: Equipment, intention: Intention, reached: list[int]) -> tuple[Found, int]:
    """How much of it was done, and the number of the stage that was to come next."""
    if reached:
        return (Found.PERFORMED if reached[-1] == len(intention.stages) - 1 else Found.IN_PART), reached[-1] + 1
    if intention.stages[0].revisions:
        return Found.UNTOUCHED, 0
    rows = by_its_rows(equipment, intention)  # the clean-up is a stage of its own, after which no revision is another
    return (Found.IN_PART if rows is Found.PERFORMED else rows), 1


@dataclass(frozen=True)
class Cleared:
    """What was cleared of a stage that came to no end, in words, and what it has dropped for good by then."""

    words: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


def clear(
    target: Database, stage: Stage, apart: Apart, before: Collection[str], others: Collection[str] = ()
) -> Cleared:
    """Drop what a stage that came to no end has left, and not what stood ``before`` it or belongs to ``others``.

    What it was to drop and has is not made again: the next time it is passed over.
    """
    dropped = target.take_back(apart, {*before, *others})
    gone = tuple(sorted({*before} - {*target.standing(apart)}))
    left = ", ".join(one for one in dropped if one not in gone)
    words = [f"{left}, which {stage} had left, was dropped"] if left else []
    words += [f"{', '.join(gone)}, which {stage} drops, is gone already"] if gone else []
    return Cleared((*words, *(f"{stage} may have done a part: {one}" for one in apart.repeats)), gone)
