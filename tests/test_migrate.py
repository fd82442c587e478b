"""`upkeep migrate` as a person calls it: refused while orphans are there, explained, approved, performed and quiet."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.alembic_projects import project
from tests.clinics import perform_at, recover_at, rehearse_at
from tests.shell import Place, family, upkeep
from upkeep.changes import put_changes
from upkeep.clock import utc_now
from upkeep.equipment import equip
from upkeep.errors import Refused
from upkeep.journal import Intention, write_intention

SERVED = pytest.mark.usefixtures("prefect_here")

CLEAN = """
    CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parent (id), note TEXT);
    INSERT INTO parent VALUES (1, 'one');
    INSERT INTO child VALUES (1, 1, 'well'), (3, NULL, 'alone');
    CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY);
    INSERT INTO alembic_version VALUES ('r1');
"""
ASTRAY = "INSERT INTO child VALUES (2, 99, 'astray');"
KEEPS = '[[rule]]\nchild = "child"\norphan = ["keep"]\nwhy = "they are looked for"\n'
DELETES = '[[rule]]\nchild = "child"\norphan = ["delete"]\n'
BIRTHS = "op.add_column('parent', sa.Column('born', sa.Date))"
APPROVAL = ("--perform", "ask", "--by", "ann", "--reason", "due")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A small database at r1, and a project that goes to r2."""
    monkeypatch.chdir(tmp_path)
    place = family(tmp_path / "place", CLEAN)
    place.set(UPKEEP_ALEMBIC_INI=str(project(place.folder, "pass", BIRTHS)), UPKEEP_LOCK_SECONDS="1")
    return place


def revision(place: Place) -> Any:
    return place.ask("SELECT version_num FROM alembic_version")


def performed() -> Any:
    """Rehearse, and perform what the policy allows without asking."""
    return upkeep("migrate", "--perform", "within_limits", "--json")


@SERVED
def test_what_is_explained_is_approved_by_its_digest_and_performed(place: Place) -> None:
    before = place.path.read_bytes()
    said = upkeep("migrate", "--explain")
    assert said.code == 0, said
    for words in ("main: r1 -> r2", "who waits: writers wait", "s in the rehearsal", "ALTER TABLE parent ADD COLUMN"):
        assert words in said.out
    assert "`upkeep migrate --perform ask --approve " in said.out
    assert place.path.read_bytes() == before
    digest = said.out.partition(" --approve ")[2].split()[0]
    done = upkeep("migrate", *APPROVAL, "--approve", digest, "--json")
    assert done.code == 0, done
    assert (done.document["performed"], done.document["from"], done.document["to"]) == (True, ["r1"], ["r2"])
    (told,) = done.document["revisions"]
    assert told["revision"] == "r2"
    assert told["seconds"] >= 0
    assert told["sql"] == ["ALTER TABLE parent ADD COLUMN born DATE"]
    assert told["lint"] is None, "there is no linter for SQLite, so nothing is said"
    assert revision(place) == [("r2",)]


@SERVED
@pytest.mark.parametrize("policy", ["", DELETES])
def test_nothing_is_migrated_while_there_are_orphans_p91(place: Place, policy: str) -> None:
    place.run(ASTRAY)
    place.policy(policy)
    before = place.path.read_bytes()
    code, sentence, hint = upkeep("migrate", "--perform", "within_limits").complaint
    assert code == 2
    assert sentence == (
        "nothing is migrated while there are orphans: 1 by 1 foreign key, the most of child(parent_id) -> parent(id)"
    )
    assert hint.startswith("`upkeep maintain` cleans up and migrates in one run")
    assert place.path.read_bytes() == before


@SERVED
def test_orphans_that_a_rule_keeps_stay_and_stop_nothing(place: Place) -> None:
    place.run(ASTRAY)
    place.policy(KEEPS)
    said = upkeep("migrate", "--perform", "within_limits", "--json")
    assert said.code == 0, said
    assert revision(place) == [("r2",)]
    assert place.ask("SELECT COUNT(*) FROM child") == [(3,)]
    assert "nothing to migrate: the database is at r2, the head" in upkeep("migrate", "--explain").out


