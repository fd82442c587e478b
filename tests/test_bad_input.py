"""Bad input is refused in one sentence with a hint and the right exit code, and nothing is changed by it."""

import os
import random
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tasks.detection import detect
from tasks.preparation import orphans_to_plan, told_if_narrow
from tests.shell import (
    DELETES,
    NULLIFIES,
    Place,
    family,
    nothing_changes,
    upkeep,
    upkeep_in_a_process,
)
from upkeep.databases.opening import open_database
from upkeep.equipment import equip

LOOKING = [("check",), ("backup",), ("maintain",), ("policy", "check")]
APPROVAL = "write `upkeep maintain --perform ask --approve DIGEST --by NAME --reason TEXT`"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A small database with one orphan."""
    monkeypatch.chdir(tmp_path)
    return family(tmp_path / "place")


# --- the settings and the words of the command line ---


def test_without_any_setting_the_refusal_says_what_to_set(tmp_path: Path) -> None:
    said = upkeep_in_a_process("check", folder=tmp_path)
    hint = "set DATABASE_URL in .env or in the environment, or run `upkeep demo` to see an example"
    assert said.complaint == (2, "no database is set", hint)
    assert said.out == ""
    assert [*tmp_path.iterdir()] == []


def test_wrong_settings_are_refused_all_at_once(place: Place) -> None:
    place.set(BACKUP_RETENTION_DAYS="0", AUTO_BACKUP_ENABLED="maybe", UPKEEP_STOR="x")
    for command in (*LOOKING, ("restore", "latest", "--to", "sqlite:///x.db"), ("recover",)):
        code, sentence, hint = upkeep(*command).complaint
        assert code == 2
        assert sentence == (
            "3 settings are wrong: AUTO_BACKUP_ENABLED is neither true nor false; "
            "BACKUP_RETENTION_DAYS is less than 1; UPKEEP_STOR is no setting"
        )
        assert hint.count("write ") == 3


@pytest.mark.parametrize(
    ("arguments", "sentence", "hint"),
    [
        (["bogus"], "no such command 'bogus'", "see `upkeep --help`"),
        (["check", "--bogus"], "no such option: --bogus", "see `upkeep check --help`"),
        (["check", "--limit", "-1"], "invalid value for '--limit'", "see `upkeep check --help`"),
        (["maintain", "--perform", "perhaps"], "invalid value for '--perform': 'perh", "see `upkeep maintain --help`"),
        (["report", "--from", "yesterday"], "invalid value for '--from': 'yesterday", "see `upkeep report --help`"),
        (["restore"], "missing argument 'ID|latest'", "see `upkeep restore --help`"),
        (["restore", "latest"], "missing option '--to'", "see `upkeep restore --help`"),
        (
            ["maintain", "--perform", "ask", "--approve", "0123456789ab"],
            "an approval needs a name and a reason",
            APPROVAL,
        ),
        (
            ["maintain", "--perform", "ask", "--approve", "0123456789ab", "--by", "ann"],
            "an approval needs a name and a reason",
            APPROVAL,
        ),
        (
            ["maintain", "--perform", "ask", "--approve", "0123456789ab", "--by", " ", "--reason", "due"],
            "an approval needs a name and a reason",
            APPROVAL,
        ),
        (
            ["maintain", "--approve", "0123456789ab", "--by", "ann", "--reason", "due"],
            "--approve, --by, --reason and --wait go with --perform ask",
            APPROVAL,
        ),
        (["maintain", "--perform", "ask", "--by", "ann"], "--by and --reason go with --approve", APPROVAL),
        (
            ["maintain", "--perform", "ask", "--approve", "0123", "--by", "ann", "--reason", "due"],
            "0123 is too short for the digest of a plan",
            "give at least its first 12 characters",
        ),
    ],
)
def test_wrong_usage_is_one_line_and_one_hint_or_one_document(
    place: Place, arguments: list[str], sentence: str, hint: str
) -> None:
    with nothing_changes(place):
        told, as_json = upkeep(*arguments), upkeep(*arguments, "--json")
    assert told.complaint[0] == as_json.code == 2
    assert told.complaint[1].startswith(sentence)
    assert told.complaint[2] == hint
    assert told.out == as_json.err == ""
    assert as_json.document["exit"] == 2
    assert as_json.document["error"].startswith(sentence)
    assert as_json.document["hint"] == hint


def test_a_fault_of_our_own_is_not_hidden_and_does_not_look_like_orphans(place: Place) -> None:
    place.set(UPKEEP_STORE="file:///%00")  # a NUL in a path is an error that nobody has foreseen
    said = upkeep("backups", "--json")
    assert said.code == said.document["exit"] == 4
    assert said.document["error"] == "Upkeep itself is at fault: ValueError"
    assert "Traceback" in said.err


# --- the database ---


@pytest.mark.parametrize("command", LOOKING, ids=" ".join)
def test_a_database_that_is_not_there_is_refused_and_not_made_p05(place: Place, command: tuple[str, ...]) -> None:
    place.path.unlink()
    with nothing_changes(place):
        said = upkeep(*command).complaint
    hint = "correct DATABASE_URL, or run `upkeep restore latest --to URL`"
    assert said == (2, f"there is no database file {place.path}", hint)
    assert not place.path.exists()


@pytest.mark.parametrize("command", LOOKING, ids=" ".join)
def test_an_empty_file_is_refused_p05(place: Place, command: tuple[str, ...]) -> None:
    place.path.write_bytes(b"")
    with nothing_changes(place):
        said = upkeep(*command).complaint
    hint = "restore a backup to it, or remove it and run the migrations"
    assert said == (2, f"the database file {place.path} is empty", hint)


@pytest.mark.parametrize("command", LOOKING, ids=" ".join)
def test_a_file_that_is_no_database_is_damaged(place: Place, command: tuple[str, ...]) -> None:
    place.path.write_text("patients,visits\n" * 500)
    with nothing_changes(place):
        said = upkeep(*command).complaint
    hint = "restore the newest verified backup to another name"
    assert said == (4, f"{place.path} is not a whole SQLite database: file is not a database", hint)


def test_a_refusal_of_maintain_is_two_lines_in_a_process_of_its_own(place: Place) -> None:
    place.path.unlink()
    said = upkeep_in_a_process("maintain", folder=place.folder)
    assert said.complaint[:2] == (2, f"there is no database file {place.path}")


@pytest.mark.usefixtures("prefect_here")
def test_a_page_that_was_overwritten_is_damaged_and_no_backup_of_it_is_verified(place: Place) -> None:
    place.run(
        "WITH n (i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
        "INSERT INTO parent SELECT i, hex(i) FROM n"
    )
    place.run("CREATE INDEX by_name ON parent (name)")
    with place.path.open("r+b") as file:
        file.seek(-4096 * 2, os.SEEK_END)
        file.write(os.urandom(4096))
    before = place.path.read_bytes()
    for command in ("check", "maintain"):
        said = upkeep(command, "--json")
        assert said.code == 4, said
        assert said.document["exit"] == 4
        assert said.document["hint"]
    assert place.path.read_bytes() == before
    assert [*place.store.rglob("verified.json")] == []


@pytest.mark.parametrize("command", [("check",), ("backup",)], ids=" ".join)
def test_a_locked_database_is_unreachable_try_again(place: Place, command: tuple[str, ...]) -> None:
    place.set(UPKEEP_LOCK_SECONDS="0.3")
    with locked(place.path), nothing_changes(place):
        code, sentence, hint = upkeep(*command).complaint
    assert code == 3
    assert sentence in ("app.db is locked by another program", "no lock could be had for app.db within 0.3 s")
    assert hint.startswith("try again when ")


@pytest.mark.usefixtures("prefect_here")
@pytest.mark.parametrize("command", ["check", "backup", "maintain"])
def test_a_database_without_tables_is_refused_p96(place: Place, command: str) -> None:
    place.run("DROP TABLE child; DROP TABLE parent")
    before = place.path.read_bytes()
    said = upkeep(command, "--json")
    assert said.code == 2
    assert "has no tables" in said.document["error"]
    assert said.document["hint"] == "check DATABASE_URL: is this the right one?"
    assert place.path.read_bytes() == before
    assert place.backups == []


# --- the store and the disk ---


@pytest.mark.usefixtures("prefect_here")
@pytest.mark.parametrize("command", ["backup", "maintain"])
def test_a_store_whose_parent_folder_is_not_there_is_refused(place: Place, command: str) -> None:
    away = place.folder / "not" / "there"
    place.set(UPKEEP_STORE=away.as_uri())
    with nothing_changes(place):
        said = upkeep(command, "--json").document
    assert said["error"] == f"the store {away.as_uri()} is not there"
    assert said["hint"] == f"make the folder above it: mkdir -p {away.parent}"
    assert not away.parent.exists()


def test_a_store_that_is_a_file_is_refused(place: Place) -> None:
    place.store.write_text("no folder")
    with nothing_changes(place):
        code, sentence, hint = upkeep("backup").complaint
    assert code == 2
    assert sentence.startswith(f"the store {place.store.as_uri()} has something in the way of ")
    assert hint.startswith(f"look at {place.store}")


def test_a_store_that_may_not_be_written_is_refused(place: Place, tmp_path: Path) -> None:
    with mounted(tmp_path / "kept", "size=1m"):
        subprocess.run(["mount", "-o", "remount,ro", tmp_path / "kept"], check=True)
        place.set(UPKEEP_STORE=(tmp_path / "kept").as_uri())
        with nothing_changes(place):
            code, sentence, hint = upkeep("backup").complaint
    assert code == 2
    assert sentence.startswith(f"the store file://{tmp_path}/kept may not be used for ")
    assert hint == f"let this user read and write {tmp_path}/kept"


@pytest.mark.parametrize("command", ["backups", "backup"])
def test_an_s3_store_that_does_not_answer_is_unreachable(place: Place, command: str) -> None:
    with socket.socket() as taken:  # bound and not listening: whoever connects is turned away
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
        place.set(UPKEEP_STORE="s3://bucket/prefix", AWS_ENDPOINT_URL_S3=endpoint, AWS_MAX_ATTEMPTS="1", **keys)
        with nothing_changes(place):
            said = upkeep(command, "--json")
    assert said.code == said.document["exit"] == 3
    assert said.document["error"].startswith("the store s3://bucket/prefix ")
    assert said.document["hint"]


@pytest.mark.parametrize("full", ["UPKEEP_STORE", "UPKEEP_SCRATCH"])
def test_a_full_disk_is_refused_by_its_name_and_nothing_half_stays(place: Place, tmp_path: Path, full: str) -> None:
    large(place)
    with mounted(tmp_path / "tiny", "size=1m"):
        place.set(**{full: str(tmp_path / "tiny") if full == "UPKEEP_SCRATCH" else (tmp_path / "tiny").as_uri()})
        before = place.path.read_bytes()
        code, sentence, hint = upkeep("backup").complaint
        assert code == 2
        assert str(tmp_path / "tiny") in sentence, "the disk that is full is named, and no other"
        assert "full" in sentence or "no room" in sentence
        assert "room" in hint
        assert [path for path in (tmp_path / "tiny").rglob("*") if path.is_file()] == []
    assert place.path.read_bytes() == before
    assert place.backups == []


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_here")
def test_a_scratch_that_fills_in_the_middle_of_a_run_is_refused_by_its_name(place: Place, tmp_path: Path) -> None:
    before, tiny = place.path.read_bytes(), tmp_path / "tiny"
    with mounted(tiny, "size=400k"):  # room for the copies, and for some of the suites' pages
        place.set(UPKEEP_SCRATCH=str(tiny))
        said = upkeep("maintain", "--json").document
        assert [path for path in tiny.rglob("*") if path.is_file()] == []
    assert said == {
        "error": f"the disk of {tiny} is full",
        "hint": "free some room, or set UPKEEP_SCRATCH",
        "exit": 2,
    }
    assert place.path.read_bytes() == before
    assert upkeep("ledger", "verify").code == 0


def test_a_plan_that_may_fill_the_scratch_is_told_of_before_and_not_refused(place: Place, tmp_path: Path) -> None:
    tiny = tmp_path / "tiny"
    with mounted(tiny, "size=4m"):
        place.set(UPKEEP_SCRATCH=str(tiny))
        assert told_if_narrow(equip(), 4000) == ()
        (note,) = told_if_narrow(equip(), 8000)
    assert note == (
        f"the scratch folder {tiny} has room for 4 MiB, 7 MiB are needed for a plan for 8,000 rows if all of them are "
        "changed: free some room or set UPKEEP_SCRATCH to another disk, should it end for want of room"
    )


def test_orphans_that_are_kept_are_none_that_a_plan_may_change(place: Place) -> None:
    counted = {}
    for action in ("keep", "delete"):
        place.policy(DELETES.replace("delete", action))
        equipment = equip()
        counted[action] = orphans_to_plan(equipment.policy, detect(equipment, equipment.database).detected)
    assert counted == {"keep": 0, "delete": 1}


# --- the policy ---


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[[rule]]\nchild = "*"\norphan = ["burn"]\n', "[[rule]] 1 orphan 1: input should be 'keep'"),
        ('[[rule]]\nchild = "*"\norphans = ["keep"]\n', "[[rule]] 1 orphans: unknown word"),
        ('[limits]\nrows = "many"\n', "[limits] rows: input should be a valid integer"),
        ("[[rule]\n", "the policy policy.toml is not TOML"),
        ('[[reference]]\nfrom = "visits"\nto = "doctors.id"\n', "write it as table.column"),
    ],
)
@pytest.mark.parametrize("command", [("check",), ("maintain",), ("policy", "check")], ids=" ".join)
def test_a_policy_that_cannot_be_understood_is_refused(
    place: Place, command: tuple[str, ...], text: str, sentence: str
) -> None:
    place.policy(text)
    with nothing_changes(place):
        code, said, hint = upkeep(*command).complaint
    assert code == 2
    assert sentence in said
    assert hint


# --- Alembic ---

ENV = """
import os
from alembic import context
from sqlalchemy import create_engine, pool
url = os.environ["DATABASE_URL"]
with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""


