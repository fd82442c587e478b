"""How suites are put to a database, and what comes back: one answer for each expectation, whatever happens."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import great_expectations
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.data_context.data_context.ephemeral_data_context import EphemeralDataContext
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.datasource.fluent.interfaces import Batch
from great_expectations.datasource.fluent.sql_datasource import QueryAsset, SQLDatasource, TableAsset
from sqlalchemy.sql.elements import quoted_name

from expectations.documents import write_documents
from expectations.meaning import Heard, unasked, understood
from expectations.sources import Lend, connected
from expectations.suites import KEY_SUITE, Rule, Suite, check, expectation_suite, key_suite
from upkeep.answers import Answer, Question

# Values of rows are neither listed nor counted one by one (P-50).
RESULT_FORMAT = {"result_format": "SUMMARY", "partial_unexpected_count": 0}
# The library knows one current context for each process: two runs in two threads would share it.
ONE_AT_A_TIME = threading.Lock()
LOST = "Great Expectations gave no result"


@dataclass(frozen=True)
class SuiteRun:
    """What the suites said: as many ``answers`` as expectations were asked, suite by suite in their order.

    ``results`` is a JSON document with the same and the counts behind it, without any value of a row; ``docs`` is the
    folder of static pages, None where none were wanted or not all of them could be drawn. No answers at all is for
    the caller to judge: nothing checked is not green (P-96).
    """

    answers: tuple[Answer, ...]
    results: dict[str, Any]
    docs: Path | None


def run_suites(
    url: str,
    questions: Sequence[Question],
    rule_suites: Sequence[Suite],
    *,
    at_begin: Sequence[str] = (),
    lend: Lend = None,
    docs_folder: Path | None = None,
    explain: Callable[[Answer], str] = lambda _: "",
) -> SuiteRun:
    """Put the foreign keys and the rules to the database behind ``url``, a SQLAlchemy URL, and leave it as it is.

    Every transaction begins with the statements ``at_begin``, by which all of them may see one state; or ``lend`` gives
    connections that see it. ``explain`` says of the answer about a foreign key why it is so, in words that are shown
    beside it.

    An expectation that could not be asked has an answer that says so. Raises Unreachable where the database does not
    answer at all, Refused for a URL or a suite that cannot be used. Static pages are written below ``docs_folder``,
    which takes about a second; they need the internet for their style, so they are a supplement.
    """
    suites = [*([key_suite(questions)] if questions else []), *rule_suites]
    for suite in suites:
        check(suite)
    with ONE_AT_A_TIME:
        context = _context()
        heard = _explained(_ask(context, url, at_begin, lend, suites), explain) if suites else []
        drawn = docs_folder is not None and write_documents(context, docs_folder, heard)
    answers = tuple(one.answer for _, ones in heard for one in ones)
    return SuiteRun(answers, _document(heard), docs_folder if drawn else None)


def _context() -> EphemeralDataContext:
    context = great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def _ask(
    context: EphemeralDataContext, url: str, at_begin: Sequence[str], lend: Lend, suites: Sequence[Suite]
) -> list[tuple[Suite, list[Heard]]]:
    with connected(context, url, at_begin, lend) as source:
        return [(suite, _ask_suite(source, suite)) for suite in suites]


def _explained(
    heard: list[tuple[Suite, list[Heard]]], explain: Callable[[Answer], str]
) -> list[tuple[Suite, list[Heard]]]:
    """With the words that say why, once all was asked and the connection is given back."""
    return [
        (suite, [replace(one, told=explain(one.answer)) for one in ones] if suite.name == KEY_SUITE else ones)
        for suite, ones in heard
    ]


def _ask_suite(source: SQLDatasource, suite: Suite) -> list[Heard]:
    """All rules of a suite in their order, each table's asked together so that they share its scans."""
    found: dict[str, Heard] = {}
    for table, rules in groupby(sorted(suite.rules, key=_place), key=_place):
        found |= _ask_table(source, suite.name, table, list(rules))
    return [found.get(rule.name) or unasked(suite.name, rule, LOST) for rule in suite.rules]


def _place(rule: Rule) -> str:
    return rule.table or ""


def _ask_table(source: SQLDatasource, suite: str, table: str, rules: list[Rule]) -> dict[str, Heard]:
    """What the rules over one table say, by the names of the rules; some may be missing."""
    try:
        results = _batch(source, table).validate(expectation_suite(suite, rules), result_format=RESULT_FORMAT).results
    except Exception as error:  # noqa: BLE001 - whatever it is, the answer says that nobody could ask
        if len(rules) == 1:
            why = f"{type(error).__name__}{f' at table {table}' if table else ''}"
            return {rules[0].name: unasked(suite, rules[0], why)}
        # a rule that cannot even be prepared takes its neighbours with it
        return {name: one for rule in rules for name, one in _ask_table(source, suite, table, [rule]).items()}
    named = {rule.name: rule for rule in rules}
    known = [(named.get(_rule_of(result)), result) for result in results]
    return {rule.name: understood(suite, rule, result) for rule, result in known if rule}


def _rule_of(result: ExpectationValidationResult) -> str:
    """The name of the rule that a result belongs to: results come back in another order than they were asked in."""
    configuration = result.expectation_config
    return str((configuration.meta or {}).get("rule", "")) if configuration else ""


def _batch(source: SQLDatasource, table: str) -> Batch:
    """A table, its name quoted whatever it is made of; '' is the database itself, for rules that bring their SQL."""
    name = f"asset {len(source.assets)}"
    asset: TableAsset | QueryAsset = (
        source.add_table_asset(name, table_name=quoted_name(table, quote=True))
        if table
        else source.add_query_asset(name, "SELECT 1 AS one")
    )
    return asset.add_batch_definition_whole_table(name).get_batch()


def _document(heard: Sequence[tuple[Suite, Sequence[Heard]]]) -> dict[str, Any]:
    return {
        "great_expectations": great_expectations.__version__,
        "asked": sum(len(suite.rules) for suite, _ in heard),
        "suites": [{"name": suite.name, "expectations": [_entry(one) for one in ones]} for suite, ones in heard],
    }


def _entry(one: Heard) -> dict[str, Any]:
    rule, answer = one.rule, one.answer
    return {
        "name": rule.name,
        "type": rule.type,
        "table": rule.table,
        "kwargs": dict(rule.kwargs),
        "description": rule.description,
        "severity": rule.severity,
        "owner": rule.owner,
        "holds": answer.holds,
        "seen": answer.seen,
        "told": one.told,
        "numbers": list(answer.numbers),
        "result": dict(one.kept),
    }