@SERVED
def test_rows_that_a_revision_takes_are_a_persons_to_approve_whatever_the_limits_allow(place: Place) -> None:
    """An undo brings back what a run changed, and never what a migration dropped."""
    script = place.folder / "migrations" / "versions" / "r2.py"
    script.write_text(script.read_text().replace(BIRTHS, "op.drop_table('child')"))
    place.policy("[limits]\nrows = 10\nshare = 1.0\n")
    before = place.path.read_bytes()
    code, sentence, hint = upkeep("migrate", "--perform", "within_limits").complaint
    assert code == 2
    assert sentence == (
        "nothing was performed: the migration takes what no undo brings back, which a person approves: "
        "table child is gone, as r2 says (2 rows)"
    )
    assert hint.startswith("approve it with `upkeep migrate --perform ask --approve ")
    assert place.path.read_bytes() == before
    digest = hint.partition(" --approve ")[2].split()[0]
    done = upkeep("migrate", *APPROVAL, "--approve", digest, "--json")
    assert (done.code, done.document["performed"]) == (0, True), done
    assert done.document["taken"] == ["table child is gone, as r2 says (2 rows)"]


def marks(place: Place, word: str, code: int = 0) -> str:
    """A command that writes a word down, with the revision of that moment, and ends with a code."""
    program = place.folder / f"{word}.py"
    program.write_text(
        f"import sqlite3, sys\nfound = sqlite3.connect({str(place.path)!r}).execute('SELECT * FROM alembic_version')\n"
        f"print({word!r}, *found.fetchone(), file=open({str(place.folder / 'marks')!r}, 'a'))\nsys.exit({code})\n"
    )
    return f"{sys.executable} {program}"


def quiet(place: Place, on: int = 0, off: int = 0, health: int = 0) -> None:
    place.set(
        UPKEEP_QUIESCE_ON=marks(place, "on", on),
        UPKEEP_QUIESCE_OFF=marks(place, "off", off),
        UPKEEP_QUIESCE_HEALTH=marks(place, "health", health),
        UPKEEP_ALEMBIC_INI=str(place.folder / "alembic.ini"),
    )


@SERVED
def test_the_application_is_quiet_while_its_database_is_migrated_and_well_afterwards_p90(place: Place) -> None:
    quiet(place)
    said = performed()
    assert said.code == 0, said
    assert (place.folder / "marks").read_text().splitlines() == ["on r1", "off r2", "health r2"]
    assert "the application is out of maintenance and well" in {c["claim"] for c in said.document["verdict"]["checks"]}


@SERVED
def test_who_does_not_go_quiet_is_not_migrated_and_is_let_go_on(place: Place) -> None:
    quiet(place, on=3)
    before = place.path.read_bytes()
    said = performed()
    assert said.code == 2
    assert said.document["error"] == "the application did not go into maintenance: UPKEEP_QUIESCE_ON ended with 3"
    assert place.path.read_bytes() == before
    assert (place.folder / "marks").read_text().splitlines() == ["on r1", "off r1", "health r1"]


@SERVED
def test_an_application_that_is_not_well_afterwards_is_a_claim_that_does_not_hold(place: Place) -> None:
    quiet(place, health=1)
    said = performed()
    assert said.code == 1
    assert (said.document["performed"], revision(place)) == (True, [("r2",)])
    (claim,) = (check for check in said.document["verdict"]["checks"] if not check["holds"])
    assert claim["seen"] == "UPKEEP_QUIESCE_HEALTH ended with 1: look at the application"


@SERVED
def test_a_migration_rests_on_no_old_backup(place: Place) -> None:
    place.set(UPKEEP_MIGRATION_BACKUP_HOURS="0.0000001", UPKEEP_ALEMBIC_INI=str(place.folder / "alembic.ini"))
    before = place.path.read_bytes()
    said = performed()
    assert said.code == 2
    assert "a migration may rest on one of 1e-07 h" in said.document["error"]
    assert said.document["hint"].startswith("run it again and approve it sooner")
    assert place.path.read_bytes() == before


@SERVED
def test_a_downgrade_that_was_never_run_is_a_claim_that_does_not_hold_p89(place: Place) -> None:
    script = place.folder / "migrations" / "versions" / "r2.py"
    script.write_text(f"{script.read_text()}\ndef downgrade():\n    op.drop_table('births')\n")
    place.set(UPKEEP_REHEARSE_DOWNGRADE="true", UPKEEP_ALEMBIC_INI=str(place.folder / "alembic.ini"))
    said = upkeep("migrate", "--json")
    assert said.code == 1
    (claim,) = (check for check in said.document["verdict"]["checks"] if not check["holds"])
    assert claim["claim"] == "the migration can be taken back and done once more"
    assert "no such table: births" in claim["seen"]