def migrations(place: Place, *revisions: tuple[str, str | None], env: str = ENV) -> None:
    """An Alembic project with these revisions, each of which makes a table, and the settings for it."""
    scripts = place.folder / "migrations"
    (scripts / "versions").mkdir(parents=True)
    (scripts / "env.py").write_text(env)
    for name, before in revisions:
        (scripts / "versions" / f"{name}.py").write_text(
            f"revision, down_revision = {name!r}, {before!r}\nfrom alembic import op\n"
            f"def upgrade():\n    op.execute('CREATE TABLE made_by_{name} (id INTEGER PRIMARY KEY)')\n"
        )
    ini = place.folder / "alembic.ini"
    ini.write_text("[alembic]\nscript_location = %(here)s/migrations\npath_separator = os\n")
    place.set(UPKEEP_ALEMBIC_INI=str(ini))


def stamp(place: Place, *revisions: str) -> None:
    """Write the revision that the database says it is at."""
    place.run("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
    for revision in revisions:
        place.run(f"INSERT INTO alembic_version VALUES ('{revision}')")


@pytest.mark.usefixtures("prefect_here")
@pytest.mark.parametrize(
    ("revisions", "at", "sentence", "hint"),
    [
        (
            [("one", None), ("left", "one"), ("right", "one")],
            ["one"],
            "the migrations have 2 heads: left, right",
            "join them with `alembic merge heads`, or correct UPKEEP_ALEMBIC_INI",
        ),
        (
            [("one", None), ("two", "one")],
            ["elsewhere"],
            "the database is at elsewhere, which the migrations do not know: ",
            "it is ahead of this code, or of another: run it with the code that the database belongs to",
        ),
        (
            [("one", None), ("two", "one")],
            [],
            "the database has no Alembic revision",
            "stamp it with the revision that it is at: `alembic stamp REVISION`",
        ),
    ],
    ids=["two heads", "unknown revision", "never stamped"],
)
def test_migrations_that_lead_nowhere_are_refused_before_anything_is_done_p82(
    place: Place, revisions: list[tuple[str, str | None]], at: list[str], sentence: str, hint: str
) -> None:
    migrations(place, *revisions)
    stamp(place, *at)
    with nothing_changes(place):
        said = upkeep("maintain", "--json")
    assert said.code == 2
    assert said.document["error"].startswith(sentence)
    assert said.document["hint"] == hint


def migration_claim(document: dict[str, Any]) -> dict[str, Any]:
    """The verdict's claim about where the migration arrived."""
    (claim,) = (check for check in document["verdict"]["checks"] if "arrived" in check["claim"])
    return dict(claim)


@pytest.mark.usefixtures("prefect_here")
def test_an_env_py_that_fails_is_told_and_leaves_the_database_as_it_was_p88(place: Place) -> None:
    migrations(place, ("one", None), ("two", "one"), env="raise RuntimeError('no such setting: MAIL_HOST')\n")
    stamp(place, "one")
    before = place.path.read_bytes()
    said = upkeep("maintain", "--perform", "within_limits", "--json")
    assert said.code == 1
    assert migration_claim(said.document) == {
        "claim": "the migration arrived at its head",
        "holds": False,
        "seen": "the migration failed: RuntimeError: no such setting: MAIL_HOST",
    }
    assert said.document["ended"] == "the rehearsal did not pass, so nothing was performed"
    assert place.path.read_bytes() == before


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_here")
def test_an_env_py_that_insists_on_its_own_url_never_touches_the_live_database_p87(place: Place) -> None:
    migrations(
        place, ("one", None), ("two", "one"), env=ENV.replace('os.environ["DATABASE_URL"]', f"'sqlite:///{place.path}'")
    )
    stamp(place, "one")
    before = place.path.read_bytes()
    for perform in ("never", "within_limits"):
        said = upkeep("maintain", "--perform", perform, "--json")
        assert said.code == 1
        assert migration_claim(said.document)["seen"] == (
            "the migration failed: env.py connected to another database than the one it was given"
        )
    assert place.path.read_bytes() == before


# --- approval, overlap, rows that refuse ---


@pytest.mark.usefixtures("prefect_here")
def test_an_approval_of_another_plan_is_void_and_says_which_one_to_approve_p94(place: Place) -> None:
    place.policy(DELETES)
    before = place.path.read_bytes()
    stale = ["maintain", "--perform", "ask", "--approve", "0" * 64, "--by", "ann", "--reason", "due"]
    said = upkeep(*stale, "--json")
    digest = said.document["plan"]["digest"][:12]
    assert said.code == said.document["exit"] == 2
    assert (
        said.document["error"]
        == f"nothing was performed: the approval is of another plan (000000000000), not of {digest}"
    )
    assert (
        said.document["hint"]
        == f"approve it with `upkeep maintain --perform ask --approve {digest} --by NAME --reason TEXT`"
    )
    assert said.document["performed"] is False
    assert said.document["verdict"]["passed"] is True
    told = upkeep(*stale)
    assert told.complaint == (2, said.document["error"], said.document["hint"])
    assert f"plan {digest}: delete 1" in told.out
    assert place.path.read_bytes() == before


@pytest.mark.usefixtures("prefect_here")
def test_a_second_maintain_is_refused_while_the_first_is_at_work_p94(place: Place) -> None:
    database = open_database("main", f"sqlite:///{place.path}")
    with database.held("run of another"), nothing_changes(place):
        code, sentence, hint = upkeep("maintain").complaint
    assert code == 2
    assert sentence == f"another Upkeep is at work on main: run of another (process {os.getpid()})"
    assert hint == "wait until it has ended"


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_here")
@pytest.mark.parametrize(
    ("script", "policy", "why"),
    [
        (
            "CREATE TRIGGER no_delete BEFORE DELETE ON child BEGIN SELECT RAISE(ABORT, 'the audit forbids it'); END",
            DELETES,
            "delete is impossible: the audit forbids it",
        ),
        (
            "DROP TABLE child; CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parent (id), "
            "CHECK (parent_id IS NOT NULL)); INSERT INTO child VALUES (1, 1), (2, 99)",
            NULLIFIES,
            "nullify is impossible: CHECK constraint failed",
        ),
    ],
    ids=["trigger", "check"],
)
def test_a_row_that_refuses_its_repair_is_kept_with_the_reason_p119(
    place: Place, script: str, policy: str, why: str
) -> None:
    place.run(script)
    place.policy(policy)
    before = place.ask("SELECT * FROM child")
    said = upkeep("maintain", "--perform", "within_limits", "--json")
    assert said.code == 0, said
    (kept,) = said.document["plan"]["kept"]
    assert (kept["key"], kept["rows"]) == ("child(parent_id) -> parent(id)", 1)
    assert kept["reason"].startswith(why)
    assert said.document["plan"]["rows"] == 0
    assert place.ask("SELECT * FROM child") == before


@pytest.mark.usefixtures("prefect_here")
def test_names_with_quotes_and_spaces_go_through_the_whole_run_p121(place: Place) -> None:
    place.run(
        """CREATE TABLE "the ""old"" parents" ("the id" INTEGER PRIMARY KEY);
        CREATE TABLE "select" ("a 'key'" TEXT, "where" INTEGER REFERENCES "the ""old"" parents",
        PRIMARY KEY ("a 'key'")) WITHOUT ROWID;
        INSERT INTO "the ""old"" parents" VALUES (1);
        INSERT INTO "select" VALUES ('well', 1), ('astray; --', 2)"""
    )
    place.policy(DELETES)
    said = upkeep("maintain", "--perform", "within_limits", "--json")
    assert said.code == 0, said
    assert said.document["performed"] is True
    assert place.ask('SELECT * FROM "select"') == [("well", 1)]
    assert place.ask("SELECT id FROM child") == [(1,), (3,)]
    assert upkeep("check").code == 0


@pytest.mark.usefixtures("prefect_here")
def test_a_plan_beyond_the_limits_is_not_performed_whoever_approves(place: Place) -> None:
    place.policy(DELETES.replace("share = 1.0", "rows = 0"))
    before = place.path.read_bytes()
    said = upkeep("maintain", "--perform", "within_limits", "--json")
    assert said.code == 1
    assert said.document["verdict"]["passed"] is False
    (failed,) = (check for check in said.document["verdict"]["checks"] if not check["holds"])
    assert failed["claim"] == "the plan is within the policy's limits"
    assert place.path.read_bytes() == before


# --- what makes the trouble ---


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process holds an exclusive transaction."""
    program = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('BEGIN EXCLUSIVE')\nprint('locked', flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        yield
        other.communicate("")


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """A file system of its own, for as long as the context lasts; skipped where none can be mounted."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def large(place: Place) -> None:
    """Two megabytes that cannot be compressed."""
    noise = random.Random(7)  # noqa: S311 (noise, not a secret)
    with closing(sqlite3.connect(place.path)) as connection:
        connection.execute("CREATE TABLE scan (id INTEGER PRIMARY KEY, picture BLOB)")
        connection.executemany(
            "INSERT INTO scan (picture) VALUES (?)", [(noise.randbytes(100_000),) for _ in range(20)]
        )
        connection.commit()
