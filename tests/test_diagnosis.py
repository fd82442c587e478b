"""Why there are orphans: the judgement by tables, generated databases against plain Python, the clinic's own truth."""

import os
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, event, given, settings

from examples.clinic import ALL_KINDS, Truth, build
from examples.clinic import kinds as clinic_kinds
from tests.diagnosed import PARENTS, SomeDiagnosed, diagnosed_databases
from tests.engines.mariadb import MariadbEngine
from tests.postgresql_schemas import any_database
from tests.servers.mariadb import MariadbServer
from tests.servers.postgresql import PostgresServer
from tests.shell import DELETES, Place, family, upkeep
from upkeep.catalog import ForeignKey
from upkeep.databases import Reading
from upkeep.databases.postgresql_reading import PostgresqlReading
from upkeep.databases.sqlite_reading import SqliteReading
from upkeep.diagnosis import Diagnosis, causes, diagnose, is_telling
from upkeep.facts import Facts, Missed, Resemblance, Share, Trait
from upkeep.finding import diagnosed, find, keys_of
from upkeep.findings import Finding
from upkeep.policy import SILENCE

__all__ = ["any_database"]

HOUSE = Path(__file__).parents[1]
KEY = ForeignKey("visits", ("doctor_id",), "users", ("id",))
RIGHT = ForeignKey("visits", ("doctor_id",), "doctors", ("id",), declared=False, stated_by="the models")
SIMPLE = Facts({Trait.MISSING: Share(7, 3)})
OF_KIND = {
    clinic_kinds.PARENTS_DELETED: Diagnosis.PARENTS_MISSING,
    clinic_kinds.REUSED_IDS: Diagnosis.PARENTS_MISSING,  # the number is missing again
    clinic_kinds.DROPPED_TABLE: Diagnosis.PARENT_TABLE_MISSING,
    clinic_kinds.MISDECLARED: Diagnosis.MISDECLARED,
    clinic_kinds.TEXT_IN_INTEGER: Diagnosis.NEVER_A_KEY,
    clinic_kinds.SENTINELS: Diagnosis.SENTINEL,
}


# The judgement


@pytest.mark.parametrize(
    ("key", "orphans", "facts", "said"),
    [
        (KEY, 0, Facts(), Diagnosis.NONE),
        (KEY, 7, SIMPLE, Diagnosis.PARENTS_MISSING),
        (replace(KEY, parent_missing=True), 0, Facts(), Diagnosis.PARENT_TABLE_MISSING),
        (replace(KEY, parent_missing=True), 7, SIMPLE, Diagnosis.PARENT_TABLE_MISSING),
        (replace(KEY, fault="not unique"), 0, Facts(), Diagnosis.UNUSABLE_KEY),
        (replace(KEY, meant=RIGHT), 0, Facts(), Diagnosis.NONE),
        (replace(KEY, meant=RIGHT), 7, SIMPLE, Diagnosis.MISDECLARED),
        (replace(KEY, meant=RIGHT, parent_missing=True), 7, SIMPLE, Diagnosis.MISDECLARED),
        (KEY, 7, Facts({Trait.SENTINEL: Share(5, 1), Trait.MISSING: Share(2, 2)}), Diagnosis.SENTINEL),
        (KEY, 7, Facts({Trait.SENTINEL: Share(2, 1), Trait.MISSING: Share(5, 2)}), Diagnosis.PARENTS_MISSING),
        (KEY, 7, replace(SIMPLE, resembling=(Resemblance(RIGHT, 0.001),)), Diagnosis.SUSPECT),
        (KEY, 7, replace(SIMPLE, resembling=(Resemblance(RIGHT, 0.9),)), Diagnosis.PARENTS_MISSING),
        (
            replace(KEY, confirmed=True),
            7,
            replace(SIMPLE, resembling=(Resemblance(RIGHT, 0.0),)),
            Diagnosis.PARENTS_MISSING,
        ),
        (KEY, 3, Facts({Trait.PARTIAL: Share(3, 2)}), Diagnosis.PARTIAL_KEY),
        (KEY, 3, Facts({Trait.NO_NUMBER: Share(3, 2)}), Diagnosis.NEVER_A_KEY),
    ],
)
def test_the_one_word_for_a_key(key: ForeignKey, orphans: int, facts: Facts, said: Diagnosis) -> None:
    assert diagnose(key, orphans, facts) is said
    assert sum(cause.orphans for cause in causes(key, orphans, facts)) == (orphans if facts.shares else 0)


