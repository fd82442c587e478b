"""What the suites promise: they tell the truth, no value of a row, and leave the database as it is."""

import json
import logging
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.validator.validator import Validator
from sqlalchemy import create_engine, make_url

from examples.clinic import ALL_KINDS, DEMO_KINDS, build, planted_values
from examples.clinic.models import Base
from expectations.complaints import complaint, without_literals
from expectations.files import load_suites
from expectations.meaning import understood
from expectations.run import SuiteRun, run_suites
from expectations.sources import read_only_sqlite
from expectations.suites import KEY_SUITE, NO_ORPHANS, NO_ROWS, Rule, Suite, expectation_suite, key_suite
from expectations.tables import rules_table
from upkeep.answers import Answer, Question
from upkeep.catalog import ForeignKey
from upkeep.databases.sqlite_dialect import SqliteDialect
from upkeep.errors import Refused, Unreachable
from upkeep.orphans import counting

PERSON = "Zebedee Quackenbush"
ADDRESS = "zebedee@quackenbush.example"
BIRTH = "1961-07-23"
PERSONAL = ("zebedee", "quackenbush", BIRTH)
HOUSE = Path(__file__).parent.parent
CLINIC_SUITES = HOUSE / "expectations" / "suites" / "clinic"

SCHEMA = f"""
CREATE TABLE patients (id INTEGER PRIMARY KEY, name TEXT, email TEXT, born TEXT);
CREATE TABLE visits (id INTEGER PRIMARY KEY, patient_id INTEGER, price NUMERIC, note TEXT);
INSERT INTO patients VALUES (1, '{PERSON}', '{ADDRESS}', '{BIRTH}'), (2, 'B', '{ADDRESS}', '2001-01-01');
INSERT INTO visits VALUES (1, 1, 4, '{{}}'), (2, 7, -2, ':x'), (3, 7, -1, '5%'), (4, 8, 0, NULL), (5, NULL, 1, NULL);
"""


def question(name: str = "visits-patient", *, query: str = "") -> Question:
    key = ForeignKey("visits", ("patient_id",), "patients", ("id",))
    return Question(name, str(key), query or counting(key, SqliteDialect()), "every visit has its patient")


def finds_none(query: str, name: str = "rule") -> Rule:
    return Rule(name, NO_ROWS, {"query": query}, f"{name} holds")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return make(tmp_path / "small.db", SCHEMA)


def make(path: Path, script: str) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()
    return path


def ask(path: Path, *rules: Rule, questions: tuple[Question, ...] = (), docs: Path | None = None) -> SuiteRun:
    suites = (Suite("rules", rules),) if rules else ()
    return run_suites(f"sqlite:///{path}", questions, suites, docs_folder=docs)


def open_files() -> list[str]:
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # another thread has closed it since
            found.append(str(link.readlink()))
    return found


# Foreign keys


def test_orphans_are_counted_as_a_person_would_count_them(database: Path) -> None:
    (answer,) = ask(database, questions=(question(),)).answers
    assert (answer.suite, answer.name, answer.severity) == (KEY_SUITE, "visits-patient", "critical")
    assert answer.holds is False
    assert answer.numbers == (3, 2)
    assert answer.seen == "3 orphans, 2 missing keys"


def test_a_key_without_orphans_holds(database: Path) -> None:
    make(database, "DELETE FROM visits WHERE patient_id > 2")
    (answer,) = ask(database, questions=(question(),)).answers
    assert (answer.holds, answer.numbers, answer.seen) == (True, (0, 0), "no orphans")


def test_each_key_is_one_expectation_in_words() -> None:
    suite = key_suite([question("one"), question("two")])
    built = expectation_suite(suite.name, suite.rules).expectations
    assert [each.expectation_type for each in built] == [NO_ORPHANS, NO_ORPHANS]
    configuration = built[0].configuration
    assert configuration.description == "every visit has its patient"
    assert configuration.kwargs["foreign_key"] == "visits(patient_id) -> patients(id)"
    assert configuration.meta is not None
    assert configuration.meta["owner"] == "upkeep"


