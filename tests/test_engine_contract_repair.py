"""What every engine promises of orphans and repairs: found, mended, put back, and refused where they are outdated."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from tests.engines import Engine, Key, Plain, Table, unless_it_cannot
from tests.engines.house import (
    BY_DELETION,
    BY_NULL,
    FAMILY,
    LOG,
    House,
    engine,
    house,
    orphans,
    policy,
    settled,
)
from tests.repair_model import Model, Reference, SomeRule, TableShape
from upkeep.changes import RowsRefused
from upkeep.databases.own_words import UNTOLD
from upkeep.errors import Refused
from upkeep.finding import find, keys_of
from upkeep.plan import Plan
from upkeep.policy import Policy
from upkeep.rows import images_of

__all__ = ["engine", "house"]

TEXTS = ("a", "A", "b c", "ä", "it's")


@contextmanager
def a_house(engine: Engine, folder: Path, *tables: Table) -> Iterator[House]:
    """Other tables than the family."""
    yield from settled(engine, engine.make(*tables), folder)


# --- Detection: the common shapes ---

COMPOSITE = (
    Table("pairs", ("a INTEGER NOT NULL", "b INTEGER NOT NULL"), rows=((1, 1), (1, 2)), primary_key=("a", "b")),
    Table(
        "pointing",
        ("id INTEGER NOT NULL", "a INTEGER", "b INTEGER"),
        (Key(("a", "b"), "pairs", ("a", "b")),),
        ((1, 1, 1), (2, 2, 1), (3, None, 9), (4, 9, None), (5, None, None), (6, 1, 2), (7, 9, 9)),
    ),
)
ITSELF = (
    Table(
        "staff",
        ("id INTEGER NOT NULL", "chief INTEGER"),
        (Key(("chief",), "staff"),),
        ((1, None), (2, 1), (3, 3), (4, 99), (5, 4)),
    ),
)
CIRCLE = (
    Table("hens", ("id INTEGER NOT NULL", "egg INTEGER"), (Key(("egg",), "eggs"),), ((1, 1), (2, 9), (3, None))),
    Table("eggs", ("id INTEGER NOT NULL", "hen INTEGER"), (Key(("hen",), "hens"),), ((1, 1), (2, 8), (3, 2))),
)
WORDS = (
    Table("kinds", ("code VARCHAR(20) NOT NULL",), rows=tuple((t,) for t in TEXTS), primary_key=("code",)),
    Table(
        "things",
        ("id INTEGER NOT NULL", "kind VARCHAR(20)"),
        (Key(("kind",), "kinds", ("code",)),),
        (*((n, text) for n, text in enumerate(TEXTS)), (10, "B c"), (11, ""), (12, "its"), (13, None)),
    ),
)
UNIQUE = (
    Table("cards", ("id INTEGER NOT NULL", "number INTEGER"), rows=((1, 5), (2, None)), uniques=(("number",),)),
    Table(
        "uses",
        ("id INTEGER NOT NULL", "card INTEGER"),
        (Key(("card",), "cards", ("number",)),),
        ((1, 5), (2, 1), (3, None)),
    ),
)
SHAPES: dict[str, tuple[tuple[Table, ...], dict[str, int]]] = {
    "simple": (FAMILY, {"children(parent) -> parents(id)": 2}),
    "composite with NULL in part": (COMPOSITE, {"pointing(a, b) -> pairs(a, b)": 2}),
    "a table that points at itself": (ITSELF, {"staff(chief) -> staff(id)": 1}),
    "two tables in a circle": (CIRCLE, {"hens(egg) -> eggs(id)": 1, "eggs(hen) -> hens(id)": 1}),
    "text": (WORDS, {"things(kind) -> kinds(code)": 3}),
    "a unique column that is NULL": (UNIQUE, {"uses(card) -> cards(number)": 1}),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_orphans_of_a_common_shape_are_found_on_the_live_database_and_on_its_scratch(
    engine: Engine, tmp_path: Path, shape: str
) -> None:
    tables, expected = SHAPES[shape]
    with a_house(engine, tmp_path, *tables) as house, house.scratch() as scratch:
        assert orphans(house.database) == orphans(scratch) == expected


def test_p109_where_the_parent_table_is_gone_every_row_that_points_is_an_orphan(house: House) -> None:
    unless_it_cannot(house.engine, "lose a parent table")
    house.base.run("DROP TABLE parents")
    with house.database.reading() as reading:
        (found,) = (find(reading, key, limit=9) for key in keys_of(reading, BY_NULL) if key.parent_missing)
    assert str(found.key) == "children(parent) -> parents(id)"
    assert found.orphans == 3
    assert sorted(str(row[0]) for row in found.rows) == ["1", "3", "4"]
    assert house.planned(BY_DELETION).repairs == ()


def test_a_key_that_the_policy_states_is_asked_like_a_declared_one(house: House) -> None:
    house.base.run(
        "CREATE TABLE loose (id INTEGER NOT NULL, parent INTEGER, PRIMARY KEY (id))",
        "INSERT INTO loose VALUES (1, 1), (2, 97), (3, NULL)",
    )
    stating = Policy.model_validate(
        {"reference": [{"from": "loose.parent", "to": "parents.id"}, {"from": "loose.id", "to": "nobody.id"}]}
    )
    assert orphans(house.database, stating)["loose(parent) -> parents(id)"] == 1
    assert orphans(house.database, stating)["loose(id) -> nobody(id)"] == 3


# --- Any small database, against a model in plain Python ---


@dataclass(frozen=True)
class Situation:
    """A small damaged database and a rule for each of its keys."""

    tables: tuple[Table, ...]
    rules: tuple[SomeRule, ...]

    @property
    def references(self) -> list[Reference]:
        """The keys as the model knows them."""
        return [
            Reference(table.name, key.columns, key.parent, key.parent_columns)
            for table in self.tables
            for key in table.keys
        ]

    @property
    def policy(self) -> Policy:
        """The rules as a policy."""
        return policy(
            *({"child": f"{r.child}.{r.column}", "parent": r.parent, "orphan": list(r.actions)} for r in self.rules)
        )

    def model(self, pick: Any) -> Model:
        """The database in memory."""
        rows = {t.name: [dict(zip(t.names, row, strict=True)) for row in t.rows] for t in self.tables}
        shapes = {
            t.name: TableShape(
                frozenset(c.split()[0] for c in t.columns if "NOT NULL" not in c) - set(t.primary_key), t.primary_key
            )
            for t in self.tables
        }
        return Model(rows, shapes, self.references, self.rules, pick)

    @property
    def is_circular(self) -> bool:
        """Do two different tables point at each other, directly or not?"""
        reach = {table.name: {key.parent for key in table.keys} - {table.name} for table in self.tables}
        for _ in reach:
            reach = {name: found.union(*(reach[one] for one in found)) for name, found in reach.items()}
        return any(name in found for name, found in reach.items())


ACTIONS = (("delete",), ("delete",), ("nullify",), ("nullify", "delete"), ("delete", "nullify"), ("keep",))
POOLS: dict[str, tuple[Plain, ...]] = {
    "INTEGER": (0, 1, 2, 3, -(2**31)),
    "VARCHAR(20)": ("", "a", "A", "ä", "it's"),
}


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Two to four tables with up to five keys among them, to themselves and in circles too."""
    kind = draw(st.sampled_from(sorted(POOLS)))
    bare = [draw(_tables(f"t{number}", kind)) for number in range(draw(st.integers(2, 4)))]
    keys: dict[Any, tuple[str, Key]] = {}
    for _ in range(draw(st.integers(1, 5))):
        child, parent = draw(st.sampled_from(bare)), draw(st.sampled_from(bare))
        theirs = draw(st.sampled_from((parent.primary_key, *parent.uniques)))
        ours = tuple(draw(st.permutations(child.names[1:])))[: len(theirs)]
        ondelete = draw(st.sampled_from(("NO ACTION", "CASCADE", "RESTRICT")))
        pairs = frozenset(zip(ours, theirs, strict=True))
        keys[child.name, parent.name, pairs] = (child.name, Key(ours, parent.name, theirs, ondelete))
    rules = [SomeRule(name, key.columns[0], key.parent, draw(st.sampled_from(ACTIONS))) for name, key in keys.values()]
    found = Situation(tuple(_with(table, keys.values()) for table in bare), tuple(rules))
    if found.is_circular:  # RESTRICT waits for nothing, so that rows in a circle of tables can never go
        return replace(found, tables=tuple(replace(t, keys=tuple(map(_unrestricted, t.keys))) for t in found.tables))
    return found


