"""Arrays of numbers of other rows: each element is asked as plain SQL with UNNEST does, and none is ever taken out."""

import os
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.postgresql_schemas import any_database
from tests.servers.postgresql import PostgresServer
from tests.shell import family, upkeep
from upkeep.databases.postgresql_reading import PostgresqlReading
from upkeep.errors import Refused
from upkeep.finding import detected, diagnosed, find, keys_of
from upkeep.planning import Planner
from upkeep.policy import Policy
from upkeep.policy_file import load_policy
from upkeep.remembering import record_of
from upkeep.vanishing import history_of

__all__ = ["any_database"]

STATED = {"reference": [{"from": "visits.tags[]", "to": "tags.id"}]}
POLICY = Policy.model_validate(STATED)
UUIDS = [f"00000000-0000-0000-0000-00000000000{number}" for number in range(1, 10)]
VALUES: dict[str, list[Any]] = {
    "integer": list(range(1, 10)),
    "uuid": UUIDS,
    "text": ["", "a", "ä,b", '"', "{}", "NULL", "\\", "x y", "'"],
}
MANY = int(os.environ.get("DETECTION_EXAMPLES", "40"))


@st.composite
def arrays(draw: st.DrawFn) -> tuple[str, list[Any], list[list[Any] | None]]:
    """A type, the tags that there are, and for each visit its array: NULL, empty, with NULL in it or of two rows."""
    kind = draw(st.sampled_from(sorted(VALUES)))
    element = st.none() | st.sampled_from(VALUES[kind])
    flat = st.lists(element, max_size=5)
    deep = st.lists(st.tuples(element, element).map(list), min_size=1, max_size=2)
    return (
        kind,
        draw(st.lists(st.sampled_from(VALUES[kind]), unique=True)),
        draw(st.lists(st.none() | flat | deep, max_size=8)),
    )


def make(connection: "psycopg.Connection[Any]", kind: str, tags: list[Any], visits: list[list[Any] | None]) -> None:
    """A table of tags and one of visits, whose arrays point at them."""
    connection.execute(f"CREATE TABLE tags (id {kind} PRIMARY KEY)".encode())
    connection.execute(f"CREATE TABLE visits (id integer PRIMARY KEY, tags {kind}[], note text)".encode())
    for tag in tags:
        connection.execute("INSERT INTO tags VALUES (%s)", (tag,))
    for number, array in enumerate(visits):
        connection.execute(f"INSERT INTO visits VALUES (%s, %s::{kind}[])".encode(), (number, array))


def flattened(array: list[Any] | None) -> list[Any]:
    """All elements of an array of one or two dimensions, in order."""
    parts = [one if isinstance(one, list) else [one] for one in array or []]
    return [element for part in parts for element in part]


@settings(max_examples=MANY, deadline=None, suppress_health_check=list(HealthCheck))
@given(made=arrays())
def test_every_element_that_points_at_nothing_is_found_by_its_row_and_place_and_nothing_else(
    any_database: "psycopg.Connection[Any]", made: tuple[str, list[Any], list[list[Any] | None]]
) -> None:
    kind, tags, visits = made
    try:
        make(any_database, kind, tags, visits)
        reading = PostgresqlReading(any_database)
        (key,) = keys_of(reading, POLICY)
        assert str(key) == "visits(tags[]) -> tags(id)"
        (finding,) = found = diagnosed(reading, (find(reading, key, limit=100),), POLICY)
        missing = {
            (number, place): element
            for number, array in enumerate(visits)
            for place, element in enumerate(flattened(array), start=1)
            if element is not None and element not in tags
        }
        assert [(int(str(row[0])), int(str(row[1]))) for row in finding.rows] == sorted(missing)
        assert (finding.orphans, finding.missing_keys) == (len(missing), len(set(missing.values())))
        by_hand = any_database.execute(
            "SELECT COUNT(*), COUNT(DISTINCT t.e) FROM visits v, UNNEST(v.tags) AS t (e)"
            " WHERE t.e IS NOT NULL AND NOT EXISTS (SELECT FROM tags WHERE id = t.e)"
        ).fetchone()
        assert by_hand == (finding.orphans, finding.missing_keys)
        assert sum(cause.orphans for cause in finding.causes) == len(missing)
        whole = detected(reading, found, policy=POLICY)
        assert whole.orphan_rows == len({number for number, _ in missing})
        record = record_of(reading, "main", found, None, "secret")
        assert record.orphans == len(missing)
        assert not any(str(value) in record.model_dump_json() for value in UUIDS)
    finally:
        any_database.rollback()


def test_what_is_gone_of_an_array_is_told_and_what_stands_is_not_new(any_database: "psycopg.Connection[Any]") -> None:
    try:
        make(any_database, "integer", [1], [[1, 7, 8], [9]])
        reading = PostgresqlReading(any_database)
        found = tuple(find(reading, key, limit=0) for key in keys_of(reading, POLICY))
        before = record_of(reading, "main", found, None, "secret")
        any_database.execute("UPDATE visits SET tags = '{8, 1}' WHERE id = 0")
        any_database.execute("INSERT INTO tags VALUES (9)")
        found = tuple(find(reading, key, limit=0) for key in keys_of(reading, POLICY))
        now = record_of(reading, "main", found, before, "secret")
        history = history_of(reading, found, now, before, "secret", {})
        assert (history.new, {reason.name: number for reason, number in history.gone.items()}) == (
            0,
            {"HEALED": 1, "EMPTIED": 1},
        )
    finally:
        any_database.rollback()


