"""How a page is put together: of one run as it ends or later, or of a period."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from upkeep import __version__
from upkeep.ledger_verdict import LedgerVerdict
from upkeep.numbers import several
from upkeep.pages import changed, proofs, runs, sections, sections_of_findings, troubles
from upkeep.pages.contents import Told
from upkeep.pages.lasting import lasting, lasting_rows
from upkeep.pages.page import Banner, Figure, Page, Section

Row = dict[str, Any]
_FAULTS = 50
"""So many faults of a ledger stand on the page; `upkeep ledger verify` has all."""


@dataclass(frozen=True)
class Period:
    """Days in UTC, both of them included."""

    first: date
    last: date

    def __contains__(self, day: object) -> bool:
        return str(self.first) <= str(day) <= str(self.last)

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"


@dataclass(frozen=True)
class Source:
    """Whose ledger, where it was read, and when the page was drawn (UTC)."""

    database: str
    store: str
    drawn: datetime


def period_page(source: Source, told: tuple[Told, ...], period: Period, verdict: LedgerVerdict) -> Page:
    """What was done in a period; ``told`` is the whole ledger, for what is open may have begun before.

    A run stands in the period in which it began, all else on the day of its receipt.
    """
    ran = runs.runs_of(told)
    began = tuple(run for run in ran if run.told[0].day in period)
    until = tuple(one for one in told if one.day <= str(period.last))
    today = min(str(period.last), f"{source.drawn:%Y-%m-%d}")
    found, closed = troubles.finding_rows(until)

    def within(rows: Iterable[Row]) -> list[Row]:
        return [row for row in rows if row["day"] in period]

    parts = (
        sections.alarms(within(troubles.alarm_rows(ran, told, today))),
        sections.runs(runs.run_rows(began)),
        sections.approvals(within(runs.approval_rows(ran))),
        sections.reviews(within(runs.review_rows(ran))),
        sections.changes_together(within(changed.change_rows(ran))),
        sections.changes_by_rule(within(changed.rule_rows(ran))),
        sections.changes(within(changed.change_rows(ran))),
        sections.migrations(within(changed.migration_rows(ran))),
        lasting(within(lasting_rows(ran))),
        sections.restores(within(proofs.restore_rows(told))),
        sections.backups(within(proofs.backup_rows(told))),
        sections.prunings(within(proofs.pruning_rows(told))),
        sections_of_findings.findings(found, aged=True),
        sections.owners(troubles.owner_rows(found, runs.runs_of(until))),
        sections_of_findings.closed(within(closed), aged=True),
        sections_of_findings.looks(within(troubles.look_rows(told))),
        sections.exceptions(within(troubles.exception_rows(ran, told))),
        sections.scopes(within(runs.scope_rows(ran))),
    )
    facts = (
        ("period", f"{period} (UTC)"),
        *_facts(source),
        ("counted", "a run where it began, all else by its receipt"),
    )
    inside = {one.number for one in told if one.day in period}
    return _page(f"{source.database}, {period}", source, facts, _banner(verdict), parts, told, inside)


def run_page(source: Source, told: tuple[Told, ...], name: str, verdict: LedgerVerdict | None) -> Page:
    """What one run did, by its own receipts; without a verdict on the ledger it is the page that the run leaves."""
    own = tuple(one for one in told if one.run == name)
    ran = runs.runs_of(own)
    found, closed = troubles.finding_rows(own)
    last = own[-1].day if own else ""
    parts = (
        sections.alarms(troubles.alarm_rows(ran, own, last)),
        sections.runs(runs.run_rows(ran)),
        sections.approvals(runs.approval_rows(ran)),
        sections.reviews(runs.review_rows(ran)),
        sections.changes(changed.change_rows(ran)),
        sections.changes_by_rule(changed.rule_rows(ran)),
        sections.migrations(changed.migration_rows(ran)),
        lasting(lasting_rows(ran)),
        sections.claims(runs.claim_rows(ran)),
        sections.exceptions(troubles.exception_rows(ran, own)),
        sections_of_findings.findings(found, aged=False),
        sections.owners(troubles.owner_rows(found, ran)),
        sections_of_findings.closed(closed, aged=False),
        sections_of_findings.looks(troubles.look_rows(own)),
        sections.restores(proofs.restore_rows(own)),
        sections.backups(proofs.backup_rows(own)),
        sections.prunings(proofs.pruning_rows(own)),
        sections.steps(runs.step_rows(ran)),
        sections.evidence(runs.evidence_rows(own)),
        sections.scopes(runs.scope_rows(ran)),
    )
    facts = (("run", name), *_facts(source))
    banner = _banner(verdict) if verdict else _left_by_the_run()
    return _page(f"{source.database}, run {name}", source, facts, banner, parts, own, {one.number for one in own})


def _page(
    title: str,
    source: Source,
    facts: tuple[tuple[str, str], ...],
    banner: Banner,
    parts: tuple[Section, ...],
    told: tuple[Told, ...],
    inside: set[int],
) -> Page:
    """With the receipts that stand inside, and those to which a figure leads."""
    named = inside | {number for part in parts for number in _named(part)}
    appendix = sections.receipts([one for one in told if one.number in named])
    hashes = {one.number: one.hash for one in told if one.number in named}
    return Page(title, source.database, facts, banner, _figures(parts), parts, appendix, hashes)


def _named(part: Section) -> Iterable[int]:
    places = [place for place, column in enumerate(part.table.columns) if column.kind == "receipts"]
    return (number for row in part.table.rows for place in places for number in row[place])


def _facts(source: Source) -> tuple[tuple[str, str], ...]:
    return (
        ("database", source.database),
        ("store", source.store),
        ("drawn", f"{source.drawn:%Y-%m-%d %H:%M:%S} UTC, by Upkeep {__version__}"),
    )


def _figures(parts: tuple[Section, ...]) -> tuple[Figure, ...]:
    tables = {part.table.name: part.table for part in parts}

    def total(name: str, field: str) -> int:
        place = [column.field for column in tables[name].columns].index(field)
        return sum(row[place] or 0 for row in tables[name].rows)

    alarms, holding, restores = len(tables["alarms"].rows), total("restores", "holds"), len(tables["restores"].rows)
    return (
        _figure(len(tables["runs"].rows), "run", "runs"),
        _figure(len(tables["approvals"].rows), "approval", "approvals"),
        _figure(total("changes", "rows"), "row", "changes", " changed"),
        Figure(f"{holding:,} of {restores:,}", "restores hold", "restores", "plain" if holding == restores else "bad"),
        _figure(total("findings", "orphans"), "orphan", "findings", " left"),
        replace(_figure(alarms, "alarm", "alarms"), tone="bad" if alarms else "plain"),
    )


def _figure(count: int, noun: str, section: str, more: str = "") -> Figure:
    shown, _, word = several(count, noun).partition(" ")
    return Figure(shown, word + more, section)


def _left_by_the_run() -> Banner:
    return Banner(
        "plain",
        "Drawn by the run itself, before its last receipt was written",
        (
            "that receipt names this page by its SHA-256, so it cannot stand here whole: it is the one called “last”",
            "whether all is as it was written says: upkeep ledger verify; this draws it anew: upkeep report --run RUN",
        ),
    )


def _banner(verdict: LedgerVerdict) -> Banner:
    if not verdict.receipts and not verdict.broken:
        return Banner("bad", "There is no receipt: nothing on this page is proven")
    signed = {None: "not asked", True: "yes", False: "NO"}[verdict.signed]
    anchored = f"up to receipt {verdict.anchored_to:,} of {verdict.receipts:,}" if verdict.anchored else "no"
    lines = (
        *verdict.broken[:_FAULTS],
        *([f"and {len(verdict.broken) - _FAULTS:,} faults more"] if len(verdict.broken) > _FAULTS else []),
        *(f"run {run} has begun and not ended: it is at work, or it died" for run in verdict.open),
        f"signed: {signed}; anchored: {anchored}; head: {verdict.head or 'unknown'}",
        *verdict.told,
    )
    if verdict.broken:
        faults = several(len(verdict.broken), "fault")
        return Banner("bad", f"THE LEDGER IS NOT INTACT: {faults}. Do not rely on this page", lines)
    if verdict.open:
        return Banner("plain", f"The ledger is intact and not complete: {several(verdict.receipts, 'receipt')}", lines)
    return Banner("good", f"The ledger is intact and complete: {several(verdict.receipts, 'receipt')}", lines)
