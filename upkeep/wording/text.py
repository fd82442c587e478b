"""Facts as text for the shell."""

import textwrap
from collections.abc import Iterable

from upkeep.backups import Backup, Manifest
from upkeep.findings import Diagnosis, Finding
from upkeep.numbers import several
from upkeep.plan import Plan
from upkeep.pruning import Pruning
from upkeep.report import Detected, RunReport, Step
from upkeep.undo import Undo
from upkeep.values import Row, encode
from upkeep.verdict import Verdict
from upkeep.wording.past import baseline_said, since_last, since_when, trail_of
from upkeep.wording.sentences import (
    enforcement,
    mark,
    outcome,
    plan_in_short,
    size_of_damage,
    slow_deletions,
    trouble,
)

WIDTH = 100
"""Columns of the terminal that long lines are folded for."""

_CONFLICTS = 20
"""So many conflicts of an undo are listed."""
_TIED = "\N{NO-BREAK SPACE}"
Cells = tuple[str, str, str, str]
_ADVICE = {
    Diagnosis.MISDECLARED: "these keys are declared to the wrong table: correct the schema, the rows may be right",
    Diagnosis.PARENT_TABLE_MISSING: "the table that these point at is gone: a fault of the schema, not of the rows",
    Diagnosis.UNUSABLE_KEY: "the database itself cannot use these keys: correct the schema",
    Diagnosis.PARENTS_MISSING: "the rows that these point at are gone",
    Diagnosis.MARKED_DELETED: "the rows that these point at are there, and marked as deleted",
    Diagnosis.SUSPECT: "all that these miss stands in another table: find out first which is meant",
    Diagnosis.SENTINEL: "these hold a value that means none: no row is missing",
    Diagnosis.NEVER_A_KEY: "these hold what can be no key: a mistake in writing, no row is missing",
    Diagnosis.PARTIAL_KEY: "only a part of these keys is filled in",
}


def run_report(report: RunReport) -> str:
    """A run from its end to its steps: how it ended, how bad it is and what to do next come first."""
    lines = _head(report)
    if report.detected and not report.undoes:
        lines += _what_becomes_of_each_key(report.detected, report.plan)
    if report.plan and report.plan.undo:
        lines += _undone(report.plan.undo)
    if report.plan and report.plan.repairs:
        lines += ["", *folded("rows that change by table: ", _by_table(report.plan))]
        lines += folded("beware: ", slow) if (slow := slow_deletions(report.plan)) else []
    for sentence in enforcement(report.plan) if report.plan else ():
        lines += folded("foreign key: ", sentence)
    for title, verdict in report.verdicts:
        lines += _verdict(title, verdict)
    return "\n".join([*lines, "", *_steps(report.steps), *_tail(report)])


def _undone(undo: Undo) -> list[str]:
    """Rows that cannot be put back, each with the reason, and by which keys rows point at nothing again."""
    lines = [line for one in undo.conflicts[:_CONFLICTS] for line in folded("  conflict  ", str(one))]
    if len(undo.conflicts) > _CONFLICTS:
        lines.append(f"  {len(undo.conflicts) - _CONFLICTS:,} conflicts more stand in the plan, in the store")
    again = "; ".join(f"{rows} by {key}" for key, rows in undo.astray or ())
    return [*([""] if lines else []), *lines, *(["", *folded("orphans again: ", again)] if again else [])]


def run_in_short(report: RunReport) -> str:
    """A run without the list of its keys: how it ended, the verdicts by number, the time of each step."""
    lines = _head(report)
    for title, verdict in report.verdicts:
        holding = len(verdict.checks) - len(verdict.failed)
        lines.append(f"{title}: {holding} of {len(verdict.checks)} claims hold")
    lines += folded(
        "steps: ", ", ".join(f"{step.name} {step.seconds:.2f} s".replace(" ", _TIED) for step in report.steps)
    )
    return "\n".join([*lines, *_tail(report)])


def _head(report: RunReport) -> list[str]:
    lines = [f"{report.database}: {outcome(report)}"]
    if report.unproven:
        lines += folded("  NOT PROVEN  ", report.unproven)
    if report.told:
        lines += folded("  looked at   ", report.told)
    if report.verdict:
        lines += [f"  {mark(check):9}  {check.claim} ({check.seen})" for check in report.verdict.failed]
    lines += [f"  {line}" for line in report.recovered]
    if report.detected:
        lines.append(size_of_damage(report.detected))
    if report.plan:
        lines.append(f"plan {report.plan.digest[:12]}: {plan_in_short(report.plan)}")
    return [*lines, f"next: {next_step(report)}", *_past(report.detected)]