def test_a_hundred_keys_take_less_than_a_second(database: Path) -> None:
    questions = tuple(question(f"key-{number}", query=f"{question().query} -- {number}") for number in range(100))
    ask(database, questions=questions[:1])
    began = time.process_time()  # of this process alone: other tests may run beside it
    answers = ask(database, questions=questions).answers
    assert time.process_time() - began < 1
    assert [answer.name for answer in answers] == [each.name for each in questions]
    assert {answer.numbers for answer in answers} == {(3, 2)}


@pytest.mark.parametrize(
    "query", ["SELECT 1", "SELECT 1, 2 UNION SELECT 3, 4", "SELECT 1, NULL", "SELECT 1, 2 WHERE 0 = 1"]
)
def test_an_answer_of_another_shape_is_no_answer(database: Path, query: str) -> None:
    (answer,) = ask(database, questions=(question(query=query),)).answers
    assert answer.holds is None
    assert answer.seen == "could not be asked: NotOneRowOfNumbersError"


# What cannot be asked


def test_p96_a_query_that_fails_could_not_be_asked(database: Path) -> None:
    bad = question("bad", query="SELECT orphans, missing_keys FROM nowhere")
    good, failed = ask(database, questions=(question(), bad)).answers
    assert good.numbers == (3, 2)
    assert (failed.holds, failed.numbers) == (None, ())
    assert failed.seen == "could not be asked: OperationalError: no such table: nowhere"


@pytest.mark.parametrize(
    "rule",
    [
        Rule("bad", "expect_column_to_exist", {"column": "id"}, "no such table", table="nowhere"),
        Rule("bad", "expect_column_values_to_be_unique", {"column": "nope"}, "no such column", table="patients"),
        Rule("bad", "expect_column_max_to_be_between", {"column": "name", "max_value": 1}, "a text", table="patients"),
        Rule(
            "bad", "expect_column_values_to_be_dateutil_parseable", {"column": "name"}, "not in SQL", table="patients"
        ),
        finds_none(f"SELECT json('{PERSON}')", "bad"),
        finds_none("SELECT 1) AS x; DROP TABLE visits; --", "bad"),
    ],
)
def test_p96_a_rule_that_cannot_be_asked_takes_no_other_with_it(database: Path, rule: Rule) -> None:
    unique = Rule("good", "expect_column_values_to_be_unique", {"column": "id"}, "ids differ", table="patients")
    bad, good = ask(database, rule, unique).answers
    assert bad.holds is None
    assert bad.seen.startswith("could not be asked: ")
    assert not any(value in bad.seen.lower() for value in PERSONAL)
    assert good.holds is True


def test_p96_a_result_without_an_observation_is_no_answer() -> None:
    rule = Rule("rule", NO_ROWS, {"query": "SELECT 1"}, "nothing found")
    heard = understood("rules", rule, ExpectationValidationResult(success=False, result={}))
    assert heard.answer.holds is None
    assert heard.answer.seen == "could not be asked: nothing was observed"


def test_p96_a_rule_whose_result_the_library_loses_could_not_be_asked(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Validator.graph_validate
    monkeypatch.setattr(Validator, "graph_validate", lambda *given, **named: whole(*given, **named)[1:])
    answers = ask(database, questions=(question("one"), question("two"))).answers
    assert [(answer.name, answer.holds) for answer in answers] == [("one", None), ("two", False)]
    assert answers[0].seen == "could not be asked: Great Expectations gave no result"


def test_a_suite_that_is_empty_or_not_understood_or_ambiguous_is_refused(database: Path) -> None:
    with pytest.raises(Refused, match="suite empty asks nothing"):
        run_suites(f"sqlite:///{database}", (), (Suite("empty", ()),))
    with pytest.raises(Refused, match="suite rules, rule r, expect_no_rows: query: field required"):
        ask(database, Rule("r", NO_ROWS, {}, "nothing"))
    with pytest.raises(Refused, match="suite foreign-keys has two rules named visits-patient"):
        ask(database, questions=(question(), question()))


def test_p05_a_database_that_is_not_there_is_unreachable_and_stays_away(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="the sqlite database that the suites should ask does not answer"):
        ask(tmp_path / "missing.db", questions=(question(),))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("url", ["no url", "sqlite://", "sqlite:///:memory:"])
def test_a_url_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        run_suites(url, (question(),), ())


# Rules with SQL of their own


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("SELECT * FROM visits WHERE price < 0;", 2),
        ("SELECT * FROM visits WHERE note = '{}'", 1),
        ("SELECT * FROM visits WHERE note = ':x' OR note LIKE '%\\%' ESCAPE '\\'", 2),
        ("SELECT id FROM visits WHERE id > 99 -- none", 0),
        ("WITH cheap AS (SELECT * FROM visits WHERE price < 1) SELECT * FROM cheap", 3),
    ],
)
def test_p50_a_rule_counts_its_rows_whatever_its_sql_is_made_of(database: Path, query: str, found: int) -> None:
    (answer,) = ask(database, finds_none(query)).answers
    assert answer.numbers == (found,)
    assert answer.holds is (found == 0)


