"""After a performance: is the database what was promised, asked of a fresh backup of it."""

from tasks.origins import origins_for
from tasks.rehearsal import drawn_up, measured
from tasks.step import step
from tasks.work import Worked
from upkeep.changes import Refusal
from upkeep.databases import Database
from upkeep.detected import Detected
from upkeep.equipment import Equipment
from upkeep.manifests import Manifest
from upkeep.plan import Plan
from upkeep.verdict import Check, Verdict, judge_backup, judge_keys_asked


@step("verify")
def verify(
    equipment: Equipment,
    restored: Database,
    manifest: Manifest,
    detected: Detected,
    plan: Plan,
    worked: Worked,
    refusals: tuple[Refusal, ...] = (),
) -> Verdict:
    """Judge what came back: orphans, rules, enforcement, revision, and that a second run would find nothing to do.

    ``refusals`` are of rows that refused in the rehearsal: the second run would meet them again, and keep them (P-119).
    """
    again = drawn_up(equipment, restored, detected, None, origins_for(equipment, restored, manifest), refusals)
    checks = [
        judge_backup((), len(manifest.census.tables), manifest.census.rows),
        judge_keys_asked(detected.findings, tables=detected.tables),
        *worked.checks,
        *measured(restored, detected, plan),
        Check(
            claim="a second run would find nothing to do",
            holds=again.is_empty,
            seen=_left(again),
        ),
    ]
    if plan.migration:
        revision = manifest.census.revision
        checks.append(
            Check(
                claim="the live database is at the head",
                holds=revision == (plan.migration.head,),
                seen=", ".join(revision) or "no revision",
            )
        )
    return Verdict(checks=tuple(checks))


def _left(again: Plan) -> str:
    if again.repairs:
        return f"{again.rows} rows to repair"
    return f"{len(again.enforced)} foreign keys to bring into force" if again.enforced else "an empty plan"