def _past(detected: Detected | None) -> list[str]:
    """Since when there are orphans, and what is new and gone since the last run, as far as somebody knows."""
    if detected is None or detected.history is None or detected.history.before is None:
        return []
    lines = folded("since: ", since) if (since := since_when(detected)) else []
    return [*lines, *(folded("news: ", news) if (news := since_last(detected.history)) else [])]


def next_step(report: RunReport) -> str:
    """What a person does after this run, with the words to type where there are some."""
    plan = report.plan
    if report.performed and report.passed:
        return f"nothing; every changed row stands in the store below {report.database}/repairs/{report.run}"
    if report.performed:
        return f"look at what does not hold; every changed row stands in {report.database}/repairs/{report.run}"
    if plan is None:
        return _after_a_look(report)
    if not report.passed and plan.undo and plan.undo.conflicts and not report.only_possible:
        return (
            f"look at these rows; `{undoing(report.undoes, only_possible=True)}` leaves them as they are and puts the "
            "others back; the database was not changed"
        )
    if not report.passed:
        return "correct what does not hold, then run it again; the database was not changed"
    if not plan.is_empty:
        return (
            _without_its_migration(report) if report.unmigratable else f"read the plan; `{approving(report)}` does it"
        )
    return "nothing; the orphans that are kept stand in the report with their reasons" if plan.kept else "nothing"


def _after_a_look(report: RunReport) -> str:
    if not report.passed and report.look:
        return "correct what does not hold, then run it again; the database was not changed"
    if report.detected and report.detected.troubled:
        return "`upkeep maintain --perform ask` restores the backup and rehearses the repair"
    return f"nothing; `upkeep verify {report.backup}` proves the backup" if report.unproven else "nothing"


def _without_its_migration(report: RunReport) -> str:
    """What is left to do where a plan can only be rehearsed."""
    rows = "rehearse the rows alone with `upkeep maintain --no-migrate` and approve that plan; then "
    return (
        f"{report.unmigratable}; {rows if report.plan and report.plan.repairs else ''}"
        "run `upkeep backup`, and Alembic in a maintenance window"
    )


def approving(report: RunReport) -> str:
    """The command that approves the plan of a run."""
    digest = report.plan.digest[:12] if report.plan else "DIGEST"
    if report.undoes:
        said = undoing(report.undoes, only_possible=report.only_possible)
        return f"{said} --approve {digest} --by NAME --reason TEXT"
    command = "migrate" if not report.clean_up else "maintain" if report.migrate else "maintain --no-migrate"
    return f"upkeep {command} --perform ask --approve {digest} --by NAME --reason TEXT"


def undoing(run: str, *, only_possible: bool) -> str:
    """The command that undoes a run."""
    return f"upkeep undo {run}{' --only-possible' if only_possible else ''}"


def _what_becomes_of_each_key(detected: Detected, plan: Plan | None) -> list[str]:
    """The troubled keys and those whose rows lose their parent by the plan, worst first; reasons once, below."""
    reasons = sorted({kept.reason for kept in plan.kept}) if plan else []
    letters = dict(zip(reasons, _letters(), strict=False))
    done = _by_key(plan, letters) if plan else {}
    rows: list[Cells] = []
    for finding in _worst_first(detected.troubled):
        said = [*done.pop(str(finding.key), [] if finding.orphans else ["nothing"]), *_faults(finding)]
        rows.append((_number(finding.orphans), _number(finding.missing_keys), str(finding.key), "; ".join(said)))
    rows += [("0", "0", key, f"{', '.join(said)} (as its parents go)") for key, said in done.items()]
    if not rows:
        return []
    kept = [
        line
        for reason, letter in letters.items()
        for line in folded(f"  ({letter}) kept: ", f"{_kept_for(plan, reason)}: {reason}")
    ]
    return ["", *_table(("orphans", "missed", "foreign key", "plan"), rows), *kept]


