"""What is gone is a loss unless a revision speaks of it: judged over small standings, without a database."""

import pytest

from upkeep.catalog import Part
from upkeep.databases import Tally
from upkeep.losses import Loss, beyond_limits, find_losses
from upkeep.policy import Limits
from upkeep.revisions import Ran
from upkeep.sayings import sayings
from upkeep.standing import Content, Standing

TRIGGER = Part("trigger", "told", "people")
NAME = Part("column", "name", "people", "name")
NOT_NULL = Part("NOT NULL", "name", "people", "name")
INDEX = Part("index", "by_name", "people")
KEY = Part("foreign key", "(person) -> people(id)", "pets")
GRANT = Part("grant", "SELECT to web", "people")
PARTS = {
    TRIGGER: "create trigger told", NAME: "TEXT", NOT_NULL: "NOT NULL", INDEX: "create index by_name on people (name)",
    KEY: "ON DELETE NO ACTION", GRANT: "",
}  # fmt: skip


RENAMED = {Part("column", "called", "people", "called"): "TEXT",
           Part("NOT NULL", "called", "people", "called"): "NOT NULL"}  # fmt: skip
CALLED = {INDEX: "create index by_name on people (called)"}
OF_PERSONS = {
    Part(part.kind, part.name.replace("people", "persons"), part.table.replace("people", "persons"), part.column):
    said.replace("people", "persons") for part, said in PARTS.items()
}  # fmt: skip


def standing(
    rows: dict[str, int], parts: dict[Part, str] | None = None, contents: dict[str, Content] | None = None
) -> Standing:
    tables = {name: Tally(count) for name, count in rows.items()}
    return Standing(tables, PARTS if parts is None else parts, "", ("r1",), contents or {})


def without(*gone: Part) -> dict[Part, str]:
    return {part: said for part, said in PARTS.items() if part not in gone}


def told(before: Standing, after: Standing, *said: str) -> list[str]:
    return [str(loss) for loss in find_losses(before, after, sayings([Ran("r2", 0.0, said)]), {})]


BEFORE = standing({"people": 3, "pets": 2, "alembic_version": 2})


