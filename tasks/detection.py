"""Looking for orphans in one state of a database by Great Expectations suites, and naming the rows by our own SQL."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from expectations.files import load_suites
from expectations.run import run_suites
from upkeep.adopting import LookedBack
from upkeep.answers import Answer, Question
from upkeep.catalog import ForeignKey
from upkeep.databases import Database, Reading, Sight
from upkeep.detected import Detected
from upkeep.equipment import Equipment
from upkeep.finding import detected, inquiry_into, keys_of, unasked, with_adopted, with_rows
from upkeep.findings import Finding
from upkeep.orphans import counting
from upkeep.wording.sentences import in_a_word

ROWS_NAMED = 20
"""So many orphans of each key are named by their locators in the evidence; the plan names all that it touches."""


@dataclass(frozen=True)
class Looked:
    """What was detected, and what Great Expectations leaves as evidence: its results and a folder of pages."""

    detected: Detected
    results: dict[str, Any]
    docs: Path | None


def detect(
    equipment: Equipment, target: Database, *, docs: Path | None = None, back: LookedBack | None = None
) -> Looked:
    """Ask every key and every hand-written rule of ``target``, which nobody else uses."""
    with target.reading() as reading:
        return detect_in(equipment, Sight(reading, target.alembic_url()), docs=docs, back=back)


def detect_in(
    equipment: Equipment, sight: Sight, *, docs: Path | None = None, back: LookedBack | None = None
) -> Looked:
    """Ask every key and every hand-written rule of one state.

    It remembers what the last run saw where it is told what a look ``back`` into older backups came to.
    """
    suites = load_suites(equipment.settings.suites) if equipment.settings.suites else ()
    reading = sight.reading
    keys = keys_of(reading, equipment.policy, equipment.models)
    questions = dict(_questions(reading, keys))
    by_name = {question.name: key for key, question in questions.items()}
    inquiry = inquiry_into(reading, equipment.policy)
    by_key: dict[ForeignKey, Finding] = {}

    def explain(answer: Answer) -> str:
        key = by_name[answer.name]
        by_key[key] = inquiry.into(_finding(reading, key, answer))
        return in_a_word(by_key[key])

    run = run_suites(
        sight.url,
        list(questions.values()),
        suites,
        at_begin=sight.at_begin,
        lend=sight.lend,
        docs_folder=docs,
        explain=explain,
    )
    rules = tuple(answer for answer in run.answers if answer.name not in by_name)
    findings = tuple(by_key[key] if key in by_key else _unanswered(key) for key in keys)
    found = detected(reading, findings, rules, equipment.policy)
    if back is not None:
        history = equipment.remember(reading, findings, back)
        found = replace(found, findings=with_adopted(findings, history), history=history)
    return Looked(found, run.results, run.docs)


def _questions(reading: Reading, keys: tuple[ForeignKey, ...]) -> Iterator[tuple[ForeignKey, Question]]:
    for number, key in enumerate(keys, start=1):
        if key.askable:
            readable = re.sub(r"[^a-z0-9]+", "-", f"{key.child}-{'-'.join(key.columns)}".lower()).strip("-")
            name = f"key-{number}-{readable}"
            origin = "" if key.declared else f" (stated by {key.stated_by})"
            says = f"every {key.child} that names a {key.parent} names one that is there{origin}"
            known = reading.known(key)
            query = counting(key, reading.dialect, known)
            yield key, Question(name, str(key), query, says, known.numbers if known else None)


def _finding(reading: Reading, key: ForeignKey, answer: Answer) -> Finding:
    """An answer as a finding; what could not be asked is no zero (P-96)."""
    if answer.holds is None or len(answer.numbers) != 2:
        return Finding(key, None, unasked=answer.seen)
    return with_rows(reading, key, answer.numbers[0], answer.numbers[1], ROWS_NAMED)


def _unanswered(key: ForeignKey) -> Finding:
    return Finding(key, None, unasked=unasked(key) if not key.askable else "no answer came back")


def zipped(docs: Path) -> Path:
    """Data Docs as one file."""
    return Path(shutil.make_archive(str(docs), "zip", docs))
