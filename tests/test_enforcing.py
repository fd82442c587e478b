"""A foreign key that the policy wants enforced: NOT VALID before the clean-up, validated after it, safe in between."""

import pickle
import threading
import time
from dataclasses import replace
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.after_a_kill import wait_for_the_dead
from tests.alembic_projects import project
from tests.clinics import Runs, recover_at, rehearse_at, settings_set_back
from tests.servers.postgresql import PostgresServer
from tests.shell import family
from tests.test_engine_contract_undo import deed_of
from tests.wards import KEY, NAME, POLICY, Ward, ward_on, writing
from upkeep.databases.opening import open_database
from upkeep.enforcement import Enforced, How, Unenforced
from upkeep.equipment import equip
from upkeep.errors import Busy, Refused
from upkeep.finding import keys_of
from upkeep.ledger import link_of
from upkeep.mending import mend
from upkeep.policy_file import load_policy
from upkeep.undo import Undo
from upkeep.undo_verdict import not_taken_back
from upkeep.undoing import Deed, draw_back
from upkeep.wording.sentences import enforcement

pytest_plugins = ("tests.clinics",)

ORPHANED = "INSERT INTO visits (doctor) VALUES (4711)"
CLAIM = "the foreign keys of the plan are in force and all rows keep them"


@pytest.fixture
def ward(system_postgresql: PostgresServer, tmp_path: Path) -> Ward:
    """A ward of one's own."""
    return ward_on(system_postgresql, tmp_path)


def enforced_in(ward: Ward, how: How = How.ADD, orphans: int = 0) -> Enforced:
    """The key as a plan would have it."""
    equipment = ward.equipment()
    with equipment.database.reading() as reading:
        (key,) = (key for key in keys_of(reading, equipment.policy) if str(key) == KEY)
    return Enforced(key, how, NAME, "SET NULL", orphans)


def test_a_stated_key_is_declared_and_valid_after_the_clean_up_and_a_second_run_finds_nothing(ward: Ward) -> None:
    others = ward.others
    night = ward.rehearsed()
    assert night.rehearsed.verdict.passed, night.rehearsed.verdict.failed
    assert ward.state == "absent", "a rehearsal changes nothing (promise 1)"
    (one,) = night.rehearsed.plan.enforced
    assert (str(one.key), one.how, one.constraint, one.ondelete, one.orphans) == (KEY, How.ADD, NAME, "SET NULL", 3)
    worked = ward.performed(night)
    assert [check.holds for check in worked.checks if check.claim == CLAIM] == [True]
    assert ward.state == "valid"
    assert ward.run(f"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = {NAME!r}") == [
        ("FOREIGN KEY (doctor) REFERENCES doctors(id) ON DELETE SET NULL",)
    ]
    assert ward.refuses(ORPHANED)
    assert ward.others == others
    again = ward.rehearsed().rehearsed
    assert again.plan.is_empty
    assert (again.plan.enforced, again.plan.unenforced) == ((), ())
    assert again.verdict.passed


def test_an_undo_brings_the_orphans_back_and_the_key_stays_in_force(ward: Ward) -> None:
    before = ward.rows
    night = ward.rehearsed()
    worked = ward.performed(night)
    equipment = ward.equipment()
    with equipment.database.writing() as writing:
        keys = keys_of(writing, equipment.policy)
        undo = draw_back(writing, "ward", deed_of(night.rehearsed.plan, worked.mended), keys)
        mend(writing, undo, keys)
    assert ward.rows == before
    assert ward.refuses(ORPHANED)
    assert ward.state in ("valid", "NOT VALID")
    (said,) = not_taken_back(Deed("run", (), enforced=(KEY,)), Undo("run"))
    assert said.startswith(f"{KEY} stays in force")


