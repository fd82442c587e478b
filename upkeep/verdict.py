"""The verdict: the claims that were checked, each with what was seen, and whether all of them hold."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from upkeep.answers import Answer
from upkeep.databases import Behind
from upkeep.enforcement import Enforced, How, Lapse
from upkeep.findings import Finding
from upkeep.history import Gone, History
from upkeep.losses import Loss
from upkeep.numbers import several
from upkeep.plan import Migration, Plan
from upkeep.standing import Standing


class Check(BaseModel):
    """One claim. ``holds`` is None where it could not be asked, which is not a yes (P-96).

    ``owner`` is who sees to it where it does not hold, as its suite says; '' where nobody is named.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    claim: str
    holds: bool | None
    seen: str
    owner: str = ""


class Verdict(BaseModel):
    """All claims of one moment: the rehearsal, the verification after a performance, or a look without either.

    ``left_out`` says which claims nobody made, and why: they count neither for nor against.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    checks: tuple[Check, ...]
    left_out: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Does every claim hold? Nothing checked is not green."""
        return bool(self.checks) and all(check.holds is True for check in self.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The claims that do not hold or could not be asked."""
        return tuple(check for check in self.checks if check.holds is not True)

    def document(self) -> dict[str, Any]:
        """The verdict as JSON."""
        checks = [check.model_dump(exclude_defaults=True) for check in self.checks]
        return {"passed": self.passed, "checks": checks, "left_out": list(self.left_out)}


def judge_backup(against: tuple[str, ...], tables: int, rows: int) -> Check:
    """Was the backup restored and found equal?"""
    seen = "; ".join(against) or f"{tables} tables, {rows:,} rows, every byte as it was stored"
    return Check(claim="the backup was restored and is what was stored", holds=not against, seen=seen)


def judge_keys_asked(findings: tuple[Finding, ...], *, tables: int) -> Check:
    """Was every foreign key asked? A database in which nothing could be asked is not clean."""
    silent = [finding for finding in findings if finding.orphans is None]
    holds = None if silent else bool(findings) or tables > 0
    seen = "; ".join(f"{finding.key}: {finding.unasked}" for finding in silent)
    return Check(claim="every foreign key was asked", holds=holds, seen=seen or f"{len(findings)} of {len(findings)}")


def judge_business_rules(answers: Iterable[Answer]) -> tuple[Check, ...]:
    """One claim for each critical rule of the hand-written suites; warnings are told in one that always holds."""
    checks = []
    warnings = []
    for answer in answers:
        if answer.severity == "critical" or answer.holds is None:
            checks.append(Check(claim=answer.description, holds=answer.holds, seen=answer.seen, owner=answer.owner))
        elif not answer.holds:
            warnings.append(f"{answer.description}: {answer.seen}")
    if warnings:
        checks.append(Check(claim="rules that only warn were asked", holds=True, seen="; ".join(warnings)))
    return tuple(checks)


def judge_limits(beyond: tuple[str, ...], plan: Plan, losses: tuple[Loss, ...] = ()) -> Check:
    """Is the plan within the policy's limits, with the rows that its migration takes?"""
    gone = sum(loss.rows for loss in losses)
    with_it = f", and {several(gone, 'row')} would go with the migration" if gone else ""
    seen = "; ".join(beyond) or f"{plan.rows} rows would change{with_it}"
    return Check(claim="the plan is within the policy's limits", holds=not beyond, seen=seen)


def judge_orphans_left(findings: tuple[Finding, ...], plan: Plan) -> Check:
    """After the repair: is every orphan that is left one that the policy keeps?"""
    kept: dict[str, int] = {}
    for one in plan.kept:
        kept[one.key] = kept.get(one.key, 0) + one.rows
    silent = [f for f in findings if f.orphans is None]
    wrong = [
        f"{f.key} has {f.orphans} orphans, {kept.get(str(f.key), 0)} are kept"
        for f in findings
        if f.orphans is not None and f.orphans != kept.get(str(f.key), 0)
    ]
    wrong += [f"{f.key} could not be asked" for f in silent]
    left = sum(kept.values())
    return Check(
        claim="every orphan that is left is one that the policy keeps",
        holds=None if silent else not wrong,
        seen="; ".join(wrong) or (f"{left} kept" if left else "no orphan is left"),
    )


def judge_orphans_since(findings: tuple[Finding, ...], plan: Plan) -> Check:
    """Is there no orphan but those that the plan keeps? Some of these may have been mended by others since."""
    kept: dict[str, int] = {}
    for one in plan.kept:
        kept[one.key] = kept.get(one.key, 0) + one.rows
    more = [
        f"{finding.key} has {finding.orphans:,} orphans, in the rehearsal {kept.get(str(finding.key), 0):,} were kept"
        for finding in findings
        if (finding.orphans or 0) > kept.get(str(finding.key), 0)
    ]
    return Check(
        claim="no row has become an orphan since the rehearsal",
        holds=not more,
        seen="; ".join(more) or f"{len(findings)} keys asked",
    )


def judge_complaints(complaints: tuple[str, ...]) -> Check:
    """Does the engine's own check find the database whole? Where a backup is restored its proof asks the same."""
    seen = "; ".join(complaints) or "it finds nothing"
    return Check(claim="the engine's own check finds nothing wrong", holds=not complaints, seen=seen)


def judge_history(history: History | None) -> tuple[Check, ...]:
    """Has an orphan vanished although nobody of us repaired it? () where no run and no older backup shows one.

    A parent that is there again may be another row under the same number: then the child belongs to somebody else now,
    and no engine sees it (P-53). What the application itself has deleted, emptied or pointed elsewhere is told.
    """
    if history is None or not (history.before or history.found_back or history.silent):
        return ()
    gone, healed, found_back = history.gone, history.healed, history.found_back or {}
    holds = False if healed or found_back else None if Gone.UNKNOWN in gone or history.silent else True
    told = [f"{number:,} of {key}: the parent is there again, is it the same row?" for key, number in healed.items()]
    told += [
        f"{number:,} of {key}: the last backup has another row under the number of the parent"
        for key, number in found_back.items()
    ]
    told += history.silent
    told += [f"{number:,} gone: {reason.value}" for reason, number in gone.items() if reason is not Gone.HEALED]
    told += [f"{history.new:,} new"] if history.new else []
    return (Check(claim="no orphan has healed by itself", holds=holds, seen="; ".join(told) or "none is gone or new"),)


def judge_freshness(behind: Behind | None, longest_seconds: float) -> tuple[Check, ...]:
    """Does a replica show the database as it lately was? () where it was no replica that was looked at."""
    if behind is None:
        return ()
    holds = None if behind.seconds is None else behind.seconds <= longest_seconds
    age = (
        "nobody knows since when" if behind.seconds is None else f"the last change in it is {behind.seconds:,.0f} s old"
    )
    seen = f"{behind.bytes:,} bytes of changes are missing; {age}" if behind.bytes else "no change was missing"
    return (Check(claim="the replica is less than a day behind the live database", holds=holds, seen=seen),)


def judge_changes(changed: int, planned: int, beside: int) -> Check:
    """Did the plan's rows change, and what else did?"""
    seen = f"{changed} of {planned} rows of the plan"
    if beside:
        seen += f", and {beside} more by triggers"
    return Check(claim="every changed row is on record", holds=changed == planned, seen=seen)


def judge_enforcement(refused: bool, said: str) -> Check:
    """Is a violation refused by a connection that enforces foreign keys?"""
    return Check(claim="foreign keys can be enforced", holds=refused, seen=said)


def judge_enforced(enforced: Iterable[Enforced], lapses: Mapping[str, Lapse], silence: str = "") -> tuple[Check, ...]:
    """Are a plan's keys in force, and do all rows keep them? () where it has none; ``silence``: why nobody knows."""
    keys = tuple(enforced)
    if not keys:
        return ()
    lacking = [f"{one.key} {_LACKS[lapse.how]}" for one in keys if (lapse := lapses.get(str(one.key)))]
    return (
        Check(
            claim="the foreign keys of the plan are in force and all rows keep them",
            holds=None if silence else not lacking,
            seen=silence or "; ".join(lacking) or ", ".join(str(one.key) for one in keys),
        ),
    )


_LACKS = {
    How.ADD: "is not declared",
    How.ENABLE: "is switched off",
    How.VALIDATE: "is NOT VALID, for rows violate it; new ones cannot",
}

_ARRIVED = "the migration arrived at its head"


def judge_failed_migration(said: str) -> Check:
    """A migration that stopped half way did not arrive."""
    return Check(claim=_ARRIVED, holds=False, seen=said)


_REPEATABLE = "what is done in no transaction can be repeated or taken back"


def judge_apart(wrong: tuple[str, ...], apart: int) -> tuple[Check, ...]:
    """May each revision that leaves the transaction be performed? () where none does."""
    if not apart:
        return ()
    seen = "; ".join(wrong) or f"{several(apart, 'revision')}, of which nothing is undone with the others"
    return (Check(claim=_REPEATABLE, holds=not wrong, seen=seen),)


def judge_heard(revision: str, wrong: str) -> Check:
    """Has a revision that left the transaction said nothing but what it had foretold, or what is as harmless?"""
    return Check(claim=_REPEATABLE, holds=not wrong, seen=f"{revision} {wrong or 'said nothing else'}")


def joined(checks: Iterable[Check]) -> tuple[Check, ...]:
    """The claims of several stages, each once: it holds where it held in all of them."""
    by_claim: dict[str, list[Check]] = {}
    for check in checks:
        by_claim.setdefault(check.claim, []).append(check)
    return tuple(
        Check(
            claim=claim,
            holds=False if any(one.holds is False for one in same) else all(one.holds for one in same) or None,
            seen="; ".join(dict.fromkeys(one.seen for one in same)),
            owner=same[0].owner,
        )
        for claim, same in by_claim.items()
    )


def judge_migration(migration: Migration, last: str, after: Standing, losses: tuple[Loss, ...]) -> list[Check]:
    """Is the database at the head, and is nothing gone of which no revision speaks? No exit code proves it (P-115).

    ``last`` is the revision that was to be done last: the head, but for a migration in stages.
    """
    arrived = after.revision == (last,) if last == migration.head else last in after.revision
    rows = [loss for loss in losses if not loss.is_of_schema]
    schema = [loss for loss in losses if loss.is_of_schema]
    return [
        Check(claim=_ARRIVED, holds=arrived, seen=", ".join(after.revision) or "no revision"),
        _unsaid("the migration lost no row and no value without a word", rows),
        _unsaid("the migration lost nothing of the schema without a word", schema),
    ]


def _unsaid(claim: str, losses: list[Loss]) -> Check:
    unsaid = [loss.what for loss in losses if loss.by is None]
    if not unsaid:
        return Check(claim=claim, holds=True, seen="; ".join(map(str, losses)) or "nothing is gone")
    meant = ", ".join(f'"{what}"' for what in unsaid)
    return Check(
        claim=claim,
        holds=False,
        seen=f"{'; '.join(unsaid)}; if that is meant, write upkeep_loses = [{meant}] into the revision",
    )


def judge_new_keys(orphans: dict[str, int]) -> Check:
    """Has the migration declared a key that rows violate? Some engines take it all the same (P-91)."""
    wrong = [f"{key} has {count:,} orphans" for key, count in orphans.items() if count]
    seen = "; ".join(wrong) or f"{len(orphans)} new, without orphans"
    return Check(claim="no row violates a key that the migration has declared", holds=not wrong, seen=seen)


def judge_coming_keys(orphans: dict[str, int]) -> Check:
    """Would rows violate a foreign key that the migration declares? Some engines take it all the same (P-91)."""
    told = [
        f"the migration would declare {key}, of which {count:,} row{' is an orphan' if count == 1 else 's are orphans'}"
        for key, count in orphans.items()
        if count
    ]
    seen = "; ".join(told) or f"{len(orphans)} asked"
    return Check(claim="no row violates a key that the migration is about to declare", holds=not told, seen=seen)


def judge_likeness(promised: Standing, came: Standing) -> Check:
    """Did the migration of the live database come to what it came to in the rehearsal?"""
    differs = sorted(came.tables.keys() ^ promised.tables.keys())
    seen = f"tables {', '.join(differs)}" if differs else "the schema differs"
    same = came.schema_digest == promised.schema_digest
    return Check(
        claim="the schema is the one that the rehearsal ended with", holds=same, seen="it is the same" if same else seen
    )