@pytest.mark.parametrize(
    ("chance", "is_whole", "missing", "distinct", "says_something"),
    [
        (0.005, False, 2, 0, True),
        (0.005, False, 1, 0, False),
        (0.5, False, 40, 50, False),
        (1.0, True, 5, 10, True),
        (1.0, True, 4, 4, False),
        (1.0, True, 5, 11, False),
        (1.0, True, 5, 0, False),
    ],
)
def test_p108_small_numbers_that_stand_in_another_table_say_nothing_by_themselves(
    chance: float, is_whole: bool, missing: int, distinct: int, says_something: bool
) -> None:
    assert is_telling(Resemblance(RIGHT, chance, is_whole), missing, distinct) is says_something


def evidence(key: ForeignKey, facts: Facts) -> list[str]:
    return [str(cause) for cause in causes(key, sum(share.orphans for share in facts.shares.values()), facts)]


def test_the_evidence_is_a_sentence_for_a_person() -> None:
    facts = Facts(
        {Trait.ELSEWHERE: Share(40, 6), Trait.MISSING: Share(1, 1), Trait.SENTINEL: Share(3, 2)},
        {Trait.SENTINEL: (Missed((0,), 2), Missed(("",), 1))},
        there=Share(4, 4),
    )
    assert evidence(replace(KEY, meant=RIGHT), facts) == [
        "the models say that doctor_id points at doctors(id), not at users: 40 of its 44 orphans are found there; "
        "pointed there, the key would have 4 orphans",
        "1 row of visits points at 1 row that is neither in users nor in doctors",
        "3 rows of visits hold 0 and an empty text in doctor_id, as if that meant none",
    ]
    assert evidence(replace(KEY, parent_missing=True), SIMPLE) == [
        "the whole table users is gone: 7 rows of visits point into it by 3 keys"
    ]
    assert evidence(KEY, replace(SIMPLE, resembling=(Resemblance(RIGHT, 0.0),))) == [
        "all 3 keys that 7 rows of visits miss in users stand in doctors(id): does the key point at the wrong table? "
        "No model says so, and values alone prove nothing"
    ]


def test_p117_the_key_that_most_rows_miss_is_told_if_it_is_a_number_and_only_counted_if_it_may_be_a_persons() -> None:
    often = {Trait.MISSING: (Missed((9999,), 5), Missed((4,), 1))}
    (told,) = evidence(KEY, replace(SIMPLE, frequent=often))
    assert told.endswith("; one key alone (9999) is missed by 5 of them")
    (told,) = evidence(KEY, replace(SIMPLE, frequent={Trait.MISSING: (Missed(("Zelmira",), 5), Missed(("x",), 1))}))
    assert told.endswith("; one key alone is missed by 5 of them")
    (told,) = evidence(KEY, replace(SIMPLE, frequent={Trait.MISSING: (Missed((9999,), 3), Missed((4,), 3))}))
    assert "alone" not in told


# Any database, on two engines: as reckoned by sets in Python


def looked_at(reading: Reading, database: SomeDiagnosed) -> Finding:
    (key,) = keys_of(reading, SILENCE, database.models)
    (finding,) = diagnosed(reading, (find(reading, key, limit=0),), SILENCE)
    return finding


def agree(finding: Finding, database: SomeDiagnosed) -> None:
    found = Counter({cause.diagnosis: cause.orphans for cause in finding.causes if cause.orphans})
    event(", ".join(sorted(found)) or "no orphans")
    assert found == database.truth
    refs = [ref for ref in database.refs if ref is not None]
    meant = dict(zip(PARENTS, database.parents, strict=True)).get(database.modelled or "")
    if finding.facts.there is not None and meant is not None:
        lost = [ref for ref in refs if ref not in meant]
        assert (finding.facts.there.orphans, finding.facts.there.missing_keys) == (len(lost), len(set(lost)))


@settings(max_examples=int(os.environ.get("DIAGNOSIS_EXAMPLES", "250")), deadline=None)
@given(diagnosed_databases())
def test_each_orphan_on_sqlite_has_the_diagnosis_that_plain_sets_give_it(database: SomeDiagnosed) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in database.statements:
            connection.execute(statement)
        agree(looked_at(SqliteReading(connection), database), database)


