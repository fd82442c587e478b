"""Which repair is possible for which foreign key, decided before there is a plan (P-59, P-118)."""

from dataclasses import dataclass

from upkeep.catalog import Catalog, ForeignKey
from upkeep.policy import Action, Rule


@dataclass(frozen=True)
class Choice:
    """What a rule comes to for one key: the action, its columns if it nullifies, and why no other."""

    action: Action
    columns: tuple[str, ...] = ()
    reason: str = ""


def choices(key: ForeignKey, rule: Rule, catalog: Catalog, keys: tuple[ForeignKey, ...]) -> tuple[Choice, ...]:
    """The rule's actions that are possible for ``key``, in order; ``keep`` with its reason always ends the list.

    An action that a later version brings ends the list too: the next one in the rule was meant for rows that
    cannot be restored, and nobody knows yet which those are.
    """
    possible: list[Choice] = []
    reasons = []
    for action in rule.orphan:
        if action is Action.KEEP:
            break
        if action in (Action.RESTORE, Action.REASSIGN):
            reasons.append(f"{action} comes in a later version; until then the row is kept")
            return (*possible, Choice(Action.KEEP, reason="; ".join(reasons)))
        impossible = _impossible(action, key, rule, catalog, keys)
        if impossible:
            reasons.append(f"{action} is impossible: {impossible}")
        else:
            columns = nullable_columns(key, catalog, keys) if action is Action.NULLIFY else ()
            possible.append(Choice(action, columns))
    if Action.KEEP in rule.orphan or not (reasons or possible):
        reasons.append(rule.why or "the policy says keep")
    return (*possible, Choice(Action.KEEP, reason="; ".join(reasons)))


def nullable_columns(key: ForeignKey, catalog: Catalog, keys: tuple[ForeignKey, ...]) -> tuple[str, ...]:
    """The columns of ``key`` that may be NULL and that no primary key and no other foreign key needs.

    A key needs the columns that it reads and those that it points at. One that shares all its columns with ``key``
    needs them too: its pointer may be good where this one is not (P-108). Of a MATCH FULL key it is all or none.
    """
    table = catalog.tables[key.child]
    needed = {*table.primary_key, *table.locator}
    for other in keys:
        if other.child == key.child and str(other) != str(key):
            needed.update(other.columns)
        if other.parent == key.child:
            needed.update(other.parent_columns)
    free = {column.name for column in table.columns if column.nullable and not column.generated} - needed
    if key.is_full and not free.issuperset(key.columns):
        return ()
    return tuple(name for name in key.columns if name in free)


def _impossible(
    action: Action, key: ForeignKey, rule: Rule, catalog: Catalog, keys: tuple[ForeignKey, ...]
) -> str | None:
    if not catalog.tables[key.child].locator:
        return f"the rows of {key.child} cannot be told apart"
    if (fault := _fault_of_the_schema(key)) and not rule.names(key):
        return f"{fault}, and no rule was written for that very key"
    if action is Action.NULLIFY and not nullable_columns(key, catalog, keys):
        return f"no column of {', '.join(key.columns)} may be NULL and is free of other keys"
    return None


def _fault_of_the_schema(key: ForeignKey) -> str | None:
    """What is wrong with the key and not with the rows; None where nothing is known (P-108)."""
    if key.fault:
        return key.fault
    if key.parent_missing:
        return f"the table {key.parent} is gone"
    return f"by {key.meant.stated_by} the key points at {key.meant.parent}" if key.meant else None
