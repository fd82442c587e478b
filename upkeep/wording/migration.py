"""What pending revisions do, as text for the shell."""

from upkeep.report import RunReport
from upkeep.revisions import Apart, Explained
from upkeep.wording.lines import folded
from upkeep.wording.next_steps import next_step
from upkeep.wording.sentences import in_stages

_MOST = 12
"""So many statements of one revision are shown; all stand in the JSON."""


def explanation(report: RunReport, while_migrating: str) -> str:
    """Each pending revision: what it locks, writes anew and drops, how long it took, and its SQL."""
    here = ", ".join(report.revision) or "no revision"
    if report.revisions:
        lines = [f"{report.database}: {here} -> {report.revisions[-1].revision.name}"]
        lines += folded("who waits: ", while_migrating)
    else:
        lines = [f"{report.database}: nothing to migrate: the database is at {here}, the head"]
    lines += folded("in stages: ", staged) if report.plan and (staged := in_stages(report.plan)) else []
    for one in report.revisions:
        lines += ["", *_revision(one)]
    for check in report.verdict.failed if report.verdict else ():
        lines += ["", *folded("does not hold: ", f"{check.claim} ({check.seen})")]
    lines += [f"note: {note}" for note in report.notes]
    return "\n".join([*lines, "", f"next: {next_step(report)}"])


def _lint(one: Explained) -> list[str]:
    """What a linter says of it; that it was not asked is said too."""
    if one.lint is None:
        return []
    lines = [line for hint in one.lint.hints for line in folded("  hint          ", hint)]
    return lines + (folded("  hints         ", f"not asked: {one.lint.unasked}") if one.lint.unasked else [])


def _apart(apart: Apart) -> str:
    """What becomes of a revision that is done in no transaction, when it comes to no end."""
    if apart.wrong:
        return f"not performed: it {apart.wrong}"
    made = ", ".join(name for _, (_, name) in apart.makes)
    told = [f"the index {made} is dropped"] if made else []
    told += ["what it has begun to drop is dropped"] if apart.drops else []
    told += ["indexes that it has made beside others are dropped"] if apart.renews else []
    return "; ".join(["in no transaction: nobody waits for it, and where it fails", *told, *apart.repeats]).replace(
        "fails; ", "fails ", 1
    )


def _revision(one: Explained) -> list[str]:
    lines = [f"{one.revision.name}  {one.revision.doc.splitlines()[0] if one.revision.doc else ''}".rstrip()]
    took = (
        f"{one.ran.seconds:.2f} s in the rehearsal" if one.ran else "not known: the rehearsal did not come to its end"
    )
    lines += folded("  took          ", took)
    for title, names in (("locks", one.locks), ("writes anew", one.writes_anew), ("drops", one.gone)):
        if names:
            lines += folded(f"  {title:12}  ", "; ".join(names))
    lines += folded("  apart         ", _apart(apart)) if (apart := one.revision.apart) else []
    lines += _lint(one)
    for number, statement in enumerate(one.revision.sql[:_MOST]):
        lines += folded("  says          " if not number else " " * 16, " ".join(statement.split())[:400])
    if len(one.revision.sql) > _MOST:
        lines.append(f"{' ' * 16}and {len(one.revision.sql) - _MOST} statements more")
    if one.revision.unforeseen:
        lines += folded("  and           ", f"what cannot be told beforehand: {one.revision.unforeseen}")
    return lines
