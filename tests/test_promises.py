"""What Upkeep promises its users about the database, on SQLite and a directory store: promises 1 to 3 and 5 to 8."""

import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.clinics import RUN, Night, Runs, perform_at, recover_at, rehearse_at
from tests.damaged_clinic import Clinic, build_clinic, content
from tests.engines.sqlite import bytes_of
from upkeep.approval import judge_approval
from upkeep.census import Census
from upkeep.changes import Change, Record, stored_changes
from upkeep.cli.entry import main
from upkeep.cli.saying import DAMAGED, DOES_NOT_HOLD, HOLDS, REFUSED
from upkeep.equipment import Equipment
from upkeep.errors import Refused
from upkeep.manifests import Backup, Manifest, list_backups
from upkeep.retention import MOST_AT_ONCE, judge_retention
from upkeep.verdict import Verdict

pytest_plugins = ("tests.clinics",)

NOW = datetime(2026, 4, 1, 2, tzinfo=UTC)
HEAD = "0e315951c2f5"


def upkeep(*arguments: str) -> int:
    """Run one command of the shell here; its exit code."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


# 1. A rehearsal changes nothing in the live database; not one byte.


@pytest.fixture(params=["delete", "wal at rest", "wal in use"])
def watched(request: pytest.FixtureRequest, damaged: Clinic) -> Iterator[Clinic]:
    """A clinic in each state in which a file may lie; in use, part of its content stands in the log beside it alone."""
    mode = str(request.param)
    damaged.into(mode.split()[0])
    with closing(sqlite3.connect(damaged.path)) as application:
        if mode == "wal in use":
            application.execute("PRAGMA wal_autocheckpoint = 0")
            application.execute("UPDATE patients SET phone = '0' || phone")
            application.commit()
            assert damaged.path.with_name("clinic.db-wal").stat().st_size > 0
        yield damaged


def test_promise_1_a_nightly_run_changes_not_one_byte_of_the_live_file_p22(watched: Clinic, runs: Runs) -> None:
    before = bytes_of(watched.path)
    report = runs.maintain(watched, perform="never")
    assert report["plan"]["rows"] > 0
    assert report["ended"] == "rehearsed; nothing was changed"
    assert bytes_of(watched.path) == before


def test_promise_1_a_rehearsal_changes_not_one_byte_of_the_live_file_p22(watched: Clinic, tmp_path: Path) -> None:
    equipment = watched.equipment()
    before = bytes_of(watched.path)
    night = rehearse_at(equipment, tmp_path)
    assert night.rehearsed.worked.mended.changed_in_all > 0
    assert bytes_of(watched.path) == before


# 2. Run it twice: the second run finds nothing to do.


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(n, marks=pytest.mark.exhaustive) for n in (7, 23, *range(100, 110)))]
)
def test_promise_2_the_second_run_finds_nothing_to_do(tmp_path: Path, seed: int) -> None:
    clinic = build_clinic(tmp_path / "clinic", seed)
    equipment = clinic.equipment()
    first = rehearse_at(equipment, tmp_path)
    assert first.rehearsed.verdict.passed, first.rehearsed.verdict.failed
    assert first.rehearsed.plan.rows > 0
    perform_at(equipment, tmp_path, first)
    after = content(clinic.path)
    second = rehearse_at(equipment, tmp_path)
    assert second.rehearsed.verdict.passed, second.rehearsed.verdict.failed
    assert second.rehearsed.plan.is_empty
    assert second.manifest.census.revision == (HEAD,)
    assert content(clinic.path) == after


def test_promise_2_two_rehearsals_of_one_database_draw_up_the_same_plan(damaged: Clinic, tmp_path: Path) -> None:
    equipment = damaged.equipment()
    plans = [rehearse_at(equipment, tmp_path).rehearsed.plan for _ in range(2)]
    assert plans[0].digest == plans[1].digest


# 3. Every row that is gone or changed stands in the run's changes.


def differing(before: Path, after: Path) -> dict[str, tuple[list[Any], list[Any]]]:
    """For each table the rows that are in one file alone, as SQLite itself compares two databases.

    Columns that a migration adds hold nothing of what was there before; they are left out.
    """
    found = {}
    with closing(sqlite3.connect(before)) as connection:
        connection.execute("ATTACH ? AS later", (str(after),))
        tables = [row[0] for row in connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")]
        for name in set(tables) - {"alembic_version"}:
            columns = ", ".join(row[1] for row in connection.execute(f"PRAGMA main.table_info({name})"))
            rows = [f"SELECT {columns} FROM {schema}.{name}" for schema in ("main", "later")]
            gone = list(connection.execute(f"{rows[0]} EXCEPT {rows[1]}"))
            come = list(connection.execute(f"{rows[1]} EXCEPT {rows[0]}"))
            if gone or come:
                found[name] = (gone, come)
    return found


def changes_of(clinic: Clinic, equipment: Equipment) -> list[Change]:
    """The changes of the run as they stand in the store."""
    outcome = json.loads((clinic.store / "repairs" / RUN / "outcome.json").read_text())
    return list(stored_changes(equipment.store, Record(**outcome["changes"])))


@pytest.mark.parametrize("migrate", [False, True])
def test_promise_3_what_differs_between_before_and_after_is_what_stands_in_the_changes(
    damaged: Clinic, tmp_path: Path, migrate: bool
) -> None:
    equipment = damaged.equipment()
    before = tmp_path / "before.db"
    shutil.copy(damaged.path, before)
    perform_at(equipment, tmp_path, rehearse_at(equipment, tmp_path, migrate=migrate))
    recorded: dict[str, tuple[list[Any], list[Any]]] = {}
    for change in changes_of(damaged, equipment):
        gone, come = recorded.setdefault(change.table, ([], []))
        gone.extend([] if change.before is None else [change.before])
        come.extend([] if change.after is None else [change.after])
    found = differing(before, damaged.path)
    assert found.keys() == recorded.keys()
    for table, rows in found.items():
        assert tuple(map(sorted_rows, recorded[table])) == tuple(map(sorted_rows, rows)), table


def sorted_rows(rows: list[Any]) -> list[Any]:
    return sorted(map(tuple, rows), key=repr)


# 5. A backup that cannot be restored, whose census differs, or in which one bit flipped is never called verified.


@pytest.fixture
def backed_up(damaged: Clinic) -> Path:
    """The folder of the newest backup of a clinic, which nobody has verified yet."""
    assert upkeep("backup") == HOLDS
    return max((damaged.store / "backups").iterdir())


def flip(file: Path, share: float) -> None:
    """Flip one bit, ``share`` of the way through the file."""
    stored = bytearray(file.read_bytes())
    stored[int(share * (len(stored) - 1))] ^= 0b100
    file.write_bytes(stored)


def rewrite(backup: Path, **changed: Any) -> None:
    """Edit the manifest of a backup."""
    manifest = backup / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | changed))


def is_verified(clinic: Clinic, backup: Path) -> bool:
    listed = {one.id: one.verified for one in list_backups(clinic.equipment().store, "clinic")}
    return listed[backup.name]


def assert_is_found_out(clinic: Clinic, backup: Path) -> None:
    assert upkeep("verify", backup.name) == DAMAGED
    assert not is_verified(clinic, backup)
    target = clinic.folder / "restored.db"
    assert upkeep("restore", backup.name, "--to", f"sqlite:///{target}") == DAMAGED
    assert clinic.scratches == []


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.5, 0.77, 0.999, 1.0])
def test_promise_5_a_backup_with_one_bit_flipped_is_never_verified(
    damaged: Clinic, backed_up: Path, share: float
) -> None:
    flip(backed_up / "dump.zstd", share)
    assert_is_found_out(damaged, backed_up)


@pytest.mark.parametrize("left", [0.0, 0.5, 0.9999])
def test_promise_5_a_truncated_backup_is_never_verified(damaged: Clinic, backed_up: Path, left: float) -> None:
    dump = backed_up / "dump.zstd"
    stored = dump.read_bytes()
    dump.write_bytes(stored[: int(left * len(stored))])
    assert_is_found_out(damaged, backed_up)


def test_promise_5_a_backup_with_something_after_its_end_is_never_verified(damaged: Clinic, backed_up: Path) -> None:
    with (backed_up / "dump.zstd").open("ab") as dump:
        dump.write(b"\0")
    assert_is_found_out(damaged, backed_up)


def test_promise_5_the_dump_of_another_night_is_never_verified(damaged: Clinic, backed_up: Path) -> None:
    shutil.copy(min((damaged.store / "backups").iterdir()) / "dump.zstd", backed_up / "dump.zstd")
    assert_is_found_out(damaged, backed_up)


def test_promise_5_the_dump_of_another_night_is_never_verified_with_its_digests_in_the_manifest_p35(
    damaged: Clinic, backed_up: Path
) -> None:
    other = min((damaged.store / "backups").iterdir())
    theirs = json.loads((other / "manifest.json").read_text())
    rewrite(backed_up, **{name: theirs[name] for name in ("dump", "plain_sha256", "stored_sha256")})
    assert_is_found_out(damaged, backed_up)


def test_promise_5_a_backup_whose_census_differs_is_never_verified_p35(damaged: Clinic, backed_up: Path) -> None:
    census = json.loads((backed_up / "manifest.json").read_text())["census"]
    census["tables"]["patients"]["rows"] += 1
    rewrite(backed_up, census=census)
    assert_is_found_out(damaged, backed_up)


@pytest.mark.parametrize("edit", [{"id": "20260101T000000Z-000000"}, {"taken": "never"}, {"unknown": 1}])
def test_promise_5_a_backup_with_a_manifest_that_is_not_its_own_is_never_verified(
    damaged: Clinic, backed_up: Path, edit: dict[str, Any]
) -> None:
    rewrite(backed_up, **edit)
    assert_is_found_out(damaged, backed_up)


def test_promise_5_a_backup_that_was_verified_and_has_changed_since_is_not_called_verified_any_more(
    damaged: Clinic, backed_up: Path
) -> None:
    assert upkeep("verify", backed_up.name) == HOLDS
    assert is_verified(damaged, backed_up)
    flip(backed_up / "dump.zstd", 0.5)
    assert_is_found_out(damaged, backed_up)


def test_promise_5_a_backup_of_a_database_that_is_not_whole_is_never_verified_p07(damaged: Clinic) -> None:
    damaged.change(
        "CREATE TABLE odd (n INTEGER)",
        "INSERT INTO odd VALUES (NULL)",
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = 'CREATE TABLE odd (n INTEGER NOT NULL)' WHERE name = 'odd'",
    )
    assert upkeep("backup") == HOLDS
    assert upkeep("verify", "latest") == DAMAGED
    assert not is_verified(damaged, max((damaged.store / "backups").iterdir()))


moments = st.integers(-2000, 400).map(lambda days: NOW + timedelta(days=days))


@st.composite
def stores(draw: st.DrawFn) -> tuple[Backup, ...]:
    """Backups of any age, from the future too, some verified, some that cannot be read."""
    taken = sorted(draw(st.lists(moments, max_size=MOST_AT_ONCE + 30)))
    return tuple(
        Backup(f"{number}", None, verified=False, fault="its manifest cannot be read")
        if draw(st.integers(0, 9)) == 0
        else Backup(f"{number}", manifest(f"{number}", moment), verified=draw(st.booleans()))
        for number, moment in enumerate(taken)
    )


def manifest(name: str, taken: datetime) -> Manifest:
    return Manifest(
        id=name,
        database="clinic",
        engine="sqlite",
        engine_version="3",
        place="/clinic.db",
        taken=taken,
        run="test",
        dump=f"clinic/backups/{name}/dump.zstd",
        plain_bytes=1,
        plain_sha256="",
        stored_bytes=1,
        stored_sha256="",
        census=Census(tables={}, schema_digest=""),
    )


@given(stores(), moments, st.integers(1, 400))
def test_promise_5_retention_never_removes_the_last_verified_backup_p30(
    backups: tuple[Backup, ...], now: datetime, days: int
) -> None:
    judged = judge_retention(backups, days=days, now=now)
    kept = {one.id for one in judged if one.kept}
    assert [one.id for one in judged] == [backup.id for backup in backups]
    assert all(one.reason for one in judged)
    assert len(backups) - len(kept) <= MOST_AT_ONCE
    usable = [backup.manifest for backup in backups if backup.verified and backup.manifest]
    if not usable:
        assert kept == {backup.id for backup in backups}, "without a verified backup nothing goes"
    else:
        assert max(usable, key=lambda one: (one.taken, one.id)).id in kept
    if past := [one for one in usable if one.taken <= now]:
        assert max(past, key=lambda one: (one.taken, one.id)).id in kept, (
            "one that claims to be of the future protects nothing"
        )
    for backup in backups:
        if backup.id not in kept:
            assert backup.manifest is not None
            assert now - backup.manifest.taken > timedelta(days=days)


@given(stores(), st.lists(moments, min_size=1, max_size=5), st.integers(1, 400))
def test_promise_5_however_often_the_clock_jumps_a_verified_backup_is_left_p30(
    backups: tuple[Backup, ...], clocks: list[datetime], days: int
) -> None:
    left = backups
    for now in clocks:
        kept = {one.id for one in judge_retention(left, days=days, now=now) if one.kept}
        left = tuple(backup for backup in left if backup.id in kept)
    assert any(backup.verified for backup in left) == any(backup.verified for backup in backups)


# 6. A check that could not be asked is not a check that passed; nothing checked is not green.


def ask_also(clinic: Clinic, *expectations: dict[str, Any]) -> None:
    """Add a hand-written suite."""
    written = {"name": "added", "meta": {"table": "patients"}, "expectations": list(expectations)}
    (clinic.suites / "added.json").write_text(json.dumps(written))


UNASKABLE = (
    {
        "type": "expect_column_values_to_not_be_null",
        "kwargs": {"column": "shoe_size"},
        "description": "a column that is not there",
    },
    {
        "type": "expect_column_values_to_not_be_null",
        "kwargs": {"column": "id"},
        "description": "a table that is not there",
        "meta": {"table": "unicorns"},
    },
    {
        "type": "expect_no_rows",
        "kwargs": {"query": "SELECT no_such_function(id) FROM patients"},
        "description": "a query that fails",
    },
)


@pytest.mark.parametrize("expectation", UNASKABLE, ids=lambda one: one["description"])
def test_promise_6_an_expectation_that_could_not_be_asked_is_not_one_that_passed_p96(
    damaged: Clinic, tmp_path: Path, expectation: dict[str, Any]
) -> None:
    ask_also(damaged, expectation | {"severity": "info"})
    verdict = rehearse_at(damaged.equipment(), tmp_path).rehearsed.verdict
    assert not verdict.passed
    assert [(check.claim, check.holds) for check in verdict.failed] == [(expectation["description"], None)]


def test_promise_6_what_could_not_be_asked_stops_a_performance_p96(damaged: Clinic, runs: Runs) -> None:
    ask_also(damaged, UNASKABLE[0])
    before = content(damaged.path)
    report = runs.maintain(damaged, perform="within_limits")
    assert report["ended"] == "the rehearsal did not pass, so nothing was performed"
    assert not report["verdict"]["passed"]
    assert not report["performed"]
    assert content(damaged.path) == before


def test_promise_6_a_foreign_key_that_cannot_be_asked_is_not_clean_p37_p96(damaged: Clinic, tmp_path: Path) -> None:
    damaged.change(
        "CREATE TABLE odd (a INTEGER REFERENCES patients (shoe_size))",
        "INSERT INTO odd VALUES (1)",
    )
    verdict = rehearse_at(damaged.equipment(), tmp_path, migrate=False).rehearsed.verdict
    (asked,) = [check for check in verdict.checks if check.claim == "every foreign key was asked"]
    assert asked.holds is None
    assert not verdict.passed
    assert upkeep("check") == DOES_NOT_HOLD


def test_promise_6_an_empty_suite_is_refused_p96(damaged: Clinic, tmp_path: Path) -> None:
    ask_also(damaged)
    with pytest.raises(Refused, match="nothing checked is not a pass"):
        rehearse_at(damaged.equipment(), tmp_path)


def test_promise_6_a_folder_without_suites_is_refused_p96(damaged: Clinic, tmp_path: Path) -> None:
    shutil.rmtree(damaged.suites)
    damaged.suites.mkdir()
    with pytest.raises(Refused, match="there is no suite in"):
        rehearse_at(damaged.equipment(), tmp_path)


def test_promise_6_a_database_without_tables_is_not_green_p96(damaged: Clinic, tmp_path: Path) -> None:
    damaged.path.unlink()
    damaged.change("CREATE TABLE last (n INTEGER)", "DROP TABLE last")
    with pytest.raises(Refused, match="has no tables"):
        rehearse_at(damaged.equipment(), tmp_path)
    assert upkeep("check") == REFUSED
    assert upkeep("backup") == REFUSED


def test_promise_6_a_verdict_without_claims_did_not_pass_p96() -> None:
    assert not Verdict(checks=()).passed


# 7. A policy that is silent changes nothing. A plan beyond the limits is refused.


def test_promise_7_without_a_policy_nothing_is_changed(damaged: Clinic, runs: Runs) -> None:
    damaged.policy.unlink()
    before = content(damaged.path)
    report = runs.maintain(damaged, perform="within_limits", migrate=False)
    assert report["plan"]["rows"] == 0
    assert set(report["plan"]["by_action"]) == {"keep"}
    assert report["ended"] == "nothing to do"
    assert content(damaged.path) == before


def test_promise_7_without_a_policy_a_migration_that_needs_repairs_does_not_pass(
    damaged: Clinic, tmp_path: Path
) -> None:
    damaged.policy.unlink()
    before = bytes_of(damaged.path)
    verdict = rehearse_at(damaged.equipment(), tmp_path).rehearsed.verdict
    assert "no row violates a key that the migration is about to declare" in {check.claim for check in verdict.failed}
    assert bytes_of(damaged.path) == before


@pytest.mark.parametrize(
    ("how", "limit", "tighter", "told"),
    [
        ("within_limits", "rows = 500", "rows = 188", "189 rows would change, the limit is 188"),
        ("ask", "share = 0.5", "share = 0.05", "the limit is 5%"),
    ],
)
def test_promise_7_a_plan_beyond_the_limits_is_refused_whoever_approves(
    damaged: Clinic, runs: Runs, tmp_path: Path, how: str, limit: str, tighter: str, told: str
) -> None:
    written = damaged.policy.read_text()
    assert written.count(limit) == 1
    damaged.policy.write_text(written.replace(limit, tighter))
    before = content(damaged.path)
    approval = {}
    if how == "ask":
        digest = rehearse_at(damaged.equipment(), tmp_path).rehearsed.plan.digest
        approval = {"approve": digest, "by": "somebody", "reason": "I want it"}
    report = runs.maintain(damaged, perform=how, **approval)
    failed = [check for check in report["verdict"]["checks"] if not check["holds"]]
    assert [check["claim"] for check in failed] == ["the plan is within the policy's limits"]
    assert told in failed[0]["seen"]
    assert not report["performed"]
    assert content(damaged.path) == before


# 8. What was performed is what was approved, by digest; a stale approval is void.


def test_promise_8_an_approval_of_another_plan_is_void(damaged: Clinic, runs: Runs, tmp_path: Path) -> None:
    digest = rehearse_at(damaged.equipment(), tmp_path).rehearsed.plan.digest
    damaged.change("UPDATE user_sessions SET user_id = 987654 WHERE id = (SELECT MIN(id) FROM user_sessions)")
    before = content(damaged.path)
    approval = {"approve": digest, "by": "somebody", "reason": "it is good"}
    report = runs.maintain(damaged, perform="ask", **approval)
    assert report["ended"].startswith(f"nothing was performed: the approval is of another plan ({digest[:12]})")
    assert report["plan"]["digest"] != digest
    assert not report["performed"]
    assert content(damaged.path) == before


def test_promise_8_what_was_approved_is_what_was_performed(damaged: Clinic, runs: Runs, tmp_path: Path) -> None:
    plan = rehearse_at(damaged.equipment(), tmp_path).rehearsed.plan
    report = runs.maintain(damaged, perform="ask", approve=plan.digest[:12], by="somebody", reason="it is good")
    assert report["ended"] == "performed and verified"
    assert report["plan"]["digest"] == plan.digest
    repairs = damaged.store / "repairs" / report["run"]
    assert json.loads((repairs / "plan.json").read_text())["digest"] == plan.digest
    outcome = json.loads((repairs / "outcome.json").read_text())
    assert (outcome["plan"], outcome["approved_by"]) == (plan.digest, "somebody: it is good")
    assert outcome["changes"]["rows"] == plan.rows


PLAN = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("said", "given", "reason"),
    [
        ({}, True, "it is good"),
        ({"digest": PLAN[:12].upper() + " "}, True, "it is good"),
        ({"digest": PLAN[:11]}, False, "the approval is of another plan (0123456789a), not of 0123456789ab"),
        ({"digest": ""}, False, "the approval is of another plan (none), not of 0123456789ab"),
        ({"digest": "f" * 64}, False, "the approval is of another plan (ffffffffffff), not of 0123456789ab"),
        ({"digest": PLAN + "0"}, False, "the approval is of another plan (0123456789ab), not of 0123456789ab"),
        ({"by": " "}, False, "an approval needs a name and a reason"),
        ({"reason": ""}, False, "an approval needs a name and a reason"),
        ({"approve": False}, False, "refused by somebody: it is good"),
    ],
)
def test_promise_8_an_approval_is_of_one_digest_by_somebody_for_a_reason(
    said: dict[str, Any], given: bool, reason: str
) -> None:
    answer: dict[str, Any] = {"approve": True, "digest": PLAN, "by": "somebody", "reason": "it is good"} | said
    judged = judge_approval(PLAN, **answer)
    assert (judged.given, judged.reason) == (given, reason)


def first(night: Night, table: str, action: str) -> Any:
    """The number of the first row of a table that the plan does something to."""
    return next(r.row[0] for r in night.rehearsed.plan.repairs if (r.table, r.action) == (table, action))


def changed_since(clinic: Clinic, night: Night) -> str:
    row = first(night, "user_sessions", "delete")
    clinic.change(f"UPDATE user_sessions SET created_at = '2026-01-01' WHERE id = {row}")
    return f"row {row} of user_sessions has changed since the rehearsal"


def gone_since(clinic: Clinic, night: Night) -> str:
    row = first(night, "user_sessions", "delete")
    clinic.change(f"DELETE FROM user_sessions WHERE id = {row}")
    return f"row {row} of user_sessions is gone since the rehearsal"


def parent_came_back(clinic: Clinic, night: Night) -> str:
    row = first(night, "user_sessions", "delete")
    columns = [row[1] for row in query(clinic, "PRAGMA table_info(users)") if row[1] not in ("id", "username", "email")]
    others = ", ".join(columns)
    clinic.change(
        f"INSERT INTO users (id, username, email, {others}) "
        f"SELECT (SELECT user_id FROM user_sessions WHERE id = {row}), 'back', 'back@example', {others} "
        "FROM users ORDER BY id LIMIT 1"
    )
    return r".*row \d+ of user_sessions is no orphan of user_sessions\(user_id\) -> users\(id\) any more: .*"


def child_came_by_a_declared_key(clinic: Clinic, night: Night) -> str:
    row = first(night, "user_sessions", "delete")
    clinic.change(
        "CREATE TABLE late (id INTEGER PRIMARY KEY, session INTEGER REFERENCES user_sessions (id))",
        f"INSERT INTO late VALUES (5, {row})",
    )
    return "row 5 of late has come to point at a row of user_sessions that would go"


def child_came_by_a_stated_key(clinic: Clinic, night: Night) -> str:
    row = first(night, "user_sessions", "delete")
    clinic.change(f"INSERT INTO stated VALUES (6, {row})")
    return "row 6 of stated has come to point at a row of user_sessions that would go"


def query(clinic: Clinic, sql: str) -> list[Any]:
    with closing(sqlite3.connect(clinic.path)) as connection:
        return connection.execute(sql).fetchall()


SINCE_THE_REHEARSAL = (
    changed_since,
    gone_since,
    parent_came_back,
    child_came_by_a_declared_key,
    child_came_by_a_stated_key,
)


@pytest.mark.parametrize("migrate", [False, True], ids=["transaction", "exchange"])
def test_promise_8_a_plan_that_a_row_has_outdated_is_refused_with_that_row_p52_p65_p97(
    damaged: Clinic, tmp_path: Path, subtests: pytest.Subtests, migrate: bool
) -> None:
    damaged.change("CREATE TABLE stated (id INTEGER PRIMARY KEY, session INTEGER)")
    stated = '[[reference]]\nfrom = "stated.session"\nto = "user_sessions.id"\n'
    damaged.policy.write_text(f"{damaged.policy.read_text()}\n{stated}")
    night = rehearse_at(damaged.equipment(), tmp_path, migrate=migrate)
    assert night.rehearsed.verdict.passed, night.rehearsed.verdict.failed
    for happens in SINCE_THE_REHEARSAL:
        with subtests.test(happens=happens.__name__):
            clinic = damaged.copied(tmp_path / happens.__name__)
            told = happens(clinic, night)
            before, equipment = content(clinic.path), clinic.equipment()
            with pytest.raises(Refused) as refused:
                perform_at(equipment, tmp_path, night)
            assert re.fullmatch(told, refused.value.message)
            assert refused.value.hint == "nothing was done; run it again for a new plan"
            assert content(clinic.path) == before
            assert not list(clinic.store.glob("journal/*"))
            assert json.loads((clinic.store / "repairs" / RUN / "outcome.json").read_text())["found"] == "untouched"
            assert recover_at(equipment) == ()


def test_promise_8_an_application_that_changes_other_rows_is_not_in_the_way(damaged: Clinic, tmp_path: Path) -> None:
    equipment = damaged.equipment()
    night = rehearse_at(equipment, tmp_path)
    planned = {r.row[0] for r in night.rehearsed.plan.repairs if r.table == "patients"}
    other = next(row[0] for row in query(damaged, "SELECT id FROM patients") if row[0] not in planned)
    damaged.change(f"UPDATE patients SET phone = 'new' WHERE id = {other}")
    perform_at(equipment, tmp_path, night)
    assert query(damaged, f"SELECT phone FROM patients WHERE id = {other}") == [("new",)]
    assert rehearse_at(equipment, tmp_path).rehearsed.plan.is_empty