@pytest.mark.parametrize(
    ("after", "said", "losses"),
    [
        (BEFORE, (), []),
        (standing({"people": 3, "pets": 2, "alembic_version": 1}), (), []),
        (standing({"people": 2, "pets": 2}), (), ["people has lost 1 row"]),
        (standing({"people": 2, "pets": 2}), ("DELETE FROM people",), ["people has lost 1 row, as r2 says"]),
        (standing({"people": 2, "pets": 2}), ("DELETE FROM pets",), ["people has lost 1 row"]),
        (standing({"people": 2, "pets": 2}), ("DROP TABLE people",), ["people has lost 1 row"]),
        (standing({"people": 3}, without(KEY)), (), ["table pets is gone"]),
        (standing({"people": 3}, without(KEY)), ("DROP TABLE IF EXISTS pets",), ["table pets is gone, as r2 says"]),
        (standing({"people": 3, "pets": 2, "_alembic_tmp_pets": 0}), (), ["_alembic_tmp_pets was left behind"]),
        (standing({"people": 3, "pets": 2}, without(TRIGGER)), (), ["trigger told of people is gone"]),
        (
            standing({"people": 3, "pets": 2}, without(TRIGGER)),
            ("DROP TRIGGER told",),
            ["trigger told of people is gone, as r2 says"],
        ),
        (
            standing({"people": 3, "pets": 2}, without(TRIGGER)),
            ("DROP TABLE people", "ALTER TABLE people_new RENAME TO people"),
            ["trigger told of people is gone"],
        ),
        (
            standing({"people": 3, "pets": 2}, without(NAME, NOT_NULL, INDEX)),
            ("ALTER TABLE people DROP COLUMN name",),
            ["column people.name is gone, as r2 says", "index by_name of people is gone, as r2 says"],
        ),
        (
            standing({"people": 3, "pets": 2}, without(NOT_NULL)),
            ("ALTER TABLE people ALTER COLUMN name DROP NOT NULL",),
            ["NOT NULL of people.name is gone, as r2 says"],
        ),
        (
            standing({"people": 3, "pets": 2}, without(NOT_NULL)),
            ("ALTER TABLE pets ALTER COLUMN name DROP NOT NULL",),
            ["NOT NULL of people.name is gone"],
        ),
        (
            standing({"people": 3, "pets": 2}, PARTS | {NAME: "INTEGER"}),
            (),
            ["column people.name is INTEGER, it was TEXT"],
        ),
        (
            standing({"people": 3, "pets": 2}, PARTS | {KEY: "ON DELETE CASCADE"}),
            ("ALTER TABLE pets DROP CONSTRAINT pets_person",),
            ["foreign key (person) -> people(id) of pets is ON DELETE CASCADE, it was ON DELETE NO ACTION, as r2 says"],
        ),
        (
            standing({"people": 3, "pets": 2}, without(GRANT)),
            ("ALTER TABLE people ADD born DATE", "DROP TABLE old"),
            ["grant SELECT to web of people is gone"],
        ),
        (
            standing({"people": 3, "pets": 2}, without(GRANT)),
            ("REVOKE SELECT ON people FROM web",),
            ["grant SELECT to web of people is gone, as r2 says"],
        ),
        (
            standing({"people": 3, "animals": 2}, without(KEY) | {Part(KEY.kind, KEY.name, "animals"): PARTS[KEY]}),
            ("ALTER TABLE pets RENAME TO animals",),
            [],
        ),
        (
            standing(
                {"people": 3, "pets": 2},
                without(INDEX) | {Part("index", "ix", "people"): "create index ix on people (name)"},
            ),
            (),
            [],
        ),
        (
            standing({"people": 3, "pets": 2}, without(NAME, NOT_NULL) | RENAMED),
            ("ALTER TABLE people RENAME name TO called",),
            [],
        ),
        (
            standing({"people": 3, "pets": 2}, without(NAME, NOT_NULL, INDEX) | RENAMED | CALLED),
            ('ALTER TABLE "people" RENAME COLUMN "name" TO "called"',),
            [],
        ),
        (
            standing({"people": 3, "pets": 2}, without(NAME, NOT_NULL, INDEX) | RENAMED | CALLED),
            ("ALTER TABLE people CHANGE name first TEXT", "ALTER TABLE people RENAME first TO called"),
            [],
        ),
        (
            standing({"people": 3, "pets": 2}, without(NAME, NOT_NULL, INDEX) | RENAMED | CALLED),
            ("ALTER TABLE people ADD COLUMN called TEXT", "ALTER TABLE people DROP COLUMN name"),
            [
                "column people.name is gone, as r2 says",
                "index by_name of people is create index by_name on people (called),"
                " it was create index by_name on people (name), as r2 says",
            ],
        ),
        (
            standing({"people": 3, "pets": 2}, without(NAME, NOT_NULL, INDEX) | RENAMED | CALLED),
            ("ALTER TABLE pets RENAME name TO called",),
            [
                "column people.name is gone",
                "index by_name of people is create index by_name on people (called),"
                " it was create index by_name on people (name)",
            ],
        ),
        (
            standing({"people": 3, "pets": 2}, without(NAME, NOT_NULL, INDEX) | {NAME: "TEXT"}),
            (
                "ALTER TABLE people RENAME name TO called",
                "ALTER TABLE people DROP called",
                "ALTER TABLE people ADD name",
            ),
            ["column people.name is gone, as r2 says", "index by_name of people is gone, as r2 says"],
        ),
        (
            standing({"people": 3, "animals": 2}, without(NAME, NOT_NULL, INDEX, KEY)),
            ("ALTER TABLE people DROP name", "ALTER TABLE pets RENAME TO animals", "ALTER TABLE animals DROP person"),
            [
                "column people.name is gone, as r2 says",
                "foreign key (person) -> people(id) of pets is gone, as r2 says",
                "index by_name of people is gone, as r2 says",
            ],
        ),
        (
            standing({"persons": 3, "pets": 2}, OF_PERSONS),
            ("ALTER TABLE people RENAME TO persons",),
            [],
        ),
    ],
)
def test_what_is_gone_is_told_with_whoever_says_so(after: Standing, said: tuple[str, ...], losses: list[str]) -> None:
    assert told(BEFORE, after, *said) == losses


