"""Sentences about a run that the shell and the pages share."""

from collections import defaultdict
from collections.abc import Iterable

from upkeep.detected import Detected
from upkeep.enforcement import How
from upkeep.findings import Diagnosis, Finding, count_open
from upkeep.history import How as Parent
from upkeep.making import Comeback
from upkeep.numbers import listed, several
from upkeep.plan import PassedOver, Plan
from upkeep.policy import Action
from upkeep.report import RunReport
from upkeep.revisions import Explained
from upkeep.stages import stages_of
from upkeep.undo import Undo
from upkeep.values import decode, encode
from upkeep.verdict import Check

_WHOSE = {Parent.MISSED: "no row had it", Parent.ANOTHER: "another row had it"}
"""Of a number that was given again: whose it was when it was looked at last."""


def size_of_damage(detected: Detected) -> str:
    """How bad it is, in one line."""
    keys = sum(1 for finding in detected.findings if finding.orphans)
    if not detected.orphans:
        return (
            f"no orphan among {detected.rows:,} rows of {detected.tables} tables, "
            f"{len(detected.findings)} foreign keys asked"
        )
    return (
        f"{detected.orphans:,} orphans in {detected.orphan_rows:,} rows over {keys} of {len(detected.findings)} "
        f"foreign keys ({detected.rows:,} rows, {detected.tables} tables)"
    )


def size_in_short(detected: Detected) -> tuple[str, ...]:
    """The same in fewer and fewer words, for lines that are short."""
    asked = f"{len(detected.findings)} foreign keys"
    if not detected.orphans:
        return (f"no orphan, {asked} asked",)
    keys = sum(1 for finding in detected.findings if finding.orphans)
    orphans = f"{detected.orphans:,} orphans"
    over = f"over {keys} of {asked}"
    return f"{orphans} in {detected.orphan_rows:,} rows {over}", f"{orphans} {over}", orphans


