"""One database of an engine with a store beside it and a folder for a run: the contract's sentences about them."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.engines import ENGINES, Base, Engine, Key, Table
from upkeep.backups import bring_back, prove, take_backup
from upkeep.changes import Change, Mended, Record, RowsRefused, put_changes, stored_changes
from upkeep.databases import Database, Reading
from upkeep.databases.opening import open_database
from upkeep.finding import find, keys_of
from upkeep.manifests import Manifest, list_backups
from upkeep.mending import mend
from upkeep.plan import Plan
from upkeep.planning import Planner
from upkeep.policy import Policy
from upkeep.stores import Store, open_store

NOW = datetime(2026, 4, 1, 2, tzinfo=UTC)
PARENTS = Table("parents", ("id INTEGER NOT NULL", "name VARCHAR(40)"), rows=((1, "Ada"), (2, None), (3, "it's")))
CHILDREN = Table(
    "children",
    ("id INTEGER NOT NULL", "parent INTEGER", "note VARCHAR(40)"),
    (Key(("parent",), "parents"),),
    ((1, 1, "x"), (2, None, "y"), (3, 99, "orphan"), (4, 98, "orphan too")),
)
LEAVES = Table(
    "leaves",
    ("id INTEGER NOT NULL", "child INTEGER"),
    (Key(("child",), "children"),),
    ((1, 1), (2, 3), (3, 3), (4, None)),
)
LOG = Table("log", ("id INTEGER NOT NULL",))
FAMILY = (PARENTS, CHILDREN, LEAVES)
"""Two orphans, and two leaves that lose their parent where those are deleted."""


def policy(*rules: Mapping[str, object]) -> Policy:
    """The policy of these rules."""
    return Policy.model_validate({"rule": rules})


BY_DELETION = policy({"child": "*", "orphan": ["delete"]})
BY_NULL = policy({"child": "*", "orphan": ["nullify"]})
_SLOW = pytest.mark.slow
"""The second PostgreSQL says what the first one said, and takes as long."""


@dataclass(frozen=True)
class House:
    """All that a run on one database works with."""

    engine: Engine
    base: Base
    store: Store
    folder: Path

    @property
    def database(self) -> Database:
        """The database as Upkeep opens it; it waits half a second for a lock."""
        return open_database("clinic", self.base.url, 0.5)

    @property
    def workplace(self) -> Path:
        """The folder of the run."""
        return self.folder / "work"

    @property
    def scratches(self) -> set[str]:
        """The scratches that there are."""
        return self.base.scratches(self.workplace)

    @property
    def verified(self) -> list[bool]:
        """Of each backup in the store, oldest first, whether it is called verified."""
        return [backup.verified for backup in list_backups(self.store, "clinic")]

    def dump_of(self, manifest: Manifest) -> Path:
        """The file that holds a dump, for a test to damage."""
        return self.folder / "store" / manifest.dump

    def backed_up(self) -> Manifest:
        """A backup."""
        return take_backup(self.database, self.store, self.workplace, run="test", now=NOW)

    def proven(self, manifest: Manifest, restored: Database) -> tuple[str, ...]:
        """What speaks against a restored database."""
        return prove(self.store, manifest, restored, run="test", now=NOW, seconds=0)[1]

    @contextmanager
    def scratch(self, manifest: Manifest | None = None) -> Iterator[Database]:
        """A backup brought back into a scratch, which is then discarded."""
        scratch = self.database.scratch(self.workplace)
        try:
            bring_back(self.store, manifest or self.backed_up(), scratch)
            yield scratch
        finally:
            scratch.discard()

    def planned(self, by: Policy, target: Database | None = None, refused: RowsRefused | None = None) -> Plan:
        """The plan for what is found in the database, or in another."""
        with (target or self.database).reading() as reading:
            return planned(reading, by, refused)

    def performed(self, plan: Plan, by: Policy, target: Database | None = None) -> tuple[Mended, Record]:
        """Do a plan; what was done, and the record of it that was written before the commit."""
        with (target or self.database).writing() as writing:
            mended = mend(writing, plan, keys_of(writing, by))
            record = put_changes(self.store, f"clinic/repairs/{plan.digest}/changes.jsonl.zst", mended.changes)
        return mended, record

    def changes(self, record: Record) -> list[Change]:
        """What stands in the store of a performance."""
        return list(stored_changes(self.store, record))


def planned(reading: Reading, by: Policy, refused: RowsRefused | None = None) -> Plan:
    """The plan for what is found in one reading."""
    keys = keys_of(reading, by)
    findings = tuple(find(reading, key, limit=0) for key in keys)
    return Planner(reading, keys, by, refused.refusals if refused else ()).plan("clinic", findings, None)


def orphans(database: Database, by: Policy = BY_DELETION) -> dict[str, int | None]:
    """How many orphans each key has, for those that have any."""
    with database.reading() as reading:
        found = [find(reading, key, limit=0) for key in keys_of(reading, by)]
    return {str(finding.key): finding.orphans for finding in found if finding.orphans}


@pytest.fixture(params=[pytest.param(name, marks=_SLOW if "wheel" in name else ()) for name in ENGINES])
def engine(request: pytest.FixtureRequest) -> Engine:
    """One engine after the other; one that is not there is skipped with the reason."""
    return ENGINES[str(request.param)](request)


@pytest.fixture
def house(engine: Engine, tmp_path: Path) -> Iterator[House]:
    """The family in a database of its own."""
    yield from settled(engine, engine.make(*FAMILY), tmp_path)


def settled(engine: Engine, base: Base, folder: Path) -> Iterator[House]:
    """A house for a database; at its end no scratch is left."""
    for name in ("store", "work"):
        (folder / name).mkdir()
    house = House(engine, base, open_store((folder / "store").as_uri()), folder)
    yield house
    shutil.rmtree(house.workplace)
    house.database.sweep()
    assert house.scratches == set(), "a scratch was left behind"
