"""What every engine promises of rows that are put back: as they were, never over another row, all or nothing."""

import pytest

from tests.engines import Engine, Key, Table
from tests.engines.house import House, engine, house, policy
from tests.test_engine_contract_repair import a_house
from upkeep.changes import RowsRefused
from upkeep.databases import Reading
from upkeep.errors import Refused
from upkeep.plan import Plan, Repair
from upkeep.policy import Action
from upkeep.rows import images_of
from upkeep.values import Row, row_digest

__all__ = ["engine", "house"]

SILENT = policy()
KEY = "children(parent) -> parents(id)"
NUMBERED = {
    "sqlit": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "postg": "INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    "maria": "INTEGER AUTO_INCREMENT PRIMARY KEY",
}


def rows_of(reading: Reading, table: str) -> dict[Row, Row]:
    """Every row of a table, raw, by its locator."""
    described = reading.catalog().tables[table]
    at = [described.stored.index(name) for name in described.locator]
    columns = ", ".join(f"c.{reading.dialect.quote(name)}" for name in described.stored)
    found = reading.rows(f"SELECT {columns} FROM {reading.dialect.source(table)} AS c")
    return images_of(reading, described, [tuple(row[i] for i in at) for row in found])


def restoring(reading: Reading, table: str, number: int, *, wave: int = 0) -> Repair:
    """The repair that puts a row back as it is in ``reading``."""
    described = reading.catalog().tables[table]
    ((row, image),) = ((row, image) for row, image in rows_of(reading, table).items() if str(row[0]) == str(number))
    return Repair(table, row, Action.RESTORE, described.stored, KEY, 1, wave, "", image)


def test_a_row_is_put_back_as_it_was_and_nothing_else_changes(house: House) -> None:
    before = house.base.listing()
    with house.scratch() as scratch, scratch.reading() as old:
        house.base.run("DELETE FROM parents WHERE id = 1", "DELETE FROM children WHERE id = 1")
        damaged = house.base.listing()
        plan = Plan("clinic", (restoring(old, "children", 1), restoring(old, "parents", 1, wave=1)))
        mended, record = house.performed(plan, SILENT)
    assert house.base.listing() == before
    assert [(change.table, change.before) for change in mended.changes] == [("children", None), ("parents", None)]
    assert mended.changed_in_all == len(mended.changes) == plan.rows == 2
    assert house.changes(record) == list(mended.changes)
    for change in reversed(mended.changes):
        house.base.put_back(change, ("id",))
    assert house.base.listing() == damaged


def test_a_row_that_stands_there_again_is_never_written_over(house: House) -> None:
    with house.scratch() as scratch, scratch.reading() as old:
        house.base.run("DELETE FROM parents WHERE id = 1", "INSERT INTO parents VALUES (1, 'another')")
        others = house.base.listing()
        with pytest.raises(Refused, match="stands there again"):
            house.performed(Plan("clinic", (restoring(old, "parents", 1),)), SILENT)
    assert house.base.listing() == others


def test_p112_a_value_that_is_somebody_elses_by_now_is_a_finding_with_the_row_named(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    people = Table(
        "people", ("id INTEGER NOT NULL", "mail VARCHAR(40)"), rows=((1, "a"), (2, "b"), (3, "c")), uniques=(("mail",),)
    )
    pets = Table("pets", ("id INTEGER NOT NULL", "owner INTEGER"), (Key(("owner",), "people"),), ((1, 1), (2, 2)))
    with a_house(engine, tmp_path_factory.mktemp("unique"), people, pets) as house:
        with house.scratch() as scratch, scratch.reading() as old:
            house.base.run("DELETE FROM people", "INSERT INTO people VALUES (9, 'b')")
            others = house.base.listing()
            plan = Plan("clinic", tuple(restoring(old, "people", number) for number in (1, 2, 3)))
            with pytest.raises(RowsRefused) as refused:
                house.performed(plan, SILENT)
        assert [(str(one.row[0]), one.action) for one in refused.value.refusals] == [("2", Action.RESTORE)]
        assert house.base.listing() == others


def test_columns_are_set_to_values_and_back(house: House) -> None:
    before = house.base.listing()
    with house.database.reading() as reading:
        images = {int(str(row[0])): image for row, image in rows_of(reading, "children").items()}
        note = "it's \\ ä"
        plan = Plan(
            "clinic",
            tuple(
                Repair("children", (image[0],), Action.REASSIGN, ("parent", "note"), "", 1, 1, row_digest(image), to)
                for image, to in ((images[3], (images[1][1], note)), (images[4], (None, note)))
            ),
        )
    mended, _ = house.performed(plan, SILENT)
    assert house.base.ask("SELECT id, parent, note FROM children WHERE id > 2 ORDER BY id") == [
        (3, 1, note), (4, None, note),
    ]  # fmt: skip
    for change in mended.changes:
        house.base.put_back(change, ("id",))
    assert house.base.listing() == before


def test_p69_a_key_that_was_put_back_is_not_given_again(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with a_house(engine, tmp_path_factory.mktemp("numbers"), Table("beside", ("id INTEGER NOT NULL",))) as house:
        overriding = "OVERRIDING SYSTEM VALUE " * house.base.url.startswith("postgresql")
        house.base.run(
            f"CREATE TABLE numbered (id {NUMBERED[house.base.url[:5]]}, name VARCHAR(9))",
            f"INSERT INTO numbered (id, name) {overriding}VALUES (7, 'seven')",
        )
        with house.scratch() as scratch, scratch.reading() as old:
            house.base.run("DELETE FROM numbered WHERE id = 7")
            house.performed(Plan("clinic", (restoring(old, "numbered", 7),)), SILENT)
        house.base.run("INSERT INTO numbered (name) VALUES ('next')")
        assert house.base.ask("SELECT id FROM numbered WHERE name = 'next'") == [(8,)]
