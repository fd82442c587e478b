"""Which repair is possible for which foreign key, decided before there is a plan (P-59, P-118)."""

from dataclasses import dataclass

from upkeep.catalog import Catalog, ForeignKey
from upkeep.policy import Action, Rule


@dataclass(frozen=True)
class Choice:
    """What a rule comes to for one key: the action, its columns if it nullifies, and why not an earlier or another one."""

    action: Action
    columns: tuple[str, ...] = ()
    reason: str = ""


def choices(key: ForeignKey, rule: Rule, catalog: Catalog, keys: tuple[ForeignKey, ...]) -> tuple[Choice, ...]:
    """The rule's actions that are possible for ``key``, in order; ``keep`` with its reason always ends the list.

    An action that a later version brings ends the list too: the next one in the rule was meant for rows that
    cannot be restored, and nobody knows yet which those are.
    """
    reasons = []
    possible = []
    for action in rule.orphan:
        if action is Action.KEEP:
            return (*possible, Choice(Action.KEEP, reason=rule.why or "the policy says keep"))
        if action in (Action.RESTORE, Action.REASSIGN):
            return (
                *possible,
                Choice(Action.KEEP, reason=f"{action} comes in a later version; until then the row is kept"),
            )
        impossible = _impossible(action, key, rule, catalog, keys)
        if impossible:
            reasons.append(f"{action} is impossible: {impossible}")
        else:
            columns = nullable_columns(key, catalog, keys) if action is Action.NULLIFY else ()
            possible.append(Choice(action, columns))
    return (*possible, Choice(Action.KEEP, reason="; ".join(reasons) or rule.why or "the policy says keep"))


def nullable_columns(key: ForeignKey, catalog: Catalog, keys: tuple[ForeignKey, ...]) -> tuple[str, ...]:
    """The columns of ``key`` that may be NULL and that no other foreign key and no primary key needs."""
    table = catalog.tables[key.child]
    needed = set(table.primary_key) | set(table.locator)
    for other in keys:
        if other != key and other.child == key.child and other.columns != key.columns:
            needed.update(other.columns)
    free = []
    for name in key.columns:
        column = table.column(name)
        if column and column.nullable and not column.generated and name not in needed:
            free.append(name)
    return tuple(free)


def _impossible(
    action: Action, key: ForeignKey, rule: Rule, catalog: Catalog, keys: tuple[ForeignKey, ...]
) -> str | None:
    if not catalog.tables[key.child].locator:
        return f"the rows of {key.child} cannot be told apart"
    if (key.fault or key.parent_missing) and not rule.names(key):
        what = key.fault or f"the table {key.parent} is gone"
        return f"{what}, and no rule was written for that very key"
    if action is Action.NULLIFY and not nullable_columns(key, catalog, keys):
        return f"no column of {', '.join(key.columns)} may be NULL and is free of other keys"
    return None
