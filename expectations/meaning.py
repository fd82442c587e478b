"""What a result of Great Expectations means: an answer in words, and numbers that are no value of any row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from great_expectations.core.expectation_validation_result import ExpectationValidationResult

from expectations.complaints import complaint
from expectations.suites import NO_ORPHANS, NO_ROWS, OURS, Rule
from upkeep.answers import Answer

# Only what stands here is kept of a result; all else may be a value of a row, such as the first date of birth (P-106).
COUNTS = (
    "element_count",
    "missing_count",
    "missing_percent",
    "unexpected_count",
    "unexpected_percent",
    "unexpected_percent_nonmissing",
    "unexpected_percent_total",
)
COUNTING_TYPES = (
    *OURS,
    "expect_column_proportion_of_non_null_values_to_be_between",
    "expect_column_proportion_of_unique_values_to_be_between",
    "expect_column_unique_value_count_to_be_between",
    "expect_table_column_count_to_be_between",
    "expect_table_column_count_to_equal",
    "expect_table_row_count_to_be_between",
    "expect_table_row_count_to_equal",
    "expect_table_row_count_to_equal_other_table",
)
TYPES_THAT_ONLY_SAY_YES_OR_NO = ("expect_column_to_exist",)


@dataclass(frozen=True)
class Heard:
    """One rule, the answer that came back, what was kept of the result behind it, and in ``told`` why it is so."""

    rule: Rule
    answer: Answer
    kept: Mapping[str, int | float] = field(default_factory=dict, hash=False)
    told: str = ""


def unasked(suite: str, rule: Rule, why: str) -> Heard:
    """A rule that nobody could ask: its answer is not a yes (P-96)."""
    seen = f"could not be asked: {why}"
    return Heard(rule, Answer(suite, rule.name, rule.description, rule.severity, None, seen, owner=rule.owner))


def understood(suite: str, rule: Rule, result: ExpectationValidationResult) -> Heard:
    """The answer that a result gives to a rule, and what may be kept of the result."""
    raw: Mapping[str, Any] = result.result or {}
    why = _why_unasked(rule, raw, result.exception_info or {})
    if why:
        return unasked(suite, rule, why)
    kept = keep(rule.type, raw)
    holds = bool(result.success)
    numbers = _numbers(rule, raw)
    seen = words(rule.type, holds, kept, numbers)
    return Heard(
        rule, Answer(suite, rule.name, rule.description, rule.severity, holds, seen, numbers, rule.owner), kept
    )


def _why_unasked(rule: Rule, raw: Mapping[str, Any], exceptions: Mapping[str, Any]) -> str:
    """Why there is no answer, or ''. An error does not surface as one: the library calls it a failure (P-50)."""
    raised = [exceptions] if "exception_message" in exceptions else [*exceptions.values()]
    for error in raised:
        if isinstance(error, Mapping) and error.get("exception_message") is not None:
            return complaint(error["exception_message"], error.get("exception_traceback") or "")
    if rule.type in TYPES_THAT_ONLY_SAY_YES_OR_NO or "unexpected_count" in raw or raw.get("observed_value") is not None:
        return ""
    return "nothing was observed"


def keep(kind: str, raw: Mapping[str, Any]) -> dict[str, int | float]:
    """The numbers of a result that count rows; what was observed only where its type observes a count."""
    names = (*COUNTS, "observed_value") if kind in COUNTING_TYPES else COUNTS
    return {name: raw[name] for name in names if type(raw.get(name)) in (int, float)}


def _numbers(rule: Rule, raw: Mapping[str, Any]) -> tuple[int, ...]:
    if rule.type == NO_ORPHANS:
        return int(raw["details"]["orphans"]), int(raw["details"]["missing_keys"])
    return (int(raw["observed_value"]),) if rule.type == NO_ROWS else ()


def words(kind: str, holds: bool, kept: Mapping[str, int | float], numbers: tuple[int, ...]) -> str:
    """What was seen, as a person would say it."""
    if kind == NO_ORPHANS:
        return f"{_count(numbers[0], 'orphan')}, {_count(numbers[1], 'missing key')}" if numbers[0] else "no orphans"
    if kind == NO_ROWS:
        return f"{_count(numbers[0], 'such row')}" if numbers[0] else "no such row"
    if "element_count" in kept and "unexpected_count" in kept:
        return f"{kept['unexpected_count']} of {_count(kept['element_count'], 'value')} against the rule"
    if "observed_value" in kept:
        return f"{kept['observed_value']} counted"
    return "it holds" if holds else "it does not hold; what was observed is not told, for it may be a value of a row"


def _count(number: float, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
