"""The ledger as text for a shell."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from upkeep.ledger import Link
from upkeep.ledger_verdict import LedgerVerdict
from upkeep.numbers import several
from upkeep.wording.lines import folded

_MEANS = {
    "begun": "began",
    "rehearsed": "proved its backup and rehearsed",
    "looked": "looked, without proving its backup",
    "performing": "was approved and began to perform",
    "performed": "performed and verified",
    "ended": "ended",
    "died": "had died, and was settled",
    "backup": "took a backup",
    "proof": "proved a backup again",
    "pruning": "removed old backups",
    "restored": "restored a backup",
    "reviewed": "was reviewed and signed off",
}


def receipts(links: Iterable[Link], *, in_full: bool) -> str:
    """A line for each receipt, the whole of it below where that is wanted, and the head to write down at the end."""
    lines = []
    for link in links:
        receipt = link.receipt
        signed = f"signed by {receipt.signed_by}" if receipt.signed_by else "not signed"
        lines.append(f"{receipt.number:>6}  {receipt.written}  {receipt.run} {_MEANS[receipt.kind]}; {signed}")
        lines.append(f"        {link.hash}")
        if in_full:
            lines += _in_full(link)
    return "\n".join(lines)


def signed_off(run: str, said: Mapping[str, Any], link: Link) -> str:
    """What a reviewer has signed, and what was open at that."""
    claims = several(said["claims"], "claim")
    return (
        f"run {run} is signed off by {said['by']}: {several(len(said['reviewed']), 'receipt')} reviewed, "
        f"{several(said['findings'], 'finding')} and {claims} open, {said['without_owner']} of them without an owner\n"
        f"receipt {link.receipt.number}, {link.hash}"
    )


def verdict(database: str, found: LedgerVerdict) -> str:
    """What was found, each word on its own line, and what is wrong first."""
    lines = [f"  BROKEN  {line}" for line in found.broken]
    lines += [f"  OPEN    run {run} has begun and not ended: it is still at work, or it died" for run in found.open]
    signed = "not asked" if found.signed is None else _yes(found.signed)
    anchored = f"yes, up to receipt {found.anchored_to} of {found.receipts}" if found.anchored else "no"
    lines += [
        f"ledger of {database}: {found.receipts:,} receipts",
        f"intact:    {_yes(found.intact)}",
        f"complete:  {_yes(found.complete)}",
        f"signed:    {signed}",
        f"anchored:  {anchored}",
        f"head:      {found.head or 'unknown'}",
    ]
    for line in found.told:
        lines += folded("  ", line)
    return "\n".join(lines)


def _in_full(link: Link) -> list[str]:
    contents = json.dumps(link.receipt.contents, indent=1, sort_keys=True).splitlines()
    evidence = [f"{one.sha256}  {one.name} ({one.bytes:,} bytes)" for one in link.receipt.evidence]
    return [f"        {line}" for line in (*contents, *evidence)]


def _yes(holds: bool) -> str:
    return "yes" if holds else "NO"