WIDE = {"rule": [{"child": "*", "orphan": ["delete", "nullify", "restore"]}], "limits": {"share": 1.0}}


def test_a_wide_rule_takes_nothing_out_of_an_array_and_no_row_for_it(any_database: "psycopg.Connection[Any]") -> None:
    try:
        make(any_database, "integer", [1, 2], [[1, 7, 7], [2]])
        any_database.execute("CREATE TABLE gone (id integer PRIMARY KEY)")
        any_database.execute("ALTER TABLE tags ADD COLUMN gone integer")
        any_database.execute("UPDATE tags SET gone = 5 WHERE id = 2")
        reading = PostgresqlReading(any_database)
        more = [*STATED["reference"], {"from": "tags.gone", "to": "gone.id"}]
        policy = Policy.model_validate(WIDE | {"reference": more})
        keys = keys_of(reading, policy)
        found = tuple(find(reading, key, limit=0) for key in keys)
        plan = Planner(reading, keys, policy).plan("main", found, None)
        reason = "delete is impossible: nothing is taken out of an array"
        kept = [one for one in plan.kept if one.key == "visits(tags[]) -> tags(id)"]
        assert [(one.rows, one.reason.partition(";")[0]) for one in kept] == [(2, reason)]
        assert plan.by_action() == {"nullify": 1, "keep": 2}, "a tag that an array needs does not go"
    finally:
        any_database.rollback()


@pytest.mark.parametrize("kind", ["jsonb", "json", "text"])
def test_what_is_no_array_is_not_asked_and_told(any_database: "psycopg.Connection[Any]", kind: str) -> None:
    try:
        any_database.execute(f"CREATE TABLE tags (id integer PRIMARY KEY); CREATE TABLE visits (tags {kind})".encode())
        (key,) = keys_of(PostgresqlReading(any_database), POLICY)
        told = f"visits.tags is no array but {kind}"
        assert (key.fault, key.askable) == (told + ": elements of JSON are not asked" * ("json" in kind), False)
        globbed = Policy.model_validate({"reference": [{"from": "*.tags[]", "to": "tags.id"}]})
        assert keys_of(PostgresqlReading(any_database), globbed) == ()
    finally:
        any_database.rollback()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[[rule]]\nchild = "visits.tags[]"\norphan = ["nullify"]',
            "of the elements of an array only keep is possible",
        ),
        ('[[rule]]\nchild = "visits.tags"\norphan = ["delete", "keep"]', "only keep is possible"),
        ('[[rule]]\nchild = "visits.tags"\nparent = "tags"\nenforce = true', "no database enforces them"),
        ('[[reference]]\nfrom = "visits.ref"\nto = "tags.id[]"', "only from may be an array"),
        ('[[reference]]\nfrom = "visits.x[]"\ntype = "k"\ntypes = { a = "tags.id" }', "neither types nor deleted"),
        ('[[reference]]\nfrom = "visits.x[]"\nto = "tags.id"\ndeleted = "gone"', "neither types nor deleted"),
        ('[[reference]]\nfrom = "visits(a, b)[]"\nto = "tags(id, x)"', "write it as table.column"),
    ],
)
def test_what_no_array_can_be_asked_for_is_refused_at_once(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "policy.toml").write_text(f'[[reference]]\nfrom = "visits.tags[]"\nto = "tags.id"\n{text}\n')
    with pytest.raises(Refused, match=said):
        load_policy(tmp_path / "policy.toml")


def test_an_engine_without_arrays_refuses_them_with_a_hint(tmp_path: Path) -> None:
    place = family(tmp_path / "place")
    place.policy('[[reference]]\nfrom = "child.note[]"\nto = "parent.id"\n')
    for words in (["policy", "check"], ["check"]):
        code, sentence, hint = upkeep(*words).complaint
        assert (code, sentence) == (2, "the policy states child(note[]) as an array, and this database has none")
        assert hint.startswith("remove that [[reference]]; ")


def test_a_check_names_the_row_and_the_place_of_the_element(postgresql: PostgresServer, tmp_path: Path) -> None:
    place = family(tmp_path / "place")
    place.set(
        DATABASE_URL=postgresql.url(
            postgresql.make_database(
                "CREATE TABLE tags (id integer PRIMARY KEY)",
                "CREATE TABLE visits (id integer PRIMARY KEY, tags integer[])",
                "INSERT INTO tags VALUES (3)",
                "INSERT INTO visits VALUES (1, '{3,4}'), (2, NULL), (3, '{}'), (4, '{NULL}')",
            )
        )
    )
    place.policy('[[reference]]\nfrom = "visits.tags[]"\nto = "tags.id"\n\n[[rule]]\nchild = "visits.tags[]"\n')
    said = upkeep("check")
    assert said.code == 1
    (line,) = (line for line in said.out.splitlines() if "visits(tags[]) -> tags(id)" in line)
    assert line.split() == ["1", "1", "visits(tags[])", "->", "tags(id)", "1[2]"]
    assert upkeep("check", "--json").document["findings"][0]["rows"] == [["1", "2"]]
    assert "rule 1: keep" in upkeep("policy", "check").out
