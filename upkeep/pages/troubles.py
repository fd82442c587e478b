"""What receipts say is wrong: findings that are open and since when, alarms, and what was left unasked."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from upkeep.diagnosis import Diagnosis
from upkeep.ledger import ENDS
from upkeep.numbers import several
from upkeep.pages.contents import Told, answer, number, part, parts, text, words
from upkeep.pages.runs import VERDICTS, Run, claim_rows

Row = dict[str, Any]
_Name = tuple[str, str]
"""A finding by its key, and the word `re-used id` where it is of that."""
NOBODY = "nobody is named"
SILENCE = 2
"""So many days may pass from one run to the next before the page says that none began."""


@dataclass
class _Open:
    """A finding that is open since its first receipt in an unbroken row of looks."""

    since: Told
    last: Told
    seen: Row = field(default_factory=dict)


def look_rows(told: Iterable[Told]) -> list[Row]:
    """How many orphans each look saw."""
    return [
        {
            "day": one.day,
            "when": one.written,
            "run": one.run,
            "rows": number(one.contents, "found", "rows"),
            "orphans": number(one.contents, "found", "orphans"),
            "orphan_rows": number(one.contents, "found", "orphan_rows"),
            "reused": sum(number(each, "reused_rows") or 0 for each in parts(one.contents, "found", "findings")),
            "back": _looked_back(one),
            "receipts": (one.number,),
        }
        for one in told
        if part(one.contents, "found")
    ]


def _looked_back(one: Told) -> str:
    """By how many of the older backups that no run has taken re-used ids are known."""
    seen, left = (number(one.contents, "found", "older_backups", word) for word in ("looked_into", "waiting"))
    return "" if seen is None or left is None else f"{seen:,} of {seen + left:,}"


def finding_rows(told: Iterable[Told]) -> tuple[list[Row], list[Row]]:
    """The findings that are open at the last look, with their age in days there; and those that are open no more."""
    opened: dict[_Name, _Open] = {}
    closed: list[Row] = []
    last, kept = None, set[str]()
    for one in told:
        plan = part(one.contents, "plan")
        if plan and not text(plan, "undoes"):  # an undo asks no policy what is kept
            kept = {text(some, "key") for some in parts(plan, "kept")}
        if not part(one.contents, "found"):
            continue
        last, now = one, dict(_seen(one))
        for key in [key for key in opened if key not in now]:
            closed.append(_closed(key[0], opened.pop(key), one))
        for key, seen in now.items():
            before = opened.get(key)
            opened[key] = _Open(before.since if before else one, one, seen)
    rows = [
        _still_open(key, one, last, key in kept and diagnosis != Diagnosis.REUSED_ID)
        for (key, diagnosis), one in opened.items()
        if last
    ]
    return sorted(rows, key=lambda row: (-row["days"], -(row["orphans"] or 0), row["key"])), closed


def alarm_rows(runs: Iterable[Run], told: Iterable[Told], until: str) -> list[Row]:
    """What somebody should have heard of: runs that died or were stopped, claims that do not hold, days of silence.

    ``until`` is the day up to which a run could have begun.
    """
    runs = tuple(runs)
    rows = (*_of_runs(runs), *_of_claims(runs), *_of_proofs(told), *_silences(runs, until))
    return sorted(rows, key=lambda row: row["day"])


def exception_rows(runs: Iterable[Run], told: Iterable[Told]) -> list[Row]:
    """What was not asked, not compared or not removed; each as one sentence that may come again and again."""
    runs = tuple(runs)
    rows = [
        _row("not asked" if row["said"] == "could not be asked" else row["said"], row["claim"].partition(":")[0], row)
        for row in claim_rows(runs)
        if row["holds"] is None
    ]
    done = {run.name for run in runs if run.done}
    for one in told:
        stands = {"day": one.day, "receipts": (one.number,)}
        rows += [_row("key not asked", key, stands) for key in words(one.contents, "found", "keys_not_asked")]
        if number(one.contents, "found", "older_backups", "waiting"):
            rows.append(_row("not looked into yet", "older backups, which may tell of more re-used ids", stands))
        rows += [
            _row("not compared after a restore", what, stands) for what in words(one.contents, "proof", "uncompared")
        ]
        if conflicts := number(one.contents, "plan", "conflicts"):
            rows.append(_row(*_left_by_an_undo(conflicts, one, is_done=one.run in done), stands))
        if left := number(one.contents, "scratches", "left"):
            rows.append(_row("scratches left", f"{left} were still there when the run ended", stands))
    return rows


def _left_by_an_undo(conflicts: int, one: Told, *, is_done: bool) -> tuple[str, str]:
    """Of one that was only rehearsed nobody may think that the other rows were put back."""
    if is_done:
        return "not taken back", f"{several(conflicts, 'row')}, which had changed since or could not go back"
    undone = text(one.contents, "plan", "undoes")
    return (
        "only rehearsed",
        f"nothing of run {undone} was taken back; of its rows {conflicts:,} had changed since or could not go back",
    )


def _seen(one: Told) -> Iterator[tuple[_Name, Row]]:
    """What is wrong with a key and its re-used ids are two findings: each is as old as the looks that saw it."""
    nothing = {"orphans": None, "missing": None, "reused": None, "owner": ""}
    for finding in parts(one.contents, "found", "findings"):
        key, diagnosis = text(finding, "key"), text(finding, "diagnosis")
        told = nothing | {"diagnosis": diagnosis, "owner": text(finding, "owner")}
        if diagnosis != Diagnosis.REUSED_ID:
            counts = {"orphans": number(finding, "orphans"), "missing": number(finding, "missing_keys")}
            yield (key, ""), told | counts
        if diagnosis == Diagnosis.REUSED_ID or number(finding, "reused_rows"):
            again = {"diagnosis": Diagnosis.REUSED_ID.value, "reused": number(finding, "reused_rows")}
            yield (key, Diagnosis.REUSED_ID.value), told | again
    for key in words(one.contents, "found", "keys_not_asked"):
        yield (key, ""), nothing | {"diagnosis": "could not be asked"}


def _still_open(key: str, one: _Open, last: Told, is_kept: bool) -> Row:
    return {
        "day": one.since.day,
        "key": key,
        **one.seen,
        "since": one.since.written,
        "days": days_between(one.since.day, last.day),
        "standing": "kept by the policy" if is_kept else "open",
        "receipts": tuple(dict.fromkeys((one.since.number, one.last.number))),
    }


def _closed(key: str, one: _Open, by: Told) -> Row:
    return {
        "day": by.day,
        "key": key,
        "orphans": one.seen["orphans"],
        "diagnosis": one.seen["diagnosis"],
        "since": one.since.written,
        "closed": by.written,
        "days": days_between(one.since.day, by.day),
        "receipts": tuple(dict.fromkeys((one.since.number, by.number))),
    }


def _of_runs(runs: tuple[Run, ...]) -> Iterator[Row]:
    for run in runs:
        end = run.of(*ENDS)
        last, numbers = run.told[-1], tuple(one.number for one in run.told)
        common = {"day": last.day, "run": run.name, "receipts": numbers}
        if (said := run.of("performing")) and answer(said.contents, "alone"):
            who = f"{text(said.contents, 'approved_by')} asked for the plan and approved it alone"
            yield {"day": said.day, "run": run.name, "alarm": "glass broken", "told": who, "receipts": (said.number,)}
        if end is None:
            yield {**common, "alarm": "run not ended", "told": run.ended}
        elif end.kind == "died":
            yield {**common, "alarm": "run died", "told": run.ended}
        elif text(end.contents, "how").startswith("stopped"):
            step = text(end.contents, "step")
            yield {**common, "alarm": "run stopped", "told": f"{run.ended}{f', at {step}' if step else ''}"}


def _of_claims(runs: tuple[Run, ...]) -> Iterator[Row]:
    for row in claim_rows(runs):
        if row["holds"] is False:
            common = {name: row[name] for name in ("day", "run", "receipts")}
            yield {
                **common,
                "alarm": "claim does not hold",
                "told": f"{row['verdict']}: {row['claim']}{_of(row['owner'])}",
            }


def _of(owner: str) -> str:
    return f" (owner: {owner})" if owner else ""


def owner_rows(found: Iterable[Row], runs: Iterable[Run]) -> list[Row]:
    """Who is to see to what: the findings that are open, and the claims of the last run's last verdict that fail."""
    rows = [
        {"day": row["day"], "owner": row["owner"] or NOBODY, "what": "finding", "receipts": row["receipts"]}
        for row in found
    ]
    judged = [run for run in runs if any(part(one.contents, name) for one in run.told for name in VERDICTS)]
    claims = claim_rows(judged[-1:])
    last = [row for row in claims if row["verdict"] == claims[-1]["verdict"] and row["said"] != "left out"]
    rows += [
        {"day": row["day"], "owner": row["owner"] or NOBODY, "what": "claim", "receipts": row["receipts"]}
        for row in last
        if row["holds"] is not True
    ]
    return sorted(rows, key=lambda row: (row["owner"] == NOBODY, row["owner"], row["what"]))


