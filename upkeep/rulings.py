"""What the policy comes to for each foreign key of one database: the actions that are possible, with raw values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from upkeep.catalog import ForeignKey
from upkeep.databases import Reading
from upkeep.fixpoint import Spot
from upkeep.origins import Origin
from upkeep.orphans import among
from upkeep.policy import Action, Policy, Rule
from upkeep.possible import Choice, choices
from upkeep.values import Row


@dataclass(frozen=True)
class Rulings:
    """By the names of keys: the keys themselves, their rules with the rules' numbers, and the choices in order.

    ``named`` are rows to which rules reassign orphans; they may not go.
    """

    keys: Mapping[str, ForeignKey]
    rules: Mapping[str, tuple[int | None, Rule]]
    choices: Mapping[str, tuple[Choice, ...]]
    named: frozenset[Spot]

    def has(self, name: str, action: Action) -> bool:
        """Is this action among those that are possible for the key?"""
        return any(choice.action is action for choice in self.choices[name])

    def needs_no_proof(self, name: str) -> bool:
        """Was a rule written for that very key that lets a parent come back unproven?"""
        rule = self.rules[name][1]
        return rule.restore_unproven and rule.names(self.keys[name])


def rulings(
    reading: Reading,
    keys: tuple[ForeignKey, ...],
    policy: Policy,
    gone: Mapping[str, str] | None = None,
    coming: Iterable[Origin] = (),
) -> Rulings:
    """The rulings for one state. A key that is declared twice, with two actions on delete, is one.

    ``gone`` says of parent tables that are gone why they do not come back; rows that are ``coming`` may be named too.
    """
    catalog = reading.catalog()
    by_name = {str(key): key for key in keys if key.child in catalog.tables}
    rules = {name: policy.rule_for(key) for name, key in by_name.items()}
    found: dict[str, tuple[Choice, ...]] = {}
    named: set[Spot] = set()
    for name, key in by_name.items():
        several, missing = [], ""
        for choice in choices(
            key, rules[name][1], catalog, keys, (gone or {}).get(key.parent, "") if key.parent_missing else ""
        ):
            if choice.action is not Action.REASSIGN:
                several.append(choice)
            elif spot := _named_row(reading, key, choice) or _named_among(coming, key, choice):
                several.append(replace(choice, values=spot[1]))
                named.add(spot[0])
            else:
                missing = f"reassign is impossible: the row of {key.parent} that the rule names is not there"
        # The last one keeps, and tells why.
        found[name] = (
            *several[:-1],
            replace(several[-1], reason="; ".join(filter(None, [missing, several[-1].reason]))),
        )
    return Rulings(by_name, rules, found, frozenset(named))


def _named_row(reading: Reading, key: ForeignKey, choice: Choice) -> tuple[Spot, Row] | None:
    """The row that the rule names, and its raw values in the columns that the key points at; None without it."""
    dialect, table = reading.dialect, reading.catalog().tables[key.parent]
    columns = ", ".join(f"p.{dialect.quote(name)}" for name in (*table.locator, *key.parent_columns))
    with reading.chosen(key.parent, key.parent_columns, [choice.values]) as relation:
        which = among("p", key.parent_columns, relation, dialect)
        rows = list(reading.rows(f"SELECT {columns} FROM {dialect.source(key.parent)} AS p WHERE {which}"))
    if len(rows) != 1:
        return None
    width = len(table.locator)
    return Spot(key.parent, rows[0][:width]), rows[0][width:]


def _named_among(coming: Iterable[Origin], key: ForeignKey, choice: Choice) -> tuple[Spot, Row] | None:
    """The same of a row that the plan puts back, by its values as they are written."""
    for origin in coming:
        held = dict(zip(origin.columns, origin.values, strict=True))
        values = tuple(held.get(name) for name in key.parent_columns)
        if origin.spot.table == key.parent and tuple(map(str, values)) == tuple(map(str, choice.values)):
            return origin.spot, values
    return None
