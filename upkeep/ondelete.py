"""What every foreign key says on delete, beside what the policy wants of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from upkeep.catalog import Catalog, Column, ForeignKey
from upkeep.policy import Policy


@dataclass(frozen=True)
class OnDelete:
    """One key: what the schema says (None where it does not declare it), what rule ``rule`` wants (None: silence).

    ``obstacle`` says why what is wanted cannot be had; '' where it can, or where nothing is wanted.
    """

    key: ForeignKey
    found: str | None
    rule: int | None
    wanted: str | None
    differs: bool
    obstacle: str = ""
    why: str = ""

    @property
    def is_to_change(self) -> bool:
        """Does a revision make it say what is wanted?"""
        return self.differs and not self.obstacle


def judge_ondelete(
    catalog: Catalog, keys: Iterable[ForeignKey], policy: Policy, kept_as: Callable[[str], str]
) -> tuple[OnDelete, ...]:
    """Each key beside its rule. ``kept_as`` is how the engine keeps an ON DELETE; '' for one that it does not know."""
    return tuple(_judged(catalog, key, policy, kept_as) for key in keys)


def _judged(catalog: Catalog, key: ForeignKey, policy: Policy, kept_as: Callable[[str], str]) -> OnDelete:
    number, rule = policy.rule_for(key)
    found, wanted = key.ondelete if key.declared else None, rule.ondelete
    differs = wanted is not None and (found is None or kept_as(wanted) != kept_as(found))
    obstacle = _obstacle(catalog, key, wanted, kept_as) if wanted is not None and differs else ""
    return OnDelete(key, found, number, wanted, differs, obstacle, rule.why)


def _obstacle(catalog: Catalog, key: ForeignKey, wanted: str, kept_as: Callable[[str], str]) -> str:
    if not key.declared:
        return "the schema does not declare this key"
    if not kept_as(wanted):
        return f"this engine knows no ON DELETE {wanted}"
    if key.parent_missing:
        return f"the table {key.parent} is gone"
    if key.meant:
        return f"it is declared to the wrong table, {key.meant.parent} is meant: correct that first"
    return key.fault or impossible(catalog, key, wanted)


def impossible(catalog: Catalog, key: ForeignKey, ondelete: str) -> str:
    """Why every deletion of a parent would fail by this ON DELETE, whatever the rows are; '' if not."""
    table = catalog.tables.get(key.child)
    concerned = key.emptied if ondelete == key.ondelete and key.emptied else key.columns
    columns = [column for name in concerned if table and (column := table.column(name))]
    written = [column for column in columns if not _takes(column, ondelete)]
    return "; ".join(f"{column.name} {_refusal(column, ondelete)}" for column in written)


def _takes(column: Column, ondelete: str) -> bool:
    if ondelete not in ("SET NULL", "SET DEFAULT"):
        return True
    has_default = ondelete == "SET DEFAULT" and column.default is not None
    return not column.generated and (column.nullable or has_default)


def _refusal(column: Column, ondelete: str) -> str:
    if column.generated:
        return "is generated"
    return "may not be NULL" if ondelete == "SET NULL" else "has no default and may not be NULL"
