"""What an undo has to hold: rows as they were before the run, no others changed, nothing astray that was not before."""

from collections.abc import Iterable, Mapping

from upkeep.answers import Answer
from upkeep.gathered import Gathered
from upkeep.plan import Plan
from upkeep.undo import Undo
from upkeep.undoing import Deed
from upkeep.verdict import Check

_SHOWN = 5
"""So many conflicts are told in a claim; all of them stand in the plan."""


def judge_conflicts(undo: Undo, *, only_possible: bool) -> Check:
    """Can every row of the run be put back? With ``only_possible`` a person has said that the others may stay."""
    told = [str(conflict) for conflict in undo.conflicts[:_SHOWN]]
    if len(undo.conflicts) > _SHOWN:
        told.append(f"and {len(undo.conflicts) - _SHOWN} more")
    if only_possible:
        seen = f"{len(undo.conflicts)} rows stay as they are now: {'; '.join(told)}" if told else "all can be put back"
        return Check(claim="what cannot be put back is told and left as it is", holds=True, seen=seen)
    return Check(
        claim="every row that the run changed can be put back", holds=not told, seen="; ".join(told) or "all of them"
    )


def judge_reach(plan: Plan, deed: Deed) -> Check:
    """Are the rows of the plan rows of the run? This is what limits an undo, and the policy's limits do not.

    They keep a plan from doing much harm; what has been done within them may be taken back whole.
    """
    of_the_run = Gathered((change.table, change.row) for change in deed.changes)
    beyond = sum(not of_the_run.holds(repair.table, repair.row) for repair in plan.repairs)
    return Check(
        claim="the plan changes no row but those that the run changed",
        holds=not beyond,
        seen=f"{plan.rows} of {of_the_run.rows} rows" if not beyond else f"{beyond} rows are of no concern to it",
    )


def judge_astray(undo: Undo, mended: Mapping[str, int], *, only_possible: bool) -> Check:
    """Do no more rows point at nothing afterwards than the run had found? More would be children that came since."""
    counted = undo.astray or ()
    more = [
        f"{rows} rows would point at nothing by {name}, the run had mended {mended.get(name, 0)}"
        for name, rows in counted
        if rows > mended.get(name, 0)
    ]
    told = f"{sum(rows for _, rows in counted)} rows over {len(counted)} foreign keys"
    return Check(
        claim="no more rows point at nothing again than the run had mended",
        holds=not more or only_possible,
        seen="; ".join(more) or told,
    )


def judge_put_back(again: Plan, deed: Deed, undo: Undo) -> Check:
    """Asked of a database on which ``undo`` was done: is every row as it was before the run, but for its conflicts?

    ``again`` is a second undo of the same run, drawn up of that database.
    """
    there, left = again.undo.there if again.undo else 0, len(undo.conflicts)
    told = Gathered((conflict.table, conflict.row) for conflict in undo.conflicts)
    anew = f", but for {columns_in_words(undo)}, which triggers set" if undo.set_anew else ""
    undone = all(told.holds(repair.table, repair.row) for repair in again.repairs)
    return Check(
        claim="every row is as it was before the run, and a second undo would find nothing to do",
        holds=undone and there == len(deed.changes) - left,
        seen=f"{there} of {len(deed.changes)} rows{anew}" + (f", {left} were left as they are" if left else ""),
    )


def columns_in_words(undo: Undo) -> str:
    """Those that triggers set anew."""
    return ", ".join(f"{table}.{column}" for table, column in undo.set_anew)


def judge_rules_told(answers: Iterable[Answer]) -> Check:
    """Were the hand-written rules asked? That they hold cannot be wanted: the state before the run is."""
    asked = list(answers)
    silent = [answer.description for answer in asked if answer.holds is None]
    broken = [f"{answer.description}: {answer.seen}" for answer in asked if answer.holds is False]
    return Check(
        claim="the hand-written rules were asked, and what does not hold is told",
        holds=None if silent else True,
        seen="; ".join(silent or broken) or f"{len(asked)} asked, all hold",
    )


def not_taken_back(deed: Deed, undo: Undo) -> tuple[str, ...]:
    """What of a run an undo leaves as it is, in words."""
    told = []
    if undo.set_anew:
        told.append(
            f"{columns_in_words(undo)} may come back otherwise than before the run: triggers set that whenever such a "
            f"row changes, and had done so with the run; what stood there is among the changes of run {undo.run}"
        )
    if deed.triggers:
        named = ", ".join(deed.triggers)
        told.append(
            f"no undo takes back what triggers changed beside the rows of its plan: {named} leave no record here"
        )
    if deed.migration:
        told.append(
            f"no undo takes the migration {deed.migration} back: `upkeep restore` brings the schema of a backup back, "
            "beside the database"
        )
    if deed.enforced:
        told.append(
            f"{', '.join(deed.enforced)} stays in force: of orphans that come back it is NOT VALID at most, and no new "
            "ones can come; DROP CONSTRAINT it where that is not wanted"
        )
    return tuple(told)
