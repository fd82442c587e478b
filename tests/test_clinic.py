"""The example clinic is what its truth says it is: models, history, damage and a pending revision that hurts."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from examples.clinic import ALL_KINDS, DEMO_KINDS, Truth, build, planted_values
from examples.clinic.models import Base
from examples.clinic.references import MISDECLARED_TO, STATED, modelled
from examples.clinic.schema import HEAD, INI, MERGEPOINT, upgrade
from examples.clinic.truth import Orphan
from upkeep.catalog import ForeignKey
from upkeep.databases import Reading
from upkeep.databases.sqlite import SqliteDatabase
from upkeep.finding import find, keys_of
from upkeep.older_backups import Older
from upkeep.planning import Planner
from upkeep.policy import Action, Policy, Rule
from upkeep.policy_file import load_policy
from upkeep.searching import search
from upkeep.values import Row

POLICY = INI.parent / "policy.toml"
TOUCHED = (
    "refresh_tokens",
    "user_sessions",
    "file_shares",
    "file_versions",
    "file_access_logs",
    "queue_entries",
    "queue_tokens",
)
Pair = tuple[str, tuple[Any, ...], str, str]


@dataclass(frozen=True)
class Clinic:
    """One build with what it said of itself and a copy of each of its nights."""

    folder: Path
    truth: Truth
    nights: dict[datetime, Path]

    @property
    def path(self) -> Path:
        return self.folder / "clinic.db"


def built(folder: Path, kinds: frozenset[str]) -> Clinic:
    nights: dict[datetime, Path] = {}

    def keep(moment: datetime) -> None:
        nights[moment] = folder / f"night-{len(nights)}.db"
        shutil.copyfile(folder / "clinic.db", nights[moment])

    return Clinic(folder, build(folder, kinds=kinds, nightly=keep), nights)


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    return built(tmp_path_factory.mktemp("everything"), ALL_KINDS)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    return built(tmp_path_factory.mktemp("demo"), DEMO_KINDS)


@pytest.fixture(scope="session", params=["everything", "demo"])
def clinic(request: pytest.FixtureRequest) -> Clinic:
    chosen = request.getfixturevalue(request.param)
    assert isinstance(chosen, Clinic)
    return chosen


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        yield connection


def tables(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return [name for (name,) in found if name != "alembic_version"]


def declared(connection: sqlite3.Connection) -> list[tuple[str, str, str, str]]:
    """Table, column, parent and ON DELETE of every foreign key, as the engine lists them."""
    return [
        (table, key[3], key[2], key[6])
        for table in tables(connection)
        for key in connection.execute(f"PRAGMA foreign_key_list({table})")
    ]


def orphans(connection: sqlite3.Connection) -> set[Pair]:
    """What the engine itself complains of, table by table, and what the stated references miss."""
    found: set[Pair] = set()
    for table in tables(connection):
        columns = {key[0]: key[3] for key in connection.execute(f"PRAGMA foreign_key_list({table})")}
        names = ", ".join(column.name for column in Base.metadata.tables[table].primary_key)
        for _, rowid, parent, number in connection.execute(f"PRAGMA foreign_key_check({table})"):
            key = connection.execute(f"SELECT {names} FROM {table} WHERE rowid = ?", (rowid,)).fetchone()
            found.add((table, key, columns[number], parent))
    for stated in STATED:
        rows = connection.execute(
            f"SELECT id FROM {stated.child} c WHERE c.{stated.column} IS NOT NULL"
            f" AND NOT EXISTS (SELECT 1 FROM {stated.parent} p WHERE p.id = +c.{stated.column})"
        )
        found |= {(stated.child, key, stated.column, stated.parent) for key in rows}
    return found


def told(truth: Truth) -> set[Pair]:
    return {(orphan.table, orphan.key, orphan.columns[0], orphan.parent) for orphan in truth.orphans}


def contents(connection: sqlite3.Connection, table: str, columns: list[str]) -> list[tuple[Any, ...]]:
    return connection.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1").fetchall()


def columns_of(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def version(connection: sqlite3.Connection) -> list[tuple[str]]:
    return connection.execute("SELECT version_num FROM alembic_version").fetchall()


def without_orphans_in(tables_to_clean: tuple[str, ...], path: Path) -> None:
    """Clean by hand: delete to the fixpoint, for a deleted row leaves orphans of its own (P-113)."""
    with opened(path) as connection:
        while rows := [pair for pair in orphans(connection) if pair[0] in tables_to_clean]:
            for table, key, _, _ in rows:
                connection.execute(f"DELETE FROM {table} WHERE id = ?", key)
        connection.commit()


def alembic(path: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alembic", "-c", str(INI), *words],
        cwd=folder,
        env={**os.environ, "DATABASE_URL": f"sqlite:///{path}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_database_is_as_large_and_as_careless_as_a_real_one(demo: Clinic) -> None:
    with opened(demo.path) as connection:
        keys = declared(connection)
        assert len(tables(connection)) == len(Base.metadata.tables) >= 25
        assert len(keys) >= 60
        assert sum(ondelete == "NO ACTION" for *_, ondelete in keys) >= 30
        assert {"CASCADE", "SET NULL"} <= {ondelete for *_, ondelete in keys}
    assert demo.path.stat().st_size < 2_000_000


def test_the_truth_is_what_the_engine_says(clinic: Clinic) -> None:
    with opened(clinic.path) as connection:
        assert told(clinic.truth) == orphans(connection)
    assert len(told(clinic.truth)) == len(clinic.truth.orphans)


def test_there_are_orphans_enough_over_keys_enough(clinic: Clinic) -> None:
    assert len(clinic.truth.orphans) >= 84
    assert len({(orphan.table, orphan.columns) for orphan in clinic.truth.orphans}) >= 12


def test_every_kind_of_damage_that_was_asked_for_is_there(clinic: Clinic) -> None:
    kinds = {orphan.kind for orphan in clinic.truth.orphans} | {hidden.kind for hidden in clinic.truth.hidden}
    assert kinds == clinic.truth.kinds


def test_missing_values_are_raw_text_and_empties_included(demo: Clinic) -> None:
    """P-48, P-117: text in integer columns, '' and 0."""
    assert {"x17", "unknown", "", 0} <= {orphan.missing for orphan in demo.truth.orphans}
    with opened(demo.path) as connection:
        for orphan in demo.truth.orphans:
            where = " AND ".join(f"{column.name} = ?" for column in Base.metadata.tables[orphan.table].primary_key)
            query = f"SELECT {orphan.columns[0]} FROM {orphan.table} WHERE {where}"
            assert connection.execute(query, orphan.key).fetchone() == (orphan.missing,)


def test_without_damage_there_are_no_orphans(tmp_path: Path) -> None:
    truth = build(tmp_path, kinds=frozenset(), nights=1)
    with opened(tmp_path / "clinic.db") as connection:
        assert orphans(connection) == set()
    assert (truth.orphans, truth.hidden) == ((), ())


def test_without_nights_there_is_damage_enough_but_no_backup_of_it(tmp_path: Path) -> None:
    truth = build(tmp_path, kinds=DEMO_KINDS, nights=0)
    with opened(tmp_path / "clinic.db") as connection:
        assert told(truth) == orphans(connection)
    assert len(truth.orphans) >= 84
    assert not any(orphan.held for orphan in truth.orphans)


def test_the_nights_hold_the_missing_rows_that_the_truth_names(clinic: Clinic) -> None:
    """P-111: some parents are in the last backup, some only in older ones, some in none."""
    last = max(clinic.nights)
    wanted = [orphan for orphan in clinic.truth.orphans if isinstance(orphan.missing, int) and orphan.missing]
    assert any(last in orphan.backups for orphan in wanted)
    assert any(orphan.backups and last not in orphan.backups for orphan in wanted)
    assert any(not orphan.held for orphan in wanted)
    for moment, path in clinic.nights.items():
        with opened(path) as connection:
            standing = {table: set(contents(connection, table, ["id"])) for table in parents(connection)}
        for orphan in wanted:
            if moment in orphan.backups:
                assert (orphan.missing,) in standing[orphan.meant]
            elif orphan.kind == "parents_deleted":
                assert (orphan.missing,) not in standing[orphan.meant]


def parents(connection: sqlite3.Connection) -> set[str]:
    return {reference.parent for reference in modelled()} & set(tables(connection))


def test_beside_names_the_nights_in_which_child_and_parent_stood_together(demo: Clinic) -> None:
    assert any(orphan.beside for orphan in demo.truth.orphans)
    for moment, path in demo.nights.items():
        with opened(path) as connection:
            for orphan in demo.truth.orphans:
                where = " AND ".join(f"{column.name} = ?" for column in Base.metadata.tables[orphan.table].primary_key)
                query = f"SELECT {orphan.columns[0]} FROM {orphan.table} WHERE {where}"
                if moment in orphan.beside:
                    assert connection.execute(query, orphan.key).fetchone() == (orphan.missing,)


def test_a_reused_number_belonged_to_somebody_else_in_an_older_night(demo: Clinic) -> None:
    """P-53, P-110: the engine is content, and the child belongs to another person."""
    changed = [hidden for hidden in demo.truth.hidden if hidden.parent == "patients" and hidden.beside]
    assert changed
    with opened(demo.path) as now:
        for hidden in changed:
            with opened(demo.nights[hidden.beside[-1]]) as then:
                name = "SELECT full_name, phone FROM patients WHERE id = ?"
                before = then.execute(name, (hidden.missing,)).fetchone()
                assert before
                assert now.execute(name, (hidden.missing,)).fetchone() != before


def test_some_orphans_miss_a_number_that_the_last_night_gives_to_another_row(demo: Clinic) -> None:
    """P-110: the newest backup that has the number holds the wrong row."""
    reused = [orphan for orphan in demo.truth.orphans if orphan.kind == "reused_ids"]
    with opened(demo.nights[max(demo.nights)]) as connection:
        there = {number for (number,) in contents(connection, "patients", ["id"])}
    assert any(orphan.missing in there and max(demo.nights) not in orphan.backups for orphan in reused)


def test_a_dropped_table_stands_in_an_older_night_and_the_revision_has_not_moved(everything: Clinic) -> None:
    """P-109."""
    (gone,) = everything.truth.dropped
    with opened(everything.path) as connection:
        assert gone not in tables(connection)
        assert version(connection) == [(MERGEPOINT,)]
    with opened(everything.nights[min(everything.nights)]) as connection:
        assert gone in tables(connection)
    assert gone not in TOUCHED
    assert any(orphan.parent == gone for orphan in everything.truth.orphans)


def test_two_keys_are_declared_to_the_wrong_table_and_most_of_their_orphans_vanish_at_the_right_one(
    everything: Clinic,
) -> None:
    """P-108."""
    right = {(reference.child, reference.column): reference.parent for reference in modelled()}
    with opened(everything.path) as connection:
        found = {(table, column): parent for table, column, parent, _ in declared(connection)}
        assert {key: parent for key, parent in found.items() if parent != right[key]} == MISDECLARED_TO
        for (table, column), parent in ((key, right[key]) for key in MISDECLARED_TO):
            keys = [
                o.key
                for o in everything.truth.orphans
                if (o.table, o.columns, o.kind) == (table, (column,), "misdeclared")
            ]
            assert len(keys) > 10
            query = f"SELECT 1 FROM {table} c JOIN {parent} p ON p.id = +c.{column} WHERE c.id = ?"
            assert all(connection.execute(query, key).fetchone() for key in keys)


def test_the_same_seed_makes_the_same_rows_and_another_seed_others(demo: Clinic, tmp_path: Path) -> None:
    again = build(tmp_path / "again", kinds=DEMO_KINDS)
    other = build(tmp_path / "other", kinds=DEMO_KINDS, seed=8)
    with opened(demo.path) as first, opened(tmp_path / "again" / "clinic.db") as second:
        assert sorted(first.iterdump()) == sorted(second.iterdump())
    assert again == demo.truth
    assert other.orphans != again.orphans
    with opened(tmp_path / "other" / "clinic.db") as connection:
        assert told(other) == orphans(connection)


def test_the_truth_lies_beside_the_database_as_json(demo: Clinic) -> None:
    written = json.loads((demo.folder / "truth.json").read_text(encoding="utf-8"))
    assert len(written["orphans"]) == len(demo.truth.orphans)
    assert written["nights"] == [moment.isoformat() for moment in demo.nights]
    assert planted_values(demo.folder / "truth.json") == demo.truth.planted


def test_planted_values_are_those_of_everybody_living_or_gone(demo: Clinic) -> None:
    with opened(demo.path) as connection:
        names = {name for (name,) in connection.execute("SELECT full_name FROM patients")}
        addresses = {address for (address,) in connection.execute("SELECT email FROM users")}
    assert names | addresses < set(demo.truth.planted)


def test_a_build_refuses_a_kind_that_does_not_exist_and_a_folder_that_is_taken(demo: Clinic) -> None:
    with pytest.raises(ValueError, match="no such kind of damage: fire; there are dropped_table"):
        build(demo.folder, kinds=frozenset({"fire"}))
    with pytest.raises(FileExistsError, match="is there already: name an empty folder"):
        build(demo.folder)


def test_the_command_line_says_what_it_made(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "examples.clinic", str(tmp_path), "--seed", "3", "--kinds", "sentinels"]
    said = subprocess.run(words, cwd=INI.parents[2], capture_output=True, text=True, check=True).stdout
    with opened(tmp_path / "clinic.db") as connection:
        count = len(orphans(connection))
    assert said.splitlines()[1] == f"  sentinels: {count}"


def test_models_and_history_agree_at_the_one_head(tmp_path: Path) -> None:
    """Run from another folder, as an operator does."""
    path = tmp_path / "empty.db"
    assert alembic(path, tmp_path, "heads").stdout == f"{HEAD} (head)\n"
    assert alembic(path, tmp_path, "upgrade", "head").returncode == 0
    checked = alembic(path, tmp_path, "check")
    assert (checked.returncode, checked.stdout) == (0, "No new upgrade operations detected.\n")
    assert alembic(path, tmp_path, "downgrade", "base").returncode == 0
    with opened(path) as connection:
        assert tables(connection) == []


def test_the_pending_revision_is_half_applied_on_the_damaged_database(clinic: Clinic, tmp_path: Path) -> None:
    """P-115: tokens are lost without a word, then it fails, and the version says that nothing has happened."""
    path = tmp_path / "copy.db"
    shutil.copyfile(clinic.path, path)
    ran = upgrade(f"sqlite:///{path}", "head")
    assert ran.returncode != 0
    assert "NOT NULL constraint failed" in ran.stderr
    with opened(clinic.path) as before, opened(path) as after:
        assert version(after) == version(before) == [(MERGEPOINT,)]
        assert "session_started_at" in columns_of(after, "refresh_tokens")
        lost = len(contents(before, "refresh_tokens", ["id"])) - len(contents(after, "refresh_tokens", ["id"]))
        assert lost == sum(orphan.table == "refresh_tokens" for orphan in clinic.truth.orphans) > 0
        assert after.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_the_pending_revision_loses_nothing_once_its_own_tables_are_clean(clinic: Clinic, tmp_path: Path) -> None:
    path, clean = tmp_path / "copy.db", tmp_path / "clean.db"
    shutil.copyfile(clinic.path, path)
    without_orphans_in(TOUCHED, path)
    shutil.copyfile(path, clean)
    assert upgrade(f"sqlite:///{path}", "head").returncode == 0
    with opened(clean) as before, opened(path) as after:
        assert version(after) == [(HEAD,)]
        for table in tables(before):
            columns = columns_of(before, table)
            assert contents(after, table, columns) == contents(before, table, columns)
        assert orphans(after) == orphans(before) != set()


@pytest.fixture(scope="session")
def policy() -> Policy:
    return load_policy(POLICY)


def keys_with_rules(policy: Policy) -> Iterator[tuple[ForeignKey, Rule]]:
    for reference in modelled():
        key = ForeignKey(reference.child, (reference.column,), reference.parent, ("id",), ondelete="", declared=True)
        number, rule = policy.rule_for(key)
        assert number is not None, f"no rule speaks of {reference}"
        yield key, rule


def test_the_policy_speaks_of_every_key_and_wants_nothing_impossible(policy: Policy) -> None:
    assert {str(reference.child) for reference in policy.reference} == {f"{r.child}({r.column})" for r in STATED}
    keys = dict(keys_with_rules(policy))
    assert policy.idle_rules(tuple(keys)) == ()
    for key, rule in keys.items():
        nullable = Base.metadata.tables[key.child].columns[key.columns[0]].nullable
        assert rule.ondelete
        assert rule.why
        assert nullable or (rule.ondelete != "SET NULL" and "nullify" not in rule.orphan), key
        if key.parent in ("patients", "visits"):
            assert rule.ondelete != "CASCADE", key


def test_the_pending_revision_says_on_delete_what_the_policy_wants(policy: Policy) -> None:
    for key, rule in keys_with_rules(policy):
        (element,) = Base.metadata.tables[key.child].columns[key.columns[0]].foreign_keys or [None]
        if element is not None and key.child in TOUCHED:
            assert element.ondelete == rule.ondelete, key


def test_the_demo_has_much_to_nullify_and_to_delete_within_its_limits(demo: Clinic, policy: Policy) -> None:
    wanted = {(key.child, key.columns): rule.orphan[0].value for key, rule in keys_with_rules(policy)}
    first = Counter(wanted[orphan.table, orphan.columns] for orphan in demo.truth.orphans)
    assert first["nullify"] >= 20
    assert first["delete"] >= 20
    assert first["nullify"] + first["delete"] < policy.limits.rows
    assert first["restore"] >= 20
    changed = Counter(o.table for o in demo.truth.orphans if wanted[o.table, o.columns] in ("nullify", "delete"))
    with opened(demo.path) as connection:
        for table, many in changed.items():
            assert many < policy.limits.share * len(contents(connection, table, ["rowid"])), table


def test_deleting_orphans_makes_new_ones(demo: Clinic, tmp_path: Path) -> None:
    """P-56, P-113: sessions of users who are gone take their tokens along, places in lost queues their slips."""
    path = tmp_path / "copy.db"
    shutil.copyfile(demo.path, path)
    with opened(path) as connection:
        before = orphans(connection)
        for table, key, _, parent in before:
            if (table, parent) in {("user_sessions", "users"), ("queue_entries", "daily_queues")}:
                connection.execute(f"DELETE FROM {table} WHERE id = ?", key)
        assert {pair[0] for pair in orphans(connection) - before} == {"refresh_tokens", "queue_tokens"}


def test_every_restorable_orphan_is_healed_from_a_backup_of_its_very_parent_and_none_from_another_p110(
    clinic: Clinic, policy: Policy
) -> None:
    @contextmanager
    def opened(path: Path) -> Iterator[Reading]:
        with SqliteDatabase("older", path).reading() as reading:
            yield reading

    nights = {f"{night:%Y%m%dT%H%M%SZ}": night for night in clinic.nights}
    older = [Older(name, partial(opened, clinic.nights[nights[name]])) for name in sorted(nights, reverse=True)]
    with SqliteDatabase("clinic", clinic.path).reading() as now:
        keys = keys_of(now, policy)
        origins = search(now, keys, policy, older)
        findings = tuple(find(now, key, limit=0) for key in keys)
        plan = Planner(now, keys, policy, (), origins).plan("clinic", findings, None)
    by_name = {str(key): key for key in keys}
    truth: dict[tuple[str, Row, tuple[str, ...]], Orphan] = {
        (o.table, o.key, o.columns): o for o in clinic.truth.orphans
    }
    source = {(r.table, r.row): r.source.split()[1].rstrip(":") for r in plan.repairs if r.action is Action.RESTORE}
    healed = {(by_name[one.key].child, one.row, by_name[one.key].columns): source[one.parent] for one in plan.healed}
    assert len(source) >= 15
    assert [o for o, name in healed.items() if nights[name] not in truth[o].backups] == [], "from a wrong backup"
    assert {truth[orphan].kind for orphan in healed} == {"parents_deleted"}, "a number that came again is not raised"
    # Where a whole table is gone some parents miss a row of it, so they would be orphans themselves.
    for at, orphan in truth.items() if not clinic.truth.dropped else ():
        first = next(policy.rule_for(key)[1] for key in keys if (key.child, key.columns) == (at[0], at[2])).orphan[0]
        is_sound = orphan.kind == "parents_deleted" and orphan.meant == orphan.parent
        if orphan.held and is_sound and first is Action.RESTORE:
            assert at in healed, orphan
    medical = ("patients", "visits", "emr", "emr_versions", "prescriptions", "lab_orders", "lab_results", "payments")
    assert {r.table for r in plan.repairs if r.action is Action.DELETE}.isdisjoint(medical)
