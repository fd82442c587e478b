"""What receipts say (P-104): scope, backup, checks, findings, actions; counts and digests, and no value of a row."""

import os
import platform
import pwd
import socket
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from upkeep import __version__
from upkeep.census import Census
from upkeep.databases import Identity
from upkeep.detected import Detected
from upkeep.encryption import Sealed
from upkeep.history import History
from upkeep.lasting import Lasting
from upkeep.making import Comeback
from upkeep.manifests import Manifest, Proof
from upkeep.plan import Plan
from upkeep.policy import Policy
from upkeep.pruning import Pruning
from upkeep.report import Step
from upkeep.undo import Undo
from upkeep.values import digest
from upkeep.verdict import Verdict

Contents = dict[str, Any]


def scope(identity: Identity, store: str) -> Contents:
    """Which database and which store, served and looked after by which versions, on which machine, by which account."""
    return {
        "place": identity.place,
        "engine": identity.engine,
        "engine_version": identity.version,
        "store": store,
        "upkeep": __version__,
        "python": platform.python_version(),
        "host": socket.gethostname(),
        "account": _account(),
    }


def backed_up(manifest: Manifest, location: str) -> Contents:
    """A backup: what it holds, where it is, how it can be known again. ``location`` is the store's URL."""
    return {
        "id": manifest.id,
        "taken": _utc(manifest.taken),
        "place": manifest.place,
        "engine": manifest.engine,
        "engine_version": manifest.engine_version,
        "location": f"{location}/{manifest.dump}",
        "codec": manifest.codec,
        **encryption(manifest.sealed),
        "plain_bytes": manifest.plain_bytes,
        "plain_sha256": manifest.plain_sha256,
        "stored_bytes": manifest.stored_bytes,
        "stored_sha256": manifest.stored_sha256,
        "tables": len(manifest.census.tables),
        "rows": manifest.census.rows,
        "revision": list(manifest.census.revision),
        "schema_sha256": manifest.census.schema_digest,
    }


def encryption(sealed: Sealed | None) -> Contents:
    """How a backup is encrypted, and the public keys whose owners can read it (P-104)."""
    return {"encryption": "age", "encryption_keys": list(sealed.recipients)} if sealed else {"encryption": "none"}


def proven(proof: Proof, taken: datetime, mark: str | None) -> Contents:
    """The proof of a backup: how long its restore took, how old its content was then.

    ``mark`` is the SHA-256 of what calls it verified from then on.
    """
    return {
        **_tried(taken, proof.proven, proof.seconds, mark, 0),
        "uncompared": list(proof.uncompared),
        "remarks": len(proof.remarks),
    }


def disproven(taken: datetime, now: datetime, seconds: float, against: int) -> Contents:
    """A backup that could not be brought back as it was, after so long; nothing calls it verified from then on."""
    return _tried(taken, now, seconds, None, against)


def _tried(taken: datetime, when: datetime, seconds: float, mark: str | None, against: int) -> Contents:
    return {
        "verified_sha256": mark,
        "holds": not against,
        "against": against,
        "proven": _utc(when),
        "restore_milliseconds": round(seconds * 1000),
        "age_seconds": round((when - taken).total_seconds()),
    }


def found(detected: Detected, policy: Policy) -> Contents:
    """What was asked of every key and how many orphans each has; those that could not be asked stand apart.

    Rows with a re-used id are counted beside the orphans, and so are the older backups by which they are known.
    With each finding stands who is to see to it, where the policy names one (P-104).
    """
    return {
        "tables": detected.tables,
        "rows": detected.rows,
        "keys_asked": sum(finding.orphans is not None for finding in detected.findings),
        "keys_not_asked": [str(finding.key) for finding in detected.findings if finding.orphans is None],
        "orphans": detected.orphans,
        "orphan_rows": detected.orphan_rows,
        "findings": [
            {
                "key": str(finding.key),
                "orphans": finding.orphans,
                "missing_keys": finding.missing_keys,
                "diagnosis": finding.diagnosis.value,
                **({"reused_rows": len(finding.adopted)} if finding.adopted else {}),
                **_owned(policy.rule_for(finding.key)[1].owner),
            }
            for finding in detected.troubled
        ],
        **_looked_back(detected.history),
    }


def _looked_back(history: History | None) -> Contents:
    """How many older backups were looked into for re-used ids by now, and how many no run has looked into yet."""
    if history is None or history.waiting is None:
        return {}
    return {"older_backups": {"looked_into": len(history.now.examined), "waiting": history.waiting}}


def _owned(owner: str) -> Contents:
    return {"owner": owner} if owner else {}


