"""What every engine promises of rows that are put back: as they were, never over another row, all or nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest

from tests.engines import Engine, Key, Table
from tests.engines.house import BY_NULL, NOW, House, engine, house, policy
from tests.test_engine_contract_repair import a_house
from upkeep.backups import take_backup
from upkeep.changes import RowsRefused
from upkeep.databases import Reading
from upkeep.errors import Refused
from upkeep.finding import find, keys_of
from upkeep.lost_tables import look_for_tables
from upkeep.manifests import Manifest
from upkeep.older_backups import Older
from upkeep.origins import Origins
from upkeep.plan import Plan, Repair
from upkeep.planning import Planner
from upkeep.policy import Action, Policy
from upkeep.provenance import ANOTHERS, SIDE_BY_SIDE
from upkeep.rows import images_of
from upkeep.searching import search
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


# --- Found in older backups ---

KEYED = policy({"child": "children", "orphan": ["restore", "nullify"]}, {"child": "leaves", "orphan": ["delete"]})


class Nights:
    """Backups of a house, each a day after the one before."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.manifests: list[Manifest] = []
        self.opened: list[str] = []

    def fall(self) -> None:
        """Take the backup of one more night."""
        now, house = NOW + timedelta(days=len(self.manifests)), self.house
        self.manifests.append(take_backup(house.database, house.store, house.workplace, run="test", now=now))

    @property
    def older(self) -> list[Older]:
        """The backups, newest first."""
        return [
            Older(one.id, partial(self._brought_back, one), frozenset(map(str.lower, one.census.tables)))
            for one in reversed(self.manifests)
        ]

    @contextmanager
    def _brought_back(self, manifest: Manifest) -> Iterator[Reading]:
        self.opened.append(manifest.id)
        with self.house.scratch(manifest) as scratch, scratch.reading() as reading:
            yield reading

    def planned(self, by: Policy, refused: RowsRefused | None = None) -> Plan:
        """The plan with what they give back."""
        with self.house.database.reading() as now:
            keys = keys_of(now, by)
            findings = tuple(find(now, key, limit=0) for key in keys)
            origins = search(now, keys, by, self.older)
            refusals = refused.refusals if refused else ()
            return Planner(now, keys, by, refusals, origins).plan("clinic", findings, None)


def said_of(plan: Plan) -> list[tuple[str, str, str]]:
    """Table, key and action of every repair."""
    return [(one.table, str(one.row[0]), one.action.value) for one in plan.repairs]


def test_a_parent_comes_back_from_the_newest_backup_in_which_it_stood_beside_its_child(house: House) -> None:
    house.base.run("DELETE FROM children WHERE id > 2", "DELETE FROM leaves WHERE child > 2")
    nights = Nights(house)
    nights.fall()
    house.base.run("INSERT INTO children VALUES (5, 3, 'came later')", "UPDATE parents SET name = 'Eve' WHERE id = 1")
    before = house.base.listing()
    nights.fall()
    house.base.run("DELETE FROM parents WHERE id = 1 OR id = 3")
    damaged = house.base.listing()
    nights.fall()
    plan = nights.planned(KEYED)
    assert said_of(plan) == [("parents", "1", "restore"), ("parents", "3", "restore")]
    second = nights.manifests[1].id
    assert {repair.source for repair in plan.repairs} == {f"backup {second}: {SIDE_BY_SIDE}"}
    assert sorted(str(one.row[0]) for one in plan.healed) == ["1", "5"]
    assert "Eve" not in str(plan.document()), "a plan is shown to people, values are not"
    mended, record = house.performed(plan, KEYED)
    assert house.base.listing() == before
    assert [change.source for change in house.changes(record)] == [f"backup {second}: {SIDE_BY_SIDE}"] * 2
    assert nights.planned(KEYED).is_empty
    for change in mended.changes:
        house.base.put_back(change, ("id",))
    assert house.base.listing() == damaged


def test_p08_a_parent_that_rows_which_nothing_tells_apart_miss_too_does_not_come_back_unproven(house: House) -> None:
    columns = "rowid VARCHAR(9), _rowid_ VARCHAR(9), oid VARCHAR(9), owner INTEGER"  # SQLite's own names for a row, too
    stated = {"from": "unkeyed.owner", "to": "parents.id"}
    by = Policy.model_validate({"reference": [stated], "rule": [{"child": "*", "orphan": ["restore", "nullify"]}]})
    house.base.run("DELETE FROM children WHERE id > 2", "DELETE FROM leaves WHERE child > 2")
    house.base.run(
        f"CREATE TABLE unkeyed ({columns})",
        "INSERT INTO unkeyed (owner) VALUES (1), (1), (2), (77)",
        "INSERT INTO children VALUES (6, 1, 'z')",
    )
    nights = Nights(house)
    nights.fall()
    house.base.run("DELETE FROM parents WHERE id < 3")
    assert said_of(nights.planned(by)) == [("children", "1", "nullify"), ("children", "6", "nullify")]
    house.base.run("DELETE FROM unkeyed WHERE owner = 1")
    plan = nights.planned(by)
    assert said_of(plan) == [("parents", "1", "restore")]
    assert [one.rows for one in plan.kept if one.key.startswith("unkeyed")] == [2]
    house.performed(plan, by)
    assert nights.planned(by).is_empty


