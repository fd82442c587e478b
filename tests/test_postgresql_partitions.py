"""Keys of partitioned tables that rows violate: put back at each partition, proven to be the same, told as a loss."""

import pytest

from tests.test_postgresql import House, house, one_house
from upkeep.backups import bring_back
from upkeep.catalog import Catalog
from upkeep.databases import Database

__all__ = ["house", "one_house"]

PARTED = (
    "CREATE TABLE parted (id int PRIMARY KEY, parent int CONSTRAINT of_parents REFERENCES parents ON DELETE CASCADE)"
    " PARTITION BY RANGE (id)",
    "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10)",
    "CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id)",
    "CREATE TABLE parted_2a PARTITION OF parted_2 FOR VALUES FROM (10) TO (15)",
    "CREATE TABLE own (parent int CONSTRAINT of_its_own REFERENCES parents ON DELETE CASCADE, id int NOT NULL)",
    "ALTER TABLE parted_2 ATTACH PARTITION own FOR VALUES FROM (15) TO (20)",
    # A key on a partitioned table has constraints of its own for each of its partitions.
    "CREATE TABLE pointing (id int PRIMARY KEY, parted int REFERENCES parted)",
    "CREATE TABLE empty (id int, parent int REFERENCES parents) PARTITION BY LIST (id)",
    "INSERT INTO parted VALUES (1, 1), (11, 2), (16, NULL)",
    "INSERT INTO pointing VALUES (1, 16), (2, NULL)",
)
VIOLATED = (
    "SET session_replication_role = replica",
    "INSERT INTO parted VALUES (2, 98), (17, 98)",
    "RESET session_replication_role",
)


def catalog_of(database: Database) -> Catalog:
    """What its schema says."""
    with database.reading() as reading:
        return reading.catalog()


def restored(house: House) -> tuple[Database, tuple[str, ...]]:
    """A scratch with the newest backup, and the remarks."""
    manifest = house.backed_up()
    scratch = house.database.scratch(house.workplace)
    remarks = bring_back(house.store, manifest, scratch)
    assert house.proven(manifest, scratch) == ()
    return scratch, remarks


def test_a_key_that_holds_comes_back_as_it_was(house: House) -> None:
    house.run(*PARTED)
    scratch, remarks = restored(house)
    assert remarks == ()
    assert catalog_of(scratch) == catalog_of(house.database)
    scratch.discard()


def test_a_key_that_rows_violate_is_put_back_at_each_partition_and_is_the_same_key_p13(house: House) -> None:
    """From PostgreSQL 18 on the partitioned table itself can have one that is NOT VALID."""
    house.run(*PARTED, *VIOLATED)
    scratch, (remark,) = restored(house)
    parted = ["parted_1", "parted_2a"] if house.server.major < 18 else ["parted", "parted_1", "parted_2", "parted_2a"]
    named = ", ".join(f"of_parents of {table}" for table in ["own", *parted])
    assert remark == f"put back NOT VALID, for rows violate them: {named}"
    live, copy = catalog_of(house.database), catalog_of(scratch)
    assert copy == live
    assert [str(key) for key in copy.keys if key.child == "parted"] == ["parted(parent) -> parents(id)"]
    assert copy.tables["parted"].locator == ("id",)
    assert scratch.refuses_orphans()[0]
    scratch.discard()


@pytest.mark.parametrize("only_middle", [True, False], ids=["it alone", "all that there is"])
def test_a_key_of_a_table_in_the_middle_that_rows_violate_is_put_back_and_is_the_same_key_p13(
    one_house: House, only_middle: bool
) -> None:
    one_house.run(
        *PARTED,
        "ALTER TABLE parted ADD COLUMN other int",
        "ALTER TABLE parted_2 ADD CONSTRAINT middle FOREIGN KEY (other) REFERENCES parents",
        *(() if only_middle else ("ALTER TABLE pointing DROP CONSTRAINT pointing_parted_fkey", "DROP TABLE parted_1")),
        "SET session_replication_role = replica",
        "UPDATE parted SET other = 98 WHERE id > 10",
        "RESET session_replication_role",
    )
    scratch, (remark,) = restored(one_house)
    assert remark == "put back NOT VALID, for rows violate them: middle of own, middle of parted_2a"
    live, copy = catalog_of(one_house.database), catalog_of(scratch)
    assert copy == live
    child = "parted_2" if only_middle else "parted"
    assert f"{child}(other) -> parents(id)" in [str(key) for key in copy.keys]
    scratch.discard()


LOST = [
    "ALTER TABLE parted_1 DROP CONSTRAINT of_parents",
    "ALTER TABLE own DROP CONSTRAINT of_parents",
    "ALTER TABLE pointing DROP CONSTRAINT pointing_parted_fkey",
    "ALTER TABLE empty DROP CONSTRAINT empty_parent_fkey",
    "ALTER TABLE parted_1 DROP CONSTRAINT of_parents, ADD CONSTRAINT of_parents FOREIGN KEY (parent)"
    " REFERENCES parents NOT VALID",
    "ALTER TABLE parted_1 DROP CONSTRAINT of_parents, ADD CONSTRAINT of_parents FOREIGN KEY (parent)"
    " REFERENCES children ON DELETE CASCADE NOT VALID",
]


@pytest.mark.parametrize("damage", LOST)
def test_a_key_that_one_partition_lost_or_has_otherwise_is_noticed(one_house: House, damage: str) -> None:
    one_house.run(*PARTED, *VIOLATED)
    manifest = one_house.backed_up()
    scratch = one_house.database.scratch(one_house.workplace)
    bring_back(one_house.store, manifest, scratch)
    one_house.server.run(scratch.fingerprint()[1].rpartition("/")[2], damage)
    assert "the schema differs" in one_house.proven(manifest, scratch)
    scratch.discard()
