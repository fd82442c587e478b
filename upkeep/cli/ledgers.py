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
from upkeep.equipment import equip
from upkeep.errors import Refused
from upkeep.ledger_verdict import Demand, LedgerVerdict
from upkeep.receipts import verify_ledger
from upkeep.report import receipt_document
from upkeep.reviews import review_of
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


@app.command("sign-off")
def sign_off(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run, as `upkeep ledger show` names it.")],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who has reviewed it.")],
    note: Annotated[str, typer.Option(metavar="TEXT", help="What was found, and what is to be done about it.")],
    as_json: Json = False,
) -> None:
    """Sign a run off as its reviewer: a receipt says who has read what it left, and when."""
    equipment = equip()
    name = equipment.settings.database
    verdict, links = verified(equipment.store, name, demand("", None, 1))
    if verdict.broken:
        raise not_intact(name, verdict)
    two_persons = equipment.policy.approval.two_persons
    contents = review_of(links, run, by=by, note=note, two_persons=two_persons)
    link = equipment.attest("reviewed", run, contents)
    told = wording.signed_off(run, contents, link)
    say(as_json, {"run": run, **contents, "receipt": receipt_document(link)}, told)


def _answer(as_json: bool, document: dict[str, Any], told: str, verdict: LedgerVerdict, name: str) -> None:
    if verdict.broken:
        end_badly(as_json, document, told, not_intact(name, verdict))
    say(as_json, document, told)
