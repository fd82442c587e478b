"""What every engine promises of backups, restores, scratches and locks: one suite, asked of each."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.after_a_kill import wait_for_the_dead
from tests.engines import Base, Engine, unless_it_cannot
from tests.engines.house import BY_DELETION, NOW, House, engine, house, orphans
from upkeep.backups import bring_back, take_backup
from upkeep.census import take_census
from upkeep.databases import Database, Reading
from upkeep.databases.opening import open_database
from upkeep.errors import Damaged, Refused, RowRefused, Unreachable, UpkeepError
from upkeep.manifests import Manifest
from upkeep.workplaces import workplace

__all__ = ["engine", "house"]

READING = "write while somebody reads"


class Ends(RuntimeError):
    """What a source of bytes, or a test, ends with in the middle."""


class Broken(BytesIO):
    """A dump that gives its first bytes and then fails, as a store does whose line is cut."""

    def read(self, size: int | None = -1) -> bytes:
        """Half of what there is, in one piece or in several; then the error."""
        half = len(self.getbuffer()) // 2
        wanted = min(half - self.tell(), half if size is None or size < 0 else size)
        if wanted <= 0:
            raise Damaged("the line was cut", "use another one")
        return super().read(wanted)


def dumped(database: Database, place: Path) -> bytes:
    """The bytes of a dump."""
    with database.snapshot(place) as snapshot, snapshot.dump() as dump:
        return dump.read()


# --- Which database this is ---


def test_identity_names_engine_version_and_place_and_no_password_p24(house: House) -> None:
    database = house.database
    found = database.identity()
    assert found.engine == database.engine == house.base.url.partition(":")[0].partition("+")[0]
    assert found.version[0].isdigit()
    assert found.size > 0
    password = house.base.url.rpartition("@")[0].rpartition(":")[2]
    assert not password or password not in f"{found} {database!r}"


def test_a_database_that_is_not_there_is_refused_and_not_made_p05(engine: Engine) -> None:
    base = engine.absent()
    database = open_database("clinic", base.url)
    for ask in (database.identity, database.reading().__enter__, database.writing().__enter__):
        with pytest.raises(Refused) as refusal:
            ask()
        assert refusal.value.hint
    assert not base.exists()


def test_the_fingerprint_tells_the_live_database_from_its_scratch_p87(house: House) -> None:
    with house.scratch() as scratch:
        query, answer = house.database.fingerprint()
        for database, same in ((house.database, True), (scratch, False)):
            with database.reading() as reading:
                assert (next(reading.rows(query)) == (answer,)) == same


def test_the_revision_is_what_alembic_wrote(house: House) -> None:
    with house.database.reading() as reading:
        assert reading.revision() == ()
    house.base.run(
        "CREATE TABLE alembic_version (version_num VARCHAR(32))", "INSERT INTO alembic_version VALUES ('a1')"
    )
    with house.database.reading() as reading:
        assert reading.revision() == ("a1",)


# --- Promise 1: to look changes nothing ---


def read(house: House) -> None:
    with house.database.reading() as reading:
        take_census(reading, digests=True)
        assert reading.complaints() == ()


def prove_a_backup(house: House) -> None:
    manifest = house.backed_up()
    with house.scratch(manifest) as scratch:
        assert house.proven(manifest, scratch) == ()


def detect(house: House) -> None:
    assert orphans(house.database)


def rehearse(house: House) -> None:
    with house.scratch() as scratch:
        mended, _ = house.performed(house.planned(BY_DELETION, scratch), BY_DELETION, scratch)
        assert mended.changed_in_all > 0
        assert scratch.refuses_orphans()[0] is True


@pytest.mark.parametrize("look", [read, prove_a_backup, detect, rehearse], ids=lambda look: str(look.__name__))
def test_promise_1_nothing_in_the_live_database_changes(house: House, look: Callable[[House], None]) -> None:
    before = house.base.listing(), house.base.traces()
    look(house)
    assert (house.base.listing(), house.base.traces()) == before


def test_promise_1_the_live_database_is_never_taken_for_a_scratch_p22(house: House) -> None:
    before = house.base.listing(), house.base.traces()
    content = dumped(house.database, house.workplace)
    database = house.database
    for act in (database.discard, database.refuses_orphans):
        with pytest.raises(Refused, match="is not a scratch database"):
            act()
    with pytest.raises(Refused, match="is not empty"):
        house.database.restore(BytesIO(content))
    assert (house.base.listing(), house.base.traces()) == before


# --- Promise 5: a backup is what comes back ---


def restored_of(house: House, manifest: Manifest) -> tuple[Base, tuple[str, ...]]:
    """A backup brought back where nothing was, and what speaks against it."""
    target = house.engine.absent()
    database = open_database("clinic", target.url)
    bring_back(house.store, manifest, database)
    return target, house.proven(manifest, database)


def test_promise_5_what_is_restored_is_row_for_row_what_was_backed_up_orphans_too_p13(house: House) -> None:
    house.base.run(*house.engine.odd)
    before = house.base.listing()
    manifest = house.backed_up()
    assert manifest.census.rows == sum(map(len, before.values()))
    target, against = restored_of(house, manifest)
    assert against == ()
    assert target.listing() == before
    assert house.verified == [True]
    assert orphans(open_database("clinic", target.url)) == orphans(house.database)


@pytest.mark.parametrize(
    ("damage", "noticed"),
    [
        ("UPDATE children SET note = 'z' WHERE id = 2", "the content of table children differs"),
        ("UPDATE children SET note = NULL WHERE id = 2", "the content of table children differs"),
        ("DELETE FROM leaves WHERE id = 2", "table leaves has 3 rows, not 4"),
        ("DROP TABLE leaves", "table leaves is gone"),
        ("CREATE TABLE more (id INTEGER)", "table more is new"),
        ("CREATE INDEX more ON children (note)", "the schema differs"),
        ("CREATE TABLE alembic_version AS SELECT 'a1' AS version_num", "the revision is a1, not none"),
    ],
)
def test_promise_5_a_restored_database_that_differs_is_not_verified(house: House, damage: str, noticed: str) -> None:
    # The census of the dump itself has digests, or the dump's own digest stands for them: here it must have some.
    with house.database.reading() as reading:
        census = take_census(reading, digests=True)
    manifest = house.backed_up().model_copy(update={"census": census})
    target = house.engine.absent()
    database = open_database("clinic", target.url)
    bring_back(house.store, manifest, database)
    target.run(damage)
    assert noticed in house.proven(manifest, database)
    assert house.verified == [False]


def flipped(stored: bytes, _other: bytes) -> bytes:
    return stored[:-30] + bytes([stored[-30] ^ 4]) + stored[-29:]


def flipped_early(stored: bytes, _other: bytes) -> bytes:
    return stored[:40] + bytes([stored[40] ^ 1]) + stored[41:]


def truncated(stored: bytes, _other: bytes) -> bytes:
    return stored[:-7]


def emptied(_stored: bytes, _other: bytes) -> bytes:
    return b""


def longer(stored: bytes, _other: bytes) -> bytes:
    return stored + b"\0"


def swapped(_stored: bytes, other: bytes) -> bytes:
    return other


@pytest.mark.parametrize("damage", [flipped, flipped_early, truncated, emptied, longer, swapped])
def test_promise_5_a_dump_that_was_changed_is_never_verified_and_never_a_database(
    house: House, damage: Callable[[bytes, bytes], bytes]
) -> None:
    manifest = house.backed_up()
    house.base.run("DELETE FROM leaves")
    other = house.dump_of(house.backed_up()).read_bytes()
    dump = house.dump_of(manifest)
    dump.write_bytes(damage(dump.read_bytes(), other))
    fresh, empty = house.engine.absent(), house.engine.empty()
    for target in (fresh, empty):
        with pytest.raises(Damaged):
            bring_back(house.store, manifest, open_database("clinic", target.url))
    assert not fresh.exists()
    assert empty.listing() == {}
    with pytest.raises(Damaged), house.scratch(manifest):
        pass
    assert house.verified == [False, False]


def test_promise_5_the_census_and_the_dump_are_of_one_moment_whatever_is_written_meanwhile_p19(house: House) -> None:
    before = house.base.listing()
    with house.database.snapshot(house.workplace) as snapshot:
        with snapshot.reading() as reading:
            first = take_census(reading, digests=True)
        house.base.run("INSERT INTO children VALUES (7, 1, 'late')", "DELETE FROM leaves WHERE id = 1")
        with snapshot.dump() as dump:
            content = dump.read()
        with snapshot.reading() as reading:
            assert take_census(reading, digests=True) == first
    target = house.engine.absent()
    database = open_database("clinic", target.url)
    database.restore(BytesIO(content))
    with database.reading() as reading:
        assert take_census(reading, digests=True).tables == first.tables
    assert target.listing() == before


def test_a_database_without_tables_is_not_backed_up_p35_p96(house: House) -> None:
    house.base.run("DROP TABLE leaves", "DROP TABLE children", "DROP TABLE parents")
    with pytest.raises(Refused, match="has no tables"):
        house.backed_up()
    assert list(house.store.list()) == []


# --- The digest of a table's content ---

ROWS = st.lists(st.tuples(st.integers(-3, 3) | st.none(), st.sampled_from(["", "a", "b", "a b", None])), max_size=5)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(first=ROWS, second=ROWS)
def test_two_tables_have_one_digest_if_they_have_the_same_rows_and_only_then(
    house: House, first: list[tuple[Any, ...]], second: list[tuple[Any, ...]]
) -> None:
    counts = []
    for rows in (first, second):
        told = ", ".join(
            f"({n}, {'NULL' if a is None else a}, {'NULL' if b is None else repr(b)})" for n, (a, b) in enumerate(rows)
        )
        house.base.run("DELETE FROM children", *([f"INSERT INTO children VALUES {told}"] if rows else []))
        with house.database.reading() as reading:
            counts.append(reading.count("children", digest=True))
            assert reading.count("children", digest=False).rows == counts[-1].rows == len(rows)
    assert (counts[0] == counts[1]) == (first == second)


# --- Restore: where nothing is, whole or not at all ---


@pytest.mark.parametrize("there", ["CREATE TABLE one (i INTEGER)", "CREATE VIEW one AS SELECT 1 AS i"])
def test_nothing_is_restored_over_what_is_there_p23(house: House, there: str) -> None:
    target = house.engine.empty()
    target.run(there)
    before = target.listing(), target.traces()
    with pytest.raises(Refused, match="is not empty"):
        bring_back(house.store, house.backed_up(), open_database("clinic", target.url))
    assert (target.listing(), target.traces()) == before


def test_a_restore_that_breaks_off_leaves_nothing(house: House) -> None:
    house.base.run(*(f"INSERT INTO parents VALUES ({n}, '{n:>039}')" for n in range(100, 400)))
    content = dumped(house.database, house.workplace)
    fresh, empty = house.engine.absent(), house.engine.empty()
    for target in (fresh, empty):
        with pytest.raises(Damaged, match="the line was cut"):
            open_database("clinic", target.url).restore(Broken(content))
    assert not fresh.exists()
    assert empty.listing() == {}


def test_what_is_no_dump_is_damaged_and_proves_nothing(house: House) -> None:
    manifest = house.backed_up()
    target = house.engine.absent()
    database = open_database("clinic", target.url)

    def restore_and_prove() -> None:
        database.restore(BytesIO(b"no dump of anything" * 1000))
        house.proven(manifest, database)

    with pytest.raises(Damaged):
        restore_and_prove()
    assert house.verified == [False]


# --- Scratch ---


def test_a_scratch_is_never_the_live_one_and_gone_after_it_is_discarded(house: House) -> None:
    before = house.base.listing(), house.base.traces()
    database, manifest = house.database, house.backed_up()
    for _ in range(2):
        scratch = database.scratch(house.workplace)
        scratch.discard()
        bring_back(house.store, manifest, scratch)
        assert len(house.scratches) == 1
        with scratch.writing() as writing:
            assert writing.change("DELETE FROM leaves") == 4
        scratch.discard()
        assert house.scratches == set()
    assert (house.base.listing(), house.base.traces()) == before


def test_a_scratch_goes_with_its_workplace_p95_p106(house: House) -> None:
    database, manifest = house.database, house.backed_up()
    with workplace(house.workplace, "clinic", "run") as place:
        bring_back(house.store, manifest, database.scratch(place))
        assert len(house.scratches) == 1
    database.sweep()
    assert house.scratches == set()


def test_a_scratch_that_its_own_tables_enforce_refuses_an_orphan(house: House) -> None:
    with house.scratch() as scratch:
        refuses, told = scratch.refuses_orphans()
    assert refuses is True
    assert "was refused" in told


def killed(house: House, act: str) -> None:
    """Another Upkeep that holds the lock, does something and is killed."""
    program = (
        "import os, sys\nfrom io import BytesIO\nfrom pathlib import Path\n"
        "from upkeep.databases.opening import open_database\nfrom upkeep.workplaces import workplace\n"
        "database = open_database('clinic', os.environ['URL'])\n"
        "with database.held('run 7'), workplace(Path(sys.argv[1]), 'clinic', 'run-7') as place:\n"
        "    with database.snapshot(place) as snapshot, snapshot.dump() as dump:\n"
        "        content = dump.read()\n"
        f"    {act}\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    environment = os.environ | {"URL": house.base.url}
    died = subprocess.run([sys.executable, "-c", program, str(house.workplace)], env=environment, check=False)
    assert died.returncode == -signal.SIGKILL


def test_promise_4_a_scratch_of_a_run_that_was_killed_is_swept_and_one_that_lives_is_not_p95(house: House) -> None:
    manifest = house.backed_up()
    living = house.database
    with workplace(house.workplace, "clinic", "living") as mine:
        scratch = living.scratch(mine)
        bring_back(house.store, manifest, scratch)
        killed(house, "database.scratch(place).restore(BytesIO(content))")
        assert len(house.scratches) == 2
        with workplace(house.workplace, "clinic", "next"):
            house.database.sweep()
        assert len(house.scratches) == 1
        assert scratch.identity().size > 0
        scratch.discard()


def test_promise_4_a_restore_that_was_killed_leaves_nothing_under_the_name_of_its_target(house: House) -> None:
    unless_it_cannot(house.engine, "restore in one piece")
    target = house.engine.absent()
    cut = (
        "open_database('clinic', sys.argv[2]).restore(type('Dying', (BytesIO,), {'read': lambda self, *_: "
        "BytesIO.read(self, 2000) or os.kill(os.getpid(), 9)})(content))"
    ).replace("sys.argv[2]", repr(target.url))
    killed(house, cut)
    assert not target.exists()
    bring_back(house.store, house.backed_up(), open_database("clinic", target.url))
    assert target.listing() == house.base.listing()


# --- One Upkeep at a time ---


def test_a_second_upkeep_is_kept_out_and_told_who_is_at_work_p83_p94(house: House) -> None:
    with house.database.held("run 7"):
        with (
            pytest.raises(Refused, match="another Upkeep is at work on clinic: ") as refusal,
            house.database.held("run 8"),
        ):
            pass
        assert "say which run is at work" in house.engine.cannot or ": run 7" in refusal.value.message
        assert refusal.value.hint == "wait until it has ended"
    with house.database.held("run 8"):
        pass


def test_the_lock_ends_with_the_process_that_was_killed_p83(house: House) -> None:
    killed(house, "pass")
    wait_for_the_dead(house.database)
    with house.database.held("run 8"):
        pass


def test_the_application_works_on_while_upkeep_holds_its_lock(house: House) -> None:
    with house.database.held("run 7"), house.base.application() as run:
        run("INSERT INTO parents VALUES (7, 'new')")
    assert house.base.ask("SELECT name FROM parents WHERE id = 7") == [("new",)]


# --- Promise 9: beside an application ---


def test_promise_9_the_application_writes_during_a_backup_and_nothing_is_lost(house: House) -> None:
    before = house.base.listing()
    said: list[str] = []

    def writes(step: str) -> None:
        said.append(step)
        with house.base.application(patience=0.05) as run:
            run(f"INSERT INTO parents VALUES ({100 + len(said)}, '{step}')")

    manifest = take_backup(house.database, house.store, house.workplace, run="test", now=NOW, progress=writes)
    written = house.base.ask("SELECT name FROM parents WHERE id > 100 ORDER BY id")
    assert [name for (name,) in written] == said
    assert len(said) > 1
    target, against = restored_of(house, manifest)
    assert against == ()
    held = target.listing()
    assert {name: rows for name, rows in held.items() if name != "parents"} == {
        name: rows for name, rows in before.items() if name != "parents"
    }
    assert set(before["parents"]) <= set(held["parents"]) <= set(house.base.listing()["parents"])


def test_promise_9_the_application_writes_while_it_is_read_and_the_reading_is_of_one_moment(house: House) -> None:
    unless_it_cannot(house.engine, READING)
    with house.database.reading() as reading:
        first = take_census(reading, digests=True)
        with house.base.application(patience=0.05) as run:
            run("DELETE FROM leaves WHERE id = 1")
            run("UPDATE children SET note = 'new' WHERE id = 1")
        assert take_census(reading, digests=True) == first
    assert house.base.ask("SELECT note FROM children WHERE id = 1") == [("new",)]


def test_a_reading_cannot_write(house: House) -> None:
    before = house.base.listing()

    def write(reading: Reading) -> None:
        list(reading.rows("DELETE FROM leaves"))

    with pytest.raises(Exception), house.database.reading() as reading:  # noqa: B017, PT011  # the driver's own
        write(reading)
    assert house.base.listing() == before


def test_a_lock_of_the_applications_is_waited_for_no_longer_than_patience(house: House) -> None:
    plan = house.planned(BY_DELETION)
    with house.base.application() as run:
        run("UPDATE leaves SET child = 1 WHERE id = 4")
        run("UPDATE children SET note = 'mine' WHERE id = 3")
        with pytest.raises(Unreachable, match="is locked by another program"):
            house.performed(plan, BY_DELETION)
    assert house.base.ask("SELECT note FROM children WHERE id = 3") == [("mine",)]
    assert house.base.ask("SELECT COUNT(*) FROM leaves") == [(4,)]


# --- One transaction ---


@pytest.mark.parametrize("fault", [Ends, KeyboardInterrupt, Refused])
def test_a_transaction_that_fails_changes_nothing_and_one_that_ends_well_is_kept(
    house: House, fault: type[BaseException]
) -> None:
    def change_and_fail() -> None:
        with house.database.writing() as writing:
            assert writing.change("DELETE FROM leaves WHERE id = 1") == 1
            raise fault("in the middle", "again") if issubclass(fault, UpkeepError) else fault

    before = house.base.listing()
    with pytest.raises(fault):
        change_and_fail()
    assert house.base.listing() == before
    with house.database.writing() as writing:
        writing.change("DELETE FROM leaves WHERE id = 1")
    assert house.base.ask("SELECT COUNT(*) FROM leaves") == [(3,)]


def test_a_statement_that_is_refused_leaves_the_transaction_as_it_was_p58(house: House) -> None:
    with house.database.writing() as writing:
        assert writing.change("DELETE FROM leaves WHERE id = 1") == 1
        with pytest.raises(RowRefused) as refused:
            writing.change("UPDATE parents SET id = id * 2")
        assert writing.changed_in_all() == 1
    assert refused.value.hint == "change the rule for these rows, or the rows by hand"
    assert house.base.ask("SELECT id FROM parents ORDER BY id") == [(1,), (2,), (3,)]
