"""The sections of a page: which rows stand in which table, in what columns, with which plot."""

from collections.abc import Sequence
from typing import Any

from upkeep.pages import frames, plots
from upkeep.pages.contents import Told
from upkeep.pages.page import Column, Section
from upkeep.pages.shown import shown

Row = dict[str, Any]
RECEIPTS = Column("receipts", "receipts", "receipts")
TIMES = (Column("times", "times", "number"), Column("first", "first"), Column("last", "last"))
RUN, WHEN, ROWS = Column("run", "run"), Column("when", "when (UTC)", "when"), Column("rows", "rows", "number")


def runs(rows: Sequence[Row]) -> Section:
    """What was started and how it ended."""
    columns = (
        RUN,
        Column("began", "began (UTC)", "when"),
        Column("asked", "asked to"),
        Column("ended", "how it ended"),
        Column("passed", "passed", "answer"),
        Column("rows", "rows changed", "number"),
        Column("reviewed", "signed off by"),
        RECEIPTS,
    )
    return Section("Runs", frames.table("runs", columns, rows), empty="no run began")


def approvals(rows: Sequence[Row]) -> Section:
    """On whose word."""
    columns = (
        WHEN,
        RUN,
        Column("plan", "plan", "digest"),
        Column("requested", "asked for by"),
        Column("by", "approved by"),
        Column("reason", "reason"),
        ROWS,
        Column("performed", "performed", "answer"),
        RECEIPTS,
    )
    told = "A name is what somebody typed; it proves no identity."
    return Section("Who approved what", frames.table("approvals", columns, rows), told, "nothing was approved")


def reviews(rows: Sequence[Row]) -> Section:
    """Who has read what runs left."""
    columns = (
        WHEN,
        RUN,
        Column("by", "reviewer"),
        Column("note", "note"),
        Column("findings", "findings open", "number"),
        Column("claims", "claims open", "number"),
        RECEIPTS,
    )
    told = "What was open when it was signed. A name is what somebody typed; it proves no identity."
    return Section("Reviewer sign-off", frames.table("reviews", columns, rows), told, "no run was signed off")


def owners(rows: Sequence[Row]) -> Section:
    """Whose it is to put right."""
    columns = (Column("owner", "owner"), Column("what", "what is open"), *TIMES, RECEIPTS)
    told = "At the last look and the last verdict. The policy names who owns a finding, a suite who owns its claim."
    table = frames.counted("owners", columns, rows, by=("owner", "what"))
    return Section("Corrective action, by owner", table, told, "nothing is open")


def changes(rows: Sequence[Row]) -> Section:
    """Every change of every run."""
    columns = (
        RUN,
        Column("table", "table"),
        Column("action", "action"),
        ROWS,
        Column("before", "table before", "number"),
        Column("after", "table after", "number"),
        RECEIPTS,
    )
    told = (
        "A row counts once for each action, whichever of its keys decided; rows that go with their parents count too. "
        "The size of a table stands once, beside what changed it where anything did. "
        "The rows themselves, before and after, stand in the store below repairs/ and never on this page."
    )
    return Section("Changes by run", frames.table("changes", columns, rows), told, "no row was changed")


def changes_together(rows: Sequence[Row]) -> Section:
    """The same by table and action."""
    columns = (Column("table", "table"), Column("action", "action"), ROWS, *TIMES, RECEIPTS)
    table = frames.counted("changes-by-table", columns, rows, by=("table", "action"), adding="rows")
    table = frames.most_first(table, "rows")
    drawn = [(f"{row[0]}: {row[1]}", row[2], f"{row[2]:,}") for row in table.rows]
    plot = plots.bars("rows changed, by table and action", drawn)
    return Section("Rows changed, by table and action", table, empty="no row was changed", plot=plot)


def changes_by_rule(rows: Sequence[Row]) -> Section:
    """The same by the rule that decided."""
    columns = (
        Column("rule", "rule of the policy"),
        Column("why", "why"),
        Column("table", "table"),
        Column("action", "action"),
        ROWS,
        RECEIPTS,
    )
    by = ("rule", "why", "table", "action")
    table = frames.counted("changes-by-rule", columns, rows, by=by, adding="rows")
    told = (
        "Rules are numbered as in the policy of that day, whose digest stands under Where and by what. "
        "A row that two rules speak of stands under both."
    )
    return Section("Rows changed, by rule", table, told, "no rule changed a row")


def migrations(rows: Sequence[Row]) -> Section:
    """Changes of the schema."""
    columns = (
        WHEN,
        RUN,
        Column("from", "from"),
        Column("to", "to"),
        Column("revisions", "revisions", "number"),
        Column("digest", "SHA-256 of their files", "digest"),
        RECEIPTS,
    )
    return Section("Migrations performed", frames.table("migrations", columns, rows), empty="none was performed")


