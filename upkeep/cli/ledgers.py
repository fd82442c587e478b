"""Commands about the ledger, by the kernel alone: they work with Prefect dead, and on a copy of the store."""

from typing import Annotated, Any

import typer

from upkeep.cli.reading import (
    BEGIN,
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
from upkeep.errors import Refused
from upkeep.ledger_verdict import Demand, LedgerVerdict
from upkeep.receipts import verify_ledger
from upkeep.wording import ledger as wording

app = typer.Typer(help="Read the ledger, and check it with the evidence that it names.")


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
    store, name = place(copy, database)
    verdict, links = verify_ledger(store, name, Demand())
    shown = [link for link in links if run in ("", link.receipt.run)]
    if not shown:
        raise Refused(f"the ledger of {name} in {store.url} says nothing of {run or 'anything'}", BEGIN)
    document = ledger_document(verdict, shown)
    for entry, link in zip(document["receipts"], shown, strict=True):
        entry |= link.receipt.model_dump(mode="json")
    told = wording.receipts(shown, in_full=bool(run))
    _answer(as_json, document, told, verdict, name)


@app.command()
def verify(
    copy: Copy = None,
    database: Name = "",
    head: Head = "",
    keys: TrustedKeys = None,
    signed_from: SignedFrom = 1,
    as_json: Json = False,
) -> None:
    """Is every receipt, and every piece of evidence that it names, as it was written?"""
    asked = demand(head, keys, signed_from)
    store, name = place(copy, database)
    verdict, links = verified(store, name, asked)
    _answer(as_json, ledger_document(verdict, links), wording.verdict(name, verdict), verdict, name)


def _answer(as_json: bool, document: dict[str, Any], told: str, verdict: LedgerVerdict, name: str) -> None:
    if verdict.broken:
        end_badly(as_json, document, told, not_intact(name, verdict))
    say(as_json, document, told)
