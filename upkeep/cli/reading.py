"""Whose ledger is read, where, and what is asked of it: the same options for every command that reads one."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from upkeep.environment import load_settings
from upkeep.errors import Damaged, Refused
from upkeep.ledger import Link
from upkeep.ledger_verdict import Demand, LedgerVerdict
from upkeep.receipts import verify_ledger
from upkeep.signatures import keys_from
from upkeep.stores import Store, open_store

Copy = Annotated[
    Path | None, typer.Option("--copy", metavar="FOLDER", help="Read this copy of the store, and no store of settings.")
]
Name = Annotated[str, typer.Option("--database", metavar="NAME", help="Whose ledger; else the one of the settings.")]
Head = Annotated[str, typer.Option(metavar="HASH", help="The hash of a receipt, written down elsewhere.")]
TrustedKeys = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The public keys to trust; every receipt must be signed by one.")
]
SignedFrom = Annotated[int, typer.Option(min=1, metavar="NUMBER", help="Receipts before it need no signature.")]
BEGIN = "every run of `upkeep maintain` writes receipts; see --database and --copy for another place"


def place(copy: Path | None, database: str) -> tuple[Store, str]:
    """The store that is read, and the name of the database."""
    settings = load_settings()
    if copy is not None and not copy.is_dir():
        raise Refused(f"{copy} is no folder", "copy the store there, for instance with `aws s3 sync`")
    url = settings.store if copy is None else copy.absolute().as_uri()
    return open_store(url), database or settings.database


def demand(head: str, keys: Path | None, signed_from: int) -> Demand:
    """What the verifier asks beyond the chain itself; the settings may name keys too."""
    if head and not re.fullmatch(r"[0-9a-f]{64}", head):
        raise Refused(f"{head} is no hash of a receipt", "give all 64 digits that `upkeep ledger show` prints last")
    trusted = keys or load_settings().ledger_public_keys
    return Demand(keys_from(trusted).verify if trusted else None, signed_from, head or None)


def verified(store: Store, name: str, asked: Demand) -> tuple[LedgerVerdict, tuple[Link, ...]]:
    """The verdict on a ledger, and its receipts; raises Refused where there is none."""
    verdict, links = verify_ledger(store, name, asked)
    if not verdict.receipts and not verdict.broken:
        raise Refused(f"there is no ledger of {name} in {store.url}", BEGIN)
    return verdict, links


def not_intact(name: str, verdict: LedgerVerdict) -> Damaged:
    """The error for a ledger that has faults."""
    count = "one fault" if len(verdict.broken) == 1 else f"{len(verdict.broken)} faults"
    what = f"the ledger of {name} is not intact: {count}, first {verdict.broken[0]}"
    return Damaged(what, "stop; compare with another copy of the store, and find out who could write to it")


def ledger_document(verdict: LedgerVerdict, links: list[Link] | tuple[Link, ...]) -> dict[str, Any]:
    """What commands print of a ledger with ``--json``."""
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
        "held": {
            "to": verdict.held.number,
            "until": verdict.held.hold.until.isoformat(),
            "final": verdict.held.hold.is_final,
        }
        if verdict.held.hold
        else None,
        "broken": list(verdict.broken),
        "open": list(verdict.open),
        "told": list(verdict.told),
    }
