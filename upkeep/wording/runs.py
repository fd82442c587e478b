"""What a shell says of a run: from its end to its steps, or in short."""

from collections.abc import Iterable

from upkeep.detected import Detected
from upkeep.findings import Finding
from upkeep.numbers import several
from upkeep.plan import Plan
from upkeep.report import RunReport, Step
from upkeep.undo import Undo
from upkeep.verdict import Verdict
from upkeep.wording.lasting import lasting_for_shell
from upkeep.wording.lines import TIED, Cells, folded, number, table
from upkeep.wording.next_steps import next_step
from upkeep.wording.past import looked_back, since_last, since_when
from upkeep.wording.sentences import (
    adoption,
    backup_afterwards,
    done_to,
    encrypted_to,
    enforcement,
    gone_otherwise,
    in_stages,
    lint_in_short,
    mark,
    outcome,
    plan_in_short,
    size_of_damage,
    slow_deletions,
    what_is_open,
    worst_first,
)

_CONFLICTS = 20
"""So many conflicts of an undo are listed."""


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
    lines += folded("lint: ", said) if (said := lint_in_short(report.revisions)) else []
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
        "steps: ", ", ".join(f"{step.name} {step.seconds:.2f} s".replace(" ", TIED) for step in report.steps)
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
    if report.plan and report.lasting:
        lines += folded("  no undo   ", lasting_for_shell(report.lasting, report.plan, performed=report.performed))
    lines += folded("  for good  ", f"{'; '.join(report.taken)}: no undo brings it back") if report.taken else []
    lines += folded("  in stages ", staged) if report.plan and (staged := in_stages(report.plan)) else []
    return [*lines, f"next: {next_step(report)}", *_past(report.detected), *_open(report)]


def _past(detected: Detected | None) -> list[str]:
    """Since when there are orphans, and what is new and gone since the last run, as far as somebody knows."""
    if detected is None or detected.history is None or detected.history.before is None:
        return []
    lines = folded("since: ", since) if (since := since_when(detected)) else []
    return [*lines, *(folded("news: ", news) if (news := since_last(detected.history)) else [])]


def _open(report: RunReport) -> list[str]:
    """How many findings a reviewer will see, and how far re-used ids were looked for."""
    lines = []
    if found := report.left or report.detected:
        lines += folded("findings left: " if report.left else "findings: ", what_is_open(found) or "none")
    back = looked_back(report.detected) if report.detected else ""
    return [*lines, *(folded("re-used ids: ", back) if back else [])]


def _what_becomes_of_each_key(detected: Detected, plan: Plan | None) -> list[str]:
    """The troubled keys and those whose rows lose their parent by the plan, worst first; reasons once, below."""
    reasons = sorted({*(one.reason for one in plan.kept), *(one.reason for one in plan.passed_over)}) if plan else []
    letters = dict(zip(reasons, _letters(), strict=False))
    done = _by_key(plan, letters) if plan else {}
    rows: list[Cells] = []
    for finding in worst_first(detected.troubled):
        said = done.pop(str(finding.key), [] if finding.orphans else ["nothing"])
        said += [*(gone_otherwise(plan, finding) if plan else []), *_faults(finding)]
        rows.append((number(finding.orphans), number(finding.missing_keys), str(finding.key), "; ".join(said)))
    rows += [("0", "0", key, ", ".join(said)) for key, said in done.items()]
    if not rows:
        return []
    why = [
        line
        for reason, letter in letters.items()
        for line in folded(f"  ({letter}) ", f"{_for_which(plan, reason)}: {reason}")
    ]
    return ["", *table(("orphans", "missed", "foreign key", "plan"), rows), *why]


def _letters() -> Iterable[str]:
    number = 0
    while True:
        yield chr(ord("a") + number % 26) * (number // 26 + 1)
        number += 1


def _by_key(plan: Plan, letters: dict[str, str]) -> dict[str, list[str]]:
    """What the plan does, by foreign key."""
    said = {key: done_to(plan, key) for key in plan.by_key()}
    for one in plan.passed_over:
        said.setdefault(one.key, []).append(f"of these {one.rows} ({letters[one.reason]})")
    for kept in plan.kept:
        said.setdefault(kept.key, []).append(f"keep {kept.rows} ({letters[kept.reason]})")
    return said


def _for_which(plan: Plan | None, reason: str) -> str:
    """How many orphans, kept or repaired by a later action of their rule, have this reason."""
    if plan is None:
        return ""
    kept = [one for one in plan.kept if one.reason == reason]
    later = [one for one in plan.passed_over if one.reason == reason]
    counted = ((kept, "kept"), (later, "next choice"))
    return "; ".join(
        f"{word}: {several(sum(one.rows for one in some), 'orphan')} of {several(len(some), 'key')}"
        for some, word in counted
        if some
    )


def _by_table(plan: Plan) -> str:
    return ", ".join(f"{table}{TIED}{action.value}{TIED}{rows}" for (table, action), rows in plan.by_table().items())


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
    lines = folded("backups: ", encrypted_to(report.recipients)) if report.backup else []
    if report.backup_before:
        lines += [
            f"backup before it was performed: {report.backup_before}",
            f"  `upkeep restore {report.backup_before} --to URL` brings it back",
            f"backup after it was performed: {backup_afterwards(report)}",
        ]
    lines += [f"evidence: {report.store}/{report.evidence}"] if report.evidence else []
    if report.removed:
        lines += folded("old backups removed: ", ", ".join(report.removed))
    if report.receipt:
        lines.append(f"ledger: receipt {report.receipt.receipt.number}, {report.receipt.hash}")
    return lines + [f"note: {note}" for note in report.notes]


def _faults(finding: Finding) -> list[str]:
    if finding.orphans is None:
        return [f"could not be asked: {finding.unasked}"]
    if finding.key.parent_missing:
        return [f"the table {finding.key.parent} is gone"]
    said = [f"the key cannot be used: {finding.key.fault}"] if finding.key.fault else []
    return [*said, *([adoption(finding)] if finding.adopted else [])]
