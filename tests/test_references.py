"""References that no schema declares: by globs, by a column that tells the type, to parents marked as deleted."""

import os
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.clinics import rehearse_at
from tests.postgresql_schemas import any_database
from tests.shell import Place, family, upkeep
from upkeep.databases import Reading
from upkeep.databases.postgresql_reading import PostgresqlReading
from upkeep.databases.sqlite_reading import SqliteReading
from upkeep.equipment import equip
from upkeep.errors import Refused
from upkeep.finding import diagnosed, find, keys_of
from upkeep.policy import Policy, load_policy
from upkeep.workplaces import workplace

__all__ = ["any_database"]

POLICY = Policy.model_validate(
    {
        "reference": [
            {
                "from": "log.ref",
                "type": "KIND",
                "types": {"patient": "patients.id", "visit's": "visits.id"},
            },
            {"from": "*.patient_id", "to": "patients.id", "deleted": "gone"},
        ]
    }
)


@dataclass(frozen=True)
class Ward:
    """Patients, some marked as deleted; visits of patients; a log whose rows say of what kind they speak."""

    patients: dict[int, str | None]
    visits: dict[int, int | None]
    log: tuple[tuple[str | None, int | None], ...]

    @property
    def statements(self) -> list[str]:
        """SQL that both engines read."""
        made = [
            "CREATE TABLE patients (id INTEGER PRIMARY KEY, gone TEXT)",
            "CREATE TABLE visits (id INTEGER PRIMARY KEY, patient_id INTEGER REFERENCES patients (id))",
            "CREATE TABLE letters (id INTEGER PRIMARY KEY, patient_id INTEGER)",
            "CREATE TABLE log (id INTEGER PRIMARY KEY, kind TEXT, ref INTEGER)",
        ]
        rows: list[tuple[str, int, int | str | None]] = [("patients", *patient) for patient in self.patients.items()]
        rows += [(table, number, to) for table in ("visits", "letters") for number, to in self.visits.items()]
        made += [f"INSERT INTO {table} VALUES ({number}, {_said(value)})" for table, number, value in rows]
        return [*made, *(f"INSERT INTO log VALUES ({n}, {_said(k)}, {_said(r)})" for n, (k, r) in enumerate(self.log))]

    @property
    def truth(self) -> Counter[str]:
        """The orphans of every key by its name, by plain comparison."""
        marked = {number for number, gone in self.patients.items() if gone not in (None, "", "0", "false")}
        pointing = [to for to in self.visits.values() if to is not None]
        found: Counter[str] = Counter()
        for table in ("visits", "letters"):
            name = f"{table}(patient_id) -> patients(id)"
            found[name] = sum(to not in self.patients for to in pointing)
            found[f"{name} unless gone"] = sum(to in marked for to in pointing)
        for kind, table, there in (("patient", "patients", self.patients), ("visit's", "visits", self.visits)):
            wrong = sum(k == kind and ref is not None and ref not in there for k, ref in self.log)
            found[f"log(ref) -> {table}(id) where kind is {kind}"] = wrong
        return found


def _said(value: int | str | None) -> str:
    return "NULL" if value is None else str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


@st.composite
def wards(draw: st.DrawFn) -> Ward:
    number = st.integers(1, 6)
    patients = draw(st.dictionaries(number, st.sampled_from([None, None, "", "0", "2026-03-01"]), max_size=5))
    visits = draw(st.dictionaries(number, st.one_of(st.none(), number), max_size=6))
    kind = st.sampled_from([None, "patient", "visit's", "doctor"])
    return Ward(patients, visits, tuple(draw(st.lists(st.tuples(kind, st.one_of(st.none(), number)), max_size=8))))


def agree(reading: Reading, ward: Ward) -> None:
    found = diagnosed(reading, tuple(find(reading, key, limit=0) for key in keys_of(reading, POLICY)), POLICY)
    assert {str(f.key): f.orphans for f in found} == dict(ward.truth)
    assert all(sum(cause.orphans for cause in f.causes) == f.orphans for f in found)
    words = {f.diagnosis.value for f in found if f.key.deleted and f.orphans}
    assert words <= {"parents marked deleted"}


@settings(max_examples=int(os.environ.get("DIAGNOSIS_EXAMPLES", "150")), deadline=None)
@given(wards())
def test_each_orphan_of_a_stated_reference_is_found_on_sqlite(ward: Ward) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in ward.statements:
            connection.execute(statement)
        agree(SqliteReading(connection), ward)


@settings(
    max_examples=int(os.environ.get("DIAGNOSIS_EXAMPLES", "20")), deadline=None, suppress_health_check=list(HealthCheck)
)
@given(ward=wards())
def test_each_orphan_of_a_stated_reference_is_found_on_postgresql(
    any_database: "psycopg.Connection[Any]", ward: Ward
) -> None:
    try:
        any_database.execute("SET LOCAL session_replication_role = replica")
        for statement in ward.statements:
            any_database.execute(statement.encode())
        agree(PostgresqlReading(any_database), ward)
    finally:
        any_database.rollback()