def _letters() -> Iterable[str]:
    number = 0
    while True:
        yield chr(ord("a") + number % 26) * (number // 26 + 1)
        number += 1


def _by_key(plan: Plan, letters: dict[str, str]) -> dict[str, list[str]]:
    """What the plan does, by foreign key."""
    said = {key: [f"{word} {n}" for word, n in of_key.items()] for key, of_key in plan.by_key().items()}
    for kept in plan.kept:
        said.setdefault(kept.key, []).append(f"keep {kept.rows} ({letters[kept.reason]})")
    return said


def _kept_for(plan: Plan | None, reason: str) -> str:
    alike = [kept for kept in plan.kept if kept.reason == reason] if plan else []
    return f"{sum(kept.rows for kept in alike):,} orphans of {several(len(alike), 'key')}"


def _by_table(plan: Plan) -> str:
    return ", ".join(f"{table}{_TIED}{action.value}{_TIED}{rows}" for (table, action), rows in plan.by_table().items())


def _verdict(title: str, verdict: Verdict) -> list[str]:
    said = "passed" if verdict.passed else "did not pass"
    lines = ["", f"{title}: {said}"]
    for check in verdict.checks:
        lines += folded(f"  {mark(check):9}  ", f"{check.claim} ({check.seen})")
    for left_out in verdict.left_out:
        lines += folded("  LEFT OUT   ", left_out)
    return lines


def _steps(steps: tuple[Step, ...]) -> list[str]:
    slowest = max((step.seconds for step in steps), default=0)
    wide = max((len(step.name) for step in steps), default=0)
    return [
        f"  {step.name:{wide}}  {step.seconds:7.2f} s{'  slowest' if step.seconds == slowest else ''}" for step in steps
    ]


def _tail(report: RunReport) -> list[str]:
    lines = [f"evidence: {report.store}/{report.evidence}"] if report.evidence else []
    if report.removed:
        lines += folded("old backups removed: ", ", ".join(report.removed))
    if report.receipt:
        lines.append(f"ledger: receipt {report.receipt.receipt.number}, {report.receipt.hash}")
    return lines + [f"note: {note}" for note in report.notes]


def check(name: str, engine: str, detected: Detected, complaints: tuple[str, ...], limit: int) -> str:
    """What ``upkeep check`` says: how bad it is, why, and what to do next; then each key, with rows by primary key."""
    troubled = _worst_first(detected.troubled)
    silent = [finding for finding in troubled if finding.orphans is None]
    lines = [f"{name} ({engine}): {size_of_damage(detected)}"]
    if troubled:
        lines += folded("why: ", _reasons(detected))
    lines += folded("since: ", since) if (since := since_when(detected)) else []
    if complaints:
        lines += folded("the engine's own check complains: ", "; ".join(complaints))
    lines += folded("next: ", _after_check(detected, complaints))
    lines += folded("news: ", news) if (news := since_last(detected.history)) else []
    lines += folded("baseline: ", said) if (said := baseline_said(detected)) else []
    for diagnosis, advice in _ADVICE.items():
        alike = [f for f in troubled if f.diagnosis is diagnosis and f not in silent]
        if alike:
            lines += ["", f"{diagnosis.value}: {advice}", *_keys(alike, detected, limit)]
    if silent:
        lines += ["", "could not be asked, which is not a yes"]
        lines += [line for f in silent for line in folded("  ", f"{f.key}: {f.unasked}")]
    return "\n".join(lines)


def _reasons(detected: Detected) -> str:
    """Each diagnosis with its orphans, the rows of these where they are fewer, and its keys."""
    said = []
    for one in detected.causes:
        rows = f" in {several(one.rows, 'row')}" if one.rows != one.orphans else ""
        said.append(f"{one.diagnosis.value} {one.orphans:,}{rows} ({several(one.keys, 'key')})".replace(" ", _TIED))
    without = sum(finding.orphans == 0 for finding in detected.troubled)
    said += [f"{several(without, 'key')} that cannot be used"] if without else []
    silent = sum(finding.orphans is None for finding in detected.troubled)
    return ", ".join([*said, *([f"{several(silent, 'key')} could not be asked"] if silent else [])])


def _after_check(detected: Detected, complaints: tuple[str, ...]) -> str:
    if complaints:
        return "stop; `upkeep restore latest --to URL` brings the newest verified backup back beside it"
    if detected.against and detected.against.holds:
        return "nothing: nothing is new; `upkeep maintain` rehearses the repair of what the baseline knows"
    wrong = [f for f in detected.troubled if f.diagnosis is Diagnosis.MISDECLARED]
    first = f"correct {several(len(wrong), 'key')} with a migration, not the rows; " if wrong else ""
    if detected.orphans:
        return f"{first}`upkeep maintain` rehearses the repair on a copy and changes nothing"
    return "correct the schema of the keys below" if detected.troubled else "nothing"


def _keys(findings: list[Finding], detected: Detected, limit: int) -> list[str]:
    """Each key with its first rows, and below it what else is to be said of it."""
    numbers = [(_number(finding.orphans), _number(finding.missing_keys)) for finding in findings]
    one, two = (max(map(len, column)) for column in zip(("orphans", "missed"), *numbers, strict=True))
    room = max(len(str(finding.key)) for finding in findings)
    lines = [f"  {'orphans':>{one}}  {'missed':>{two}}  foreign key".rstrip()]
    for (orphans, missed), finding in zip(numbers, findings, strict=True):
        lines += folded(f"  {orphans:>{one}}  {missed:>{two}}  {finding.key!s:{room}}  ", _first_rows(finding, limit))
        for told in filter(None, (_plain_trouble(finding), trail_of(finding, detected.history))):
            lines += folded(" " * (one + two + 6), told)
    return [line.rstrip() for line in lines]


def _first_rows(finding: Finding, limit: int) -> str:
    if not (finding.rows and limit):
        return ""
    more = " ..." if (finding.orphans or 0) > len(finding.rows) else ""
    return "; ".join(_locator(row).replace(" ", _TIED) for row in finding.rows) + more


def _plain_trouble(finding: Finding) -> str:
    """What the heading and the numbers do not say already."""
    if finding.diagnosis in (Diagnosis.PARENTS_MISSING, Diagnosis.PARENT_TABLE_MISSING) and len(finding.causes) < 2:
        return "".join(cause.remark for cause in finding.causes)
    return trouble(finding)


def _locator(row: Row) -> str:
    values = ", ".join(str(encode(value)) for value in row)
    return values if len(row) == 1 else f"({values})"


def _faults(finding: Finding) -> list[str]:
    if finding.orphans is None:
        return [f"could not be asked: {finding.unasked}"]
    if finding.key.parent_missing:
        return [f"the table {finding.key.parent} is gone"]
    return [f"the key cannot be used: {finding.key.fault}"] if finding.key.fault else []


def _worst_first(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: -(finding.orphans or 0))


def _table(heads: Cells, rows: list[Cells]) -> list[str]:
    """Two numbers, a name and a text that is folded below itself."""
    one, two, three = (max(len(row[column]) for row in [heads, *rows]) for column in range(3))
    lines = []
    for number, other, name, said in [heads, *rows]:
        lines += folded(f"  {number:>{one}}  {other:>{two}}  {name:{three}}  ", said)
    return [line.rstrip() for line in lines]


def folded(start: str, text: str) -> list[str]:
    """``start`` and ``text`` in lines of the terminal's width; the text stands below itself."""
    room = max(WIDTH - len(start), 20)
    pieces = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    return [line.replace(_TIED, " ") for line in (start + pieces[0], *(" " * len(start) + p for p in pieces[1:]))]


def _number(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def taken(manifest: Manifest) -> str:
    """What ``upkeep backup`` says."""
    return (
        f"backup {manifest.id}: {manifest.census.rows:,} rows, {manifest.stored_bytes:,} bytes stored\n"
        f"next: `upkeep verify {manifest.id}` proves it"
    )


def not_compared(what: tuple[str, ...]) -> list[str]:
    """What a proof does not prove, folded; [] where it proves all."""
    return folded("not compared: ", "; ".join(what)) if what else []


def backups(listed: tuple[Backup, ...]) -> str:
    """One line for each backup, newest last."""
    lines = []
    for backup in listed:
        if backup.manifest is None:
            lines.append(f"{backup.id}  cannot be used: {backup.fault}")
            continue
        manifest = backup.manifest
        revision = ", ".join(manifest.census.revision) or "no revision"
        proven = "verified" if backup.verified else "not verified"
        sizes = f"{manifest.stored_bytes:>15,} bytes  {manifest.census.rows:>12,} rows"
        lines.append(f"{backup.id}  {sizes}  {revision}  {proven}")
    return "\n".join(lines) or "no backups; `upkeep backup` takes one"


def retention(pruning: Pruning, *, done: bool) -> str:
    """One line for each backup: kept or removed, and why."""
    lines = [f"{'keep  ' if one.kept else 'remove'}  {one.id}  {one.reason}" for one in pruning.judged]
    lines += [f"remove  {backup}  left half stored by a run that died" for backup in pruning.unfinished]
    if not lines:
        return "no backups"
    if pruning.going and not done:
        return "\n".join([*lines, "nothing was removed; `upkeep prune --yes` removes"])
    return "\n".join([*lines, f"{several(len(pruning.going), 'backup')} removed" if done else "nothing to remove"])