def _with(table: Table, keys: Iterable[tuple[str, Key]]) -> Table:
    return replace(table, keys=tuple(key for name, key in keys if name == table.name))


def _unrestricted(key: Key) -> Key:
    return replace(key, ondelete="NO ACTION") if key.ondelete == "RESTRICT" else key


@st.composite
def _tables(draw: st.DrawFn, name: str, kind: str) -> Table:
    columns = (f"id {kind} NOT NULL", f"a {kind}{draw(st.sampled_from(('', ' NOT NULL')))}", f"b {kind}", f"c {kind}")
    primary_key = draw(st.sampled_from((("id",), ("id",), ("id", "a"))))
    if "a" in primary_key:
        columns = (columns[0], f"a {kind} NOT NULL", *columns[2:])
    uniques = draw(st.sampled_from(((), (("b",),), (("b", "c"),))))
    pool = POOLS[kind]
    values = [st.sampled_from(pool if "NOT NULL" in column else (*pool, None)) for column in columns]
    rows, seen = [], set[object]()
    for row in draw(st.lists(st.tuples(*values), min_size=1, max_size=6)):
        held = [
            (unique, tuple(row[["id", "a", "b", "c"].index(column)] for column in unique))
            for unique in (primary_key, *uniques)
        ]
        told = {one for one in held if None not in one[1]}
        if not told & seen:
            seen |= told
            rows.append(row)
    return Table(name, columns, (), tuple(rows), primary_key, uniques)