def test_orphans_that_came_before_the_key_was_in_force_stop_the_performance_and_no_more_can_come(ward: Ward) -> None:
    with writing(ward) as written:
        night = ward.rehearsed()
        while not any(note.startswith("astray") for note in written.kept[-5:]):
            time.sleep(0.05)
        with pytest.raises(Refused, match=r"new orphans of .* came before it was in force.*stay so"):
            ward.performed(night, "stopped")
        assert ward.state == "NOT VALID"
        kept = len(written.kept)
        while not written.refused or len(written.kept) < kept + 5:
            time.sleep(0.05)
        night = ward.rehearsed()
        assert [one.how for one in night.rehearsed.plan.enforced] == [How.VALIDATE]
        ward.performed(night, "done")
        assert ward.state == "valid"
        kept = len(written.kept)
        while len(written.kept) < kept + 5:
            time.sleep(0.05)
    assert written.faults == [], "the application got an error that the key does not explain"
    assert {note for _, _, note in ward.rows if not note.startswith("visit")} == set(written.kept), "a write was lost"
    assert ward.run("SELECT count(*) FROM visits v WHERE doctor IS NOT NULL AND NOT EXISTS"
                    " (SELECT FROM doctors d WHERE d.id = v.doctor)") == [(0,)]  # fmt: skip
    assert ward.rehearsed().rehearsed.plan.is_empty


BOUNDARIES = (
    "return upkeep/databases/postgresql_in_force.py:hold_back 1",
    "call upkeep/databases/postgresql_in_force.py:validate 1",
    "return upkeep/databases/postgresql_in_force.py:validate 1",
)
BETWEEN = (
    "return upkeep/journal.py:write_intention 1",
    "call upkeep/databases/postgresql_in_force.py:hold_back 1",
    "return upkeep/databases/postgresql_locks.py:patient 1",
    "return tasks/enforcement.py:hold_back 1",
    "return upkeep/mending.py:_apply 1",
    "return upkeep/mending.py:mend 1",
    "return tasks/work.py:work_on 1",
    "call tasks/recovery.py:settle 1",
    "call upkeep/journal.py:clear_intention 1",
    "return upkeep/journal.py:clear_intention 1",
)
STANDS = {
    "absent": "is not declared yet",
    "NOT VALID": "is NOT VALID, which is safe: no new orphan can come, and the next plan validates it",
    "valid": "is in force",
}
"""What recovery says of the key."""


def carries_on(ward: Ward, short_runs: Runs, before: list[Any]) -> tuple[bool, str]:
    """After a kill: a state that is safe, told in words, left as it is, from which the next run comes to the end."""
    wait_for_the_dead(ward.equipment().database)
    rows, state, begun = ward.rows, ward.state, [path.stem for path in (ward.folder / "store/ward/journal").glob("*")]
    assert (rows, state) in [(before, "absent"), (before, "NOT VALID"), (AFTER, "NOT VALID"), (AFTER, "valid")]
    told = recover_at(ward.equipment())
    done = {"valid": "had been performed whole"}.get(state, "had changed all its rows")
    said = done if rows == AFTER else "had changed no row"
    assert told == tuple(f"run {run} died; it {said}; {KEY} {STANDS[state]}" for run in begun)
    assert (ward.rows, ward.state) == (rows, state), "recovery changed the database"
    if rows == before:
        assert short_runs.do(ward, "perform", rehearsal=ward.pickled, run="next") == "performed"
    elif state == "NOT VALID":
        night = ward.rehearsed()
        assert [one.how for one in night.rehearsed.plan.enforced] == [How.VALIDATE]
        ward.performed(night, "next")
    assert (ward.rows, ward.state) == (AFTER, "valid")
    return rows == AFTER, state


