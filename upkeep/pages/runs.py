"""What receipts say of runs: how each ended, who approved what, and which rows were changed on whose word."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from upkeep.ledger import ENDS, STAGES
from upkeep.pages.contents import Told, answer, listed, number, part, parts, text

Row = dict[str, Any]
VERDICTS = ("look", "rehearsal", "verification")
ASKED = {"never": "look and rehearse", "ask": "perform after an approval", "within_limits": "perform within limits"}


@dataclass(frozen=True)
class Run:
    """The receipts of one run in their order, and those by which it was reviewed later."""

    name: str
    told: tuple[Told, ...]
    reviews: tuple[Told, ...] = ()

    def of(self, *kinds: str) -> Told | None:
        """Its last receipt of these kinds."""
        return next((one for one in reversed(self.told) if one.kind in kinds), None)

    @property
    def plan(self) -> Told | None:
        """The receipt of its rehearsal, in which the plan stands."""
        return self.of("rehearsed")

    @property
    def done(self) -> Told | None:
        """The receipt that says that its plan was performed; None where it was not, or where nobody knows."""
        end = self.of(*ENDS)
        if performed := self.of("performed"):
            return performed
        if end and (answer(end.contents, "performed") or text(end.contents, "outcome", "found") in _DONE):
            return end
        return None

    @property
    def rows(self) -> int:
        """How many rows it has changed."""
        return (number(self.plan.contents, "plan", "rows") or 0) if self.done and self.plan else 0

    @property
    def passed(self) -> bool | None:
        """Did its last verdict pass? None where the run did not come to one that counts."""
        end = self.of(*ENDS)
        return answer(end.contents, "passed") if end else None

    @property
    def ended(self) -> str:
        """How it ended, as a person says it."""
        end = self.of(*ENDS)
        if end is None:
            return "has not ended: it is at work, or it died"
        if end.kind == "ended":
            return text(end.contents, "how") or "ended"
        found = text(end.contents, "outcome", "found")
        became = _BECAME.get(found, "")
        return f"died; {became}" if became else "died"


_DONE = ("performed", "in part")
_BECAME = {
    "performed": "it had performed its plan",
    "in part": "it had performed a part of its plan",
    "untouched": "it had changed nothing",
}


def runs_of(told: Iterable[Told]) -> tuple[Run, ...]:
    """The runs that receipts speak of, in the order in which they began."""
    found: dict[str, list[Told]] = {}
    reviews: dict[str, list[Told]] = {}
    for one in told:
        if one.kind in (*STAGES, *ENDS):
            found.setdefault(one.run, []).append(one)
        elif one.kind == "reviewed":
            reviews.setdefault(one.run, []).append(one)
    return tuple(Run(name, tuple(receipts), tuple(reviews.get(name, ()))) for name, receipts in found.items())


def run_rows(runs: Iterable[Run]) -> list[Row]:
    """One row for each run."""
    return [
        {
            "day": run.told[0].day,
            "run": run.name,
            "began": run.told[0].written,
            "asked": _asked(run.told[0]),
            "ended": run.ended,
            "passed": run.passed,
            "rows": run.rows,
            "reviewed": ", ".join(dict.fromkeys(text(one.contents, "by") for one in run.reviews)) or "nobody yet",
            "receipts": tuple(one.number for one in (*run.told, *run.reviews)),
        }
        for run in runs
    ]


def approval_rows(runs: Iterable[Run]) -> list[Row]:
    """Who approved which plan, and why."""
    rows = []
    for run in runs:
        if said := run.of("performing"):
            rows.append(
                {
                    "day": said.day,
                    "when": said.written,
                    "run": run.name,
                    "plan": text(said.contents, "plan_sha256"),
                    "requested": text(said.contents, "requested_by"),
                    "by": text(said.contents, "approved_by"),
                    "reason": text(said.contents, "reason"),
                    "rows": number(run.plan.contents, "plan", "rows") if run.plan else None,
                    "performed": run.done is not None,
                    "receipts": numbers_of(run.plan, said, run.done),
                }
            )
    return rows


def review_rows(runs: Iterable[Run]) -> list[Row]:
    """Who has signed off which run, and what was open at that."""
    return [
        {
            "day": one.day,
            "when": one.written,
            "run": run.name,
            "by": text(one.contents, "by"),
            "note": text(one.contents, "note"),
            "findings": number(one.contents, "findings"),
            "claims": number(one.contents, "claims"),
            "receipts": (one.number,),
        }
        for run in runs
        for one in run.reviews
    ]


def claim_rows(runs: Iterable[Run]) -> list[Row]:
    """Every claim that was checked, and what nobody claims."""
    return [row for run in runs for one in run.told for row in _claims(run, one)]


def step_rows(runs: Iterable[Run]) -> list[Row]:
    """The steps of runs that came to an end, with their times."""
    return [
        {
            "run": run.name,
            "step": text(one, "step"),
            "milliseconds": number(one, "milliseconds"),
            "receipts": (end.number,),
        }
        for run in runs
        if (end := run.of("ended"))
        for one in parts(end.contents, "steps")
    ]


def evidence_rows(told: Iterable[Told]) -> list[Row]:
    """The files of the store that receipts name."""
    first: dict[str, Row] = {}
    for one in told:
        for name, size, sha256 in one.evidence:
            first.setdefault(name, {"file": name, "bytes": size, "digest": sha256, "receipts": (one.number,)})
    return [first[name] for name in sorted(first)]


def scope_rows(runs: Iterable[Run]) -> list[Row]:
    """Which database, served and looked after by which versions, where and as whom, by which policy."""
    fields = ("place", "engine", "engine_version", "upkeep", "host", "account", "store", "policy_sha256")
    return [
        {"day": one.day, **{name: text(one.contents, name) for name in fields}, "receipts": (one.number,)}
        for run in runs
        if (one := run.of("begun"))
    ]


def _claims(run: Run, one: Told) -> Iterator[Row]:
    for name in VERDICTS:
        verdict, common = part(one.contents, name), {"day": one.day, "run": run.name, "verdict": name}
        for check in parts(verdict, "checks"):
            claim, holds = text(check, "claim"), answer(check, "holds")
            said = {True: "holds", False: "does not hold", None: "could not be asked"}[holds]
            yield {
                **common,
                "claim": claim,
                "holds": holds,
                "said": said,
                "receipts": (one.number,),
                "owner": text(check, "owner"),
            }
        for claim in listed(verdict, "not_asked"):
            yield {
                **common,
                "claim": str(claim),
                "holds": None,
                "said": "left out",
                "receipts": (one.number,),
                "owner": "",
            }


def _asked(first: Told) -> str:
    if first.kind != "begun":
        return ""
    undoes = text(first.contents, "undoes")
    rehearsed = "rehearse to " if text(first.contents, "perform") == "never" else ""
    return f"{rehearsed}take back {undoes}" if undoes else ASKED.get(text(first.contents, "perform"), "")


def numbers_of(*told: Told | None) -> tuple[int, ...]:
    """The numbers of those receipts that there are."""
    return tuple(dict.fromkeys(one.number for one in told if one))
