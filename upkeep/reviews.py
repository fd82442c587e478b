"""The reviewer's sign-off of a run: whether it may be given, and what its receipt says (P-104)."""

from collections.abc import Mapping, Sequence
from typing import Any

from upkeep.approval import person
from upkeep.diagnosis import Diagnosis
from upkeep.errors import Refused
from upkeep.ledger import ENDS, Link, Receipt

_VERDICTS = ("look", "rehearsal", "verification")


def review_of(links: Sequence[Link], run: str, *, by: str, note: str, two_persons: bool) -> dict[str, Any]:
    """What ``by`` has reviewed: the run's receipts up to its end, by numbers and the last hash, and what stays open.

    Raises Refused where there is nothing whole to review, or where ``two_persons`` are wanted and this one has asked
    for the run or approved it.
    """
    if not (by.strip() and note.strip()):
        raise Refused(
            "a sign-off needs a name and a note", f"write `upkeep ledger sign-off {run} --by NAME --note TEXT`"
        )
    own = [link for link in links if link.receipt.run == run and link.receipt.kind != "reviewed"]
    receipts = [link.receipt for link in own]
    if not receipts or receipts[0].kind != "begun":
        raise Refused(f"the ledger says nothing of run {run}", "`upkeep ledger show` lists every run")
    if receipts[-1].kind not in ENDS:
        raise Refused(f"run {run} has not ended", "review it when it has; `upkeep recover` settles one that died")
    if two_persons and person(by) in _at_work(receipts):
        raise Refused(
            f"{by} asked for run {run} or approved it, and the policy wants two persons", "let somebody else review it"
        )
    return {
        "by": by.strip(),
        "note": note.strip(),
        "reviewed": [receipt.number for receipt in receipts],
        "up_to_sha256": own[-1].hash,
        **_left_open(receipts),
    }


def _at_work(receipts: Sequence[Receipt]) -> set[str]:
    named = (receipt.contents.get(field) for receipt in receipts for field in ("approved_by", "requested_by"))
    return {person(str(name)) for name in named if name}


def _left_open(receipts: Sequence[Receipt]) -> dict[str, Any]:
    """The findings at its last look and the claims of its last verdict that do not hold, as numbers."""
    found: list[dict[str, Any]] = next(
        (r.contents["found"]["findings"] for r in reversed(receipts) if "found" in r.contents), []
    )
    verdict: dict[str, Any] = next(
        (r.contents[name] for r in reversed(receipts) for name in _VERDICTS if name in r.contents), {}
    )
    claims = [one for one in verdict.get("checks", ()) if one["holds"] is not True]
    return {
        "findings": sum(findings_in(one) for one in found),
        "orphans": sum(one["orphans"] or 0 for one in found),
        "claims": len(claims),
        "without_owner": sum(findings_in(one) for one in found if not one.get("owner"))
        + sum(not one.get("owner") for one in claims),
    }


def findings_in(told: Mapping[str, Any]) -> int:
    """How many findings a receipt tells of one key: what is wrong with it is one, its re-used ids are another."""
    return 2 if told.get("reused_rows") and told.get("diagnosis") != Diagnosis.REUSED_ID else 1