@settings(
    max_examples=int(os.environ.get("DIAGNOSIS_EXAMPLES", "25")), deadline=None, suppress_health_check=list(HealthCheck)
)
@given(database=diagnosed_databases())
def test_and_so_it_has_on_postgresql(any_database: "psycopg.Connection[Any]", database: SomeDiagnosed) -> None:
    try:
        any_database.execute("SET LOCAL session_replication_role = replica")
        for statement in database.statements:
            any_database.execute(statement.encode())
        agree(looked_at(PostgresqlReading(any_database), database), database)
    finally:
        any_database.rollback()


def test_keys_that_are_no_numbers_and_more_of_them_than_are_looked_up_one_by_one() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript("""
            CREATE TABLE users (id TEXT PRIMARY KEY); CREATE TABLE doctors (id TEXT PRIMARY KEY);
            CREATE TABLE visits (id INTEGER PRIMARY KEY, doctor_id TEXT REFERENCES users (id));
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)
            INSERT INTO doctors SELECT 'd' || i FROM n; INSERT INTO visits (doctor_id) SELECT id FROM doctors""")
        (key,) = keys_of(SqliteReading(connection), SILENCE)
        (finding,) = diagnosed(SqliteReading(connection), (find(SqliteReading(connection), key, limit=0),), SILENCE)
        assert finding.diagnosis is Diagnosis.SUSPECT
        connection.execute("DELETE FROM doctors WHERE id = 'd77'")
        (finding,) = diagnosed(SqliteReading(connection), (find(SqliteReading(connection), key, limit=0),), SILENCE)
        assert finding.diagnosis is Diagnosis.PARENTS_MISSING


def test_a_match_full_key_that_is_filled_in_by_half_is_partial(any_database: "psycopg.Connection[Any]") -> None:
    try:
        for statement in (
            "CREATE TABLE p (a int, b int, PRIMARY KEY (a, b))",
            "CREATE TABLE c (id int PRIMARY KEY, a int, b int, FOREIGN KEY (a, b) REFERENCES p MATCH FULL)",
            "SET LOCAL session_replication_role = replica",
            "INSERT INTO c VALUES (1, 1, NULL), (2, 8, 9), (3, NULL, NULL), (4, 0, 0)",
        ):
            any_database.execute(statement.encode())
        reading = PostgresqlReading(any_database)
        (key,) = keys_of(reading, SILENCE)
        (finding,) = diagnosed(reading, (find(reading, key, limit=0),), SILENCE)
        assert [(cause.diagnosis, cause.orphans) for cause in finding.causes] == [
            (Diagnosis.PARENTS_MISSING, 1),
            (Diagnosis.SENTINEL, 1),
            (Diagnosis.PARTIAL_KEY, 1),
        ]
    finally:
        any_database.rollback()


# The clinic: every planted cause


def settle(folder: Path, url: str) -> None:
    os.environ.update(
        DATABASE_URL=url,
        UPKEEP_DATABASE="clinic",
        UPKEEP_STORE=(folder / "store").as_uri(),
        UPKEEP_SCRATCH=str(folder / "scratch"),
        UPKEEP_POLICY=str(HOUSE / "examples/clinic/policy.toml"),
        UPKEEP_ALEMBIC_INI=str(HOUSE / "examples/clinic/alembic.ini"),
        UPKEEP_METADATA="examples.clinic.models:Base.metadata",
    )


def planted(truth: Truth) -> Counter[tuple[str, tuple[str, ...], str]]:
    return Counter((orphan.table, orphan.columns, OF_KIND[orphan.kind].value) for orphan in truth.orphans)


def told(document: Any) -> Counter[tuple[str, tuple[str, ...], str]]:
    return Counter(
        {
            (finding["child"], tuple(finding["columns"]), cause["diagnosis"]): cause["orphans"]
            for finding in document["findings"]
            for cause in finding["causes"]
            if cause["orphans"]
        }
    )