def what_is_open(detected: Detected) -> str:
    """How many findings there are, as the auditor's page and a sign-off count them; '' where there is none."""
    faulty = [finding for finding in detected.troubled if finding.is_at_fault]
    reused = [len(finding.adopted) for finding in detected.troubled if finding.adopted]
    orphaned = sum(bool(finding.orphans) for finding in faulty)
    said = [
        f"{several(orphaned, 'key')} with orphans" if orphaned else "",
        f"{several(len(reused), 'key')} with re-used ids in {several(sum(reused), 'row')}" if reused else "",
        f"{several(len(faulty) - orphaned, 'key')} with another fault" if len(faulty) > orphaned else "",
    ]
    return f"{count_open(detected.troubled):,} ({', '.join(filter(None, said))})" if any(said) else ""


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Those with the most orphans first."""
    return sorted(findings, key=lambda finding: -(finding.orphans or 0))


def backup_afterwards(report: RunReport) -> str:
    """Which backup was taken of what a run has performed; in words where it did not come so far."""
    newest = report.backup if report.backup != report.backup_before else None
    return newest or "none: the run did not come so far"


def encrypted_to(recipients: tuple[str, ...]) -> str:
    """Whether backups are encrypted, and whose keys read them."""
    return f"encrypted to {', '.join(recipients)}" if recipients else "not encrypted"


def trouble(finding: Finding) -> str:
    """What is wrong with one key, and what speaks for it, without its name."""
    if finding.orphans is None:
        return f"could not be asked: {finding.unasked}"
    if finding.orphans or finding.adopted:
        return "; ".join([*map(str, finding.causes), *([adoption(finding)] if finding.adopted else [])])
    if finding.diagnosis is Diagnosis.PARENT_TABLE_MISSING:
        return f"the table {finding.key.parent} is gone; no orphans"
    if finding.diagnosis is Diagnosis.UNUSABLE_KEY:
        return f"the key cannot be used: {finding.key.fault}; no orphans"
    return "no orphans"


def adoption(finding: Finding) -> str:
    """Which rows found another parent under the number of their own, and what shows it."""
    rows = finding.adopted
    told = " or ".join(sorted({_WHOSE[one.how] for one in rows}))
    named = listed(tuple(", ".join(str(encode(decode(value))) for value in one.row) for one in rows), 5)
    moments = dict.fromkeys(one.before for one in rows)
    seen = listed(tuple(f"backup {one.backup}" if one.backup else f"the run of {one}" for one in moments), 3)
    whose = "does it belong" if len(rows) == 1 else "do they belong"
    return (
        f"{several(len(rows), 'row')} of {finding.key.child} ({named}) pointed at the same number of "
        f"{finding.key.parent} when {told}, last in {seen}: {whose} to the row that has it now?"
    )


def in_a_word(finding: Finding) -> str:
    """The diagnosis with what speaks for it; '' where nothing is wrong."""
    return "" if finding.diagnosis is Diagnosis.NONE else f"{finding.diagnosis.value}: {trouble(finding)}"


COUNTED = (
    "Of these, delete, nullify, reassign and restore count rows, heal and keep orphans; a row can be several orphans."
)
"""What the figures of a plan count, where they stand beside those of each key."""


def what_would_be_done(plan: Plan, finding: Finding) -> str:
    """What the plan does to the orphans of one key."""
    key = str(finding.key)
    said = done_to(plan, key)
    said += [f"of these {one.rows} as the next choice ({one.reason})" for one in plan.passed_over if one.key == key]
    said += [f"keep {kept.rows} ({kept.reason})" for kept in plan.kept if kept.key == key]
    return ", ".join([*said, *gone_otherwise(plan, finding)]) or "nothing"


def done_to(plan: Plan, key: str) -> list[str]:
    """What is done to rows because of one key, and to how many of them only because their parents go."""
    said = []
    for word, count in plan.by_key().get(key, {}).items():
        following = 0 if plan.undo else plan.following.get((key, word), 0)
        which = "" if not following else " (as parents go)" if following == count else f" ({following} as parents go)"
        said.append(f"{word} {count}{which}")
    return said


def next_choices(plan: Plan) -> list[str]:
    """Why orphans do not come to the first action of their rule, by action and reason; the most first."""
    alike: dict[tuple[Action, str], list[PassedOver]] = defaultdict(list)
    for one in plan.passed_over:
        alike[one.action, one.reason].append(one)
    told = []
    for (action, reason), some in alike.items():
        rows = sum(one.rows for one in some)
        which = some[0].key if len(some) == 1 else several(len(some), "key")
        told.append((-rows, f"{action} {several(rows, 'orphan')} of {which}, for {reason}"))
    return [said for _, said in sorted(told)]


def gone_otherwise(plan: Plan, finding: Finding) -> list[str]:
    """How many orphans of a key are in no figure of it, because their rows are deleted for another: then all sum up."""
    key = str(finding.key)
    if plan.undo or not finding.orphans:
        return []
    done = sum(count - plan.following.get((key, word), 0) for word, count in plan.by_key().get(key, {}).items())
    left = finding.orphans - done - sum(kept.rows for kept in plan.kept if kept.key == key)
    return [f"{left} deleted for another key"] if left > 0 else []


def plan_in_short(plan: Plan) -> str:
    """The plan in one line."""
    if plan.undo:
        return f"undo of run {plan.undo.run}: {undo_in_short(plan, plan.undo)}"
    counted = plan.by_action()
    if healed := sum(counts.get("heal", 0) for counts in plan.by_key().values()):
        counted["heal"] = healed
    said = [f"{word} {rows}" for word, rows in sorted(counted.items())]
    said += whole_tables(plan)
    if plan.enforced:
        said.append(f"enforce {several(len(plan.enforced), 'key')}")
    if plan.migration:
        said.append(f"migrate {plan.migration}")
    return ", ".join(said) or "nothing to do"


def in_stages(plan: Plan) -> str:
    """What cannot be undone as a whole, because revisions leave the transaction; '' where none does."""
    stages = stages_of(plan)
    apart = tuple(str(stage) for stage in stages if stage.apart)
    if not apart:
        return ""
    rows = " The clean-up is kept with the first stage and `upkeep undo` takes it back." if plan.repairs else ""
    return (
        f"The migration cannot be undone as a whole: {listed(apart)} can be done in no transaction. So it is done in "
        f"{several(len(stages), 'stage')} ({'; '.join(map(str, stages))}), and what was done by then stays when a "
        f"later one fails or is killed: the database is then at the revision before it, what it has left half done is "
        f"dropped, and the next run goes on from there.{rows}"
    )


def lint_in_short(revisions: tuple[Explained, ...]) -> str:
    """How many hints a linter has about what is pending, and what it was not asked; '' where it has nothing to say."""
    lints = [one.lint for one in revisions if one.lint]
    hints = sum(len(lint.hints) for lint in lints)
    silent = sorted({lint.unasked for lint in lints if lint.unasked})
    said = [f"{several(hints, 'hint')} about the pending SQL: `upkeep migrate --explain`"] if hints else []
    return "; ".join([*said, *(f"the pending SQL was not linted: {why}" for why in silent)])


_PUT_BACK = {Action.RESTORE: "insert again", Action.REASSIGN: "set back", Action.DELETE: "remove again"}


def undo_in_short(plan: Plan, undo: Undo) -> str:
    """What an undo does, what it leaves, and what points at nothing again after it."""
    counts: dict[Action, int] = {}
    for (_, action), rows in plan.by_table().items():
        counts[action] = counts.get(action, 0) + rows
    said = [f"{words} {counts[action]}" for action, words in _PUT_BACK.items() if action in counts]
    said += whole_tables(plan)
    if undo.there:
        said.append(f"{several(undo.there, 'row')} as before already")
    if undo.conflicts:
        said.append(f"{several(len(undo.conflicts), 'conflict')}")
    if undo.set_anew:
        said.append(f"{several(len(undo.set_anew), 'column')} set anew by triggers")
    if undo.astray:
        said.append(f"{several(sum(rows for _, rows in undo.astray), 'orphan')} again")
    return ", ".join(said) or "nothing to do"


def whole_tables(plan: Plan) -> list[str]:
    """The tables that come back as a whole, or go again, a sentence for each."""
    return [
        f"table {one.table} {'goes again' if one.goes else 'comes back'} with {several(plan.rows_of(one.table), 'row')}"
        + ("" if one.goes else f" from backup {one.backup}{_lacking(one)}")
        for one in plan.tables
    ]


def _lacking(one: Comeback) -> str:
    return f", without {'; without '.join(one.making.lacks)}" if one.making.lacks else ""


def slow_deletions(plan: Plan) -> str:
    """Why its deletions will take long, in words; empty where they will not."""
    if not plan.scans:
        return ""
    return (
        f"deletions will be slow: no index begins with the columns of {'; '.join(plan.scans)}, so that whole child "
        "tables are read to see who points at the rows that go, by some engines once for each row"
    )


def enforcement(plan: Plan) -> tuple[str, ...]:
    """What the plan does about foreign keys that the policy wants enforced, a sentence for each."""
    done = [
        f"{_BY[one.how]} {one.key} as {one.constraint}{f' ON DELETE {one.ondelete}' if one.ondelete else ''}, "
        f"{several(one.orphans, 'orphan')} now: {_WHEN[one.how]}"
        for one in plan.enforced
    ]
    return *done, *(f"{one.key} is not enforced as the policy wants: {one.reason}" for one in plan.unenforced)


_BY = {How.ADD: "declare", How.ENABLE: "switch on", How.VALIDATE: "validate"}
_WHEN = {
    How.ADD: "NOT VALID before any row changes, so that no new one comes, and validated after",
    How.ENABLE: "before any row changes, so that no new one comes",
    How.VALIDATE: "new ones cannot come already",
}


def mark(check: Check) -> str:
    """Yes, no, or not asked."""
    return {True: "holds", False: "FAILS", None: "NOT ASKED"}[check.holds]


def outcome(report: RunReport) -> str:
    """Passed or not, and how the run ended."""
    word = "passed" if report.passed else "did not pass"
    return f"the verdict {word}: {report.ended}" if report.verdict else report.ended