@pytest.mark.parametrize("table", ['pa"ti{en}ts', "it's", "order", "Übung 1", "[x]", "a.b", "100%", "x:y"])
def test_p121_tables_of_any_name_are_asked(tmp_path: Path, table: str) -> None:
    quoted = SqliteDialect().quote(table)
    path = make(tmp_path / "names.db", f"CREATE TABLE {quoted} (id INTEGER); INSERT INTO {quoted} VALUES (1), (1)")
    unique = Rule("u", "expect_column_values_to_be_unique", {"column": "id"}, "ids differ", table=table)
    stock, ours = ask(path, unique, finds_none(f"SELECT * FROM {quoted}", "n")).answers
    assert (stock.holds, stock.seen) == (False, "2 of 2 values against the rule")
    assert ours.numbers == (2,)


def test_severity_description_and_owner_are_carried(database: Path) -> None:
    rule = Rule("r", NO_ROWS, {"query": "SELECT 1"}, "never", "warning", "accounting")
    (answer,) = ask(database, rule).answers
    assert answer == Answer("rules", "r", "never", "warning", False, "1 such row", (1,), "accounting")


# No value of a row anywhere (P-50, P-106)


def telling_rules() -> tuple[Rule, ...]:
    """Rules whose results, as the library makes them, hold values of rows."""
    rows: list[tuple[str, dict[str, Any]]] = [
        ("expect_column_values_to_be_unique", {"column": "email"}),
        ("expect_column_values_to_be_in_set", {"column": "name", "value_set": ["A"]}),
        ("expect_column_distinct_values_to_be_in_set", {"column": "name", "value_set": ["A"]}),
        ("expect_column_min_to_be_between", {"column": "born", "min_value": "2020-01-01"}),
        ("expect_column_most_common_value_to_be_in_set", {"column": "email", "value_set": ["A"]}),
        ("expect_column_max_to_be_between", {"column": "name", "max_value": 3}),
        ("expect_column_values_to_match_regex", {"column": "name", "regex": "^x{2}$"}),
        ("expect_column_pair_values_to_be_equal", {"column_A": "name", "column_B": "email"}),
        ("expect_compound_columns_to_be_unique", {"column_list": ["email", "name"]}),
        ("expect_column_value_lengths_to_be_between", {"column": "name", "max_value": 1}),
    ]
    stock = (Rule(f"rule-{n}", kind, kwargs, f"rule {n}", table="patients") for n, (kind, kwargs) in enumerate(rows))
    return (
        *stock,
        finds_none("SELECT * FROM patients WHERE $1 = name", "bad"),
        finds_none("SELECT name FROM patients", "ours"),
        finds_none("SELECT json(name) FROM patients ORDER BY json(name)", "json"),
    )


