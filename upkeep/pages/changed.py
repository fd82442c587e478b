"""What receipts say was changed: rows by table and action, by the rule that decided, and the schema by migrations."""

from collections.abc import Iterable, Iterator

from upkeep.pages.contents import Told, listed, number, part, parts, text
from upkeep.pages.runs import Row, Run, numbers_of
from upkeep.policy import Action

_SIZING = (Action.DELETE, Action.RESTORE)


def change_rows(runs: Iterable[Run]) -> list[Row]:
    """Rows that were changed, by table and action, with the size of the table before and after."""
    rows = []
    for run, plan, done in _performed(runs):
        after = {text(one, "table"): number(one, "table_rows") for one in parts(done.contents, "tables")}
        actions = parts(plan.contents, "plan", "actions")
        beside = _beside_which(actions)
        for one in actions:
            table = text(one, "table")
            is_sized = beside.get(table) is one
            rows.append(
                {
                    "day": done.day,
                    "run": run.name,
                    "table": table,
                    "action": text(one, "action"),
                    "rows": number(one, "rows"),
                    "before": number(one, "table_rows") if is_sized else None,
                    "after": after.get(table) if is_sized else None,
                    "receipts": numbers_of(plan, run.of("performing"), done),
                }
            )
    return rows


def _beside_which(actions: list[Row]) -> dict[str, Row]:
    """By table the action beside which its size stands: the first that changes it, else the first."""
    beside: dict[str, Row] = {}
    for one in actions:
        table = text(one, "table")
        if table not in beside or (text(one, "action") in _SIZING and text(beside[table], "action") not in _SIZING):
            beside[table] = one
    return beside


def rule_rows(runs: Iterable[Run]) -> list[Row]:
    """The same rows by the rule of the policy that decided; a row that two rules speak of stands under both."""
    return [
        {
            "day": done.day,
            "run": run.name,
            "rule": _rule(one),
            "why": text(one, "why"),
            "table": text(one, "table"),
            "action": text(one, "action"),
            "rows": number(one, "rows"),
            "receipts": numbers_of(plan, done),
        }
        for run, plan, done in _performed(runs)
        for one in parts(plan.contents, "plan", "rules")
    ]


def migration_rows(runs: Iterable[Run]) -> list[Row]:
    """Migrations that were performed."""
    return [
        {
            "day": done.day,
            "when": done.written,
            "run": run.name,
            "from": ", ".join(str(one) for one in listed(plan.contents, "plan", "migration", "from")) or "nothing",
            "to": _arrived(plan, done),
            "revisions": len(listed(plan.contents, "plan", "migration", "pending")),
            "digest": text(plan.contents, "plan", "migration", "sha256"),
            "receipts": numbers_of(plan, done),
        }
        for run, plan, done in _performed(runs)
        if part(plan.contents, "plan", "migration")
    ]


def _arrived(plan: Told, done: Told) -> str:
    """Where the migration has come to, by the backup that was taken after it; else where it was to go."""
    stands = ", ".join(str(one) for one in listed(done.contents, "backup", "revision"))
    return stands or text(plan.contents, "plan", "migration", "to")


def _performed(runs: Iterable[Run]) -> Iterator[tuple[Run, Told, Told]]:
    for run in runs:
        if (plan := run.plan) and (done := run.done):
            yield run, plan, done


def _rule(one: Row) -> str:
    place = number(one, "rule")
    if not place:
        return "no rule"
    child, parent = text(one, "child"), text(one, "parent")
    return f"{place}: {child} -> {parent}" if child else str(place)
