"""Facts as Markdown and as tables, for the pages that an operator and an auditor see."""

from typing import Any

from upkeep.detected import Detected
from upkeep.plan import Plan
from upkeep.question import Question
from upkeep.report import RunReport
from upkeep.verdict import Verdict
from upkeep.wording.head import reasons
from upkeep.wording.lasting import lasting_told
from upkeep.wording.lines import TIED
from upkeep.wording.next_steps import next_step
from upkeep.wording.past import looked_back, since_last, since_when
from upkeep.wording.sentences import (
    COUNTED,
    backup_afterwards,
    encrypted_to,
    enforcement,
    in_a_word,
    in_stages,
    lint_in_short,
    mark,
    next_choices,
    outcome,
    plan_in_short,
    size_of_damage,
    slow_deletions,
    trouble,
    what_is_open,
    what_would_be_done,
)

_CONFLICTS = 20
"""So many conflicts of an undo are listed."""
_CHOICES = 10
"""So many reasons why an action of a rule was passed over are listed."""
_ROOM = 300
"""What was seen of a claim and is longer stands below its table, as a list."""
Table = list[dict[str, Any]]


def summary(report: RunReport) -> str:
    """One page: how it ended, what is wrong, what would be or was done, the verdict, the time of each step."""
    parts = [f"# {report.database}: {outcome(report)}", _unproven(report), _first(report), _facts(report)]
    if report.detected:
        parts.append(f"## What is wrong\n\n{_news(report.detected)}{_lines(findings(report.detected, report.plan))}")
    if report.plan:
        parts.append(f"## The plan\n\n{plan_in_short(report.plan)}")
        parts += [COUNTED if report.plan.kept or report.plan.healed else "", _lines(plan_table(report.plan))]
        parts += [_next_choices(report.plan), _taken(report.taken) if report.taken else ""]
        if report.lasting:
            parts.append(lasting_told(report.lasting, report.plan, performed=report.performed))
        parts += [lint_in_short(report.revisions)]
        parts += [
            in_stages(report.plan),
            slow_deletions(report.plan),
            _foreign_keys(report.plan),
            _conflicts(report.plan),
        ]
    parts += [f"## The {name}\n\n{_verdict(verdict)}" for name, verdict in report.verdicts]
    steps = [{"step": step.name, "seconds": f"{step.seconds:.2f}"} for step in report.steps]
    parts.append(f"## The steps\n\n{_lines(steps)}")
    return "\n\n".join(part for part in parts if part)


def _conflicts(plan: Plan) -> str:
    """The rows that an undo cannot put back, the first of many."""
    if not plan.undo or not plan.undo.conflicts:
        return ""
    told = "\n".join(f"- {conflict}" for conflict in plan.undo.conflicts[:_CONFLICTS])
    more = len(plan.undo.conflicts) - _CONFLICTS
    return f"### What cannot be put back\n\n{told}" + (f"\n- and {more} more, in the plan" if more > 0 else "")


def _unproven(report: RunReport) -> str:
    return f"**NOT PROVEN: {report.unproven}**" if report.unproven else ""


def _facts(report: RunReport) -> str:
    facts = {
        "run": report.run,
        "undoes run": report.undoes,
        **_backups(report),
        "answers not taken": "; ".join(report.not_taken),
        "looked at": report.told,
        "plan digest": report.plan.digest if report.plan else None,
        "approved by": report.approved_by,
        "recovered": "; ".join(report.recovered),
        "removed backups": ", ".join(report.removed),
        "evidence": report.evidence and f"{report.store}/{report.evidence}",
        "the auditor's page": report.evidence and f"{report.store}/{report.evidence}/page.html",
        "notes": "; ".join(report.notes),
    }
    return "\n".join(f"- {name}: `{value}`" for name, value in facts.items() if value)


def _backups(report: RunReport) -> dict[str, str | None]:
    """Which backup is of which state: who has to take back what was performed needs the one before it."""
    encrypted = encrypted_to(report.recipients)
    if not report.backup_before:
        return {"backup": report.backup, "of that backup": encrypted if report.backup else None}
    return {
        "backup before it was performed": report.backup_before,
        "backup after it was performed": backup_afterwards(report),
        "of these backups": encrypted,
    }


def _first(report: RunReport) -> str:
    """How bad it is, why, since when, and what to do next: what a person who reads four lines has to know."""
    found = report.detected
    said = {"next": next_step(report)}
    if found:
        said = {"why": (*reasons(found), "")[0].replace(TIED, " "), "since": since_when(found, by_a_run=True), **said}
        said["findings left" if report.left else "findings"] = what_is_open(report.left or found) or "none"
        said["re-used ids"] = looked_back(found)
    lines = [
        *([size_of_damage(found)] if found else []),
        *(f"{name}: {words}" for name, words in said.items() if words),
    ]
    return "\n".join(f"- {line}" for line in lines)


def _news(detected: Detected) -> str:
    news = since_last(detected.history)
    return f"News: {news}\n\n" if news else ""


