"""The command that draws the auditor's page, by the kernel alone: it works with Prefect dead, and on a copy."""

import os
import shutil
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from upkeep.cli.reading import (
    Copy,
    Head,
    Name,
    SignedFrom,
    TrustedKeys,
    demand,
    ledger_document,
    not_intact,
    place,
    verified,
)
from upkeep.cli.saying import Json, end_badly, say
from upkeep.clock import utc_now
from upkeep.errors import Refused


def add_to(app: typer.Typer) -> None:
    """Put the command of this file into the program."""
    app.command()(report)


def report(
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], metavar="DAY", help="The first day (UTC).")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], metavar="DAY", help="The last day; else today.")
    ] = None,
    run: Annotated[str, typer.Option(metavar="RUN", help="One run in place of a period.")] = "",
    output: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to write; it must be new or empty.")
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="As PDF too.")] = False,
    copy: Copy = None,
    database: Name = "",
    head: Head = "",
    keys: TrustedKeys = None,
    signed_from: SignedFrom = 1,
    as_json: Json = False,
) -> None:
    """Draw the auditor's page of a period or of a run, with its tables as CSV; checks the ledger first."""
    from upkeep.pages.composing import Period, Source, period_page, run_page
    from upkeep.pages.contents import told
    from upkeep.pages.files import files_of

    if (first is None) == (run == ""):
        raise Refused("say of what: a period or a run", "write `upkeep report --from 2026-07-01 --to 2026-09-30`")
    asked = demand(head, keys, signed_from)
    store, name = place(copy, database)
    now = utc_now()
    folder = (output or Path(f"report-{name}-{run or f'{first:%Y-%m-%d}'}")).absolute()
    _refuse_a_full(folder)
    verdict, links = verified(store, name, asked)
    source = Source(name, store.url, now)
    if first is None:
        if not any(link.receipt.run == run for link in links):
            raise Refused(f"the ledger of {name} says nothing of run {run}", "`upkeep ledger show` lists every run")
        page = run_page(source, told(links), run, verdict)
    else:
        page = period_page(source, told(links), Period(first.date(), _until(first, last, now)), verdict)
    written = _write(folder, files_of(page, now, with_pdf=pdf, zipped=False))
    document: dict[str, Any] = {"page": str(folder / "page.html"), "files": written}
    document["figures"] = {figure.section: figure.shown for figure in page.figures}
    document |= ledger_document(verdict, ()) | {"receipts": verdict.receipts}
    text = "\n".join(
        (
            f"{page.title}: {', '.join(f'{figure.shown} {figure.noun}' for figure in page.figures)}",
            page.banner.sentence,
            f"page: {folder / 'page.html'}",
        )
    )
    if verdict.broken:
        end_badly(as_json, document, text, not_intact(name, verdict))
    say(as_json, document, text)


def _until(first: datetime, last: datetime | None, now: datetime) -> date:
    day = last.date() if last else now.date()
    if day < first.date():
        raise Refused(f"the period ends before it begins: {first:%Y-%m-%d} to {day}", "exchange --from and --to")
    return day


def _refuse_a_full(folder: Path) -> None:
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise Refused(f"{folder} is there and not an empty folder", "name a new one with --output")


def _write(folder: Path, files: Iterable[tuple[str, bytes]]) -> list[str]:
    """Every file, in a folder that appears when it is whole; their names."""
    part = folder.with_name(f".{folder.name}.{os.getpid()}")
    part.mkdir(parents=True)
    try:
        names = []
        for name, content in files:
            (part / name).parent.mkdir(exist_ok=True)
            (part / name).write_bytes(content)
            names.append(name)
        part.replace(folder)  # over an empty folder too
    except BaseException:
        shutil.rmtree(part)
        raise
    return names
