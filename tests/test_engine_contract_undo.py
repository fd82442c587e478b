"""What every engine promises of an undo: what there was, row for row; conflicts told; keys enforced as before."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings

from tests.engines import Engine, Key, Table
from tests.engines.house import BY_DELETION, BY_NULL, FAMILY, House, engine, house, orphans, policy
from tests.test_engine_contract_repair import Situation, a_house, situations
from tests.test_engine_contract_restore import KEY, restoring
from upkeep.changes import Mended, Refusal, RowsRefused
from upkeep.errors import Refused
from upkeep.finding import keys_of
from upkeep.plan import Plan
from upkeep.policy import Policy
from upkeep.undo_verdict import judge_put_back
from upkeep.undoing import Deed, draw_back
from upkeep.values import Row

__all__ = ["engine", "house"]

SILENT = policy()


def deed_of(plan: Plan, mended: Mended) -> Deed:
    """What a run would be read back as."""
    missed: dict[str, set[Row]] = {}
    for repair in plan.repairs:
        if repair.wave == 0 and repair.key and repair.action != "restore":
            missed.setdefault(repair.key, set()).add(repair.row)
    return Deed("run", mended.changes, missed)


def undo_of(house: House, deed: Deed, by: Policy = SILENT, refusals: tuple[Refusal, ...] = ()) -> Plan:
    """The undo as it is drawn up now."""
    with house.database.reading() as reading:
        return draw_back(reading, "clinic", deed, keys_of(reading, by), refusals)


def conflicts_of(plan: Plan) -> dict[tuple[str, str], str]:
    """By table and number."""
    assert plan.undo is not None
    return {(one.table, str(one.row[0])): one.why for one in plan.undo.conflicts}


# An example is a database of a server: to look for the smallest one that fails would take longer than the test may.
@settings(
    max_examples=int(os.environ.get("REPAIR_EXAMPLES", "8")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@given(situation=situations())
def test_promise_3_any_small_database_comes_back_as_it_was_and_its_undo_is_what_the_run_had_made(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory, situation: Situation
) -> None:
    if situation.is_circular and "mend a circle of tables" in engine.cannot:
        return
    with a_house(engine, tmp_path_factory.mktemp("house"), *situation.tables) as house:
        by, before, astray = situation.policy, house.base.listing(), orphans(house.database, situation.policy)
        plan = house.planned(by)
        mended, _ = house.performed(plan, by)
        repaired = house.base.listing()
        event(f"rows {min(len(mended.changes), 4)}")
        undo = undo_of(house, deed_of(plan, mended), by)
        assert conflicts_of(undo) == {}
        undone, _ = house.performed(undo, by)
        assert house.base.listing() == before
        assert orphans(house.database, by) == astray
        assert undone.beside_the_plan == 0
        assert undo_of(house, deed_of(plan, mended), by).is_empty, "a second undo finds nothing to do (promise 2)"
        redo = undo_of(house, deed_of(undo, undone), by)
        house.performed(redo, by)
        assert house.base.listing() == repaired


@pytest.mark.parametrize("by", [BY_DELETION, BY_NULL], ids=["delete", "nullify"])
def test_odd_values_come_back_as_they_were_p120(house: House, by: Policy) -> None:
    house.base.run(*house.engine.odd)
    before = house.base.listing()
    plan = house.planned(by)
    mended, _ = house.performed(plan, by)
    house.performed(undo_of(house, deed_of(plan, mended)), SILENT)
    assert house.base.listing() == before


@contextmanager
def restored(house: House) -> Iterator[tuple[Plan, Mended]]:
    """A run has brought the parent 2 back, to which the children 2 and 3 had pointed in vain."""
    house.base.run("UPDATE children SET parent = 2 WHERE id IN (2, 3)")
    with house.scratch() as scratch, scratch.reading() as old:
        house.base.run("DELETE FROM parents WHERE id = 2")
        plan = Plan("clinic", (restoring(old, "parents", 2),))
        yield plan, house.performed(plan, SILENT)[0]


@pytest.mark.parametrize("ondelete", ["NO ACTION", "CASCADE", "SET NULL"])
def test_a_parent_that_was_brought_back_goes_again_and_takes_nobody_with_it_p58(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory, ondelete: str
) -> None:
    tables = (
        FAMILY[0],
        Table("children", FAMILY[1].columns, (Key(("parent",), "parents", ondelete=ondelete),), FAMILY[1].rows),
    )
    with a_house(engine, tmp_path_factory.mktemp("house"), *tables) as house:
        house.base.run("UPDATE children SET parent = 2 WHERE id IN (2, 3)")
        with house.scratch() as scratch, scratch.reading() as old:
            house.base.run("DELETE FROM parents WHERE id = 2")
            damaged = house.base.listing()
            plan = Plan("clinic", (restoring(old, "parents", 2),))
            mended, _ = house.performed(plan, SILENT)
        undone, _ = house.performed(undo_of(house, deed_of(plan, mended)), SILENT)
        assert house.base.listing() == damaged
        assert undone.astray == ((KEY, 2),)
        assert undone.changed_in_all == 1
        assert orphans(house.database) == {KEY: 3}


def test_p67_a_row_that_was_changed_since_or_is_gone_since_is_a_conflict(house: House) -> None:
    plan = house.planned(BY_NULL)
    mended, _ = house.performed(plan, BY_NULL)
    house.base.run("UPDATE children SET note = 'by somebody' WHERE id = 3", "DELETE FROM children WHERE id = 4")
    others = house.base.listing()
    undo = undo_of(house, deed_of(plan, mended))
    assert conflicts_of(undo) == {("children", "3"): "it was changed since", ("children", "4"): "it is gone since"}
    assert undo.repairs == ()
    assert house.base.listing() == others


def tried(house: House, deed: Deed) -> tuple[Plan, Mended, tuple[Refusal, ...]]:
    """The undo as it is drawn up and done once its rows have been refused, and those refusals."""
    with pytest.raises(RowsRefused) as fault:
        house.performed(undo_of(house, deed), SILENT)
    refused = fault.value.refusals
    undo = undo_of(house, deed, refusals=refused)
    return undo, house.performed(undo, SILENT)[0], refused


def test_a_column_that_a_trigger_sets_whenever_its_row_is_set_keeps_no_row_from_coming_back(house: House) -> None:
    house.base.run(*house.engine.stamping("children", "note", "REPLACE(OLD.note, 'orphan', 'an orphan')"))
    plan = house.planned(BY_NULL)
    mended, _ = house.performed(plan, BY_NULL)
    assert children(house) == {
        "1": ("1", "x"),
        "2": (None, "y"),
        "3": (None, "an orphan"),
        "4": (None, "an orphan too"),
    }

    deed = deed_of(plan, mended)
    undo, undone, refused = tried(house, deed)
    assert len(refused) == 1, "one for all rows in which it was so: there may be millions"
    assert undo.undo is not None
    assert (undo.undo.conflicts, undo.undo.set_anew) == ((), (("children", "note"),))
    assert undone.changed_in_all >= 2
    back = {"1": ("1", "x"), "2": (None, "y"), "3": ("99", "an an orphan"), "4": ("98", "an an orphan too")}
    assert children(house) == back
    again = undo_of(house, replace(deed, set_anew=undo.undo.set_anew))
    assert again.is_empty, "a second undo finds nothing to do (promise 2)"
    assert judge_put_back(again, deed, undo.undo).holds

    redo, *_ = tried(house, deed_of(undo, undone))
    assert redo.undo is not None
    assert redo.undo.conflicts == ()
    assert {row: parent for row, (parent, _) in children(house).items()} == {"1": "1", "2": None, "3": None, "4": None}
    house.base.run("UPDATE children SET parent = NULL WHERE id = 1")
    changed = undo_of(house, replace(deed_of(undo, undone), set_anew=undo.undo.set_anew))
    assert changed.is_empty, "a row that is none of the run's is none of the undo's"


def test_a_trigger_that_points_a_row_elsewhere_keeps_it_from_coming_back(house: House) -> None:
    plan = house.planned(BY_NULL)
    mended, _ = house.performed(plan, BY_NULL)
    house.base.run(*house.engine.stamping("children", "parent", "1"))
    undo, *_ = tried(house, deed_of(plan, mended))
    said = "the database refuses it: a trigger leaves the row as it is"
    assert conflicts_of(undo) == {("children", "3"): said, ("children", "4"): said}
    assert undo.is_empty


def children(house: House) -> dict[str, tuple[str | None, str | None]]:
    """Parent and note by number."""
    with house.database.reading() as reading:
        rows = reading.rows("SELECT id, parent, note FROM children")
        return {str(row[0]): (None if row[1] is None else str(row[1]), str(row[2])) for row in rows}


def test_p53_no_row_is_put_back_below_a_stranger_who_has_its_parents_number_by_now(house: House) -> None:
    plan = house.planned(BY_NULL)
    mended, _ = house.performed(plan, BY_NULL)
    house.base.run("INSERT INTO parents VALUES (99, 'a stranger')")
    undo = undo_of(house, deed_of(plan, mended))
    why = f"a row is there now that it would point at by {KEY}, where there was none"
    assert conflicts_of(undo) == {("children", "3"): why}
    house.performed(undo, SILENT)
    assert house.base.ask("SELECT id, parent FROM children WHERE id > 2 ORDER BY id") == [(3, None), (4, 98)]


def test_p53_a_stranger_is_told_from_a_parent_that_the_run_itself_had_brought(house: House) -> None:
    house.base.run("UPDATE children SET parent = 2 WHERE id = 2")
    with house.scratch() as scratch, scratch.reading() as old:
        house.base.run("DELETE FROM parents WHERE id = 2")
        nullified = [repair for repair in house.planned(BY_NULL).repairs if str(repair.row[0]) != "2"]
        plan = Plan("clinic", (restoring(old, "parents", 2), *nullified))
        mended, _ = house.performed(plan, SILENT)
    house.base.run("INSERT INTO parents VALUES (99, 'a stranger')")
    undo = undo_of(house, deed_of(plan, mended))
    assert list(conflicts_of(undo)) == [("children", "3")]
    undone, _ = house.performed(undo, SILENT)
    assert undone.astray == ((KEY, 2),)
    assert house.base.ask("SELECT id, parent FROM children WHERE id > 1 ORDER BY id") == [(2, 2), (3, None), (4, 98)]
    assert [row[0] for row in house.base.ask("SELECT id FROM parents ORDER BY id")] == [1, 3, 99]


def test_p67_a_number_that_was_given_again_keeps_the_row_and_those_below_it_out(house: House) -> None:
    plan = house.planned(BY_DELETION)
    assert plan.by_action() == {"delete": 4}
    mended, _ = house.performed(plan, BY_DELETION)
    house.base.run("INSERT INTO children VALUES (3, 1, 'a stranger')")
    undo = undo_of(house, deed_of(plan, mended))
    why = "what it points at by leaves(child) -> children(id) cannot be put back"
    assert conflicts_of(undo) == {
        ("children", "3"): "its key is another row's now",
        ("leaves", "2"): why,
        ("leaves", "3"): why,
    }
    house.performed(undo, SILENT)
    assert house.base.ask("SELECT id, note FROM children ORDER BY id")[2:] == [(3, "a stranger"), (4, "orphan too")]
    assert house.base.ask("SELECT id FROM leaves ORDER BY id") == [(1,), (4,)]


def test_p67_a_value_that_is_somebody_elses_by_now_is_a_conflict_once_it_was_tried(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cards = Table(
        "cards",
        ("id INTEGER NOT NULL", "owner INTEGER", "number INTEGER"),
        (Key(("owner",), "parents"),),
        ((1, 99, 5), (2, 98, 6)),
        uniques=(("number",),),
    )
    with a_house(engine, tmp_path_factory.mktemp("house"), FAMILY[0], cards) as house:
        plan = house.planned(BY_DELETION)
        mended, _ = house.performed(plan, BY_DELETION)
        house.base.run("INSERT INTO cards VALUES (7, NULL, 5)")
        deed = deed_of(plan, mended)
        with pytest.raises(RowsRefused) as refused:
            house.performed(undo_of(house, deed), SILENT)
        undo = undo_of(house, deed, SILENT, refused.value.refusals)
        assert list(conflicts_of(undo)) == [("cards", "1")]
        house.performed(undo, SILENT)
        assert house.base.ask("SELECT id, number FROM cards ORDER BY id") == [(2, 6), (7, 5)]


def test_p97_what_is_touched_between_the_drawing_up_and_the_doing_is_refused_whole(house: House) -> None:
    plan = house.planned(BY_DELETION)
    mended, _ = house.performed(plan, BY_DELETION)
    undo = undo_of(house, deed_of(plan, mended))
    house.base.run("INSERT INTO leaves VALUES (3, NULL)")
    others = house.base.listing()
    with pytest.raises(Refused, match="row 3 of leaves stands there again"):
        house.performed(undo, SILENT)
    assert house.base.listing() == others


def test_a_child_that_came_since_the_rehearsal_is_not_left_astray(house: House) -> None:
    with restored(house) as (plan, mended):
        undo = undo_of(house, deed_of(plan, mended))
    rehearsed = Plan(undo.database, undo.repairs, undo=_with_astray(undo, ((KEY, 2),)))
    house.base.run("INSERT INTO children VALUES (9, 2, 'came since')")
    others = house.base.listing()
    with pytest.raises(Refused, match=r"other rows would point at nothing than in the rehearsal: 3 by children"):
        house.performed(rehearsed, SILENT)
    assert house.base.listing() == others


def _with_astray(plan: Plan, astray: Any) -> Any:
    assert plan.undo is not None
    return replace(plan.undo, astray=astray)


def test_keys_are_enforced_after_an_undo_as_before_it(house: House) -> None:
    plan = house.planned(BY_DELETION)
    mended, _ = house.performed(plan, BY_DELETION)
    house.performed(undo_of(house, deed_of(plan, mended)), SILENT)
    with house.scratch() as scratch:
        refused, said = scratch.refuses_orphans()
    assert refused, said