WARD = Ward({1: None, 2: "2026-03-01"}, {1: 1, 2: 2, 3: 9}, (("patient", 9), ("visit", 9), ("patient", 1), ("x", 9)))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A ward in a file of its own."""
    return family(tmp_path / "place", ";".join(WARD.statements))


def test_what_is_stated_is_repaired_as_what_is_declared_and_nothing_else_is_touched(place: Place) -> None:
    place.policy("""
        [limits]
        share = 1.0
        [[reference]]
        from = "log.ref"
        type = "kind"
        types = { patient = "patients.id", visit = "visits.id" }
        [[reference]]
        from = "*.patient_id"
        to = "patients.id"
        deleted = "gone"
        [[rule]]
        child = "*"
        orphan = ["nullify"]
    """)
    equipment = equip()
    with workplace(equipment.settings.scratch, "main", "test") as folder:
        night = rehearse_at(equipment, folder)
        assert night.rehearsed.verdict.passed, night.rehearsed.verdict.failed
        changed = {(repair.table, repair.row) for repair in night.rehearsed.plan.repairs}
    assert changed == {
        ("log", (0,)),
        ("log", (1,)),
        ("visits", (2,)),
        ("visits", (3,)),
        ("letters", (2,)),
        ("letters", (3,)),
    }
    assert night.rehearsed.plan.kept == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('to = "patients.id"\ntype = "kind"', "write to, or else type and types"),
        ("", "write to, or else type and types"),
        ('types = { a = "patients.id" }', "write to, or else type and types"),
        (
            'type = "kind"\ntypes = { a = "patients(id, x)" }',
            "have not the same number of columns",
        ),
    ],
)
def test_a_reference_that_says_too_much_or_too_little_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "policy.toml").write_text(f'[[reference]]\nfrom = "log.ref"\n{text}')
    with pytest.raises(Refused, match=said):
        load_policy(tmp_path / "policy.toml")


def test_p49_rows_of_a_kind_that_a_reference_does_not_name_are_counted(place: Place) -> None:
    place.policy('[[reference]]\nfrom = "log.ref"\ntype = "KIND"\ntypes = { patient = "patients.id" }\n')
    assert upkeep("policy", "check", "--json").document["other_kinds"] == {"1": 2}
    assert "reference 1: 2 rows of a kind that it does not name" in upkeep("policy", "check").out


def test_a_column_that_is_not_there_and_a_glob_that_meets_nothing_are_told(place: Place) -> None:
    place.policy("""
        [[reference]]
        from = "log.ref"
        type = "sort"
        types = { patient = "patients.id" }
        [[reference]]
        from = "*.pateint_id"
        to = "patients.id"
    """)
    unasked = {one["key"]: one["why"] for one in upkeep("check", "--json").document["unasked"]}
    assert unasked == {"log(ref) -> patients(id) where sort is patient": "log has no column sort"}
    assert "reference 2 meets no column: is a name in it misspelt?" in upkeep("policy", "check").out


# Candidates


CANDIDATES = """
    CREATE TABLE patients (id INTEGER PRIMARY KEY); CREATE TABLE parties (id INTEGER PRIMARY KEY);
    CREATE TABLE doctors (id INTEGER PRIMARY KEY); CREATE TABLE orders (id INTEGER PRIMARY KEY);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, main_patient_id INTEGER, party INTEGER, seen_by INTEGER,
        sent_by INTEGER, house_number INTEGER, doctor_id INTEGER REFERENCES doctors (id), entity_type TEXT,
        entity_id INTEGER);
    INSERT INTO patients VALUES (1), (2), (3), (4); INSERT INTO parties VALUES (1), (2), (3);
    INSERT INTO doctors VALUES (1000), (20000), (300000); INSERT INTO orders VALUES (1), (2), (3), (4);
    INSERT INTO notes VALUES
        (1, 1, 1, 1000, 1, 7, 1000, 'Patient', 1), (2, 2, 2, 20000, 2, 8, 1000, 'order', 2),
        (3, 9, 3, 300000, 3, 9, 1000, 'Ship', 3);
"""


def test_candidates_have_their_evidence_and_false_friends_are_only_counted(tmp_path: Path) -> None:
    family(tmp_path / "place", CANDIDATES)
    said = upkeep("policy", "references", "--json")
    found = {one["from"]: one for one in said.document["candidates"]}
    assert set(found) == {f"notes.{name}" for name in ("main_patient_id", "party", "seen_by", "sent_by", "entity_id")}
    patient = found["notes.main_patient_id"]
    assert (patient["to"], patient["values"], patient["found"]) == ("patients.id", 3, 2)
    assert (found["notes.party"]["to"], found["notes.party"]["false_friends"]) == ("parties.id", 3)
    seen, sent = found["notes.seen_by"], found["notes.sent_by"]
    assert (seen["to"], seen["suspected"], seen["write"]) == (None, ["doctors.id"], None)
    assert (sent["to"], sent["suspected"], sent["false_friends"]) == (None, [], 4)
    entity = found["notes.entity_id"]
    assert (entity["type"], entity["types"]) == ("entity_type", {"Patient": "patients.id", "order": "orders.id"})
    assert "1 word of it name no table" in entity["says"]


def test_what_candidates_tell_to_write_is_a_policy_that_states_them(tmp_path: Path) -> None:
    place = family(tmp_path / "place", CANDIDATES)
    told = upkeep("policy", "references").out
    place.policy(told.partition("write into the policy:")[2])
    asked = {(f["child"], tuple(f["columns"]), f["parent"]) for f in upkeep("check", "--json").document["findings"]}
    assert asked == {
        ("notes", ("doctor_id",), "doctors"),
        ("notes", ("main_patient_id",), "patients"),
        ("notes", ("party",), "parties"),
        ("notes", ("entity_id",), "patients"),
        ("notes", ("entity_id",), "orders"),
    }
    left = {one["from"] for one in upkeep("policy", "references", "--json").document["candidates"]}
    assert left == {"notes.seen_by", "notes.sent_by"}