def restores(rows: Sequence[Row]) -> Section:
    """Is there a backup that comes back, and how fast?"""
    columns = (
        WHEN,
        Column("what", "what"),
        Column("backup", "backup"),
        ROWS,
        Column("plain_bytes", "size", "bytes"),
        Column("stored_bytes", "stored", "bytes"),
        Column("milliseconds", "time of the restore", "milliseconds"),
        Column("age_seconds", "age of what came back", "age"),
        Column("holds", "holds", "answer"),
        RECEIPTS,
    )
    timed = [(row["when"], row["milliseconds"]) for row in rows]
    plot = plots.points("time of each restore, in milliseconds", timed, " ms", joined=False)
    return Section("Restore tests", frames.table("restores", columns, rows), empty="no backup was restored", plot=plot)


def backups(rows: Sequence[Row]) -> Section:
    """What was taken and what became of it."""
    columns = (
        Column("backup", "backup"),
        Column("taken", "taken (UTC)", "when"),
        ROWS,
        Column("plain_bytes", "size", "bytes"),
        Column("stored_bytes", "stored", "bytes"),
        Column("encryption", "encryption"),
        Column("digest", "SHA-256, stored", "digest"),
        Column("proven", "first proven", "when"),
        Column("removed", "removed", "when"),
        RECEIPTS,
    )
    return Section("Backups taken", frames.table("backups", columns, rows), empty="no backup was taken")


def prunings(rows: Sequence[Row]) -> Section:
    """What retention took away."""
    columns = (WHEN, Column("backup", "backup"), Column("why", "why"), RECEIPTS)
    return Section("Backups removed", frames.table("prunings", columns, rows), empty="no backup was removed")


def alarms(rows: Sequence[Row]) -> Section:
    """What somebody should have heard of."""
    columns = (Column("day", "day"), Column("alarm", "alarm"), Column("told", "what"), RUN, RECEIPTS)
    return Section("Alarms", frames.table("alarms", columns, rows))


def exceptions(rows: Sequence[Row]) -> Section:
    """What nobody asked or compared: for that neither yes nor no is said."""
    columns = (Column("what", "what"), Column("told", "of what"), *TIMES, RECEIPTS)
    told = "What could not be asked is no yes and no no."
    return Section("Exceptions", frames.counted("exceptions", columns, rows, by=("what", "told")), told)


def claims(rows: Sequence[Row]) -> Section:
    """What was checked."""
    columns = (
        Column("verdict", "verdict"),
        Column("claim", "claim"),
        Column("said", "answer"),
        Column("owner", "owner"),
        RECEIPTS,
    )
    told = "A rehearsal speaks of a copy, a verification of what was done to the database."
    return Section("What was checked", frames.table("claims", columns, rows), told, "nothing was checked")


def steps(rows: Sequence[Row]) -> Section:
    """How long it took."""
    columns = (Column("step", "step"), Column("milliseconds", "time", "milliseconds"), RECEIPTS)
    times = [(row["step"], row["milliseconds"] or 0, shown("milliseconds", row["milliseconds"])) for row in rows]
    plot = plots.bars("time of each step", times)
    return Section("Steps", frames.table("steps", columns, rows), empty="no step is told", plot=plot)


def evidence(rows: Sequence[Row]) -> Section:
    """The files that receipts name."""
    columns = (
        Column("file", "file of the store"),
        Column("bytes", "size", "bytes"),
        Column("digest", "SHA-256", "digest"),
        RECEIPTS,
    )
    return Section("Evidence", frames.table("evidence", columns, rows), empty="no file is named")


def scopes(rows: Sequence[Row]) -> Section:
    """Where, by which versions, as whom, by which policy."""
    fields = {
        "place": "database",
        "engine": "engine",
        "engine_version": "its version",
        "upkeep": "Upkeep",
        "host": "host",
        "account": "account",
        "policy_sha256": "policy",
    }
    columns = tuple(
        Column(name, head, "digest" if name == "policy_sha256" else "text") for name, head in fields.items()
    )
    table = frames.counted("scopes", (*columns, *TIMES, RECEIPTS), rows, by=tuple(fields))
    return Section("Where and by what", table, empty="no run began")


def receipts(told: Sequence[Told]) -> Section:
    """The appendix: each receipt to which a figure leads."""
    columns = (
        Column("number", "number", "number"),
        Column("written", "written (UTC)", "when"),
        Column("kind", "kind"),
        Column("run", "run"),
        Column("hash", "hash"),
        Column("signed_by", "signed by"),
        Column("files", "files named", "number"),
    )
    rows: list[Row] = [
        {
            "number": one.number,
            "written": one.written,
            "kind": one.kind,
            "run": one.run,
            "hash": one.hash,
            "signed_by": one.signed_by or "",
            "files": len(one.evidence),
        }
        for one in told
    ]
    words = "Each is an object of the store, ledger/NUMBER.json, whose hash covers all that it says."
    return Section("The receipts", frames.table("receipts", columns, rows), words, "there is none")