def _of_proofs(told: Iterable[Told]) -> Iterator[Row]:
    for one in told:
        said = one.contents if one.kind == "restored" else part(one.contents, "proof")
        if answer(said, "holds") is False:
            backup = text(one.contents, "backup", "id") or text(one.contents, "backup")
            against = f"backup {backup} came back otherwise than it was stored"
            yield {
                "day": one.day,
                "run": one.run,
                "alarm": "backup does not hold",
                "told": against,
                "receipts": (one.number,),
            }


def _silences(runs: tuple[Run, ...], until: str) -> Iterator[Row]:
    """Days between two runs, and after the last one."""
    begun = [run.told[0] for run in runs]
    for before, after in zip(begun, [*begun[1:], None], strict=False):
        day = after.day if after else until
        days = days_between(before.day, day)
        if days > SILENCE:
            yield {
                "day": day,
                "run": after.run if after else "",
                "alarm": "silence",
                "told": f"no run began for {days} days, since {before.day}",
                "receipts": (before.number, after.number) if after else (before.number,),
            }


def days_between(first: str, last: str) -> int:
    """Whole days from one day to another; 0 where one of them is no day."""
    try:
        return (date.fromisoformat(last) - date.fromisoformat(first)) // timedelta(days=1)
    except ValueError:
        return 0


def _row(what: str, sentence: str, stands: Row) -> Row:
    return {"day": stands["day"], "what": what, "told": sentence, "receipts": stands["receipts"]}
