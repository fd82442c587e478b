"""What is wrong with a schema is found on every engine, nothing else is, and so is the index that a key misses."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.shell import Place, family, upkeep
from upkeep.catalog import Catalog, ForeignKey, Index, Table
from upkeep.databases import Reading
from upkeep.databases.opening import open_database
from upkeep.databases.sqlite_text import unnamed_checks
from upkeep.finding import keys_of
from upkeep.health import Flaw, Severity, judge_health
from upkeep.missing_indexes import missing_indexes, serving
from upkeep.models import ModelledColumn, ModelledKey, ModelledTable, Models
from upkeep.ondelete import judge_ondelete
from upkeep.policy import Policy, Rule

Looked = Callable[..., AbstractContextManager[Reading]]
SERVERS = ("system_postgresql", "mariadb")


@pytest.fixture(params=["sqlite", *SERVERS])
def looked(request: pytest.FixtureRequest, tmp_path: Path) -> Looked:
    """A look at a database that is made by the statements given, on each engine."""

    @contextmanager
    def look(*statements: str) -> Iterator[Reading]:
        url = f"sqlite:///{tmp_path / 'app.db'}"
        if request.param == "sqlite":
            with closing(sqlite3.connect(tmp_path / "app.db")) as connection:
                connection.executescript(";".join(statements))
        else:
            server = request.getfixturevalue(request.param)
            url = server.url(server.make_database(*statements))
        with open_database("app", url).reading() as reading:
            yield reading

    return look


def flaws_of(reading: Reading, policy: Policy | None = None) -> tuple[Flaw, ...]:
    """All that is wrong with the schema that is read."""
    catalog, policy = reading.catalog(), policy or Policy()
    return judge_health(catalog, judge_ondelete(catalog, catalog.keys, policy, reading.kept_as), reading.dialect)


def broken(reading: Reading, policy: Policy | None = None) -> set[tuple[str, str]]:
    """Which rules are broken by what."""
    return {(flaw.rule, flaw.about) for flaw in flaws_of(reading, policy)}


PARENT = "CREATE TABLE parent (id INT NOT NULL PRIMARY KEY, a INT NOT NULL, b INT NOT NULL, UNIQUE (a, b))"
WIDE = "FOREIGN KEY (x, y) REFERENCES parent (a, b)"


def test_nothing_is_said_of_a_schema_that_is_sound(looked: Looked) -> None:
    with looked(
        PARENT,
        "CREATE TABLE child (id INT NOT NULL PRIMARY KEY, parent_id INT, x INT, y INT, CONSTRAINT one FOREIGN KEY"
        f" (parent_id) REFERENCES parent (id) ON DELETE SET NULL, CONSTRAINT two {WIDE})",
        "CREATE INDEX ix_one ON child (parent_id)",
        "CREATE INDEX ix_two ON child (y, x, id)",
        "CREATE TABLE wife (id INT NOT NULL PRIMARY KEY, CONSTRAINT three FOREIGN KEY (id) REFERENCES parent (id))",
    ) as reading:
        assert flaws_of(reading) == ()


def test_a_table_without_primary_key_is_told(looked: Looked) -> None:
    with looked("CREATE TABLE loose (a INT)") as reading:
        assert broken(reading) == {("primary-key-missing", "loose")}


def test_keys_that_share_columns_are_told_by_how_they_do(looked: Looked) -> None:
    with looked(
        PARENT,
        "CREATE TABLE other (id INT NOT NULL PRIMARY KEY)",
        "CREATE TABLE child (id INT NOT NULL PRIMARY KEY, p INT, x INT, y INT,"
        " CONSTRAINT one FOREIGN KEY (p) REFERENCES parent (id), CONSTRAINT two FOREIGN KEY (p) REFERENCES parent (id),"
        " CONSTRAINT three FOREIGN KEY (x) REFERENCES parent (id) ON DELETE CASCADE,"
        " CONSTRAINT four FOREIGN KEY (x) REFERENCES parent (id) ON DELETE SET NULL,"
        f" CONSTRAINT five FOREIGN KEY (x) REFERENCES other (id), CONSTRAINT six {WIDE})",
        "CREATE INDEX i1 ON child (p)",
        "CREATE INDEX i2 ON child (x, y)",
    ) as reading:
        flaws = flaws_of(reading)
    told = [(flaw.rule, flaw.severity, flaw.about) for flaw in flaws]
    assert ("key-duplicate", Severity.WARNING, "child(p) -> parent(id)") in told
    assert ("key-duplicate", Severity.CRITICAL, "child(x) -> parent(id)") in told
    assert {flaw.severity for flaw in flaws if flaw.rule == "key-overlapping"} == {Severity.WARNING, Severity.INFO}
    assert {flaw.rule for flaw in flaws} == {"key-duplicate", "key-overlapping"}
    (twice,) = [flaw for flaw in flaws if flaw.about == "child(p) -> parent(id)"]
    assert twice.mend == "with op.batch_alter_table('child') as batch: batch.drop_constraint('two', type_='foreignkey')"


def test_what_the_policy_wants_is_told_where_it_can_be_had_and_where_not(looked: Looked) -> None:
    policy = Policy(rule=(Rule(child="child", ondelete="SET NULL"),))
    with looked(
        PARENT,
        "CREATE TABLE child (id INT NOT NULL PRIMARY KEY, p INT NOT NULL, q INT,"
        " CONSTRAINT k1 FOREIGN KEY (p) REFERENCES parent (id), CONSTRAINT k2 FOREIGN KEY (q) REFERENCES parent (id))",
        "CREATE INDEX i1 ON child (p)",
        "CREATE INDEX i2 ON child (q)",
    ) as reading:
        assert broken(reading) == set()
        flaws = flaws_of(reading, policy)
    assert [(flaw.rule, flaw.about) for flaw in flaws] == [
        ("ondelete-differs", "child(q) -> parent(id)"),
        ("policy-impossible", "child(p) -> parent(id)"),
    ]
    assert flaws[1].seen == "rule 1 wants ON DELETE SET NULL, but p may not be NULL"


@pytest.mark.parametrize("looked", ["sqlite", "system_postgresql"], indirect=True)
def test_an_on_delete_that_can_never_be_done_is_told(looked: Looked) -> None:
    with looked(
        PARENT,
        "CREATE TABLE child (id INT NOT NULL PRIMARY KEY,"
        " CONSTRAINT one FOREIGN KEY (id) REFERENCES parent (id) ON DELETE SET NULL)",
    ) as reading:
        assert broken(reading) == {("ondelete-impossible", "child(id) -> parent(id)")}


@pytest.mark.parametrize("looked", ["system_postgresql"], indirect=True)
def test_an_on_delete_that_spares_the_column_that_may_not_be_null_is_none(looked: Looked) -> None:
    with looked(
        PARENT,
        f"CREATE TABLE child (id INT PRIMARY KEY, x INT NOT NULL, y INT, CONSTRAINT one {WIDE} ON DELETE SET NULL (y))",
        "CREATE INDEX i ON child (x, y)",
    ) as reading:
        assert flaws_of(reading) == ()


@pytest.mark.parametrize("looked", ["sqlite", "system_postgresql"], indirect=True)
def test_two_sides_of_different_kinds_are_told_and_words_for_one_kind_are_not(looked: Looked) -> None:
    with looked(
        "CREATE TABLE parent (id BIGINT NOT NULL PRIMARY KEY, t TEXT NOT NULL UNIQUE, d NUMERIC NOT NULL UNIQUE)",
        "CREATE TABLE child (id INT NOT NULL PRIMARY KEY, d INT, t VARCHAR(9),"
        " CONSTRAINT one FOREIGN KEY (d) REFERENCES parent (d), CONSTRAINT two FOREIGN KEY (t) REFERENCES parent (t))",
        "CREATE INDEX i1 ON child (d)",
        "CREATE INDEX i2 ON child (t)",
    ) as reading:
        assert broken(reading) == {("type-mismatch", "child(d) -> parent(d)")}


@pytest.mark.parametrize("looked", ["mariadb"], indirect=True)
def test_a_key_by_which_several_rows_may_be_meant_is_told_where_the_engine_takes_it(looked: Looked) -> None:
    with looked(
        "CREATE TABLE parent (id INT NOT NULL PRIMARY KEY, a INT, KEY (a))",
        "CREATE TABLE child (id INT NOT NULL PRIMARY KEY, x INT, CONSTRAINT one FOREIGN KEY (x) REFERENCES parent (a))",
    ) as reading:
        assert [(flaw.rule, flaw.severity) for flaw in flaws_of(reading)] == [("parent-not-unique", Severity.WARNING)]


@pytest.mark.parametrize("looked", ["mariadb"], indirect=True)
def test_two_words_for_one_on_delete_are_no_difference(looked: Looked) -> None:
    policy = Policy(rule=(Rule(child="*", ondelete="NO ACTION"),))
    with looked(
        PARENT,
        "CREATE TABLE child (id INT NOT NULL PRIMARY KEY, p INT, CONSTRAINT k FOREIGN KEY (p) REFERENCES parent (id))",
    ) as reading:
        assert flaws_of(reading, policy) == ()


@pytest.mark.parametrize("looked", ["system_postgresql"], indirect=True)
def test_postgresql_tells_of_keys_never_validated_and_of_indexes_that_do_not_serve(looked: Looked) -> None:
    with looked(
        "CREATE SCHEMA billing",
        'CREATE TABLE billing."Parent" (id INT PRIMARY KEY)',
        'CREATE TABLE billing.child (id INT PRIMARY KEY, p INT, q INT, r INT, s INT[])',
        *(f'ALTER TABLE billing.child ADD CONSTRAINT k{c} FOREIGN KEY ({c}) REFERENCES billing."Parent" {more}'
          for c, more in (("p", "NOT VALID"), ("q", ""), ("r", ""))),
        "CREATE INDEX i1 ON billing.child (p) WHERE p IS NOT NULL",
        "CREATE INDEX i2 ON billing.child (q) WHERE q > 3",
        "CREATE INDEX i3 ON billing.child USING brin (r)",
    ) as reading:  # fmt: skip
        flaws = flaws_of(reading)
    assert [(flaw.rule, flaw.about) for flaw in flaws] == [
        ("index-missing", "billing.child(q) -> billing.Parent(id)"),
        ("index-missing", "billing.child(r) -> billing.Parent(id)"),
        ("key-unvalidated", "billing.child(p) -> billing.Parent(id)"),
    ]
    assert flaws[0].mend == "op.create_index('ix_billing_child_q', 'child', ['q'], schema='billing')"
    assert flaws[2].mend == """op.execute('ALTER TABLE "billing"."child" VALIDATE CONSTRAINT "kp"')"""


@pytest.mark.parametrize("looked", ["sqlite"], indirect=True)
def test_sqlite_tells_of_keys_that_it_cannot_use_and_of_those_without_a_name(looked: Looked) -> None:
    with looked(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY, a INT)",
        "CREATE TABLE child (id INTEGER PRIMARY KEY, p INT REFERENCES parent, a INT CONSTRAINT k REFERENCES parent (a),"
        " g INT CONSTRAINT l REFERENCES gone)",
        "CREATE INDEX i1 ON child (p) WHERE p IS NOT NULL",
        "CREATE INDEX i2 ON child (a)",
        "CREATE INDEX i3 ON child (g)",
    ) as reading:
        assert broken(reading) == {
            ("constraint-unnamed", "child(p) -> parent(id)"),
            ("parent-not-unique", "child(a) -> parent(a)"),
            ("parent-missing", "child(g) -> gone()"),
        }


CHECKS = (
    "CREATE TABLE named (id INT NOT NULL PRIMARY KEY, a INT, CONSTRAINT positive CHECK (a > 0))",
    "CREATE TABLE unnamed (id INT NOT NULL PRIMARY KEY, a INT CHECK (a IN (1, 2)), b VARCHAR(9), CHECK (a < 9 OR"
    " (b = 'check ('))) ",
)


@pytest.mark.parametrize("looked", ["sqlite", "system_postgresql", "mariadb"], indirect=True)
def test_a_check_without_a_name_is_told_where_the_engine_gives_it_none(
    looked: Looked, request: pytest.FixtureRequest
) -> None:
    is_sqlite = request.node.callspec.params["looked"] == "sqlite"
    with looked(*CHECKS) as reading:
        flaws = flaws_of(reading)
    assert [(flaw.rule, flaw.severity, flaw.about) for flaw in flaws] == [
        ("check-unnamed", Severity.INFO, "unnamed")
    ] * is_sqlite
    if is_sqlite:
        assert flaws[0].seen.startswith("2 CHECKs without a name, ")
        assert flaws[0].seen.endswith(": a IN (1, 2) and a < 9 OR (b = 'check (')")


@pytest.mark.parametrize(
    ("statement", "unnamed"),
    [
        ("CREATE TABLE t (a INT CONSTRAINT n NOT NULL CHECK (a))", ("a",)),
        ("CREATE TABLE t (a INT CONSTRAINT n CHECK (a) CHECK (b))", ("b",)),
        ('CREATE TABLE t (a INT, "check" (3), b CHECK  /* ( */ (f(b) > (1)))', ("f(b) > (1)",)),
        ("CREATE TABLE t (a DEFAULT 'CHECK (a)')", ()),
        ("CREATE TABLE t (a, CONSTRAINT [CHECK] CHECK (a))", ()),
    ],
)
def test_what_a_check_without_a_name_is(statement: str, unnamed: tuple[str, ...]) -> None:
    assert unnamed_checks(statement) == unnamed


@pytest.mark.parametrize("looked", ["sqlite"], indirect=True)
def test_what_the_models_say_otherwise_is_told(looked: Looked) -> None:
    models = Models(
        tables=(
            ModelledTable(
                name="child",
                columns=(
                    ModelledColumn(name="p", type="INTEGER", nullable=False, primary_key=False),
                    ModelledColumn(name="q", type="INTEGER", nullable=True, primary_key=False),
                ),
                foreign_keys=(
                    ModelledKey(columns=("p",), parent="other", parent_columns=("id",)),
                    ModelledKey(columns=("q",), parent="other", parent_columns=("id",)),
                    ModelledKey(columns=("id",), parent="parent", parent_columns=("id",)),
                ),
            ),
        )
    )
    policy = Policy(rule=(Rule(child="*", ondelete="CASCADE"),))
    with looked(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
        "CREATE TABLE other (id INTEGER PRIMARY KEY)",
        "CREATE TABLE child (id INTEGER PRIMARY KEY CONSTRAINT k0 REFERENCES parent ON DELETE CASCADE,"
        " p INT CONSTRAINT k1 REFERENCES parent, q INT)",
        "CREATE INDEX i ON child (p)",
    ) as reading:
        catalog, keys = reading.catalog(), keys_of(reading, policy, models)
        wishes = judge_ondelete(catalog, keys, policy, reading.kept_as)
        flaws = judge_health(catalog, wishes, reading.dialect, models)
    assert [(flaw.rule, flaw.about) for flaw in flaws] == [
        ("key-misdeclared", "child(p) -> parent(id)"),
        ("column-nullable", "child.p"),
        ("key-undeclared", "child(q) -> other(id)"),
        ("policy-impossible", "child(p) -> parent(id)"),
    ]
    assert not any(wish.is_to_change for wish in wishes)


# Which index serves: asked of the engine's own planner


COLUMNS = ("a", "b", "c")
KEYS = [key for size in (1, 2, 3) for key in permutations(COLUMNS, size)]


@given(
    columns=st.sampled_from(KEYS),
    primary=st.sampled_from([(), *KEYS]),
    indexes=st.lists(st.tuples(st.sampled_from(KEYS), st.booleans(), st.booleans()), max_size=3),
)
def test_an_index_serves_a_key_where_sqlites_planner_finds_its_rows_without_reading_others(
    columns: tuple[str, ...],
    primary: tuple[str, ...],
    indexes: list[tuple[tuple[str, ...], bool, bool]],
) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        key = f", PRIMARY KEY ({', '.join(primary)})" if primary else ""
        connection.execute(f"CREATE TABLE child (a INT, b INT, c INT{key})")
        for number, (over, unique, partial) in enumerate(indexes):
            connection.execute(
                f"CREATE {'UNIQUE' if unique else ''} INDEX i{number} ON child ({', '.join(over)})"
                f"{' WHERE a > 5' if partial else ''}"
            )
        plan = connection.execute(
            f"EXPLAIN QUERY PLAN SELECT 1 FROM child WHERE {' AND '.join(f'{column} = ?' for column in columns)}",
            [0] * len(columns),
        ).fetchone()[3]
    narrow = [over for over, unique, partial in indexes if unique and not partial] + ([primary] if primary else [])
    looked_up = [column for column in columns if f"{column}=?" in plan]
    exact = "SEARCH" in plan and (set(looked_up) == set(columns) or any(set(one) <= set(columns) for one in narrow))
    found = tuple(
        Index(f"i{number}", over, unique, not partial) for number, (over, unique, partial) in enumerate(indexes)
    )
    foreign = ForeignKey("child", columns, "parent", ("id",))
    catalog = Catalog({"child": Table("child", (), primary, indexes=found)}, (foreign,))
    assert (serving(catalog, foreign) is not None) == exact, plan


@given(st.lists(st.sampled_from(KEYS), min_size=1, max_size=5, unique=True))
def test_the_indexes_that_are_missed_serve_every_key_and_none_is_too_many(several: list[tuple[str, ...]]) -> None:
    keys = tuple(ForeignKey("child", columns, "parent", columns) for columns in several)
    before = Catalog({"child": Table("child", ())}, keys)
    missing = missing_indexes(before, keys)
    made = tuple(Index(index.name, index.columns) for index in missing)
    after = Catalog({"child": Table("child", (), indexes=made)}, keys)
    assert missing_indexes(after, keys) == ()
    assert sorted(str(key) for index in missing for key in index.keys) == sorted(map(str, keys))
    for left_out in made:
        fewer = tuple(index for index in made if index != left_out)
        assert missing_indexes(Catalog({"child": Table("child", (), indexes=fewer)}, keys), keys) != ()


# The commands


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A small database with one key that says nothing on delete and has no index."""
    return family(tmp_path / "place")


