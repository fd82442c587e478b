"""Which column points at which table: as the models say, as the policy states, or as a bad day declared it."""

from dataclasses import dataclass, replace

from examples.clinic.models import Base


@dataclass(frozen=True)
class Reference:
    """A column that holds the `id` of a row of the parent."""

    child: str
    column: str
    parent: str

    def __str__(self) -> str:
        return f"{self.child}.{self.column} -> {self.parent}.id"


STATED = (Reference("visits", "referred_by", "doctors"),)
MISDECLARED_TO = {("lab_orders", "ordered_by"): "users", ("lab_results", "verified_by"): "doctors"}


def modelled() -> tuple[Reference, ...]:
    """Every foreign key of the models, then those that only the policy states."""
    declared = (
        Reference(table.name, element.parent.name, element.column.table.name)
        for table in Base.metadata.tables.values()
        for key in table.foreign_key_constraints
        for element in key.elements
    )
    return (*sorted(declared, key=str), *STATED)


def in_database(reference: Reference, *, misdeclared: bool) -> Reference:
    """The same reference as the database declares it."""
    wrong = MISDECLARED_TO.get((reference.child, reference.column))
    return replace(reference, parent=wrong) if misdeclared and wrong else reference
