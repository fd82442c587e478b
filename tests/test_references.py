"""References that no schema declares: by globs, by a column that tells the type, to parents marked as deleted."""

import os
import shutil
import sqlite3
import subprocess
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
from tests.shell import PROGRAM, Place, family, upkeep
from upkeep.databases import Reading
from upkeep.databases.postgresql_reading import PostgresqlReading
from upkeep.databases.sqlite_reading import SqliteReading
from upkeep.equipment import equip
from upkeep.errors import Refused
from upkeep.finding import diagnosed, find, keys_of
from upkeep.policy import SILENCE, Policy
from upkeep.policy_file import add_references, load_policy
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


# Writing them


BY_HAND = """# What we know of our own tables.

[limits]
rows = 7   # few

[[rule]]
child = "notes.party"   # by hand
orphan = ["keep"]
"""
WRITTEN = ["notes.main_patient_id", "notes.party", "notes.entity_id"]


def test_what_is_likely_is_written_once_and_all_else_stays_to_the_byte(tmp_path: Path) -> None:
    place = family(tmp_path / "place", CANDIDATES)
    place.policy(BY_HAND)
    (place.folder / "policy.toml").chmod(0o640)
    said = upkeep("policy", "references", "--write", "--json")
    assert (said.code, said.document["written"]) == (0, WRITTEN)
    content = (place.folder / "policy.toml").read_text()
    assert content.startswith(BY_HAND)
    assert "seen_by" not in content
    assert "sent_by" not in content
    assert (place.folder / "policy.toml").stat().st_mode & 0o777 == 0o640
    policy = load_policy(place.folder / "policy.toml")
    assert [f"{one.child.table}.{one.child.columns[0]}" for one in policy.reference] == WRITTEN
    assert (policy.limits.rows, len(policy.rule)) == (7, 1)
    again = upkeep("policy", "references", "--write")
    assert again.out.splitlines()[-1] == "nothing to write"
    assert (place.folder / "policy.toml").read_text() == content
    assert [path.name for path in place.folder.glob(".*")] == []


def test_what_is_included_alone_is_written_and_printed(tmp_path: Path) -> None:
    place = family(tmp_path / "place", CANDIDATES)
    said = upkeep("policy", "references", "--write", "--include", "notes.party")
    block = '[[reference]]\nfrom = "notes.party"\nto = "parties.id"\n'
    assert said.out.endswith(f"\n\nwritten into policy.toml:\n\n{block}")
    assert (place.folder / "policy.toml").read_text() == block


@pytest.mark.parametrize(
    ("include", "said"),
    [
        ("nots.party", "the database has no column nots.party"),
        ("notes.part", "the database has no column notes.part"),
        ("notes", "the database has no column notes"),
        ("notes.sent_by", "nothing but values speaks for notes.sent_by, or its reference is known already"),
        ("notes.seen_by", "nothing but values speaks for notes.seen_by, or its reference is known already"),
        ("notes.doctor_id", "nothing but values speaks for notes.doctor_id, or its reference is known already"),
    ],
)
def test_a_false_friend_or_an_unknown_name_is_refused_and_nothing_is_written(
    tmp_path: Path, include: str, said: str
) -> None:
    place = family(tmp_path / "place", CANDIDATES)
    place.policy(BY_HAND)
    words = ("policy", "references", "--write", "--include", "notes.party", "--include", include)
    assert upkeep(*words).complaint[:2] == (2, said)
    assert (place.folder / "policy.toml").read_text() == BY_HAND
    assert upkeep("policy", "references", "--include", "notes.party").complaint[0] == 2


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_file_keeps_its_way_to_end_a_line(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(b"[limits]\r\nrows = 1" + ending.encode() if "\r" in ending else b"[limits]" + ending.encode())
    before = path.read_bytes()
    add_references(path, load_policy(path), ('[[reference]]\nfrom = "a.b"\nto = "c.d"\n',))
    after = path.read_bytes()
    assert after.startswith(before)
    assert len(load_policy(path).reference) == 1
    assert after.count(b"\r\n") == (after.count(b"\n") if "\r" in ending else 0)


def test_a_file_that_was_changed_meanwhile_or_takes_no_block_is_left_as_it_is(tmp_path: Path) -> None:
    path, block = tmp_path / "policy.toml", '[[reference]]\nfrom = "a.b"\nto = "c.d"\n'
    path.write_text("[limits]\nrows = 1\n")
    with pytest.raises(Refused, match="was changed meanwhile"):
        add_references(path, SILENCE, (block,))
    path.write_text('reference = [{ from = "x.y", to = "c.d" }]\n')
    with pytest.raises(Refused, match="nothing can be added at the end"):
        add_references(path, load_policy(path), (block,))
    assert path.read_text() == 'reference = [{ from = "x.y", to = "c.d" }]\n'
    (tmp_path / "link.toml").symlink_to(path)
    path.write_text("")
    add_references(tmp_path / "link.toml", SILENCE, (block,))
    assert path.read_text() == block
    assert (tmp_path / "link.toml").is_symlink()


def test_without_the_right_to_write_it_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    place = family(tmp_path / "place", CANDIDATES)
    folder = tmp_path / "closed"
    folder.mkdir()
    (folder / "policy.toml").write_text(BY_HAND)
    place.set(UPKEEP_POLICY=str(folder / "policy.toml"))
    folder.chmod(0o555)
    # Root may write everywhere unless it gives that up.
    humble = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"] if os.geteuid() == 0 else []
    if humble and shutil.which("setpriv") is None:
        pytest.skip("root cannot be kept from writing here: setpriv is not installed")
    words: list[str | Path] = [*humble, PROGRAM, "policy", "references", "--write"]
    try:
        ran = subprocess.run(words, cwd=place.folder, capture_output=True, text=True, timeout=60, check=False)
    finally:
        folder.chmod(0o755)
    assert ran.returncode == 2
    assert ran.stderr.startswith("upkeep: the policy policy.toml cannot be written: Permission denied\n  let this user")
    assert [(one.name, one.read_text()) for one in folder.iterdir()] == [("policy.toml", BY_HAND)]
