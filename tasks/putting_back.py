"""A migration in stages that died: how far it came, and what it has left half done taken back (P-84, P-95)."""

from tasks.outcome import Found, by_its_rows
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
    cleared: list[str] = []
    for stage in stages[upcoming : upcoming + 1]:
        if stage.apart:
            dropped = equipment.database.take_back(stage.apart, {*intention.there, *stage.there})
            gone = sorted({*stage.there} - {*equipment.database.standing(stage.apart)})
            cleared += taken_back(stage, tuple(one for one in dropped if one not in gone))
            cleared += [f"{', '.join(gone)}, which {stage} drops, is gone already"] if gone else []
            done = Found.IN_PART if gone and done is Found.UNTOUCHED else done
    words = [f"run {intention.run} died; {_SO_FAR[done]}"]
    if done is Found.IN_PART:
        words.append(f"the database stands at {', '.join(sorted(revision)) or 'no revision'}")
        cleared.append("the next run goes on from there")
    return done, "; ".join(words + cleared)


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


def taken_back(stage: Stage, dropped: tuple[str, ...]) -> tuple[str, ...]:
    """What was dropped of a stage that came to no end, and what of it may stay, in words."""
    told = (f"{', '.join(dropped)}, which {stage} had left, was dropped",) if dropped else ()
    repeats = stage.apart.repeats if stage.apart else ()
    return (*told, *(f"{stage} may have done a part: {left}" for left in repeats))