def test_p106_no_value_of_a_row_in_answers_results_pages_or_logs(
    database: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    docs = tmp_path / "docs"
    run = ask(database, *telling_rules(), questions=(question(),), docs=docs)
    assert run.docs == docs
    pages = [page.read_bytes().decode("utf-8", "replace") for page in docs.rglob("*") if page.is_file()]
    assert len(list(docs.rglob("*.html"))) == 5
    printed = capfd.readouterr()
    told = [json.dumps(run.results), repr(run.answers), caplog.text, printed.out, printed.err, *pages]
    for value in (*PERSONAL, str(database)):
        assert not any(value.lower() in text.lower() for text in told), value


def test_results_are_json_and_say_what_was_asked_and_counted(database: Path) -> None:
    unique = Rule("u", "expect_column_values_to_be_unique", {"column": "email"}, "differ", table="patients")
    results = json.loads(json.dumps(ask(database, unique, questions=(question(),)).results))
    assert results["asked"] == 2
    assert [suite["name"] for suite in results["suites"]] == [KEY_SUITE, "rules"]
    (entry,) = results["suites"][1]["expectations"]
    assert entry["result"]["unexpected_count"] == 2
    assert entry["kwargs"] == {"column": "email"}
    assert entry["holds"] is False


def test_the_pages_say_what_failed_and_what_could_not_be_asked(database: Path, tmp_path: Path) -> None:
    run = ask(database, finds_none("SELECT * FROM nowhere"), questions=(question(),), docs=tmp_path / "docs")
    assert run.docs is not None
    rules, keys = sorted(run.docs.glob("validations/**/*.html"), key=lambda page: page.stem, reverse=True)
    assert "could not be asked: OperationalError: no such table: nowhere" in rules.read_text("utf-8")
    assert "every visit has its patient" in keys.read_text("utf-8")


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ('relation "patients" does not exist', "relation patients does not exist"),
        (f'invalid input syntax for type integer: "{PERSON}"', "invalid input syntax for type integer"),
        (f"Incorrect DOUBLE value: '{PERSON}'", "Incorrect DOUBLE value"),
        (f"Key (name)=({PERSON}) already exists", "Key"),
        ("value 4711 is out of range", "value ? is out of range"),
    ],
)
def test_p50_a_complaint_of_the_database_keeps_no_literal(line: str, kept: str) -> None:
    assert without_literals(line) == kept


def test_p50_a_complaint_of_python_keeps_its_class_alone() -> None:
    traceback = f"Traceback (most recent call last):\n  File ...\ndateutil.ParserError: Unknown format: {PERSON}\n"
    assert complaint(f"Unknown format: {PERSON}", traceback) == "ParserError"
    assert complaint(f"what is (this) {PERSON}", "") == "error"
    assert complaint("", "") == "error"


def test_p50_what_a_function_of_the_database_raises_keeps_its_class_alone() -> None:
    assert complaint(f"(psycopg.errors.RaiseException) no bed for {PERSON}", "") == "RaiseException"
    assert complaint(f"(pymysql.err.DataError) (1292, 'Incorrect value: {PERSON}')", "") == "DataError"