def findings(detected: Detected, plan: Plan | None) -> Table:
    """The troubled keys, worst first, and what would be done about each."""
    worst_first = sorted(detected.troubled, key=lambda finding: -(finding.orphans or 0))
    return [
        {
            "foreign key": str(finding.key),
            "orphans": "not asked" if finding.orphans is None else finding.orphans,
            "missing keys": "" if finding.orphans is None else finding.missing_keys,
            "what is wrong": in_a_word(finding) or trouble(finding),
            "plan": what_would_be_done(plan, finding) if plan else "",
        }
        for finding in worst_first
    ]


def plan_table(plan: Plan) -> Table:
    """The plan by table and action."""
    return [{"table": table, "action": action.value, "rows": rows} for (table, action), rows in plan.by_table().items()]


def verdict_table(verdict: Verdict) -> Table:
    """Each claim with what was seen; at the end what nobody claims."""
    asked = [{"claim": check.claim, "": mark(check), "seen": check.seen} for check in verdict.checks]
    return asked + [{"claim": left_out, "": "LEFT OUT", "seen": "nothing"} for left_out in verdict.left_out]


def _verdict(verdict: Verdict) -> str:
    """The table of a page, below it in lists what is too long for a cell."""
    rows, below = verdict_table(verdict), []
    for row in rows:
        seen = row["seen"].split("; ")
        if len(row["seen"]) > _ROOM and len(seen) > 1:
            below.append("\n".join([f"Seen of *{row['claim']}*:\n", *(f"- {one}" for one in seen)]))
            row["seen"] = f"{len(seen):,} things, listed below"
    return "\n\n".join([_lines(rows), *below])


def approval_form(question: Question, hours: float, not_taken: tuple[str, ...] = ()) -> str:
    """What an operator reads before answering: digest, counts by table and action, where the evidence is.

    ``hours`` are left for it; of the answers before, ``not_taken``, the last is told first.
    Prefect shows it in a small window above the fields, so what has to be typed comes first and in few lines.
    """
    plan, verdict, duty, taken = question.plan, question.verdict, question.duty, question.taken
    triggers = f"\n\nTriggers that will fire: {', '.join(plan.triggers)}" if plan.triggers else ""
    keys = f"\n\n{_foreign_keys(plan)}" if plan.enforced or plan.unenforced else ""
    later = f"\n\n{_next_choices(plan)}" if plan.passed_over else ""
    slow = f"\n\nBeware: {slow_deletions(plan)}" if plan.scans else ""
    gone = f"\n\n{_taken(taken)}" if taken else ""
    gone += f"\n\n{lasting_told(question.lasting, plan)}" if question.lasting else ""
    gone += f"\n\n{staged}" if (staged := in_stages(plan)) else ""
    stays = f"\n\n{_conflicts(plan)}" if plan.undo else ""
    blind = "".join(f"\n\nLeft out: {one}" for one in verdict.left_out)
    lasts = "\n\n**Not all of it can be undone: see below the table.**" if taken or question.lasting else ""
    counted = f"\n\n{COUNTED}" if plan.kept or plan.healed else ""
    held = sum(check.holds is True for check in verdict.checks)
    another = f" {duty.requested_by} asked for it, so somebody else has to approve it." if duty.two_persons else ""
    again = f"**The last answer was not taken: {not_taken[-1]}.** Nothing was done yet.\n\n" if not_taken else ""
    return (
        f"{again}To approve plan `{plan.digest[:12]}`, write these 12 characters, your name and why. "
        f"Without an answer within {hours:.3g} hours nothing is done.{another}\n\n"
        f"**{plan_in_short(plan)}**{lasts}{blind}\n\n{_lines(_plan_by_table(plan))}{counted}{later}{gone}{keys}{triggers}{slow}{stays}\n\n"
        f"The rehearsal passed: {held} of {len(verdict.checks)} claims hold; see *findings*, *plan* and *verdict* "
        f"among the run's artifacts.\n\nEvidence: `{question.evidence}`\n\nThe whole digest: `{plan.digest}`"
    )


def _taken(taken: tuple[str, ...]) -> str:
    """What only a restore would bring back."""
    return "\n".join(["The migration takes for good, for no undo brings it back:\n", *(f"- {one}" for one in taken)])


def _next_choices(plan: Plan) -> str:
    """What is done because an action that the policy would rather see is impossible."""
    if not plan.passed_over:
        return ""
    said = next_choices(plan)
    more = [f"- and {len(said) - _CHOICES:,} more: see the plan in the store"] if len(said) > _CHOICES else []
    listed = (f"- {one}" for one in said[:_CHOICES])
    return "\n".join(["Not by the first action of their rule:\n", *listed, *more])


def _foreign_keys(plan: Plan) -> str:
    return "\n".join(f"- {sentence}" for sentence in enforcement(plan))


def _plan_by_table(plan: Plan) -> Table:
    """The same counts with one line for each table."""
    actions = sorted({action for _, action in plan.by_table()})
    tables = sorted({table for table, _ in plan.by_table()})
    counted = plan.by_table()
    return [
        {"table": table, **{action.value: counted.get((table, action), "") for action in actions}} for table in tables
    ]


def _lines(table: Table) -> str:
    if not table:
        return ""
    heads = list(table[0])
    rows = [heads, ["---"] * len(heads), *([_cell(row[head]) for head in heads] for row in table)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