def planned(plan: Plan, census: Census, policy: Policy) -> Contents:
    """What would be done, by table and action, with the rows of each table before; what is left as it is, by key.

    ``rules`` counts the same rows by the rule that decided, 0 for none; a row that two rules speak of counts for both.
    """
    return {
        "sha256": plan.digest,
        "rows": plan.rows,
        "actions": [
            {"table": table, "action": action.value, "rows": rows, "table_rows": _rows(census, table)}
            for (table, action), rows in plan.by_table().items()
        ],
        "rules": list(_by_rule(plan, policy)),
        "kept": [{"key": kept.key, "orphans": kept.rows} for kept in plan.kept],
        "healed": [{"key": key, "orphans": said["heal"]} for key, said in plan.by_key().items() if "heal" in said],
        **enforced(plan),
        **({"tables": [_comeback(one, plan) for one in plan.tables]} if plan.tables else {}),
        "migration": {
            "from": list(plan.migration.found),
            "to": plan.migration.head,
            "pending": list(plan.migration.pending),
            "sha256": plan.migration.digest,
        }
        if plan.migration
        else None,
        **(_undone(plan.undo) if plan.undo else {}),
    }


def _comeback(one: Comeback, plan: Plan) -> Contents:
    """A table that comes back as a whole, or goes again, and how it is made; its statements hold no row."""
    return {
        "table": one.table,
        "backup": one.backup,
        "rows": plan.rows_of(one.table),
        "goes": one.goes,
        "made_by_sha256": digest(one.making.document()),
    }


def _by_rule(plan: Plan, policy: Policy) -> Iterator[Contents]:
    for (number, table, action), count in sorted(plan.errands.by_rule.items()):
        rule = policy.rule[number - 1] if 0 < number <= len(policy.rule) else None  # an undo follows no rule
        told = {"child": rule.child, "parent": rule.parent, "why": rule.why} if rule else {}
        yield {"rule": number, "table": table, "action": action, "rows": count, **told}


def _undone(undo: Undo) -> Contents:
    """Which run a plan takes back, how many of its rows stay as they are, how many will point at nothing again."""
    astray = [{"key": key, "orphans": rows} for key, rows in undo.astray or ()]
    told: Contents = {
        "undoes": undo.run,
        "conflicts": len(undo.conflicts),
        "there_already": undo.there,
        "astray": astray,
    }
    return told | ({"set_anew": [list(one) for one in undo.set_anew]} if undo.set_anew else {})


def enforced(plan: Plan) -> Contents:
    """Foreign keys that come into force, and those that the policy wants and that do not; {} where it wants none."""
    told: Contents = {}
    if plan.enforced:
        told["enforced"] = [
            {"key": str(one.key), "how": one.how.value, "constraint": one.constraint} for one in plan.enforced
        ]
    if plan.unenforced:
        told["unenforced"] = [{"key": one.key, "reason": one.reason} for one in plan.unenforced]
    return told


def lasting(found: Iterable[Lasting]) -> Contents:
    """Rows that no undo could put back once the migration is done, by table and reason; {} where there are none."""
    told = [one.document() for one in found]
    return {"lasting": told} if told else {}


def judged(verdict: Verdict) -> Contents:
    """The claims that were checked and those that nobody could ask; what was seen stands in the evidence."""
    return {
        "passed": verdict.passed,
        "checks": [{"claim": check.claim, "holds": check.holds, **_owned(check.owner)} for check in verdict.checks],
        "not_asked": list(verdict.left_out),
    }


def tables_after(plan: Plan, census: Census) -> list[Contents]:
    """The rows of each table that a plan has touched, as they are now; None where the table is gone."""
    touched = sorted({table for table, _ in plan.by_table()})
    return [{"table": name, "table_rows": _rows(census, name)} for name in touched]


def _rows(census: Census, table: str) -> int | None:
    return census.tables[table].rows if table in census.tables else None


def restored(manifest: Manifest, target: Identity, seconds: float, against: int) -> Contents:
    """A backup that was brought back into a target for use, in what time, and whether it is what its manifest says."""
    return {
        "backup": manifest.id,
        "stored_sha256": manifest.stored_sha256,
        "place": target.place,
        "engine_version": target.version,
        "rows": manifest.census.rows,
        "restore_milliseconds": round(seconds * 1000),
        "holds": not against,
        "against": against,
    }


def pruned(pruning: Pruning) -> Contents:
    """Which backups retention removes, and for each why."""
    reasons = {one.id: one.reason for one in pruning.judged if not one.kept}
    return {
        "removed": list(pruning.going),
        "reasons": [reasons.get(backup, "left half stored by a run that died") for backup in pruning.going],
    }


def timed(steps: Iterable[Step]) -> list[Contents]:
    """The steps of a run with their times."""
    return [{"step": step.name, "milliseconds": round(step.seconds * 1000)} for step in steps]


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _account() -> str:
    """The name of the account, or its number where it has none, as in many containers."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