def test_p50_the_library_is_told_before_its_import_not_to_report_home() -> None:
    told = (
        "import os, expectations, sys; print(os.environ['GX_ANALYTICS_ENABLED'], 'great_expectations' in sys.modules)"
    )
    given = {**os.environ, "GX_ANALYTICS_ENABLED": "true"}
    done = subprocess.run(
        [sys.executable, "-c", told], env=given, cwd=HOUSE, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["false", "False"]


# The database is left alone


def test_p99_no_byte_changes_and_no_connection_stays(database: Path) -> None:
    before = database.read_bytes()
    ask(database, *telling_rules(), questions=(question(), question("bad", query="SELECT nonsense")))
    assert database.read_bytes() == before
    assert [entry.name for entry in database.parent.iterdir()] == [database.name]
    assert not [path for path in open_files() if str(database) in path]


def test_no_connection_stays_when_the_run_breaks_off(database: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "docs"
    blocked.write_text("a file where the folder should be")
    with pytest.raises(OSError, match="docs"):
        ask(database, questions=(question(),), docs=blocked)
    assert not [path for path in open_files() if str(database) in path]


def test_p10_a_database_in_wal_mode_is_read_and_not_check_pointed(database: Path) -> None:
    writer = sqlite3.connect(database)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("INSERT INTO visits VALUES (6, 9, 1, NULL)")
    writer.commit()
    before = database.read_bytes()
    (answer,) = ask(database, questions=(question(),)).answers
    assert answer.numbers == (4, 3)
    assert database.read_bytes() == before
    writer.close()


def test_a_read_only_url_works_as_well(database: Path) -> None:
    url = f"sqlite:///file:{database}?mode=ro&uri=true"
    assert run_suites(url, (question(),), ()).answers[0].numbers == (3, 2)


def test_a_path_with_signs_that_mean_something_in_urls_works(tmp_path: Path) -> None:
    folder = tmp_path / "50% of $HOME & so#on"
    folder.mkdir()
    path = make(folder / "a b.db", SCHEMA)
    assert ask(path, questions=(question(),)).answers[0].numbers == (3, 2)


def test_a_sqlite_url_always_becomes_one_that_cannot_write() -> None:
    assert "mode=ro" in read_only_sqlite(make_url("sqlite:///file:/tmp/x.db?mode=rwc&uri=true"))
    assert "mode=rwc" not in read_only_sqlite(make_url("sqlite:///file:/tmp/x.db?mode=rwc&uri=true"))


def test_two_runs_at_once_hear_each_their_own_database(tmp_path: Path) -> None:
    small = make(tmp_path / "small.db", SCHEMA)
    clean = make(tmp_path / "clean.db", SCHEMA + "DELETE FROM visits WHERE patient_id > 2;")
    with ThreadPoolExecutor(4) as pool:
        runs = pool.map(lambda path: ask(path, questions=(question(),)), [small, clean] * 4)
    assert [run.answers[0].numbers for run in runs] == [(3, 2), (0, 0)] * 4


# Suites as files


def entry(**changes: Any) -> dict[str, Any]:
    usual = {
        "type": "expect_column_values_to_be_unique",
        "kwargs": {"column": "email"},
        "severity": "warning",
        "description": "no address twice",
        "meta": {"table": "patients"},
    }
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    folder = tmp_path / "suites"
    folder.mkdir()

    def write(*entries: Any, file: str = "rules.json", **suite: Any) -> Path:
        document = {"name": "rules", "meta": {"owner": "reception"}, "expectations": list(entries), **suite}
        (folder / file).write_text(json.dumps(document), "utf-8")
        return folder

    return write


def test_a_suite_file_is_understood_in_full(written: Callable[..., Path], database: Path) -> None:
    sql = entry(type=NO_ROWS, kwargs={"query": "SELECT * FROM visits WHERE price < 0"}, severity=None, meta=None)
    (suite,) = load_suites(written(entry(), entry(), sql, meta={"owner": "reception", "table": "visits"}))
    assert [rule.name for rule in suite.rules] == ["no-address-twice", "no-address-twice-2", "no-address-twice-3"]
    assert [rule.table for rule in suite.rules] == ["patients", "patients", None]
    assert [rule.severity for rule in suite.rules] == ["warning", "warning", "critical"]
    answers = run_suites(f"sqlite:///{database}", (), (suite,)).answers
    assert [answer.holds for answer in answers] == [False, False, False]
    assert {answer.owner for answer in answers} == {"reception"}


BAD_ENTRIES: list[tuple[Any, str]] = [
    (entry(type="expect_colum_values_to_be_unique"), "did you mean expect_column_values_to_be_unique?"),
    (entry(type=None), "has the unknown type None"),
    (entry(type="unexpected_rows_expectation"), "fetches whole rows"),
    (entry(severity="urgent"), "write one of critical, warning, info"),
    (entry(severity=["critical"]), "write one of critical, warning, info"),
    (entry(meta=None), 'write "meta": {"table": "..."}'),
    (entry(meta={"tabel": "patients"}), "meta has the unknown field tabel"),
    (entry(kwargs={"column": "email", "colour": "red"}), "colour: extra fields not permitted"),
    (entry(kwargs={}), "column: field required"),
    (entry(kwargs=["email"]), "kwargs that are not a JSON object"),
    (entry(kwargs={"column": "email", "result_format": "COMPLETE"}), "sets result_format in its kwargs"),
    (entry(description=None), "has no description"),
    (entry(sevrity="info"), "has the unknown field sevrity"),
    (entry(type=NO_ROWS, kwargs={"query": "DELETE FROM visits"}), "has no query that reads"),
    (entry(type=NO_ROWS, kwargs={"query": "SELECT 1", "column": "a"}), "column: extra fields not permitted"),
    ("no address twice", "is not a JSON object"),
]


@pytest.mark.parametrize(("bad", "words"), BAD_ENTRIES)
def test_p96_an_entry_that_is_not_understood_is_refused_by_file_and_number(
    written: Callable[..., Path], bad: Any, words: str
) -> None:
    folder = written(entry(), bad)
    with pytest.raises(Refused, match=r"^rules\.json: expectation 2") as refused:
        load_suites(folder)
    assert words in str(refused.value)


def test_p96_a_suite_without_expectations_is_refused(written: Callable[..., Path]) -> None:
    with pytest.raises(Refused, match=r"rules\.json: the suite has no expectations, and nothing checked is not a pass"):
        load_suites(written())


def test_p96_a_folder_without_suites_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="there is no suite in"):
        load_suites(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"name": "rules",', "not readable as JSON at line 1"),
        ('{"name": "rules", "name": "others"}', "the field name is written twice"),
        ("[]", "is not a JSON object"),
        ('{"name": "Rules of the house"}', "the suite has no usable name"),
        ('{"name": "foreign-keys", "expectations": []}', "the suite has no expectations"),
        ('{"name": "rules", "expectation": []}', "has the unknown field expectation"),
    ],
)
def test_a_file_that_is_not_understood_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "broken.json").write_text(text, "utf-8")
    with pytest.raises(Refused, match=r"^broken\.json") as refused:
        load_suites(tmp_path)
    assert words in str(refused.value)


