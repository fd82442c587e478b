"""Which repair is possible for which foreign key, decided before there is a plan (P-59, P-118)."""

from dataclasses import dataclass

from upkeep.catalog import Catalog, ForeignKey
from upkeep.policy import Action, Rule
from upkeep.values import Row


@dataclass(frozen=True)
class Choice:
    """What a rule comes to for one key: the action, the columns that it sets, to which values, and why no other.

    ``values`` are those that a rule names for the parent, as it is written there; without them columns become NULL.
    """

    action: Action
    columns: tuple[str, ...] = ()
    reason: str = ""
    values: Row = ()


def choices(
    key: ForeignKey, rule: Rule, catalog: Catalog, keys: tuple[ForeignKey, ...], gone: str = ""
) -> tuple[Choice, ...]:
    """The rule's actions that are possible for ``key``, in order; ``keep`` with its reason always ends the list.

    Whether ``restore`` and ``reassign`` are possible for a row is not known yet: that depends on older backups, and
    on the parent that the rule names. ``gone`` says why a parent table that is gone does not come back.
    """
    possible: list[Choice] = []
    reasons = []
    for action in rule.orphan:
        if action is Action.KEEP:
            break
        impossible = (gone if action is Action.RESTORE else "") or _impossible(action, key, rule, catalog, keys)
        if impossible:
            reasons.append(f"{action} is impossible: {impossible}")
        elif action is Action.REASSIGN:
            possible.append(Choice(action, key.columns, "; ".join(reasons), rule.named_parent(key)))
        else:
            columns = nullable_columns(key, catalog, keys) if action is Action.NULLIFY else ()
            possible.append(Choice(action, columns, "; ".join(reasons)))
    if Action.KEEP in rule.orphan or not (reasons or possible):
        reasons.append(rule.why or "the policy says keep")
    return (*possible, Choice(Action.KEEP, reason="; ".join(reasons)))


def nullable_columns(key: ForeignKey, catalog: Catalog, keys: tuple[ForeignKey, ...]) -> tuple[str, ...]:
    """The columns of ``key`` that may be NULL and that no primary key and no other foreign key needs.

    A key needs the columns that it reads and those that it points at. One that shares all its columns with ``key``
    needs them too: its pointer may be good where this one is not (P-108). Of a MATCH FULL key it is all or none.
    """
    table = catalog.tables[key.child]
    free = {column.name for column in table.columns if column.nullable} & _free_columns(key, catalog, keys)
    if key.is_full and not free.issuperset(key.columns):
        return ()
    return tuple(name for name in key.columns if name in free)


def _free_columns(key: ForeignKey, catalog: Catalog, keys: tuple[ForeignKey, ...]) -> set[str]:
    """Columns of the child that hold a value of their own and that no primary key and no other foreign key needs."""
    table = catalog.tables[key.child]
    needed = {*table.primary_key, *table.locator}
    for other in keys:
        if other.child == key.child and str(other) != str(key) and not key.is_apart_from(other):
            needed.update(other.columns)
        if other.parent == key.child:
            needed.update(other.parent_columns)
    return {*table.stored} - needed


def _impossible(
    action: Action, key: ForeignKey, rule: Rule, catalog: Catalog, keys: tuple[ForeignKey, ...]
) -> str | None:
    if key.elements:
        return "nothing is taken out of an array"
    if not catalog.tables[key.child].locator:
        return f"the rows of {key.child} cannot be told apart"
    if (fault := _fault_of_the_schema(key)) and not rule.names(key):
        return f"{fault}, and no rule was written for that very key"
    if key.last_in and key.parent_missing and action is not Action.RESTORE:
        return f"only backup {key.last_in} knows of the key: state it as a [[reference]]"
    if action is Action.NULLIFY and not nullable_columns(key, catalog, keys):
        return f"no column of {', '.join(key.columns)} may be NULL and is free of other keys"
    if action in (Action.RESTORE, Action.REASSIGN):
        parent = catalog.tables.get(key.parent)
        if parent is None or not parent.locator:
            return f"the table {key.parent} is gone" if parent is None else f"rows of {key.parent} cannot be told apart"
    if action is Action.RESTORE and key.deleted:
        return f"the row of {key.parent} is there and only marked as deleted"
    if action is Action.RESTORE and key.when:
        return f"what {', '.join(key.columns)} means depends on {key.when[0]}, and backups are not asked for that"
    if action is Action.REASSIGN:
        if not _free_columns(key, catalog, keys).issuperset(key.columns):
            return f"not every column of {', '.join(key.columns)} is free of other keys"
        if not rule.named_parent(key):
            return f"the rule names no {', '.join(key.parent_columns)} of {key.parent}"
    return None


def _fault_of_the_schema(key: ForeignKey) -> str | None:
    """What is wrong with the key and not with the rows; None where nothing is known (P-108)."""
    if key.fault:
        return key.fault
    if key.parent_missing:
        return f"the table {key.parent} is gone"
    return f"by {key.meant.stated_by} the key points at {key.meant.parent}" if key.meant else None