@pytest.fixture(scope="module")
def rehearsed(system_postgresql: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Ward:
    """A ward with a rehearsal in ``pickled``, to be copied."""
    ward = ward_on(system_postgresql, tmp_path_factory.mktemp("rehearsed"))
    with settings_set_back():
        night = ward.rehearsed()
    Path(ward.pickled).write_bytes(pickle.dumps((night.manifest, night.rehearsed)))
    return ward


def killed(ward: Ward, short_runs: Runs, **when: Any) -> None:
    """Perform the rehearsal in a process that is killed."""
    assert short_runs.do(ward, "perform", rehearsal=ward.pickled, run="killed", **when) is None, "it was never killed"


AFTER = [(n, n if n <= 20 else None, f"visit {n}") for n in range(1, 24)]


@pytest.mark.parametrize(
    ("moments", "states"),
    [
        (BOUNDARIES, {(False, "NOT VALID"), (True, "NOT VALID"), (True, "valid")}),
        pytest.param(
            BETWEEN,
            {(False, "absent"), (False, "NOT VALID"), (True, "NOT VALID"), (True, "valid")},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["boundaries", "between"],
)
def test_promise_4_killed_anywhere_a_key_is_absent_not_valid_or_valid_and_the_next_run_ends_it(
    rehearsed: Ward,
    short_runs: Runs,
    tmp_path: Path,
    subtests: pytest.Subtests,
    moments: tuple[str, ...],
    states: set[tuple[bool, str]],
) -> None:
    met, before, others = set(), rehearsed.rows, rehearsed.others
    for number, moment in enumerate(moments):
        with subtests.test(moment=moment):
            ward = rehearsed.copied(tmp_path / f"at_{number}")
            killed(ward, short_runs, moment=moment)
            met.add(carries_on(ward, short_runs, before))
            assert ward.others == others, "a key that was there was touched"
    assert met == states


@pytest.mark.slow
def test_promise_4_killed_at_random_a_key_is_in_a_state_from_which_the_next_run_comes_to_the_end(
    rehearsed: Ward, short_runs: Runs, tmp_path: Path
) -> None:
    chance = Random(40)  # noqa: S311 - a test that comes out the same again
    before = rehearsed.rows
    for number in range(12):
        ward = rehearsed.copied(tmp_path / f"at_random_{number}")
        after = chance.uniform(0.05, 1.5)
        short_runs.do(ward, "perform", kill_after=after, rehearsal=ward.pickled, run="killed")
        carries_on(ward, short_runs, before)


OFF = {
    "child": "ALTER TABLE visits DISABLE TRIGGER ALL",
    "parent": "ALTER TABLE doctors DISABLE TRIGGER ALL",
}
LEAVES = "DELETE FROM doctors WHERE id = 20"


@pytest.mark.parametrize(("valid", "child", "parent"), product((True, False), repeat=3))
def test_what_a_declared_key_lacks_is_what_the_server_lets_pass_and_bringing_it_into_force_ends_that(
    ward: Ward, valid: bool, child: bool, parent: bool
) -> None:
    """The server itself is the oracle: it is tried whether it refuses a child without parent, and a parent's end."""
    ward.run("UPDATE visits SET doctor = 20 WHERE id > 20", f"ALTER TABLE visits ADD CONSTRAINT {NAME} FOREIGN KEY"
             f" (doctor) REFERENCES doctors {'' if valid else 'NOT VALID'}", "DELETE FROM rooms")  # fmt: skip
    ward.run(*(OFF[side] for side, wanted in (("child", child), ("parent", parent)) if not wanted))
    one = enforced_in(ward)
    database = ward.equipment().database
    tried = ward.refuses(ORPHANED), ward.refuses(LEAVES)
    assert tried == (child, parent)
    lapses = database.lapses([one.key])
    how = How.ENABLE if not all(tried) else None if valid else How.VALIDATE
    assert {key: lapse.how for key, lapse in lapses.items()} == ({KEY: how} if how else {})
    for _ in range(2):  # the second time finds nothing to do
        database.hold_back([one])
        assert (ward.refuses(ORPHANED), ward.refuses(LEAVES)) == (True, True)
        database.validate([one])
        assert database.lapses([one.key]) == {}
        assert ward.state == "valid"


def test_a_key_that_rows_violate_stays_not_valid(ward: Ward) -> None:
    one = enforced_in(ward)
    database = ward.equipment().database
    database.hold_back([one])
    database.validate([one])
    assert ward.state == "NOT VALID"
    assert {key: lapse.how for key, lapse in database.lapses([one.key]).items()} == {KEY: How.VALIDATE}


def test_the_old_rows_are_looked_at_while_a_writer_has_both_tables_open_p84(ward: Ward) -> None:
    ward.run("UPDATE visits SET doctor = NULL WHERE id > 20")
    one = enforced_in(ward)
    database = ward.equipment().database
    database.hold_back([one])
    with ward.server.connect(ward.base) as application, application.transaction():
        application.execute("INSERT INTO visits (doctor) VALUES (1)")
        application.execute("UPDATE doctors SET name = 'x' WHERE id = 2")
        database.validate([one])
    assert ward.state == "valid"


def test_who_holds_the_table_keeps_the_key_out_and_nobody_else_waits_for_long_p84(ward: Ward) -> None:
    one = enforced_in(ward)
    database = open_database("ward", ward.server.url(ward.base), 1.5)
    waited: list[float] = []
    told: list[str] = []
    with (
        ward.server.connect(ward.base) as other,  # before the clock runs: to connect takes as long as the machine likes
        ward.server.connect(ward.base) as application,
        application.transaction(),
    ):
        application.execute("INSERT INTO visits (doctor) VALUES (1)")

        def hold_back() -> None:
            try:
                database.hold_back([one])
            except Busy as fault:
                told.append(fault.message)

        trying = threading.Thread(target=hold_back)
        trying.start()
        while trying.is_alive():
            begun = time.monotonic()
            other.execute("UPDATE visits SET note = note WHERE id = 1")
            waited.append(time.monotonic() - begun)
    assert "is locked by another program" in told[0]
    assert max(waited) < 1.2, "half a second for each try, and what the machine adds"
    assert ward.state == "absent"
    database.hold_back([one])
    assert ward.state == "NOT VALID"


WRONG = {
    "a glob": ('child = "visits.doctor"', 'child = "visits.*"'),
    "a table": ('child = "visits.doctor"', 'child = "visits"'),
    "any parent": ('parent = "doctors"', 'parent = "*"'),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_rule_that_does_not_name_the_very_key_is_refused_before_anything_begins(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "policy.toml").write_text(POLICY.replace(*WRONG[wrong]))
    with pytest.raises(Refused, match=r'rule\]\] 1: enforce is for one very key: write child = "table.column" and'):
        load_policy(tmp_path / "policy.toml")


PARTED = (
    "CREATE TABLE pairs (one int PRIMARY KEY)",
    "CREATE TABLE parted (id int, doctor int) PARTITION BY LIST (id)",
    "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1)",
)
STATED = '[[reference]]\nfrom = "{0}.doctor"\nto = "doctors.id"\n[[rule]]\nchild = "{0}.doctor"\nparent = "doctors"\n'
UNENFORCED = {
    "misspelt": (
        '[[rule]]\nchild = "visits.docter"\nparent = "doctors"\nenforce = true\n',
        "visits.docter -> doctors",
        "rule 1: no key is called so: state it as a [[reference]], or correct the names in the rule",
    ),
    "behind another": (
        '[[rule]]\nchild = "*"\norphan = ["nullify"]\n' + POLICY.replace("[limits]\nshare = 1.0\n", ""),
        KEY,
        "rule 1 stands before rule 2: put the exception first",
    ),
    "kept": (POLICY.replace('["nullify"]', '["keep"]'), KEY, "3 of its orphans stay"),
    "partitioned": (
        STATED.format("parted") + "enforce = true\n",
        "parted(doctor) -> doctors(id)",
        "before PostgreSQL 18 no key of a partitioned table, as parted is, can be NOT VALID",
    ),
    "ill matched": (
        '[[reference]]\nfrom = "visits(id, doctor)"\nto = "pairs(one, other)"\n'
        '[[rule]]\nchild = "visits.doctor"\nparent = "pairs"\nenforce = true\n',
        "visits(id, doctor) -> pairs(one, other)",
        "pairs has no column other",
    ),
    "gone": (
        '[[reference]]\nfrom = "visits.doctor"\nto = "nurses.id"\n'
        '[[rule]]\nchild = "visits.doctor"\nparent = "nurses"\nenforce = true\n',
        "visits(doctor) -> nurses(id)",
        "the table nurses is gone",
    ),
    "not unique": (
        STATED.format("visits").replace("doctors.id", "doctors.name").replace("visits.doctor", "visits.note")
        + "enforce = true\n",
        "visits(note) -> doctors(name)",
        "doctors(name) is neither its primary key nor unique",
    ),
}


@pytest.mark.parametrize("case", UNENFORCED)
def test_what_cannot_be_enforced_is_told_with_the_reason_and_nothing_is_done_about_it(
    system_postgresql: PostgresServer, tmp_path: Path, case: str
) -> None:
    policy, key, reason = UNENFORCED[case]
    ward = ward_on(system_postgresql, tmp_path, *PARTED, policy=policy)
    plan = ward.rehearsed().rehearsed.plan
    assert (plan.enforced, plan.unenforced) == ((), (Unenforced(key, reason),))
    assert plan.document()["unenforced"] == [[key, reason]]
    assert any(f"{key} is not enforced as the policy wants: {reason}" in line for line in enforcement(plan))


def test_a_role_that_may_not_is_told_so_in_the_plan(ward: Ward) -> None:
    role = ward.server.make_role("CREATEDB")
    ward.run(f"GRANT pg_read_all_data, pg_write_all_data TO {role}")
    database = open_database("ward", ward.server.url(ward.base, role), 0.5)
    one = enforced_in(ward)
    ((_, lapse),) = database.lapses([one.key]).items()
    assert lapse.why_not == "this role does not own visits: use the one that does, or GRANT it"
    ward.run(f"ALTER TABLE visits OWNER TO {role}")
    ((_, lapse),) = database.lapses([one.key]).items()
    assert lapse.why_not == "this role may not refer to doctors: GRANT REFERENCES ON it"
    ward.run(f"GRANT REFERENCES ON doctors TO {role}")
    ((_, lapse),) = database.lapses([one.key]).items()
    assert lapse.why_not == ""
    database.hold_back([one])
    ward.run("UPDATE visits SET doctor = NULL WHERE id > 20")
    database.validate([one])
    assert ward.state == "valid"
    ward.run(OFF["child"])
    ((_, lapse),) = database.lapses([one.key]).items()
    assert lapse.why_not == "only a superuser may switch its triggers on again"


def test_sqlite_says_once_that_it_cannot_and_the_plan_says_it_of_the_key(tmp_path: Path) -> None:
    policy = STATED.format("child").replace("doctors", "parent").replace("doctor", "other") + "enforce = true\n"
    place = family(tmp_path, "CREATE TABLE parent (id INTEGER PRIMARY KEY); CREATE TABLE child (id INTEGER PRIMARY KEY,"
                   " other INTEGER, mother INTEGER REFERENCES parent (id)); INSERT INTO child VALUES (1, NULL, NULL);"
                   " INSERT INTO parent VALUES (1)")  # fmt: skip
    place.policy(policy + '[[rule]]\nchild = "child.mother"\nparent = "parent"\nenforce = true\n')
    database = equip().database
    plan = rehearse_at(equip(), tmp_path, migrate=False).rehearsed.plan
    assert plan.enforced == ()
    assert plan.unenforced == (Unenforced("child(other) -> parent(id)", database.unenforceable),)
    with pytest.raises(Refused, match="SQLite adds a foreign key only by making its table anew"):
        database.hold_back(())


def test_where_nobody_asks_for_it_a_plan_has_the_form_and_the_digest_that_it_always_had(ward: Ward) -> None:
    (ward.folder / "policy.toml").write_text(POLICY.replace("enforce = true\n", ""))
    plan = ward.rehearsed().rehearsed.plan
    assert set(plan.document()) == {"format", "database", "repairs", "kept", "migration", "triggers"}
    asked = replace(plan, unenforced=(Unenforced("a", "b"),))
    assert asked.digest != plan.digest


STAMPED = (
    "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
    "INSERT INTO alembic_version VALUES ('r1')",
)
STUBBORN = (
    "CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'it stays'; END$$",
    "CREATE TRIGGER stays BEFORE UPDATE ON visits FOR EACH ROW WHEN (OLD.id = 22) EXECUTE FUNCTION stay()",
)


def test_a_pending_migration_finds_the_key_in_force_and_comes_to_what_the_rehearsal_came_to(
    system_postgresql: PostgresServer, tmp_path: Path
) -> None:
    ini = project(tmp_path / "app", "pass", "op.add_column('visits', sa.Column('paid', sa.Boolean()))")
    ward = ward_on(system_postgresql, tmp_path / "ward", *STAMPED)
    ward = replace(ward, more={"UPKEEP_ALEMBIC_INI": str(ini)})
    night = ward.rehearsed(migrate=True)
    assert night.rehearsed.verdict.passed, night.rehearsed.verdict.failed
    worked = ward.performed(night)
    assert ward.state == "valid"
    assert worked.migrated is not None
    assert ward.run("SELECT version_num FROM alembic_version") == [("r2",)]


def test_rows_that_refuse_keep_a_key_from_being_enforced_and_from_being_migrated_with(
    system_postgresql: PostgresServer, tmp_path: Path
) -> None:
    ini = project(tmp_path / "app", "pass", "op.add_column('visits', sa.Column('paid', sa.Boolean()))")
    ward = ward_on(system_postgresql, tmp_path / "ward", *STAMPED, *STUBBORN)
    night = ward.rehearsed()
    assert night.rehearsed.plan.enforced == ()
    assert night.rehearsed.plan.unenforced == (Unenforced(KEY, "1 of its orphans stay"),)
    with pytest.raises(Refused, match=r"so that visits\(doctor\) .* cannot be enforced by a run that migrates") as said:
        replace(ward, more={"UPKEEP_ALEMBIC_INI": str(ini)}).rehearsed(migrate=True)
    assert "--no-migrate" in said.value.hint


def test_a_migration_that_takes_the_key_away_does_not_pass(system_postgresql: PostgresServer, tmp_path: Path) -> None:
    ini = project(tmp_path / "app", "pass", f"op.drop_constraint({NAME!r}, 'visits')")
    ward = replace(ward_on(system_postgresql, tmp_path / "ward", *STAMPED), more={"UPKEEP_ALEMBIC_INI": str(ini)})
    verdict = ward.rehearsed(migrate=True).rehearsed.verdict
    assert [(check.claim, check.seen) for check in verdict.failed] == [(CLAIM, f"{KEY} is not declared")]


def test_a_whole_run_says_it_in_its_report_and_in_the_ledger(ward: Ward, runs: Runs) -> None:
    report = runs.maintain(ward, perform="within_limits", migrate=False)
    assert report["ended"] == "performed and verified"
    assert report["plan"]["enforced"] == [{"key": KEY, "how": "add", "constraint": NAME, "orphans": 3}]
    assert {check["claim"]: check["holds"] for check in report["verdict"]["checks"]}[CLAIM] is True
    assert ward.state == "valid"
    receipts = [link_of(path.read_bytes()).receipt for path in (ward.folder / "store/ward/ledger").glob("*.json")]
    told = {receipt.kind: receipt.contents.get("plan", receipt.contents) for receipt in receipts}
    for kind in ("rehearsed", "performing", "performed"):
        assert told[kind]["enforced"] == [{"key": KEY, "how": "add", "constraint": NAME}], kind
