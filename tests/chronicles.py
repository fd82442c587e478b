"""Made-up ledgers of many nights, written straight into a store, and what stands in them counted a second way."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from upkeep.ledger import START, Kind, Link, Receipt, name_of, opened

TABLES = ("visits", "payments", "files")
KEYS = ("visits(patient_id) -> patients(id)", "payments(visit_id) -> visits(id)", "files(owner_id) -> users(id)")
OUTCOMES = ("rehearsed", "looked", "performed", "failed", "stopped", "died", "died after it", "open")


@dataclass
class Chronicle:
    """The ledger of ``main`` below ``root``, receipt after receipt."""

    root: Path
    number: int = 0
    before: str = START
    open: dict[str, Kind] = field(default_factory=dict)

    def write(self, kind: Kind, run: str, when: datetime, contents: dict[str, Any]) -> None:
        """The next receipt."""
        self.number += 1
        self.open = opened(self.open, kind, run)
        receipt = Receipt(
            number=self.number,
            before=self.before,
            id=f"{self.number:032x}",
            database="main",
            kind=kind,
            run=run,
            written=f"{when:%Y-%m-%dT%H:%M:%SZ}",
            contents=contents,
            evidence=[],
            open=self.open,
            signed_by=None,
        )
        link = Link(receipt)
        self.before = link.hash
        path = self.root / name_of("main", self.number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(link.content)

    def night(self, when: datetime, outcome: str, chance: random.Random) -> None:
        """One run that came to this outcome, with numbers by chance."""
        run = f"{when:%Y%m%dT%H%M%SZ}-{self.number:06x}"
        self.write("begun", run, when, {"perform": "ask", "place": "app.db", "engine": "sqlite", "upkeep": "0.1.0"})
        if outcome == "looked":
            self.write("looked", run, when, {**backup(run, when, chance), "found": found(chance), "look": judged(True)})
        elif outcome != "stopped":
            self.write("rehearsed", run, when, rehearsed(run, when, chance))
        if outcome in ("performed", "failed", "died after it"):
            later = when + timedelta(minutes=5)
            self.write("performing", run, later, {"plan_sha256": "ab" * 32, "approved_by": "Ada", "reason": "read"})
            if outcome != "died after it":
                self.write("performed", run, later, performed(run, later, chance, outcome == "performed"))
        if outcome == "open":
            return
        end = when + timedelta(minutes=9)
        if outcome.startswith("died"):
            found_out = "performed" if outcome == "died after it" else "untouched"
            self.write("died", run, end, {"last_receipt": "begun", "outcome": {"found": found_out}})
        elif outcome == "stopped":
            self.write("ended", run, end, {"how": "stopped: Refused", "step": "detect", "passed": False})
        else:
            self.write(
                "ended",
                run,
                end,
                {
                    "how": outcome,
                    "passed": outcome != "failed",
                    "performed": outcome in ("performed", "failed"),
                    "steps": [{"step": "detect", "milliseconds": 7}],
                },
            )


def backup(run: str, when: datetime, chance: random.Random) -> dict[str, Any]:
    """A backup that was taken, and now and then proven."""
    proven = chance.random() < 0.8
    proof = {
        "holds": chance.random() < 0.9,
        "proven": f"{when:%Y-%m-%dT%H:%M:%SZ}",
        "restore_milliseconds": chance.randrange(10, 9000),
        "age_seconds": chance.randrange(1, 99999),
        "uncompared": chance.choice([[], ["large objects"]]),
    }
    taken = {"id": f"{run}-{when:%M}", "rows": chance.randrange(9999), "plain_bytes": chance.randrange(1, 10**9)}
    return {"backup": taken, "proof": proof if proven else None}


def found(chance: random.Random) -> dict[str, Any]:
    """Some of the keys with orphans, and now and then one that could not be asked."""
    seen = [key for key in KEYS if chance.random() < 0.7]
    silent = [key for key in KEYS if key not in seen and chance.random() < 0.2]
    findings: list[dict[str, Any]] = [
        {"key": key, "orphans": chance.randrange(1, 50), "missing_keys": 1, "diagnosis": "parents missing"}
        for key in seen
    ]
    total = sum(one["orphans"] for one in findings)
    return {"rows": 1000, "orphans": total, "orphan_rows": total, "findings": findings, "keys_not_asked": silent}


def rehearsed(run: str, when: datetime, chance: random.Random) -> dict[str, Any]:
    """What a rehearsal says, with a plan."""
    actions: list[dict[str, Any]] = [
        {"table": table, "action": action, "rows": chance.randrange(1, 40), "table_rows": 400}
        for table in TABLES
        for action in ("delete", "nullify")
        if chance.random() < 0.6
    ]
    rules = [{**one, "rule": 1, "child": "*", "parent": "*", "why": "it is said so"} for one in actions]
    plan = {"sha256": "ab" * 32, "rows": sum(one["rows"] for one in actions), "actions": actions, "rules": rules}
    return {**backup(run, when, chance), "found": found(chance), "plan": plan, "rehearsal": judged(True)}


def performed(run: str, when: datetime, chance: random.Random, passed: bool) -> dict[str, Any]:
    """What a performance says."""
    tables = [{"table": table, "table_rows": 300} for table in TABLES]
    return {**backup(run, when, chance), "found": found(chance), "tables": tables, "verification": judged(passed)}


def judged(passed: bool) -> dict[str, Any]:
    """Two claims."""
    checks = [{"claim": "every foreign key was asked", "holds": True}, {"claim": "it holds", "holds": passed}]
    return {"passed": passed, "checks": checks, "not_asked": []}


def nights(root: Path, first: datetime, outcomes: list[str], seed: int) -> Chronicle:
    """A night for each outcome, a day apart."""
    chronicle, chance = Chronicle(root), random.Random(seed)  # noqa: S311 - it shall be the same each time
    for place, outcome in enumerate(outcomes):
        chronicle.night(first + timedelta(days=place), outcome, chance)
    return chronicle


def raw_receipts(root: Path) -> Iterator[dict[str, Any]]:
    """The receipts as they lie there, read with nothing of ours."""
    for path in sorted((root / "main/ledger").iterdir()):
        yield json.loads(path.read_bytes())["receipt"]


def counted(root: Path, first: str, last: str) -> dict[str, Any]:
    """What a page over a period has to say, by loops over the raw receipts."""
    receipts = list(raw_receipts(root))
    plans = {one["run"]: one["contents"]["plan"] for one in receipts if one["kind"] == "rehearsed"}
    changed: Counter[tuple[str, str]] = Counter()
    runs = approvals = restores = holding = alarms = 0
    ended = {one["run"] for one in receipts if one["kind"] in ("ended", "died")}
    for one in receipts:
        inside, contents = first <= one["written"][:10] <= last, one["contents"]
        if not inside:
            continue
        runs += one["kind"] == "begun"
        approvals += one["kind"] == "performing"
        if one["kind"] == "performed" or contents.get("outcome", {}).get("found") == "performed":
            for action in plans[one["run"]]["actions"]:
                changed[action["table"], action["action"]] += action["rows"]
        if proof := contents.get("proof"):
            restores += 1
            holding += proof["holds"]
            alarms += not proof["holds"]
        for verdict in ("look", "rehearsal", "verification"):
            alarms += sum(check["holds"] is False for check in contents.get(verdict, {}).get("checks", ()))
        alarms += one["kind"] == "died" or str(contents.get("how", "")).startswith("stopped")
    last_of_open = {one["run"]: one["written"][:10] for one in receipts if one["run"] not in ended}
    alarms += sum(first <= day <= last for day in last_of_open.values())
    looks = [one["contents"]["found"] for one in receipts if one["written"][:10] <= last and "found" in one["contents"]]
    open_now = {one["key"]: one["orphans"] for one in looks[-1]["findings"]} if looks else {}
    open_now |= dict.fromkeys(looks[-1]["keys_not_asked"]) if looks else {}
    return {
        "runs": runs,
        "approvals": approvals,
        "changed": dict(changed),
        "restores": restores,
        "holding": holding,
        "alarms": alarms,
        "findings": open_now,
    }
