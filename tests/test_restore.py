"""Restore works in an emergency: byte for byte, with Prefect's server dead, and it refuses what would do harm."""

import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.shell import Place, family, upkeep, upkeep_in_a_process

HEAVY = ("prefect", "great_expectations", "pandas", "alembic", "boto3")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A small database of which there is one verified backup."""
    monkeypatch.chdir(tmp_path)
    place = family(tmp_path / "place")
    place.run(
        "PRAGMA user_version = 7; PRAGMA application_id = 99; INSERT INTO child VALUES (4, 1, 'x' || char(0) || 'y')"
    )
    assert upkeep("backup").code == upkeep("verify", "latest").code == 0
    return place


def backup_of(place: Place) -> str:
    """The id of the one backup."""
    (manifest,) = place.backups
    return manifest.parent.name


def target_in(folder: Path) -> tuple[Path, str]:
    """A file that is not there yet, and its URL."""
    folder.mkdir(exist_ok=True)
    return folder / "again.db", f"sqlite:///{folder / 'again.db'}"


def pages(file: bytes) -> bytes:
    """Every byte of a database but its counters of changes: how often it was written is not what it holds."""
    return file[:24] + file[28:40] + file[44:92] + file[100:]


@pytest.mark.parametrize("wanted", ["latest", "by id"])
def test_a_restored_database_is_the_one_that_was_backed_up_p06_p120(place: Place, tmp_path: Path, wanted: str) -> None:
    path, url = target_in(tmp_path / "target")
    said = upkeep("restore", backup_of(place) if wanted == "by id" else wanted, "--to", url, "--json")
    assert said.code == 0
    assert said.document["restored"] == backup_of(place)
    assert said.document["rows"] == 5
    assert said.document["seconds"] >= 0
    assert [check["holds"] for check in said.document["checks"]] == [True, True]
    assert pages(path.read_bytes()) == pages(place.path.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (7,)
        assert connection.execute("PRAGMA application_id").fetchone() == (99,)
    manifest = json.loads(place.backups[0].read_text())
    assert hashlib.sha256(path.read_bytes()).hexdigest() == manifest["plain_sha256"]


def test_a_wal_database_is_backed_up_with_what_its_log_holds_and_restored_p01(place: Place, tmp_path: Path) -> None:
    path, url = target_in(tmp_path / "target")
    with closing(sqlite3.connect(place.path)) as application:
        application.execute("PRAGMA journal_mode = WAL")
        application.execute("INSERT INTO parent VALUES (2, 'two')")
        application.commit()
        taken = upkeep("backup", "--json").document["id"]
    assert upkeep("restore", taken, "--to", url).code == 0
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT id FROM parent").fetchall() == [(1,), (2,)]


def test_restore_needs_no_prefect_and_none_of_the_heavy_libraries(place: Place, tmp_path: Path) -> None:
    path, url = target_in(tmp_path / "target")
    program = (
        "import sys\nfrom upkeep.cli import main\n"
        f"try:\n    main(['restore', 'latest', '--to', {url!r}])\nexcept SystemExit as end:\n    code = end.code\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\nsys.exit(code)\n"
    )
    environment = os.environ | {"PREFECT_API_URL": "http://127.0.0.1:9/api"}  # where nobody listens
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "[]"
    assert pages(path.read_bytes()) == pages(place.path.read_bytes())


def test_restore_needs_neither_the_database_nor_its_policy(place: Place, tmp_path: Path) -> None:
    whole = place.path.read_bytes()
    place.path.unlink()
    place.policy("[[rule]\n")
    del os.environ["DATABASE_URL"]
    path, url = target_in(tmp_path / "target")
    said = upkeep_in_a_process("restore", "latest", "--to", url, folder=tmp_path)
    assert said.code == 0, said.err
    assert said.err == ""
    assert pages(path.read_bytes()) == pages(whole)


def test_the_live_database_is_never_written_over(place: Place) -> None:
    before = place.bytes()
    code, sentence, hint = upkeep("restore", "latest", "--to", os.environ["DATABASE_URL"]).complaint
    assert (code, sentence) == (2, f"{place.path} is not empty")
    assert hint == "restore to another name; Upkeep never writes over a database"
    assert place.bytes() == before


def test_a_folder_is_no_target(place: Place, tmp_path: Path) -> None:
    path, url = target_in(tmp_path / "target")
    path.mkdir()
    (path / "of-somebody-else").touch()
    code, sentence, _ = upkeep("restore", "latest", "--to", url).complaint
    assert (code, sentence) == (2, f"{path} is a folder")
    assert [*path.parent.iterdir()] == [path]
    assert [*path.iterdir()] == [path / "of-somebody-else"]
    assert len(place.backups) == 1


def test_a_log_beside_the_target_would_be_taken_for_part_of_it_p03(place: Place, tmp_path: Path) -> None:
    path, url = target_in(tmp_path / "target")
    log = path.with_name("again.db-wal")
    log.write_bytes(b"the log of another database")
    code, sentence, hint = upkeep("restore", "latest", "--to", url).complaint
    assert (code, sentence) == (2, f"{log} would be taken for part of what is restored")
    assert hint == "move it away, or restore to another name"
    assert [*path.parent.iterdir()] == [log]
    assert len(place.backups) == 1


@pytest.mark.parametrize("secret", ["half@other", "half@other:more", "half@other/more"])
def test_of_a_password_with_a_sign_that_ends_it_nothing_is_told_p24(place: Place, secret: str) -> None:
    url = f"postgresql+psycopg://me:{secret}@127.0.0.1:1/clinic"
    told = upkeep("restore", "latest", "--to", url)
    place.set(DATABASE_URL=url)
    for said in (told, upkeep("check")):
        assert said.code == 2
        assert not {"half", "other", "more"} & set(re.findall(r"\w+", said.err.replace("more than one", "")))
        assert "Traceback" not in said.err


def test_nobody_is_told_to_move_the_log_of_a_living_database_away_p03(place: Place) -> None:
    place.run("PRAGMA journal_mode = WAL")
    with closing(sqlite3.connect(place.path)) as application:
        application.execute("INSERT INTO parent VALUES (77, 'in the log alone')")
        application.commit()
        code, sentence, hint = upkeep("restore", "latest", "--to", f"sqlite:///{place.path}").complaint
    assert (code, sentence) == (2, f"{place.path} is not empty")
    assert hint == "restore to another name; Upkeep never writes over a database"


def test_a_folder_that_is_not_there_is_not_made(place: Place, tmp_path: Path) -> None:
    away = tmp_path / "away"
    said = upkeep("restore", "latest", "--to", f"sqlite:///{away}/again.db").complaint
    assert said == (2, f"the folder {away} is not there", f"make it: mkdir -p {away}")
    assert not away.exists()
    assert len(place.backups) == 1


def test_a_backup_that_does_not_exist_is_refused(place: Place, tmp_path: Path) -> None:
    path, url = target_in(tmp_path / "target")
    code, sentence, hint = upkeep("restore", "20200101T000000Z-abcdef", "--to", url).complaint
    assert code == 2
    assert sentence == f"there is no backup 20200101T000000Z-abcdef of main in {place.store.as_uri()}"
    assert hint == "see `upkeep backups` for those that there are"
    assert [*path.parent.iterdir()] == []


def test_latest_means_the_newest_that_was_verified(place: Place, tmp_path: Path) -> None:
    verified = backup_of(place)
    place.run("INSERT INTO parent VALUES (2, 'two')")
    upkeep("backup")
    _, url = target_in(tmp_path / "target")
    assert upkeep("restore", "latest", "--to", url, "--json").document["restored"] == verified


def test_without_a_verified_backup_there_is_no_latest(place: Place, tmp_path: Path) -> None:
    (place.backups[0].parent / "verified.json").unlink()
    _, url = target_in(tmp_path / "target")
    code, sentence, hint = upkeep("restore", "latest", "--to", url).complaint
    assert (code, sentence) == (2, f"there is no verified backup of main in {place.store.as_uri()}")
    assert hint == "run `upkeep verify latest`, or name one of `upkeep backups`"


def test_where_there_is_no_backup_at_all_the_place_is_told(place: Place, tmp_path: Path) -> None:
    shutil.rmtree(place.store)
    told = upkeep("backups")
    assert told.out.strip() == f"no backups of main in {place.store.as_uri()}; `upkeep backup` takes one"
    _, url = target_in(tmp_path / "target")
    assert upkeep("restore", "latest", "--to", url).complaint[2] == "run `upkeep backup`"


@pytest.mark.parametrize("damage", ["one bit", "truncated", "longer", "gone"])
def test_a_damaged_dump_is_never_restored_and_leaves_nothing_behind_promise_5(
    place: Place, tmp_path: Path, damage: str
) -> None:
    (dump,) = place.store.rglob("dump.zstd")
    stored = bytearray(dump.read_bytes())
    if damage == "one bit":
        stored[len(stored) // 2] ^= 1
    dump.write_bytes({"truncated": stored[:-20], "longer": stored + b"more"}.get(damage, stored))
    if damage == "gone":
        dump.unlink()
    path, url = target_in(tmp_path / "target")
    said = upkeep("restore", backup_of(place), "--to", url, "--json")
    assert said.code == said.document["exit"] == 4
    assert backup_of(place) in said.document["error"]
    assert "upkeep backups" in said.document["hint"]
    assert [*path.parent.iterdir()] == []
    assert upkeep("verify", backup_of(place)).code == 4
    assert upkeep("check", "--backup", backup_of(place)).code == 4


def test_an_engine_that_is_not_known_and_a_url_that_is_none_are_refused(place: Place) -> None:
    code, sentence, hint = upkeep("restore", "latest", "--to", "oracle://db/clinic").complaint
    assert (code, hint[:6]) == (2, "it can")
    assert sentence == "Upkeep cannot look after oracle databases yet"
    code, sentence, _ = upkeep("restore", "latest", "--to", "again.db").complaint
    assert (code, sentence) == (2, "the URL of database main is no database URL")
    code, sentence, _ = upkeep("restore", "latest", "--to", "sqlite://").complaint
    assert code == 2
    assert len(place.backups) == 1
