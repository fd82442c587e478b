"""Answers as a table that a person can read: the ones that need attention first."""

from collections.abc import Sequence
from dataclasses import asdict

import pandas

from upkeep.answers import Answer

GRAVEST_FIRST = ("critical", "warning", "info")
SAID = {True: "holds", False: "does not hold", None: "could not be asked"}
COLUMNS = ("suite", "description", "severity", "answer", "seen", "number", "owner")


def rules_table(answers: Sequence[Answer]) -> list[dict[str, str | int]]:
    """One row for each answer; ``number`` counts what was found against the rule, 0 where there is nothing to count.

    What fails or could not be asked comes before what holds, the gravest first, then the greatest number.
    """
    if not answers:
        return []
    table = pandas.DataFrame([asdict(answer) for answer in answers])
    table["number"] = [answer.numbers[0] if answer.numbers else 0 for answer in answers]
    table["answer"] = [SAID[answer.holds] for answer in answers]
    table["fine"] = [answer.holds is True for answer in answers]
    table["gravity"] = [_gravity(answer.severity) for answer in answers]
    ordered = table.sort_values(["fine", "gravity", "number"], ascending=[True, True, False], kind="stable")
    rows = zip(*(ordered[column] for column in COLUMNS), strict=True)
    return [{name: _plain(value) for name, value in zip(COLUMNS, row, strict=True)} for row in rows]


def _gravity(severity: str) -> int:
    return GRAVEST_FIRST.index(severity) if severity in GRAVEST_FIRST else len(GRAVEST_FIRST)


def _plain(value: object) -> str | int:
    """A str or int of Python's own: an artifact is JSON, which knows no numpy."""
    return value if isinstance(value, str) else int(str(value))
