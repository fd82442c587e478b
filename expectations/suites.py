"""What a suite is: rules in words, each of which becomes one expectation."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from great_expectations.compatibility import pydantic
from great_expectations.core.expectation_suite import ExpectationSuite
from great_expectations.exceptions.exceptions import GreatExpectationsError
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.metadata_types import FailureSeverity

from expectations import foreign_key, no_rows  # imported so that the library knows their types by name
from upkeep.answers import Question
from upkeep.errors import Refused

NO_ORPHANS = foreign_key.ExpectNoOrphans.expectation_type
NO_ROWS = no_rows.ExpectNoRows.expectation_type
OURS = (NO_ORPHANS, NO_ROWS)
KEY_SUITE = "foreign-keys"


@dataclass(frozen=True)
class Rule:
    """One thing that must hold: ``name`` is unique in its suite, ``table`` is None where the rule brings its SQL."""

    name: str
    type: str
    kwargs: Mapping[str, Any] = field(hash=False)
    description: str
    severity: str = "critical"
    owner: str = ""
    table: str | None = None

    def __str__(self) -> str:
        return self.description


@dataclass(frozen=True)
class Suite:
    """Rules that belong together, under a name made of lower-case letters, digits, dashes and underscores."""

    name: str
    rules: tuple[Rule, ...]


def key_suite(questions: Sequence[Question]) -> Suite:
    """The suite that asks each foreign key for its orphans, one query for each key."""
    return Suite(
        KEY_SUITE,
        tuple(
            Rule(
                name=question.name,
                type=NO_ORPHANS,
                kwargs={"foreign_key": question.key, "query": question.query}
                | ({"numbers": question.numbers} if question.numbers else {}),
                description=question.description,
                owner="upkeep",
            )
            for question in questions
        ),
    )


def expectation(rule: Rule, place: str) -> Expectation:
    """The rule as the library's expectation; its ``meta`` tells to which rule a result belongs.

    Raises Refused, with the ``place`` where the rule stands, for what the library does not understand.
    """
    try:
        return _configuration(rule).to_domain_obj()
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "__root__") or "kwargs"
        raise Refused(f"{place}, {rule.type}: {where}: {first['msg']}", "correct its kwargs") from None
    except (GreatExpectationsError, TypeError, ValueError) as error:
        raise Refused(f"{place}, {rule.type}: {error}", "correct its type, its severity or its kwargs") from None


def _configuration(rule: Rule) -> ExpectationConfiguration:
    return ExpectationConfiguration(
        type=rule.type,
        kwargs=dict(rule.kwargs),
        meta={"rule": rule.name, "owner": rule.owner, **({"table": rule.table} if rule.table else {})},
        description=rule.description,
        severity=FailureSeverity(rule.severity),
    )


def expectation_suite(name: str, rules: Sequence[Rule]) -> ExpectationSuite:
    """The rules as one suite of the library, none lost: it drops without a word what it does not understand (P-96)."""
    built = ExpectationSuite(
        name=name, expectations=[expectation(rule, f"suite {name}, rule {rule.name}") for rule in rules]
    )
    lost = len(rules) - len(built.expectations)
    if lost:
        raise Refused(
            f"{lost} of {len(rules)} expectations of suite {name} were dropped by Great Expectations",
            "compare the suite with the types that this version of it knows",
        )
    return built


def check(suite: Suite) -> None:
    """Raise Refused for a suite without a rule, with a rule that is not understood, or with two rules of one name."""
    if not suite.rules:
        raise Refused(f"suite {suite.name} asks nothing", "write at least one expectation, or remove the suite")
    twice = [name for name, times in Counter(rule.name for rule in suite.rules).items() if times > 1]
    if twice:
        raise Refused(f"suite {suite.name} has two rules named {twice[0]}", "give each rule a name of its own")
    expectation_suite(suite.name, suite.rules)