def test_policy_ondelete_shows_what_is_wanted_beside_what_is_found(place: Place) -> None:
    place.policy('[[rule]]\nchild = "child"\norphan = ["keep"]\nondelete = "CASCADE"\nwhy = "it goes with it"\n')
    said = upkeep("policy", "ondelete", "--json")
    (key,) = said.document["keys"]
    assert said.code == 1
    assert (key["rule"], key["wanted"], key["found"], key["differs"]) == (1, "CASCADE", "NO ACTION", True)
    told = upkeep("policy", "ondelete")
    assert told.out.splitlines() == [
        "main: 1 of 1 foreign key do not say on delete what the policy wants",
        "  child(parent_id) -> parent(id): NO ACTION, rule 1 wants CASCADE: it goes with it",
        "next: `upkeep policy ondelete --write` writes the Alembic revision",
    ]


def test_a_policy_that_is_silent_wants_nothing(place: Place) -> None:
    said = upkeep("policy", "ondelete", "--json")
    assert (said.code, said.document["keys"][0]["wanted"]) == (0, None)
    assert place.ask("SELECT COUNT(*) FROM child") == [(3,)]


def test_policy_indexes_shows_the_index_that_is_wanted(place: Place) -> None:
    said = upkeep("policy", "indexes", "--json")
    (key,) = said.document["keys"]
    assert (said.code, key["found"], key["wanted"]["columns"]) == (1, None, ["parent_id"])
    place.run("CREATE INDEX mine ON child (parent_id, note)")
    said = upkeep("policy", "indexes", "--json")
    (key,) = said.document["keys"]
    assert (said.code, key["found"], key["wanted"]) == (0, "mine", None)


def test_policy_health_says_the_worst_first_and_ends_with_1_for_what_will_hurt(place: Place) -> None:
    said = upkeep("policy", "health", "--json")
    assert said.code == 1
    assert [flaw["rule"] for flaw in said.document["flaws"]] == ["index-missing", "constraint-unnamed"]
    place.run("CREATE INDEX mine ON child (parent_id)")
    assert upkeep("policy", "health").code == 0
    place.run("ALTER TABLE child ADD COLUMN aunt INTEGER REFERENCES aunts")
    told = upkeep("policy", "health").out.splitlines()
    assert told[0] == "main: 4 flaws of the schema: 1 critical, 1 warning, 2 info (2 tables, 2 foreign keys)"
    assert told[2] == "parent-missing (critical, 1): the table aunts is gone"


def test_the_schema_of_a_database_without_tables_is_no_sound_one(place: Place) -> None:
    place.run("DROP TABLE child; DROP TABLE parent")
    for command in ("health", "ondelete", "indexes"):
        assert upkeep("policy", command).complaint == (
            2, "the database main has no tables", "check DATABASE_URL: is this the right one?",
        )  # fmt: skip