# An example is a database of a server: to look for the smallest one that fails would take longer than the test may.
@settings(
    max_examples=int(os.environ.get("REPAIR_EXAMPLES", "12")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@given(situation=situations(), order=st.randoms())
def test_promises_2_and_3_any_small_database_is_mended_as_the_model_says_and_put_back_by_the_changes_alone(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory, situation: Situation, order: Any
) -> None:
    if situation.is_circular and "mend a circle of tables" in engine.cannot:
        return
    with a_house(engine, tmp_path_factory.mktemp("house"), *situation.tables) as house:
        by, before = situation.policy, house.base.listing()
        model = situation.model(order.randrange)
        assert orphans(house.database, by) == _orphans_in(situation)
        expected, kept = model.repair()
        plan = house.planned(by)
        event(f"repairs {min(len(plan.repairs), 5)}, waves {max((r.wave for r in plan.repairs), default=0)}")
        mended, record = house.performed(plan, by)
        for table in situation.tables:
            wanted = [tuple(row[column] for column in table.names) for row in expected[table.name]]
            assert Counter(house.base.ask(f"SELECT * FROM {table.name}")) == Counter(wanted), table.name
        assert mended.beside_the_plan == 0
        assert orphans(house.database, by) == dict(kept)
        assert house.planned(by).is_empty, "run it twice: the second run finds nothing to do (promise 2)"
        put_back(house, plan, record)
        assert house.base.listing() == before, "promise 3"


def _orphans_in(situation: Situation) -> dict[str, int]:
    """Counted row by row, of the database as it was."""
    rows = {t.name: [dict(zip(t.names, row, strict=True)) for row in t.rows] for t in situation.tables}
    found: Counter[str] = Counter()
    for key in situation.references:
        parents = {tuple(row[column] for column in key.parent_columns) for row in rows[key.parent]}
        for row in rows[key.child]:
            values = tuple(row[column] for column in key.columns)
            found[str(key)] += None not in values and values not in parents
    return dict(+found)


def put_back(house: House, plan: Plan, record: Any) -> None:
    """Undo what stands in the store, and nothing else, by hand."""
    with house.database.reading() as reading:
        locators = {name: table.locator for name, table in reading.catalog().tables.items()}
    changes = house.changes(record)
    assert len(changes) == plan.rows
    for change in changes:
        house.base.put_back(change, locators[change.table])


# --- The family, mended ---


@pytest.mark.parametrize("by", [BY_DELETION, BY_NULL], ids=["delete", "nullify"])
def test_promises_2_and_3_odd_values_stand_in_the_changes_as_they_were_p120(house: House, by: Policy) -> None:
    house.base.run(*house.engine.odd)
    before = house.base.listing()
    plan = house.planned(by)
    assert sum(repair.table == "odd" for repair in plan.repairs) == 3
    _, record = house.performed(plan, by)
    now = house.base.listing()
    assert len(now["odd"]) == (1 if by is BY_DELETION else 4)
    assert orphans(house.database) == {}
    assert house.planned(by).is_empty
    put_back(house, plan, record)
    assert house.base.listing() == before


def test_p120_every_value_of_a_row_comes_equal_and_finds_its_row_again(house: House) -> None:
    house.base.run(*house.engine.odd)
    with house.database.reading() as reading:
        table = reading.catalog().tables["odd"]
        ids = [(row[0],) for row in reading.rows("SELECT id FROM odd")]
        images = images_of(reading, table, ids)
        assert len(images) == 4
        assert images == images_of(reading, table, list(images))
    plan = house.planned(BY_DELETION)
    with house.scratch() as scratch:
        assert house.planned(BY_DELETION, scratch).digest == plan.digest


def test_promise_2_p113_the_plan_is_the_fixpoint_and_no_cascade_acts_p58(engine: Engine, tmp_path: Path) -> None:
    cascading = tuple(
        Table(t.name, t.columns, tuple(Key(k.columns, k.parent, ondelete="CASCADE") for k in t.keys), t.rows)
        for t in FAMILY
    )
    with a_house(engine, tmp_path, *cascading) as house:
        plan = house.planned(BY_DELETION)
        assert plan.by_action() == {"delete": 4}
        mended, _ = house.performed(plan, BY_DELETION)
        assert mended.beside_the_plan == 0
        assert house.base.ask("SELECT id FROM children ORDER BY id") == [(1,), (2,)]
        assert house.base.ask("SELECT id FROM leaves ORDER BY id") == [(1,), (4,)]


def test_promise_2_a_rehearsal_and_a_performance_do_the_same(house: House) -> None:
    plan = house.planned(BY_DELETION)
    with house.scratch() as scratch:
        rehearsed, _ = house.performed(house.planned(BY_DELETION, scratch), BY_DELETION, scratch)
    performed, _ = house.performed(plan, BY_DELETION)
    assert rehearsed.digest == performed.digest


# --- Promises 8 and 9: what was outdated is refused, and nothing is done ---

SINCE = {
    "row 3 of children has changed since the rehearsal": "UPDATE children SET note = 'new' WHERE id = 3",
    "row 3 of children is gone since the rehearsal": "DELETE FROM children WHERE id = 3",
    "row 3 of children is no orphan of children(parent) -> parents(id) any more: "
    "its parent came back since, or it points elsewhere": "INSERT INTO parents VALUES (99, 'back')",
    "row 9 of leaves has come to point at a row of children that would go": "INSERT INTO leaves VALUES (9, 3)",
    "the table leaves of the plan is gone": "DROP TABLE leaves",
}


@pytest.mark.parametrize("told", SINCE, ids=lambda told: SINCE[told].split()[0].lower() + told[-9:].replace(" ", "-"))
def test_promise_8_a_plan_that_the_application_has_outdated_is_refused_with_nothing_done_p52_p65_p97(
    house: House, told: str
) -> None:
    plan = house.planned(BY_DELETION)
    house.base.run(SINCE[told])
    before = house.base.listing()
    with pytest.raises(Refused) as refused:
        house.performed(plan, BY_DELETION)
    assert refused.value.message == told
    assert refused.value.hint == "nothing was done; run it again for a new plan"
    assert house.base.listing() == before


def test_promise_9_what_the_application_does_to_other_rows_is_not_in_the_way(house: House) -> None:
    plan = house.planned(BY_DELETION)
    with house.base.application() as run:
        run("INSERT INTO parents VALUES (7, 'new')")
        run("INSERT INTO children VALUES (7, 7, 'new')")
        run("UPDATE children SET note = 'changed' WHERE id = 1")
    house.performed(plan, BY_DELETION)
    assert house.base.ask("SELECT id, note FROM children ORDER BY id") == [(1, "changed"), (2, "y"), (7, "new")]


def test_promise_9_a_long_reader_keeps_what_it_sees_and_holds_up_no_performance(house: House) -> None:
    unless_it_cannot(house.engine, "write while somebody reads")
    plan = house.planned(BY_DELETION)
    with house.base.application() as run:
        seen = [run(f"SELECT id FROM {table.name} ORDER BY id") for table in FAMILY]
        house.performed(plan, BY_DELETION)
        assert len(run("SELECT id FROM children")) in (2, len(seen[1]))
    assert house.base.ask("SELECT id FROM children ORDER BY id") == [(1,), (2,)]


# --- Triggers ---


def test_p119_a_trigger_that_refuses_is_named_by_its_row_and_nothing_is_done(house: House) -> None:
    house.base.run(*house.engine.refusing("leaves"))
    before = house.base.listing()
    plan = house.planned(BY_DELETION)
    assert plan.triggers == ("stays (DELETE on leaves)",)
    with pytest.raises(RowsRefused) as refused:
        house.performed(plan, BY_DELETION)
    assert {(r.table, str(r.row[0])) for r in refused.value.refusals} == {("leaves", "2"), ("leaves", "3")}
    assert {r.said for r in refused.value.refusals} == {"rows of ledger stay"}
    assert house.base.listing() == before
    again = house.planned(BY_DELETION, refused=refused.value)
    house.performed(again, BY_DELETION)
    assert house.base.ask("SELECT id FROM children ORDER BY id") == [(1,), (2,), (3,)], "3 is needed by what stays"


def test_p100_what_a_trigger_says_of_a_row_is_not_repeated_for_it_may_hold_values(house: House) -> None:
    unless_it_cannot(house.engine, "let a trigger say values")
    house.base.run(*house.engine.gossiping("children", "note"))
    plan = house.planned(BY_DELETION)
    with pytest.raises(RowsRefused) as refused:
        house.performed(plan, BY_DELETION)
    assert {r.said for r in refused.value.refusals} == {UNTOLD}
    again = house.planned(BY_DELETION, refused=refused.value)
    assert any(UNTOLD in kept.reason for kept in again.kept)


def test_p58_rows_that_a_trigger_changes_beside_the_plan_are_counted(engine: Engine, tmp_path: Path) -> None:
    unless_it_cannot(engine, "count what triggers change")
    with a_house(engine, tmp_path, *FAMILY, LOG) as house:
        house.base.run(*engine.telling("leaves", "log"))
        mended, _ = house.performed(house.planned(BY_DELETION), BY_DELETION)
        assert mended.beside_the_plan == 2
        assert house.base.ask("SELECT id FROM log ORDER BY id") == [(2,), (3,)]
