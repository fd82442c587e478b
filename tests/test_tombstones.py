"""Who has a tombstone in the policy is never put back, however its key is written (P-71)."""

import re
from pathlib import Path

import pytest

from tests.test_origins import Case, by, case, kept
from upkeep.errors import Refused
from upkeep.policy import Policy
from upkeep.tombstones import NEVER

__all__ = ["case"]


@pytest.mark.parametrize(
    "stone",
    [
        {"table": "p", "keys": [1]},
        {"table": "P", "keys": ["01 "]},
        {"table": "p", "query": "SELECT patient FROM erased"},
        {"table": "p", "query": "SELECT patient + 0.0 FROM erased"},
        {"table": "p"},
    ],
)
def test_p71_who_asked_to_be_erased_is_never_raised(case: Case, stone: dict[str, object]) -> None:
    case.run("CREATE TABLE erased (patient INTEGER); INSERT INTO erased VALUES (1)")
    plan = case.planned(by("restore", tombstone=[stone]))
    assert plan.is_empty
    assert kept(plan) == [f"restore is impossible: {NEVER}"]
    others = {"table": "p", "keys": [3]}
    assert case.planned(by("restore", tombstone=[others])).by_action() == {"restore": 1}


@pytest.mark.parametrize(
    ("held", "named"),
    [
        ("'AB-7'", "ab-7"),
        ("'Ana'", "Aná "),
        ("x'a0eebc999c0b4ef8bb6d6bb9bd380a11'", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"),
        ("'a0eebc999c0b4ef8bb6d6bb9bd380a11'", "{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}"),
        ("1.50", "1.5"),
    ],
)
def test_p71_a_tombstone_meets_a_key_however_it_is_written(tmp_path: Path, held: str, named: str) -> None:
    case = Case(tmp_path)
    case.run(
        "CREATE TABLE p (id NOT NULL PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, owner REFERENCES p (id));"
        f"INSERT INTO p VALUES ({held}); INSERT INTO c VALUES (1, {held})"
    )
    case.night()
    case.run("DELETE FROM p")
    assert case.planned(by("restore")).by_action() == {"restore": 1}
    assert case.planned(by("restore", tombstone=[{"table": "p", "keys": [named]}])).is_empty


@pytest.mark.parametrize(
    ("stone", "said"),
    [
        ({"table": "pp", "keys": [1]}, "tombstone 1 names pp, which is no table, and rows are to come back"),
        ({"table": "p", "keys": [[1, 2]]}, "a [[tombstone]] of p has keys that are not of id"),
        ({"table": "p", "query": "SELECT id FROM gone"}, "a query of the policy cannot be asked: no such table: gone"),
    ],
)
def test_p71_a_tombstone_that_can_meet_nobody_stops_what_would_come_back(
    case: Case, stone: dict[str, object], said: str
) -> None:
    with pytest.raises(Refused, match=f"^{re.escape(said)}"):
        case.planned(by("restore", tombstone=[stone]))
    case.run("DELETE FROM c")
    assert case.planned(by("restore", tombstone=[stone])).is_empty, "where nothing comes back nothing is asked"


def test_p71_a_tombstone_names_a_row_by_its_primary_key_though_that_may_be_null_p48(case: Case) -> None:
    case.run(
        "CREATE TABLE codes (code TEXT PRIMARY KEY); INSERT INTO codes VALUES ('x'), ('y');"
        "CREATE TABLE uses (id INTEGER PRIMARY KEY, code TEXT REFERENCES codes); INSERT INTO uses VALUES (1, 'y')"
    )
    case.night()
    case.run("DELETE FROM codes WHERE code = 'y'")
    rule = {"child": "uses.code", "parent": "codes", "orphan": ["restore"]}
    erased = {"tombstone": [{"table": "codes", "keys": ["y"]}]}
    assert case.planned(Policy.model_validate({"rule": [rule]})).rows == 1
    assert f"restore is impossible: {NEVER}" in kept(case.planned(Policy.model_validate({"rule": [rule], **erased})))