def test_two_suites_of_one_name_are_refused(written: Callable[..., Path]) -> None:
    written(entry(), file="a.json")
    with pytest.raises(Refused, match=r"b\.json: the suite name rules is taken"):
        load_suites(written(entry(), file="b.json"))
    with pytest.raises(Refused, match=r"a\.json: the suite name foreign-keys is taken"):
        load_suites(written(entry(), file="a.json", name=KEY_SUITE))


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Callable[[frozenset[str]], Path]:
    """The folder of a clinic with some kinds of damage, built once for all tests."""

    @cache
    def built(kinds: frozenset[str]) -> Path:
        folder = tmp_path_factory.mktemp("clinic")
        build(folder, kinds=kinds)
        return folder

    return built


@pytest.mark.parametrize(("kinds", "warned"), [(frozenset(), 0), (DEMO_KINDS, 2), (ALL_KINDS, 2)])
def test_the_clinic_keeps_its_business_rules_but_for_warnings_about_reused_numbers(
    clinic: Callable[[frozenset[str]], Path], kinds: frozenset[str], warned: int
) -> None:
    answers = run_suites(f"sqlite:///{clinic(kinds)}/clinic.db", (), load_suites(CLINIC_SUITES)).answers
    assert len(answers) == 10
    assert not [answer for answer in answers if answer.holds is None]
    assert not [answer for answer in answers if answer.severity == "critical" and not answer.holds]
    failed = [answer.description for answer in answers if not answer.holds]
    assert len(failed) == warned
    assert all("re-used" in description for description in failed)


def test_the_clinics_rules_can_be_asked_of_its_newest_schema(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/empty.db")
    Base.metadata.create_all(engine)
    engine.dispose()
    answers = run_suites(f"sqlite:///{tmp_path}/empty.db", (), load_suites(CLINIC_SUITES)).answers
    assert [answer.seen for answer in answers if answer.holds is not True] == []


def test_p106_nothing_planted_in_the_clinic_appears_in_its_results(
    clinic: Callable[[frozenset[str]], Path], tmp_path: Path
) -> None:
    folder = clinic(DEMO_KINDS)
    url = f"sqlite:///{folder}/clinic.db"
    run = run_suites(url, (question(),), load_suites(CLINIC_SUITES), docs_folder=tmp_path / "docs")
    told = json.dumps(run.results) + "".join(page.read_text("utf-8") for page in (tmp_path / "docs").rglob("*.html"))
    planted = planted_values(folder / "truth.json")
    assert len(planted) > 100
    assert not [value for value in planted if value in told]


# A table for people


def test_the_table_puts_first_what_needs_a_person() -> None:
    def said(name: str, severity: str, holds: bool | None, numbers: tuple[int, ...] = ()) -> Answer:
        return Answer("rules", name, name, severity, holds, "seen", numbers, "owner")

    table = rules_table(
        [
            said("fine", "critical", True, (0,)),
            said("small", "critical", False, (1,)),
            said("warned", "warning", False, (9,)),
            said("large", "critical", False, (5,)),
            said("unasked", "critical", None),
        ]
    )
    assert [row["description"] for row in table] == ["large", "small", "unasked", "warned", "fine"]
    assert table[2]["answer"] == "could not be asked"
    assert {type(value) for row in table for value in row.values()} == {str, int}
    assert json.loads(json.dumps(table)) == table
    assert rules_table([]) == []