@SERVED
def test_models_that_say_otherwise_are_a_hint_and_no_fault_p85(place: Place) -> None:
    env = place.folder / "migrations" / "env.py"
    models = (
        "import sqlalchemy as sa\nmetadata = sa.MetaData()\nsa.Table('parent', metadata, sa.Column('id', sa.Integer,"
        " primary_key=True), sa.Column('name', sa.Text), sa.Column('born', sa.Date), sa.Column('died', sa.Date))\n"
    )
    env.write_text(
        models + env.read_text().replace("connection=connection", "connection=connection, target_metadata=metadata")
    )
    said = upkeep("migrate", "--json")
    assert said.code == 0, said
    (note,) = said.document["notes"]
    assert note.startswith("`alembic check` finds that the models say otherwise: ")
    assert "died" in note


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"UPKEEP_QUIESCE_ON": "'"}, "UPKEEP_QUIESCE_ON is no command"),
        ({"UPKEEP_ALEMBIC_URL_ENV": "CLINIC DB"}, "UPKEEP_ALEMBIC_URL_ENV is no list of names"),
        ({"UPKEEP_ALEMBIC_URL_ENV": "UPKEEP_STORE"}, "UPKEEP_ALEMBIC_URL_ENV would put the URL into UPKEEP_STORE"),
        ({"UPKEEP_ALEMBIC_URL_X": "a=b"}, "UPKEEP_ALEMBIC_URL_X is no list of names"),
        ({"UPKEEP_MIGRATION_BACKUP_HOURS": "0"}, "UPKEEP_MIGRATION_BACKUP_HOURS is not more than 0"),
        ({"UPKEEP_REHEARSE_DOWNGRADE": "perhaps"}, "UPKEEP_REHEARSE_DOWNGRADE is neither true nor false"),
        ({"UPKEEP_ALEMBIC_INI": ""}, "no Alembic project is set, so there is nothing to migrate"),
    ],
)
def test_wrong_settings_are_refused_with_what_to_write(place: Place, settings: dict[str, str], sentence: str) -> None:
    place.set(**settings)
    before = place.bytes()
    code, said, hint = upkeep("migrate", "--explain").complaint
    assert code == 2
    assert sentence in said
    assert hint
    assert place.bytes() == before


@pytest.mark.usefixtures("place")
def test_half_an_approval_is_refused_in_the_words_of_the_command() -> None:
    code, said, hint = upkeep("migrate", "--perform", "ask", "--by", "ann").complaint
    assert (code, said) == (2, "--by and --reason go with --approve")
    assert hint == "write `upkeep migrate --perform ask --approve DIGEST --by NAME --reason TEXT`"


def test_room_beside_the_database_is_asked_for_before_anything_is_done(place: Place) -> None:
    from tasks.gate import refuse_narrowness

    database = equip().database
    assert database.room_to_migrate() == (place.folder, 2 * place.path.stat().st_size)
    refuse_narrowness(database)
    with place.path.open("r+b") as file:
        file.truncate(1 << 43)  # a sparse file: no disk has that much room
    with pytest.raises(Refused, match="beside the database there is room for"):
        refuse_narrowness(database)


def test_an_orphan_that_came_since_the_rehearsal_stops_the_live_migration_p94(place: Place) -> None:
    equipment, folder = equip(), place.folder / "work"
    folder.mkdir()
    night = rehearse_at(equipment, folder)
    assert night.rehearsed.verdict.passed
    place.run(ASTRAY)
    before = place.path.read_bytes()
    with pytest.raises(Refused) as refused:
        perform_at(equipment, folder, night)
    assert "child(parent_id) -> parent(id) has 1 orphans, in the rehearsal 0 were kept" in refused.value.message
    assert place.path.read_bytes() == before


def test_the_next_run_lets_the_application_go_on_after_a_kill_p90(place: Place) -> None:
    quiet(place)
    equipment = equip()
    intention = Intention(
        run="20260401T020000Z-killed",
        database="main",
        plan="0" * 64,
        changes=put_changes(equipment.store, "main/repairs/20260401T020000Z-killed/changes.jsonl.zst", ()),
        migration="r2",
        backup="none",
        approved_by="ann: due",
        begun=utc_now(),
    )
    write_intention(equipment.store, intention)
    assert recover_at(equipment) == (
        "run 20260401T020000Z-killed died; it had changed nothing",
        "the application is out of maintenance and well: UPKEEP_QUIESCE_HEALTH says so",
    )
    assert (place.folder / "marks").read_text().splitlines() == ["off r1", "health r1"]
