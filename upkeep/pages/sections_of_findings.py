"""The sections of a page that say what was found: what is open, since when, what is no more, and what each look saw."""

from collections.abc import Sequence

from upkeep.pages import frames, plots
from upkeep.pages.page import Column, Section
from upkeep.pages.sections import RECEIPTS, RUN, WHEN, Row

AGES = ((0, "less than a week"), (7, "a week to a month"), (30, "one to three months"), (90, "more than three months"))


def looks(rows: Sequence[Row]) -> Section:
    """How many orphans there were, and when."""
    columns = (
        WHEN,
        RUN,
        Column("rows", "rows looked at", "number"),
        Column("orphans", "orphans", "number"),
        Column("orphan_rows", "orphan rows", "number"),
        Column("reused", "re-used ids", "number"),
        Column("back", "older backups asked"),
        RECEIPTS,
    )
    counted = [(row["when"], row["orphans"]) for row in rows if row["orphans"] is not None]
    plot = plots.points("orphans, look by look", counted, "", joined=True)
    return Section("What each look saw", frames.table("looks", columns, rows), empty="nobody looked", plot=plot)


def findings(rows: Sequence[Row], *, aged: bool) -> Section:
    """What is still wrong, the oldest first."""
    ages = (Column("days", "days open", "days"), Column("since", "since (UTC)", "when")) if aged else ()
    columns = (
        Column("key", "foreign key"),
        Column("orphans", "orphans", "number"),
        Column("missing", "missing keys", "number"),
        Column("reused", "re-used ids", "number"),
        Column("diagnosis", "what is wrong"),
        Column("standing", "standing"),
        Column("owner", "owner"),
        *ages,
        RECEIPTS,
    )
    told = (
        "At the last look. A row with a re-used id found another parent under the number of its own: it is no orphan "
        "and is counted apart, as far as older backups and runs tell."
    )
    told += " A finding is as old as the first look of an unbroken row that saw it." if aged else ""
    plot = plots.bars("open findings, by age", _by_age(rows)) if aged and rows else None
    return Section("Open findings", frames.table("findings", columns, rows), told, "no finding is open", plot)


def closed(rows: Sequence[Row], *, aged: bool) -> Section:
    """What was wrong and is no more."""
    ages = (Column("since", "since (UTC)", "when"), Column("days", "days open", "days")) if aged else ()
    columns = (
        Column("key", "foreign key"),
        Column("diagnosis", "what was wrong"),
        Column("orphans", "orphans", "number"),
        Column("closed", "closed (UTC)", "when"),
        *ages,
        RECEIPTS,
    )
    return Section("Findings that were closed", frames.table("closed", columns, rows), empty="none was closed")


def _by_age(rows: Sequence[Row]) -> list[tuple[str, int, str]]:
    found = []
    for place, (least, label) in enumerate(AGES):
        most = AGES[place + 1][0] if place + 1 < len(AGES) else None
        count = sum(row["days"] >= least and (most is None or row["days"] < most) for row in rows)
        found.append((label, count, f"{count:,}"))
    return found
