"""Commands about the ledger, by the kernel alone: they work with Prefect dead, and on a copy of the store."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from upkeep.cli.saying import Json, end_badly, say
from upkeep.errors import Damaged, Refused
from upkeep.ledger import Link
from upkeep.ledger_verdict import Demand, LedgerVerdict
from upkeep.receipts import verify_ledger
from upkeep.settings import load_settings
from upkeep.signatures import keys_from
from upkeep.stores import Store, open_store
from upkeep.wording import ledger as wording

app = typer.Typer(help="Read the ledger, and check it with the evidence that it names.")

Copy = Annotated[
    Path | None, typer.Option("--copy", metavar="FOLDER", help="Read this copy of the store, and no store of settings.")
]
Name = Annotated[str, typer.Option("--database", metavar="NAME", help="Whose ledger; else the one of the settings.")]


@app.command()
def show(
    copy: Copy = None,
    database: Name = "",
    run: Annotated[
        str, typer.Option(metavar="RUN", help="Only the receipts of this run, with all that they say.")
    ] = "",
    as_json: Json = False,
) -> None:
    """The receipts, oldest first: when, what, by which run."""
    store, name = _place(copy, database)
    verdict, links = verify_ledger(store, name, Demand())
    shown = [link for link in links if run in ("", link.receipt.run)]
    if not shown:
        raise Refused(f"the ledger of {name} in {store.url} says nothing of {run or 'anything'}", _BEGIN)
    document = _document(verdict, shown)
    for entry, link in zip(document["receipts"], shown, strict=True):
        entry |= link.receipt.model_dump(mode="json")
    told = wording.receipts(shown, in_full=bool(run))
    _answer(as_json, document, told, verdict, name)


@app.command()
def verify(
    copy: Copy = None,
    database: Name = "",
    head: Annotated[str, typer.Option(metavar="HASH", help="The hash of a receipt, written down elsewhere.")] = "",
    keys: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The public keys to trust; every receipt must be signed by one.")
    ] = None,
    signed_from: Annotated[
        int, typer.Option(min=1, metavar="NUMBER", help="Receipts before it need no signature.")
    ] = 1,
    as_json: Json = False,
) -> None:
    """Is every receipt, and every piece of evidence that it names, as it was written?"""
    if head and not re.fullmatch(r"[0-9a-f]{64}", head):
        raise Refused(f"{head} is no hash of a receipt", "give all 64 digits that `upkeep ledger show` prints last")
    store, name = _place(copy, database)
    trusted = keys or load_settings().ledger_public_keys
    signed = keys_from(trusted).verify if trusted else None
    verdict, links = verify_ledger(store, name, Demand(signed, signed_from, head or None))
    if not verdict.receipts and not verdict.broken:
        raise Refused(f"there is no ledger of {name} in {store.url}", _BEGIN)
    _answer(as_json, _document(verdict, links), wording.verdict(name, verdict), verdict, name)


_BEGIN = "every run of `upkeep maintain` writes receipts; see --database and --copy for another place"


def _place(copy: Path | None, database: str) -> tuple[Store, str]:
    settings = load_settings()
    if copy is not None and not copy.is_dir():
        raise Refused(f"{copy} is no folder", "copy the store there, for instance with `aws s3 sync`")
    url = settings.store if copy is None else copy.absolute().as_uri()
    return open_store(url), database or settings.database


def _document(verdict: LedgerVerdict, links: list[Link] | tuple[Link, ...]) -> dict[str, Any]:
    return {
        "receipts": [
            {"number": one.receipt.number, "written": one.receipt.written, "kind": one.receipt.kind, "hash": one.hash}
            for one in links
        ],
        "head": verdict.head,
        "intact": verdict.intact,
        "complete": verdict.complete,
        "signed": verdict.signed,
        "anchored": verdict.anchored,
        "anchored_to": verdict.anchored_to,
        "broken": list(verdict.broken),
        "open": list(verdict.open),
        "told": list(verdict.told),
    }


def _answer(as_json: bool, document: dict[str, Any], told: str, verdict: LedgerVerdict, name: str) -> None:
    if verdict.broken:
        count = "one fault" if len(verdict.broken) == 1 else f"{len(verdict.broken)} faults"
        what = f"the ledger of {name} is not intact: {count}, first {verdict.broken[0]}"
        hint = "stop; compare with another copy of the store, and find out who could write to it"
        end_badly(as_json, document, told, Damaged(what, hint))
    say(as_json, document, told)