def test_every_planted_cause_gets_its_diagnosis_and_none_a_wrong_one(tmp_path: Path) -> None:
    truth = build(tmp_path / "clinic", kinds=ALL_KINDS)
    settle(tmp_path, f"sqlite:///{tmp_path / 'clinic' / 'clinic.db'}")
    document = upkeep("check", "--json").document
    assert told(document) == planted(truth)
    of = {diagnosis: [o for o in truth.orphans if OF_KIND[o.kind].value == diagnosis] for diagnosis in OF_KIND.values()}
    for toll in document["causes"]:
        orphans = of[Diagnosis(toll["diagnosis"])]
        assert toll["orphans"] == len(orphans)
        assert toll["rows"] == len({(orphan.table, orphan.key) for orphan in orphans})
    wrong = {(f["child"], f["meant"]["parent"]) for f in document["findings"] if f["diagnosis"] == "misdeclared"}
    assert wrong == {("lab_orders", "doctors"), ("lab_results", "users")}
    lines = upkeep("check").out.splitlines()
    assert lines[0].startswith(f"clinic (sqlite): {len(truth.orphans):,} orphans in ")
    assert lines[1].startswith("why: misdeclared ")
    assert any(line.startswith("next: correct 2 keys with a migration, not the rows; ") for line in lines[:5])


@pytest.mark.slow
def test_every_planted_cause_gets_its_diagnosis_on_postgresql(
    system_postgresql: PostgresServer, tmp_path: Path
) -> None:
    url = system_postgresql.url(system_postgresql.make_database())
    truth = build(tmp_path / "clinic", url=url, kinds=ALL_KINDS)
    settle(tmp_path, url)
    assert told(upkeep("check", "--json").document) == planted(truth)


@pytest.mark.slow
def test_every_planted_cause_gets_its_diagnosis_on_mariadb(mariadb: MariadbServer, tmp_path: Path) -> None:
    url = MariadbEngine(mariadb).empty().url
    truth = build(tmp_path / "clinic", url=url, kinds=ALL_KINDS, nights=2)
    settle(tmp_path, url)
    assert told(upkeep("check", "--json").document) == planted(truth)


def test_on_a_clean_clinic_nothing_is_said_and_without_models_nothing_is_suspected_of_it(tmp_path: Path) -> None:
    build(tmp_path / "clinic", kinds=frozenset(), nights=1)
    settle(tmp_path, f"sqlite:///{tmp_path / 'clinic' / 'clinic.db'}")
    for _ in range(2):
        said = upkeep("check")
        assert (said.code, said.out.splitlines()[1:]) == (0, ["next: nothing", "backups: not encrypted"])
        del os.environ["UPKEEP_METADATA"]
        os.environ.setdefault("UPKEEP_METADATA", "")


# What follows from it


