"""Suites as JSON files that people edit by hand; what a file says is understood in full or refused."""

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from great_expectations.expectations.registry import get_expectation_impl, list_registered_expectation_implementations

from expectations.suites import KEY_SUITE, NO_ROWS, OURS, Rule, Suite, check, expectation
from upkeep.errors import Refused

SUITE_FIELDS = ("name", "meta", "expectations")
ENTRY_FIELDS = ("type", "kwargs", "severity", "description", "meta")
META_FIELDS = ("owner", "table")
SEVERITIES = ("critical", "warning", "info")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
SELECT = re.compile(r"\s*(?:SELECT|WITH)\s", re.IGNORECASE)
STOCK = "great_expectations.expectations.core."
# Each of these fetches whole rows (P-50), or decides about rows outside of the one database.
FETCHING = ("unexpected_rows_expectation", "expect_query_results_to_match_comparison")
# The run decides these for all expectations alike.
RESERVED = ("batch_id", "catch_exceptions", "description", "id", "meta", "notes", "rendered_content", "result_format")


def load_suites(folder: Path) -> tuple[Suite, ...]:
    """The suites of all ``*.json`` files of a folder, by the names of the files.

    Raises Refused, with the file, the entry and what to write, for anything that is not understood: a typing error
    that silently took a check away would look like a check that passed (P-96).
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise Refused(f"there is no suite in {folder}", "put at least one JSON file of expectations there")
    suites: dict[str, Suite] = {}
    for file in files:
        suite = load_suite(file)
        if suite.name in suites or suite.name == KEY_SUITE:
            raise Refused(f"{file.name}: the suite name {suite.name} is taken", "choose another name for this suite")
        suites[suite.name] = suite
    return tuple(suites.values())


def load_suite(file: Path) -> Suite:
    """The suite that one file describes; raises Refused as ``load_suites`` does."""
    written = _mapping(_read(file), file.name, SUITE_FIELDS)
    name = written.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise Refused(f"{file.name}: the suite has no usable name", 'write "name": "business-rules" (a-z, 0-9, -, _)')
    defaults = _mapping(written.get("meta", {}), f"{file.name}: meta", META_FIELDS)
    entries = written.get("expectations")
    if not isinstance(entries, list) or not entries:
        raise Refused(
            f"{file.name}: the suite has no expectations, and nothing checked is not a pass",
            'write at least one below "expectations", or remove the file',
        )
    rules: list[Rule] = []
    for number, entry in enumerate(entries, start=1):
        rules.append(_rule(entry, f"{file.name}: expectation {number}", defaults, {rule.name for rule in rules}))
    suite = Suite(name, tuple(rules))
    check(suite)
    return suite


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"), object_pairs_hook=_without_repetition)
    except (OSError, ValueError) as error:  # of the text itself nothing is told but where it breaks
        place = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else f": {error}"
        raise Refused(f"{file.name}: not readable as JSON{place}", "correct the file, or remove it") from None


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of a field that is written twice ``json`` would drop the first without a word."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the field {next(name for name in names if names.count(name) > 1)} is written twice")
    return found


def _mapping(value: Any, place: str, fields: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused(f"{place} is not a JSON object", f"write an object with the fields {', '.join(fields)}")
    unknown = sorted(value.keys() - set(fields))
    if unknown:
        raise Refused(f"{place} has the unknown field {unknown[0]}", f"the fields are {', '.join(fields)}")
    return value


def _rule(value: Any, place: str, defaults: Mapping[str, Any], names: set[str]) -> Rule:
    entry = _mapping(value, place, ENTRY_FIELDS)
    kind = _type(entry.get("type"), place)
    severity = entry.get("severity", "critical")
    if severity not in SEVERITIES:
        raise Refused(f"{place} has the unknown severity {severity}", f"write one of {', '.join(SEVERITIES)}")
    kwargs = entry.get("kwargs", {})
    if not isinstance(kwargs, dict):
        raise Refused(f"{place} has kwargs that are not a JSON object", 'write "kwargs": {"column": "..."}')
    meta = {**defaults, **_mapping(entry.get("meta", {}), f"{place}: meta", META_FIELDS)}
    description = entry.get("description")
    if not isinstance(description, str) or not description.strip():
        raise Refused(f"{place} has no description", 'write "description": "one sentence: what must hold"')
    table = _table(kind, meta.get("table"), place)
    rule = Rule(_name(description, names), kind, kwargs, description, severity, str(meta.get("owner", "")), table)
    _refuse_unless_buildable(rule, place)
    return rule


def _type(kind: Any, place: str) -> str:
    """The type, if it is a stock expectation over a table or column, or one of ours."""
    if kind in FETCHING:
        raise Refused(f"{place}: {kind} fetches whole rows", f'write "type": "{NO_ROWS}" with the SELECT as its query')
    known = [name for name in list_registered_expectation_implementations() if name in OURS or _is_stock(name)]
    if kind in known:
        return str(kind)
    close = get_close_matches(str(kind), known, n=1) or [NO_ROWS]
    raise Refused(f"{place} has the unknown type {kind}", f"did you mean {close[0]}?")


def _is_stock(name: str) -> bool:
    return name not in FETCHING and get_expectation_impl(name).__module__.startswith(STOCK)


def _table(kind: str, table: Any, place: str) -> str | None:
    if kind in OURS:
        return None
    if not isinstance(table, str) or not table:
        raise Refused(f"{place} names no table", 'write "meta": {"table": "..."}, there or for the whole suite')
    return table


def _name(description: str, taken: set[str]) -> str:
    """A name made of the description's words, with a number where another rule says the same."""
    words = "-".join(re.findall(r"[a-z0-9]+", description.lower()))[:60].strip("-") or "rule"
    name, number = words, 2
    while name in taken:
        name, number = f"{words}-{number}", number + 1
    return name


def _refuse_unless_buildable(rule: Rule, place: str) -> None:
    reserved = sorted(rule.kwargs.keys() & set(RESERVED))
    if reserved:
        raise Refused(f"{place} sets {reserved[0]} in its kwargs", "leave it out: it is the same for all expectations")
    if rule.type in OURS and not SELECT.match(str(rule.kwargs.get("query", ""))):
        raise Refused(f"{place} has no query that reads", 'write "kwargs": {"query": "SELECT ..."}')
    built = expectation(rule, place)
    lost = sorted(name for name in rule.kwargs if name not in type(built).__fields__)
    if lost:
        raise Refused(f"{place}, {rule.type}: {lost[0]} is not used", "leave it out or correct its name")
