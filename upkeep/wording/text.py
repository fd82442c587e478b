"""Facts as text for the shell."""

from upkeep.backups import Backup
from upkeep.report import Detected, RunReport, Step
from upkeep.retention import Judgement
from upkeep.values import encode
from upkeep.verdict import Verdict
from upkeep.wording.sentences import mark, outcome, plan_in_short, size_of_damage, trouble, what_would_be_done


def run_report(report: RunReport) -> str:
    """A run from its end to its steps: the outcome first."""
    lines = [f"{report.database}: {outcome(report)}"]
    lines += [f"  {line}" for line in report.recovered]
    if report.detected:
        lines += ["", size_of_damage(report.detected)]
        for finding in sorted(report.detected.troubled, key=lambda f: -(f.orphans or 0)):
            lines.append(f"  {finding.key}: {trouble(finding)}")
            if report.plan:
                lines.append(f"      {what_would_be_done(report.plan, finding.key)}")
    if report.plan:
        lines += ["", f"plan {report.plan.digest[:12]}: {plan_in_short(report.plan)}"]
        lines += [f"  {table}: {action} {rows}" for (table, action), rows in report.plan.by_table().items()]
    for title, verdict in (("rehearsal", report.rehearsal), ("verification", report.verification)):
        lines += _verdict(title, verdict) if verdict else []
    lines += ["", *_steps(report.steps)]
    if report.evidence:
        lines += ["", f"evidence: {report.store}/{report.evidence}"]
    lines += [f"note: {note}" for note in report.notes]
    return "\n".join(lines)


def _verdict(title: str, verdict: Verdict) -> list[str]:
    said = "passed" if verdict.passed else "did not pass"
    return ["", f"{title}: {said}", *(f"  {mark(check):9} {check.claim} ({check.seen})" for check in verdict.checks)]


def _steps(steps: tuple[Step, ...]) -> list[str]:
    slowest = max((step.seconds for step in steps), default=0)
    return [f"  {step.name:12} {step.seconds:7.2f} s{'  slowest' if step.seconds == slowest else ''}" for step in steps]


def check(engine: str, detected: Detected, complaints: tuple[str, ...], limit: int) -> str:
    """What ``upkeep check`` says: how bad it is, then each key and its first rows by primary key."""
    lines = [f"{engine}: {size_of_damage(detected)}"]
    lines += [f"  the engine complains: {complaint}" for complaint in complaints]
    for finding in sorted(detected.troubled, key=lambda f: -(f.orphans or 0)):
        lines.append(f"  {finding.key}: {trouble(finding)}")
        if finding.rows and limit:
            named = "; ".join(", ".join(str(encode(value)) for value in row) for row in finding.rows)
            more = " ..." if (finding.orphans or 0) > len(finding.rows) else ""
            lines.append(f"      rows {named}{more}")
    if detected.orphans:
        lines.append("next: `upkeep maintain` rehearses the repair on a copy and changes nothing")
    return "\n".join(lines)


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
        lines.append(
            f"{backup.id}  {manifest.stored_bytes:,} bytes  {manifest.census.rows:,} rows  {revision}  {proven}"
        )
    return "\n".join(lines) or "no backups"


def retention(judged: tuple[Judgement, ...]) -> str:
    """One line for each backup: kept or removed, and why."""
    return "\n".join(f"{'keep  ' if one.kept else 'remove'}  {one.id}  {one.reason}" for one in judged) or "no backups"