MISDECLARED = """
    CREATE TABLE users (id INTEGER PRIMARY KEY); CREATE TABLE doctors (id INTEGER PRIMARY KEY);
    CREATE TABLE visits (id INTEGER PRIMARY KEY, doctor_id INTEGER REFERENCES users (id));
    INSERT INTO users VALUES (1); INSERT INTO doctors VALUES (1), (2), (3);
    INSERT INTO visits VALUES (1, 1), (2, 2), (3, 3), (4, 4);
"""
REFERENCE = '[[reference]]\nfrom = "visits.doctor_id"\nto = "doctors.id"\n'


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A key that is declared to users and means doctors."""
    return family(tmp_path / "place", MISDECLARED)


def kept(place: Place, policy: str) -> tuple[int, list[str]]:
    """The rows that a rehearsal would change for the misdeclared key, and why it keeps others."""
    place.policy(policy)
    from tests.clinics import rehearse_at
    from upkeep.equipment import equip
    from upkeep.workplaces import workplace

    equipment = equip()
    with workplace(equipment.settings.scratch, "main", "test") as folder:
        plan = rehearse_at(equipment, folder).rehearsed.plan
    wrong = "visits(doctor_id) -> users(id)"
    return sum(r.key == wrong for r in plan.repairs), [k.reason for k in plan.kept if k.key == wrong]


def test_p108_orphans_of_a_misdeclared_key_are_never_repaired_through_rows(place: Place) -> None:
    changed, reasons = kept(place, REFERENCE + DELETES.replace('child = "*"', 'child = "visits"\nparent = "users"'))
    assert changed == 0
    assert reasons == [
        "delete is impossible: by the policy the key points at doctors, and no rule was written for that very key"
    ]


def test_unless_a_rule_names_that_very_key(place: Place) -> None:
    named = DELETES.replace('child = "*"', 'child = "visits.doctor_id"\nparent = "users"')
    assert kept(place, REFERENCE + named)[0] == 3


def test_a_policy_may_name_what_means_none(place: Place) -> None:
    place.run("UPDATE visits SET doctor_id = 9999 WHERE id = 4")
    place.policy('[diagnosis]\nsentinels = ["9999"]\n')
    (finding,) = (f for f in upkeep("check", "--json").document["findings"] if f["orphans"])
    assert {cause["diagnosis"]: cause["orphans"] for cause in finding["causes"]}["sentinel"] == 1


def test_the_expectations_of_the_suite_carry_the_diagnosis_where_they_are_shown(place: Place) -> None:
    from tasks.detection import detect
    from upkeep.equipment import equip

    place.policy(REFERENCE)
    equipment = equip()
    looked = detect(equipment, equipment.database, docs=place.folder / "docs")
    told = {e["kwargs"]["foreign_key"]: e["told"] for suite in looked.results["suites"] for e in suite["expectations"]}
    assert told["visits(doctor_id) -> users(id)"].startswith("misdeclared: the policy says that doctor_id points at ")
    assert told["visits(doctor_id) -> doctors(id)"].startswith("parents missing: 1 row of visits points at 1 row of ")
    pages = "".join(page.read_text() for page in (place.folder / "docs").glob("validations/**/*.html"))
    assert "(misdeclared: the policy says that doctor_id points at doctors(id), not at users: 2 of its 3 " in pages


# The models' door


MODELS = """
import os
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table
metadata = MetaData()
Table("users", metadata, Column("id", Integer, primary_key=True))
Table("doctors", metadata, Column("id", Integer, primary_key=True))
Table("visits", metadata, Column("id", Integer, primary_key=True), Column("doctor_id", ForeignKey("doctors.id")))
Table("later", metadata, Column("id", Integer, primary_key=True), Column("doctor_id", ForeignKey("nowhere.id")))
"""


def modelled(place: Place, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (place.folder / "app").mkdir()
    (place.folder / "app" / "models.py").write_text(program)
    monkeypatch.chdir(place.folder)
    os.environ["UPKEEP_METADATA"] = "app.models:metadata"


def test_the_models_say_where_a_key_points(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    modelled(place, MODELS, monkeypatch)
    document = upkeep("check", "--json").document
    (finding,) = document["findings"]
    assert finding["diagnosis"] == "misdeclared"
    assert finding["meant"] == {"parent": "doctors", "parent_columns": ["id"], "stated_by": "the models"}
    assert {cause["diagnosis"]: cause["orphans"] for cause in finding["causes"]} == {
        "misdeclared": 2,
        "parents missing": 1,
    }


def test_a_key_that_only_the_models_know_is_asked_like_any_other(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.run(
        "DROP TABLE visits; CREATE TABLE visits (id INTEGER PRIMARY KEY, doctor_id INTEGER);"
        "INSERT INTO visits VALUES (1, 3), (2, 4)"
    )
    modelled(place, MODELS, monkeypatch)
    (finding,) = upkeep("check", "--json").document["findings"]
    assert (finding["declared"], finding["stated_by"], finding["orphans"]) == (False, "the models", 1)


def test_p88_the_models_are_read_without_the_live_url_and_without_a_secret(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = "import os, json, pathlib\npathlib.Path('seen.json').write_text(json.dumps(dict(os.environ)))\n"
    os.environ.update(UPKEEP_LOCK_SECONDS="7", SECRET_KEY="s3cret", AWS_SECRET_ACCESS_KEY="s3cret")
    modelled(place, spy + MODELS, monkeypatch)
    assert upkeep("check").code == 1
    seen = (place.folder / "seen.json").read_text()
    assert "s3cret" not in seen
    assert str(place.path) not in seen
    assert "UPKEEP_" not in seen
    assert "DATABASE_URL" in seen


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (
            "import no_such_library",
            "the models could not be read: ModuleNotFoundError: No module named 'no_such_library'",
        ),
        ("x = 1", "the models could not be read: AttributeError: module 'app.models' has no attribute 'metadata'"),
        ("metadata = 1", "the models could not be read: AttributeError: 'int' object has no attribute 'tables'"),
        ("raise SystemExit(5)", "the models could not be read: SystemExit: 5"),
        ("import os; os._exit(5)", "the models could not be read (exit 5): it said nothing"),
        (
            "from sqlalchemy import MetaData\nmetadata = MetaData()",
            "the models that UPKEEP_METADATA names have no tables",
        ),
    ],
)
def test_models_that_cannot_be_read_are_refused_and_not_taken_for_silent(
    place: Place, program: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    modelled(place, program, monkeypatch)
    code, sentence, hint = upkeep("check").complaint
    assert (code, sentence) == (2, said)
    assert "UPKEEP_METADATA" in hint or "module" in hint
