"""What a policy says, which rule meets which key, and how every fault in it is told."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it comes without types

from upkeep.catalog import Catalog, ForeignKey
from upkeep.errors import Refused
from upkeep.policy import Action, Columns, Policy, Reference, Rule
from upkeep.policy_file import load_policy
from upkeep.references import all_keys
from upkeep.stated import keys_of_reference

CLINIC = Path(__file__).parents[1] / "examples" / "clinic" / "policy.toml"

VISIT = ForeignKey("visits", ("patient_id",), "patients", ("id",))
PAYMENT = ForeignKey("payments", ("cashier_id",), "users", ("id",))
PAIR = ForeignKey("visits", ("tenant_id", "patient_id"), "patients", ("tenant_id", "id"))


def written(folder: Path, text: str) -> Path:
    path = folder / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(folder: Path, text: str) -> Refused:
    with pytest.raises(Refused) as caught:
        load_policy(written(folder, text))
    return caught.value


def rules(*children: str) -> Policy:
    return Policy(rule=tuple(Rule(child=child) for child in children))


# Which rule meets which key


@pytest.mark.parametrize(
    ("child", "parent", "key"),
    [
        ("*", "*", VISIT),
        ("visits", "patients", VISIT),
        ("Visits", "PATIENTS", VISIT),
        ("visits.patient_id", "patients.id", VISIT),
        ("*.patient_id", "*", VISIT),
        ("v?sits.*_ID", "pat[i]ents", VISIT),
        ("payment*", "*", PAYMENT),
        ("visits.tenant_id", "*", PAIR),
        ("visits.patient_id", "patients.tenant_id", PAIR),
    ],
)
def test_a_rule_meets_a_key_by_globs_over_table_and_column_in_any_case(
    child: str, parent: str, key: ForeignKey
) -> None:
    assert Rule(child=child, parent=parent).matches(key)


@pytest.mark.parametrize(
    ("child", "parent", "key"),
    [
        ("visit", "*", VISIT),
        ("patient_id", "*", VISIT),
        ("visits.doctor_id", "*", VISIT),
        ("visits", "users", VISIT),
        ("visits", "patients.tenant_id", VISIT),
        ("payments.cashier_id.x", "*", PAYMENT),
    ],
)
def test_a_rule_does_not_meet_what_it_does_not_name(child: str, parent: str, key: ForeignKey) -> None:
    assert not Rule(child=child, parent=parent).matches(key)


def test_the_first_rule_that_meets_a_key_decides_and_is_counted_from_one() -> None:
    policy = rules("payments", "visits.patient_id", "visits", "*")
    assert [policy.rule_for(key)[0] for key in (PAYMENT, VISIT)] == [1, 2]


def test_silence_means_keep_promise_7() -> None:
    number, rule = Policy().rule_for(VISIT)
    assert (number, rule.orphan, rule.why) == (None, (Action.KEEP,), "the policy is silent")
    assert Rule(child="*").orphan == (Action.KEEP,), "a rule that only speaks of ON DELETE keeps too"


@pytest.mark.parametrize(
    ("child", "parent", "is_named"),
    [
        ("visits.patient_id", "patients", True),
        ("VISITS.patient_id", "patients.id", True),
        ("visits.patient_id", "*", False),
        ("visits", "patients", False),
        ("visits.*", "patients", False),
        ("visits.patient_id", "patient?", False),
        ("visits.doctor_id", "patients", False),
    ],
)
def test_a_rule_is_for_that_very_key_only_if_column_and_parent_stand_there_in_full_p108(
    child: str, parent: str, is_named: bool
) -> None:
    assert Rule(child=child, parent=parent).names(VISIT) is is_named


def test_a_rule_that_meets_no_key_is_idle_and_one_that_an_earlier_one_covers_is_not() -> None:
    assert rules("visits", "vists", "visits.patient_id").idle_rules((VISIT,)) == (2,)


# References


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("visits.doctor_id", Columns(table="visits", columns=("doctor_id",))),
        ("visits(doctor_id)", Columns(table="visits", columns=("doctor_id",))),
        ("visits( tenant , id )", Columns(table="visits", columns=("tenant", "id"))),
        ("clinic.visits.id", Columns(table="clinic.visits", columns=("id",))),
        ("with space (a.b, c)", Columns(table="with space", columns=("a.b", "c"))),
    ],
)
def test_a_reference_may_have_one_column_or_several(text: str, columns: Columns) -> None:
    reference = Reference.model_validate({"from": text, "to": f"parents({', '.join(columns.columns)})"})
    assert reference.child == columns
    (key,) = keys_of_reference(reference, Catalog())
    assert (key.child, key.columns, key.declared) == (columns.table, columns.columns, False)


@pytest.mark.parametrize("text", ["visits", ".id", "visits.", "visits()", "visits(a,)", "visits(,)"])
def test_a_reference_that_cannot_be_read_says_how_to_write_it(tmp_path: Path, text: str) -> None:
    fault = faults(tmp_path, f'[[reference]]\nfrom = "{text}"\nto = "a.b"')
    assert fault.message == (
        "the policy policy.toml is not understood: "
        "[[reference]] 1 from: write it as table.column or table(column, column)"
    )


def test_a_reference_has_as_many_columns_on_both_sides(tmp_path: Path) -> None:
    fault = faults(tmp_path, '[[reference]]\nfrom = "a(x, y)"\nto = "b.z"')
    assert fault.message == (
        "the policy policy.toml is not understood: "
        "[[reference]] 1: a(x, y) and b(z) have not the same number of columns"
    )


def test_a_key_that_is_stated_again_is_the_one_that_stood_before() -> None:
    again = ForeignKey("visits", ("patient_id", "tenant_id"), "patients", ("id", "tenant_id"), declared=False)
    other = ForeignKey("visits", ("doctor_id",), "doctors", ("id",), declared=False)
    assert all_keys(Catalog(keys=(PAIR,)), (again, other, other)) == (other, PAIR)


def test_a_key_to_other_columns_of_the_same_parent_is_another_key() -> None:
    code = ForeignKey("visits", ("patient_id",), "patients", ("code",), declared=False)
    assert set(all_keys(Catalog(keys=(VISIT,)), (code,))) == {VISIT, code}


def test_a_stated_key_to_a_table_that_is_gone_is_the_declared_one_whose_columns_nobody_knows_p109() -> None:
    declared = ForeignKey("visits", ("patient_id",), "patients", (), parent_missing=True)
    stated = ForeignKey("visits", ("patient_id",), "Patients", ("id",), parent_missing=True, declared=False)
    assert all_keys(Catalog(keys=(declared,)), (stated,)) == (declared,)


# Faults


def test_every_fault_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    fault = faults(
        tmp_path,
        """
        limit = 3
        [limits]
        rows = -1
        share = 5
        [[rule]]
        child = "*"
        [[rule]]
        chld = "visits"
        orphan = ["restore", "remove"]
        ondelete = "CASCDE"
        [[rule]]
        child = "x"
        orphan = "delete"
        """,
    )
    assert fault.message.startswith("the policy policy.toml is not understood: ")
    assert set(fault.message.removeprefix("the policy policy.toml is not understood: ").split("; ")) == {
        "[limits] rows: input should be greater than or equal to 0",
        "[limits] share: input should be less than or equal to 1",
        "[[rule]] 2 child: is missing",
        "[[rule]] 2 orphan 2: input should be 'keep', 'nullify', 'delete', 'restore' or 'reassign'",
        "[[rule]] 2 ondelete: input should be 'NO ACTION', 'RESTRICT', 'SET NULL', 'SET DEFAULT' or 'CASCADE'",
        "[[rule]] 2 chld: unknown word",
        '[[rule]] 3 orphan: write a list: ["...", "..."]',
        "limit: unknown word",
    }
    assert fault.hint == (
        "actions are keep, nullify, delete, restore, reassign; see `upkeep policy schema` for every word"
    )
    assert fault.exit_code == 2


def test_what_is_not_toml_or_not_text_or_not_a_file_is_refused(tmp_path: Path) -> None:
    assert faults(tmp_path, "[limits\n").message.startswith("the policy policy.toml is not TOML: ")
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"# M\xfcller")
    with pytest.raises(Refused, match=r"latin.toml cannot be read: it is not UTF-8"):
        load_policy(latin)
    with pytest.raises(Refused, match="cannot be read: Is a directory"):
        load_policy(tmp_path)


def test_a_file_that_is_not_there_is_silence(tmp_path: Path) -> None:
    assert load_policy(tmp_path / "policy.toml") == Policy()


# The JSON schema


def test_the_json_schema_takes_the_clinics_policy_and_no_unknown_word() -> None:
    schema = Policy.model_json_schema(by_alias=True)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    policy = load_policy(CLINIC)
    document = json.loads(policy.model_dump_json(by_alias=True, exclude={"reference"}, exclude_none=True))
    document["reference"] = [{"from": "visits.referred_by", "to": "doctors.id"}]
    assert list(validator.iter_errors(document)) == []
    wrongs: tuple[dict[str, object], ...] = (
        {"limit": {}},
        {"limits": {"row": 1}},
        {"rule": [{"chld": "*"}]},
        {"rule": [{"child": "*", "orphan": ["remove"]}]},
        {"rule": [{"child": "*", "ondelete": "CASCDE"}]},
        {"reference": [{"from": "a.b"}]},
        {"reference": [{"from": ["a", "b"], "to": "a.b"}]},
    )
    for wrong in wrongs:
        assert list(validator.iter_errors(wrong)), wrong