def test_p110_a_number_that_was_given_again_is_not_brought_back(house: House) -> None:
    house.base.run("DELETE FROM children WHERE id > 2", "DELETE FROM leaves WHERE child > 2")
    nights = Nights(house)
    nights.fall()
    house.base.run("DELETE FROM parents WHERE id = 1", "INSERT INTO parents VALUES (1, 'somebody else')")
    nights.fall()
    house.base.run("DELETE FROM parents WHERE id = 1", "DELETE FROM parents WHERE id > 1")
    plan = nights.planned(policy({"child": "children", "orphan": ["restore"]}))
    assert plan.is_empty
    assert [(one.rows, one.reason) for one in plan.kept] == [(1, f"restore is impossible: {ANOTHERS}")]


def test_p70_what_a_parent_misses_itself_comes_with_it(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    towns = Table("towns", ("id INTEGER NOT NULL", "name VARCHAR(40)"), rows=((1, "Ulm"), (2, "Bonn")))
    people = Table(
        "people", ("id INTEGER NOT NULL", "town INTEGER"), (Key(("town",), "towns"),), rows=((1, 1), (2, 2), (3, None))
    )
    pets = Table("pets", ("id INTEGER NOT NULL", "owner INTEGER"), (Key(("owner",), "people"),), ((1, 1), (2, 3)))
    by = policy({"child": "*", "orphan": ["restore"]})
    with a_house(engine, tmp_path_factory.mktemp("towns"), towns, people, pets) as house:
        before, nights = house.base.listing(), Nights(house)
        nights.fall()
        house.base.run("DELETE FROM people WHERE id = 1", "DELETE FROM towns WHERE id = 1")
        nights.fall()
        plan = nights.planned(by)
        assert [(*said_of(plan)[n], repair.wave) for n, repair in enumerate(plan.repairs)] == [
            ("towns", "1", "restore", 1),
            ("people", "1", "restore", 0),
        ]
        house.performed(plan, by)
        assert house.base.listing() == before


def test_orphans_are_reassigned_to_the_parent_that_their_rule_names(house: House) -> None:
    by = policy({"child": "children", "orphan": ["reassign"], "reassign_to": {"id": 2}})
    plan = house.planned(by)
    assert said_of(plan) == [("children", "3", "reassign"), ("children", "4", "reassign")]
    house.performed(plan, by)
    assert house.base.ask("SELECT id, parent FROM children ORDER BY id") == [(1, 1), (2, None), (3, 2), (4, 2)]
    assert house.planned(by).is_empty


def test_nobody_is_reassigned_to_a_parent_that_is_not_there(house: House) -> None:
    plan = house.planned(policy({"child": "children", "orphan": ["reassign", "nullify"], "reassign_to": 77}))
    assert {action for _, _, action in said_of(plan)} == {"nullify"}
    gone = policy({"child": "children", "orphan": ["reassign"], "reassign_to": 2})
    plan = house.planned(gone)
    house.base.run("DELETE FROM parents WHERE id = 2")
    with pytest.raises(Refused):
        house.performed(plan, gone)


def test_no_backup_is_opened_where_nothing_is_missed_that_a_rule_would_restore(house: House) -> None:
    nights = Nights(house)
    nights.fall()
    house.base.run("DELETE FROM parents WHERE id = 1")
    nights.planned(BY_NULL)
    assert nights.opened == []


def test_p109_a_parent_table_that_is_gone_comes_back_or_is_told_with_the_reason_and_the_words_to_type(
    house: House,
) -> None:
    """By a key that only the policy states: elsewhere a table that is pointed at cannot go without its keys."""
    by = Policy.model_validate(
        {
            "reference": [{"from": "leaves.child", "to": "ghosts.id"}],
            "rule": [{"child": "leaves", "parent": "ghosts", "orphan": ["restore"]}],
        }
    )
    house.base.run("CREATE TABLE ghosts (id INTEGER NOT NULL PRIMARY KEY)", "INSERT INTO ghosts VALUES (1)")
    nights = Nights(house)
    nights.fall()
    house.base.run("DROP TABLE ghosts")
    with house.database.reading() as now:
        keys = keys_of(now, by)
        lost = look_for_tables(now, keys, by, nights.older, house.database.unmakeable)
        findings = tuple(find(now, key, limit=0) for key in keys)
        plan = Planner(now, keys, by, (), Origins(gone=lost.why_not)).plan("clinic", findings, None)
    (told,) = [one.reason for one in plan.kept if "ghosts" in one.key]
    if house.database.unmakeable:
        words = f"`upkeep restore {nights.manifests[0].id} --to URL` puts all of it into another database"
        assert lost.why_not == {"ghosts": f"the table is gone, and {house.database.unmakeable}; {words}"}
        assert told == f"restore is impossible: {lost.why_not['ghosts']}"
        assert nights.opened == []
        with house.database.writing() as writing, pytest.raises(Refused, match="a plan cannot make a table here"):
            writing.define(["CREATE TABLE ghosts (id INTEGER)"])
    else:
        assert [(one.comeback.table, len(one.images)) for one in lost.found] == [("ghosts", 1)]