OTHERS = "the values of people are others"
RENAMES = "ALTER TABLE staff.people RENAME TO persons"
MADE_ANEW = ("INSERT INTO new SELECT 1", "ALTER TABLE new RENAME TO people")


def content(digest: str | None, kinds: int = 2, **values: int) -> dict[str, Content]:
    return {"people": Content((("name", "TEXT"),), digest, values, {"name": kinds})}


@pytest.mark.parametrize(
    ("before", "after", "said", "losses"),
    [
        (content("a", name=3), content("a", name=3), (), []),
        (content("a", name=3), content("b", name=3), (), [OTHERS]),
        (content("a", name=3), content("b", name=3), ("UPDATE people SET name = ?",), [f"{OTHERS}, as r2 says"]),
        (content("a", name=3), content("b", name=3), MADE_ANEW, [f"{OTHERS}, as r2 says"]),
        (content("a", name=3), content(None, name=3), (), []),
        (content("a", name=3), content(None, name=1), (), ["people.name has lost 2 values"]),
        (content("a", name=3), content(None, 1, name=3), (), ["people.name has 1 different value, it had 2"]),
    ],
)  # fmt: skip
def test_values_that_are_fewer_or_others_are_losses_too(
    before: dict[str, Content], after: dict[str, Content], said: tuple[str, ...], losses: list[str]
) -> None:
    rows = {"people": 3}
    assert told(standing(rows, {}, before), standing(rows, {}, after), *said) == losses


@pytest.mark.parametrize(
    ("after", "said", "losses"),
    [
        ({"people": 3, "staff.people": 5, "Order Lines": 4, "Bill Lines": 1}, (), []),
        (
            {"people": 3, "Order Lines": 4, "Bill Lines": 1},
            ("DROP TABLE staff.people",),
            ["table staff.people is gone, as r2 says"],
        ),
        ({"people": 3, "Order Lines": 4, "Bill Lines": 1}, (), ["table staff.people is gone"]),
        ({"people": 3, "left.people": 5, "Order Lines": 4, "Bill Lines": 1}, (), []),
        ({"people": 3, "staff.persons": 5, "Order Lines": 4, "Bill Lines": 1}, (RENAMES,), []),
        (
            {"people": 3, "staff.people": 5, "Bill Lines": 1},
            ('DROP TABLE "Order Lines"',),
            ["table Order Lines is gone, as r2 says"],
        ),
        ({"people": 3, "staff.people": 5, "Bill Lines": 1}, ("DROP TABLE lines",), ["table Order Lines is gone"]),
    ],
)
def test_tables_whose_names_end_alike_are_not_taken_for_each_other(
    after: dict[str, int], said: tuple[str, ...], losses: list[str]
) -> None:
    before = standing({"people": 3, "staff.people": 5, "Order Lines": 4, "Bill Lines": 1}, {})
    assert told(before, standing(after, {}), *said) == losses


def test_a_function_is_known_by_its_name_whatever_it_takes() -> None:
    counts = Part("function", "staff.counts(integer)")
    before, after = standing({"people": 3}, {counts: "sql"}), standing({"people": 3}, {})
    assert told(before, after, "DROP FUNCTION staff.counts(integer)") == [f"{counts} is gone, as r2 says"]
    assert told(before, after, "DROP FUNCTION integer") == [f"{counts} is gone"]


def test_what_an_author_has_written_down_is_meant() -> None:
    after = standing({"people": 3, "pets": 2}, without(TRIGGER))
    (loss,) = find_losses(BEFORE, after, (), {"trigger told of people is gone": "r9"})
    assert loss.by == "r9"


@pytest.mark.parametrize(
    ("rows", "limits", "beyond"),
    [
        (0, Limits(), 0),
        (5, Limits(share=0.5), 0),
        (6, Limits(share=0.5), 1),
        (6, Limits(rows=5, share=1.0), 1),
        (10, Limits(rows=5, share=0.5), 2),
    ],
)
def test_rows_that_go_with_a_migration_count_against_the_limits(rows: int, limits: Limits, beyond: int) -> None:
    losses = (Loss("people has lost rows", "r2", "people", rows, is_of_schema=False), Loss("view v is gone", "r2"))
    assert len(beyond_limits(losses, limits, {"people": 10})) == beyond
