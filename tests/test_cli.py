"""What each command answers: its exit code, its JSON keys and its text, on the example clinic whose damage is known."""

import json
import os
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from examples.clinic import ALL_KINDS, DEMO_KINDS, Truth, build
from tests.shell import DELETES, Place, Said, family, upkeep, upkeep_in_a_process
from upkeep.backups import take_backup
from upkeep.clock import utc_now
from upkeep.environment import load_settings
from upkeep.equipment import equip
from upkeep.stores import open_store
from upkeep.workplaces import workplace

HOUSE = Path(__file__).parents[1]
BACKUP_KEYS = {"id", "taken", "revision", "rows", "bytes", "verified", "fault"}
RUN_KEYS = {"run", "backup", "plan", "verdict", "performed", "steps"}
MERGEPOINT, HEAD = "a47243be82f0", "0e315951c2f5"
WIDTH = 100


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Truth]]:
    """The clinic with the damage that can be repaired now, and with all of it; nobody writes to them."""
    made = {}
    for name, kinds in (("demo", DEMO_KINDS), ("all", ALL_KINDS)):
        folder = tmp_path_factory.mktemp("clinics") / name
        made[name] = folder, build(folder, kinds=kinds)
    return made


def settle_in(folder: Path, clinic: Path) -> Path:
    """A copy of a clinic in ``folder`` with the settings for it; the database file."""
    shutil.copytree(clinic, folder)
    os.environ.update(
        DATABASE_URL=f"sqlite:///{folder / 'clinic.db'}",
        UPKEEP_DATABASE="clinic",
        UPKEEP_STORE=(folder / "store").as_uri(),
        UPKEEP_SCRATCH=str(folder / "scratch"),
        UPKEEP_POLICY=str(HOUSE / "examples/clinic/policy.toml"),
        UPKEEP_ALEMBIC_INI=str(HOUSE / "examples/clinic/alembic.ini"),
        UPKEEP_SUITES=str(HOUSE / "expectations/suites/clinic"),
    )
    return folder / "clinic.db"


@pytest.fixture
def clinic(built: dict[str, tuple[Path, Truth]], tmp_path: Path) -> tuple[Path, Truth]:
    """A clinic of one's own with the damage that can be repaired now."""
    folder, truth = built["demo"]
    return settle_in(tmp_path / "clinic", folder), truth


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A small database with one orphan."""
    return family(tmp_path / "place")


def known(truth: Truth) -> Counter[tuple[str, tuple[str, ...], str]]:
    """The orphans that the clinic's generator wrote down, by foreign key."""
    return Counter((orphan.table, orphan.columns, orphan.parent) for orphan in truth.orphans)


def found(document: Any) -> Counter[tuple[str, tuple[str, ...], str]]:
    """The orphans that a document counts, by foreign key."""
    return Counter(
        {(f["child"], tuple(f["columns"]), f["parent"]): f["orphans"] for f in document["findings"] if f["orphans"]}
    )


# --- check ---


@pytest.mark.parametrize("kinds", ["demo", "all"])
def test_check_finds_every_orphan_that_the_clinic_has_and_no_other(
    built: dict[str, tuple[Path, Truth]], tmp_path: Path, kinds: str
) -> None:
    folder, truth = built[kinds]
    database = settle_in(tmp_path / "clinic", folder)
    before = database.read_bytes()
    said = upkeep("check", "--json", "--limit", "10000")
    document = said.document
    assert said.code == 1
    assert found(document) == known(truth)
    assert document["orphans"] == len(truth.orphans)
    assert document["orphan_rows"] == len({(orphan.table, orphan.key) for orphan in truth.orphans})
    rows = {(f["child"], tuple(f["columns"]), tuple(row)) for f in document["findings"] for row in f["rows"]}
    assert rows == {(orphan.table, orphan.columns, orphan.key) for orphan in truth.orphans}
    gone = {f["parent"] for f in document["findings"] if f["diagnosis"] == "parent table missing"}
    assert gone == set(truth.dropped)
    assert (document["engine"], document["complaints"], document["unasked"]) == ("sqlite", [], [])
    assert document["foreign_keys"] == len(document["findings"]) >= 60
    assert database.read_bytes() == before


def test_check_has_every_key_that_other_programs_rely_on(place: Place) -> None:
    document = upkeep("check", "--json").document
    assert {"engine", "tables", "rows", "foreign_keys", "orphans", "orphan_rows", "complaints", "unasked"} <= set(
        document
    )
    assert (document["tables"], document["rows"], document["foreign_keys"]) == (2, 4, 1)
    (finding,) = document["findings"]
    relied_on = {
        "child": "child",
        "columns": ["parent_id"],
        "parent": "parent",
        "parent_columns": ["id"],
        "declared": True,
        "orphans": 1,
        "missing_keys": 1,
        "diagnosis": "parents missing",
        "rows": [[2]],
    }
    assert {name: finding[name] for name in relied_on} == relied_on
    assert place.ask("SELECT COUNT(*) FROM child") == [(3,)]


def test_check_says_first_how_bad_it_is_and_what_to_do_next(clinic: tuple[Path, Truth]) -> None:
    said = upkeep("check")
    lines = said.out.splitlines()
    assert lines[0].startswith(f"clinic (sqlite): {len(clinic[1].orphans)} orphans in ")
    assert lines[1].startswith("why: parents missing ")
    assert "next: `upkeep maintain` rehearses the repair on a copy and changes nothing" in lines[:5]
    assert max(map(len, lines)) <= WIDTH
    assert said.err == ""


def test_the_limit_of_check_is_how_many_rows_are_named_and_not_how_many_are_counted(clinic: tuple[Path, Truth]) -> None:
    document = upkeep("check", "--json", "--limit", "1").document
    assert document["orphans"] == len(clinic[1].orphans)
    assert {len(finding["rows"]) for finding in document["findings"] if finding["orphans"]} == {1}


def test_a_database_without_orphans_holds(place: Place) -> None:
    place.run("DELETE FROM child WHERE id = 2")
    said = upkeep("check")
    assert said.code == 0
    assert said.out.splitlines() == [
        "main (sqlite): no orphan among 3 rows of 2 tables, 1 foreign keys asked",
        "next: nothing",
        "backups: not encrypted",
    ]


def test_check_looks_at_a_backup_in_place_of_the_database(place: Place) -> None:
    upkeep("backup")
    upkeep("verify", "latest")
    place.run("DELETE FROM child WHERE id = 2")
    assert upkeep("check").code == 0
    said = upkeep("check", "--backup", "latest", "--json")
    assert (said.code, said.document["orphans"]) == (1, 1)
    assert [*(place.folder / "scratch").glob("*/*")] == []


# --- backup, backups, verify, prune ---


@pytest.mark.usefixtures("clinic")
def test_a_backup_is_taken_listed_and_verified() -> None:
    assert upkeep("backups", "--json").document == {"backups": []}
    taken = upkeep("backup", "--json")
    assert taken.code == 0
    assert set(taken.document) >= BACKUP_KEYS
    assert (taken.document["verified"], taken.document["revision"]) == (False, [MERGEPOINT])
    assert upkeep("backups", "--json").document["backups"] == [taken.document]
    verified = upkeep("verify", taken.document["id"], "--json")
    assert verified.code == 0
    assert taken.document | {"verified": True} == {name: verified.document[name] for name in taken.document}
    assert [one["verified"] for one in upkeep("backups", "--json").document["backups"]] == [True]
    told = upkeep("backups").out
    assert taken.document["id"] in told
    assert told.rstrip().endswith(f"{MERGEPOINT}  verified")


def test_verify_latest_takes_the_newest_whether_it_was_verified_or_not(place: Place) -> None:
    upkeep("backup")
    upkeep("verify", "latest")
    aged(days=-1)
    newest = upkeep("backups", "--json").document["backups"][-1]
    assert newest["verified"] is False
    assert upkeep("verify", "latest", "--json").document["id"] == newest["id"]
    assert len(place.backups) == 2


def test_without_a_backup_verify_says_how_to_take_one(place: Place) -> None:
    said = upkeep("verify", "latest").complaint
    assert said == (2, f"there is no backup of main in {place.store.as_uri()}", "run `upkeep backup` first")


def aged(days: float) -> str:
    """Take a backup as if it were so many days ago; its id."""
    equipment = equip()
    with workplace(equipment.settings.scratch, equipment.settings.database, "aged") as folder:
        when = utc_now() - timedelta(days=days)
        return take_backup(equipment.database, equipment.store, folder, run="test", now=when).id


def test_prune_shows_what_and_why_and_acts_with_yes_only_and_keeps_the_last_verified_p30(place: Place) -> None:
    oldest, verified, young = aged(90), aged(60), aged(1)
    upkeep("verify", verified)
    shown = upkeep("prune", "--json")
    assert shown.code == 0
    assert shown.document["removed"] == []
    assert [one["id"] for one in shown.document["would_remove"]] == [oldest]
    reasons = {one["id"]: one["reasons"] for one in shown.document["kept"]}
    assert reasons == {verified: ["the last verified backup"], young: ["younger than 30 days"]}
    assert len(place.backups) == 3
    assert upkeep("prune").out.splitlines()[-1] == "nothing was removed; `upkeep prune --yes` removes"
    assert upkeep("prune", "--yes", "--json").document["removed"] == [oldest]
    assert [manifest.parent.name for manifest in place.backups] == [verified, young]
    assert upkeep("prune", "--yes", "--json").document["removed"] == []


def test_prune_removes_what_a_run_that_died_left_half_stored(place: Place) -> None:
    half = place.store / "main" / "backups" / f"{aged(3)}"
    (half / "manifest.json").unlink()
    for part in half.iterdir():
        os.utime(part, (0, 0))
    told = upkeep("prune").out
    assert f"remove  {half.name}  left half stored by a run that died" in told
    assert upkeep("prune", "--yes", "--json").document["removed"] == [half.name]
    assert not half.exists()


# --- policy ---


def test_policy_check_tells_which_rule_met_which_key(clinic: tuple[Path, Truth]) -> None:
    said = upkeep("policy", "check", "--json")
    assert said.code == 0
    keys = {one["key"]: one for one in said.document["keys"]}
    assert len(keys) == upkeep("check", "--json").document["foreign_keys"]
    assert {"rule", "wanted", "found"} <= set(keys["payments(cashier_id) -> users(id)"])
    assert keys["visits(referred_by) -> doctors(id)"]["declared"] is False
    silent = [key for key, one in keys.items() if one["rule"] is None]
    assert silent == [], "the clinic's policy speaks of each of its keys"
    told = upkeep("policy", "check").out.splitlines()
    assert max(map(len, told)) <= WIDTH
    assert clinic[0].exists()


def test_a_rule_that_meets_no_key_is_told(place: Place) -> None:
    place.policy('[[rule]]\nchild = "chlid"\norphan = ["delete"]\n')
    assert upkeep("policy", "check", "--json").document["idle_rules"] == [1]
    assert "rule 1 meets no key: is a name in it misspelt?" in upkeep("policy", "check").out


def test_a_tombstone_of_a_table_that_is_not_there_is_told_p71(place: Place) -> None:
    place.policy('[[tombstone]]\ntable = "Parent"\nkeys = [1]\n\n[[tombstone]]\ntable = "paretn"\nkeys = [2]\n')
    assert upkeep("policy", "check", "--json").document["idle_tombstones"] == [2]
    told = upkeep("policy", "check").out
    assert "tombstone 2 names a table that is not there: is it misspelt?" in told
    assert "tombstone 1" not in told


def test_a_reference_to_what_is_not_there_is_told(place: Place) -> None:
    wrong = {"child.nope -> parent.id": "child has no column nope", "chlid.ref -> parent.id": "there is no table chlid"}
    wrong |= {"child.id -> parents.id": "there is no table parents", "child.id -> parent.no": "parent has no column no"}
    sides = [one.split(" -> ") for one in wrong]
    place.policy("".join(f'[[reference]]\nfrom = "{child}"\nto = "{parent}"\n' for child, parent in sides))
    faults = [one["fault"] for one in upkeep("policy", "check", "--json").document["keys"] if one["fault"]]
    assert sorted(faults) == sorted(wrong.values())
    told = upkeep("policy", "check").out
    for fault in wrong.values():
        assert f": {fault}: is a name in its [[reference]] misspelt?" in told


@pytest.mark.usefixtures("place")
def test_a_policy_file_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPKEEP_POLICY", str(tmp_path / "polcy.toml"))
    told = upkeep("policy", "check")
    assert f"there is no policy file {tmp_path / 'polcy.toml'}: is UPKEEP_POLICY right?" in told.out


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_the_schema_of_a_policy_is_one_json_document(arguments: list[str]) -> None:
    said = upkeep("policy", "schema", *arguments)
    assert said.code == 0
    assert {"limits", "reference", "rule"} <= set(said.document["properties"])


# --- maintain, recover ---


@pytest.mark.usefixtures("prefect_here")
def test_maintain_from_rehearsal_to_a_second_run_that_finds_nothing(clinic: tuple[Path, Truth]) -> None:
    database, truth = clinic
    before = database.read_bytes()
    first = upkeep("maintain", "--json")
    document = first.document
    assert first.code == 0, first
    assert database.read_bytes() == before, "promise 1: a rehearsal changes not one byte"
    assert set(document) >= RUN_KEYS
    assert found(document) == known(truth)
    assert {"digest", "rows", "by_action"} <= set(document["plan"])
    assert document["verdict"]["passed"] is True
    assert all({"claim", "holds", "seen"} <= set(check) for check in document["verdict"]["checks"])
    assert all(step["seconds"] >= 0 for step in document["steps"])
    assert (document["performed"], document["plan"]["migration"]) == (False, f"{MERGEPOINT} -> {HEAD}")

    waiting = upkeep("maintain", "--perform", "ask")
    digest = document["plan"]["digest"]
    assert waiting.complaint[0] == 2
    assert (
        waiting.complaint[2]
        == f"approve it with `upkeep maintain --perform ask --approve {digest[:12]} --by NAME --reason TEXT`"
    )
    assert database.read_bytes() == before
    assert_readable(waiting, truth, document)

    approved = ["--perform", "ask", "--approve", digest[:12], "--by", "ann", "--reason", "due"]
    second = upkeep("maintain", *approved, "--json")
    assert second.code == 0, second
    assert (second.document["performed"], second.document["approved_by"]) == (True, "ann: due")
    assert second.document["verdict"]["passed"] is True
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]

    kept = sum(one["rows"] for one in document["plan"]["kept"])
    third = upkeep("maintain", "--perform", "within_limits", "--json")
    assert third.code == 0, third
    assert (third.document["performed"], third.document["plan"]["rows"]) == (False, 0)
    assert (third.document["ended"], third.document["plan"]["migration"]) == ("nothing to do", None)
    assert sum(found(third.document).values()) == kept


def assert_readable(said: Said, truth: Truth, document: Any) -> None:
    """A few lines that say it all, no line too long, each key once, each reason once."""
    lines = said.out.splitlines()
    assert lines[0].startswith("clinic: the verdict passed: nothing was performed: it waits for approval")
    assert lines[1].startswith(f"{len(truth.orphans)} orphans in ")
    assert lines[2].startswith(f"plan {document['plan']['digest'][:12]}: ")
    assert lines[3].startswith("  no undo   Once the migration is done, an undo of this run could not put back ")
    following = next(line for line in lines[4:] if not line.startswith("  "))
    assert lines.index(following) < 16, "\n".join(lines[:20])
    assert re.match(r"next: read the plan, \S+/plan\.json; `upkeep maintain --perform ask --approve ", following)
    for finding in document["findings"]:
        key = f"{finding['child']}({', '.join(finding['columns'])}) -> {finding['parent']}("
        assert said.out.count(f"  {key}") == 1, key
    for reason in {kept["reason"] for kept in document["plan"]["kept"]}:
        assert " ".join(said.out.split()).count(f": {reason}") == 1, reason
    assert all(f"  {step['name']} " in said.out for step in document["steps"])


@pytest.mark.usefixtures("prefect_here")
def test_a_clinic_with_a_dropped_table_and_misdeclared_keys_is_rehearsed_and_left_alone(
    built: dict[str, tuple[Path, Truth]], tmp_path: Path
) -> None:
    folder, truth = built["all"]
    database = settle_in(tmp_path / "clinic", folder)
    before = database.read_bytes()
    said = upkeep("maintain", "--no-migrate", "--json")
    assert said.code in (0, 1), said
    assert found(said.document) == known(truth)
    assert said.document["plan"]["migration"] is None
    keys = {
        (f["child"], tuple(f["columns"])) for f in said.document["findings"] if f["diagnosis"] == "parent table missing"
    }
    assert keys
    assert database.read_bytes() == before


@pytest.mark.usefixtures("prefect_here")
def test_the_same_run_on_a_real_s3_server_leaves_everything_in_the_bucket(
    clinic: tuple[Path, Truth], s3_url: str, tmp_path: Path
) -> None:
    database, truth = clinic
    os.environ["UPKEEP_STORE"] = s3_url
    first = upkeep("maintain", "--json").document
    approved = ["--perform", "ask", "--approve", first["plan"]["digest"], "--by", "ann", "--reason", "due"]
    said = upkeep("maintain", *approved, "--json")
    assert said.code == 0, said
    run = said.document["run"]
    names = {entry.name for entry in open_store(load_settings().store).list("clinic/")}
    backup = f"clinic/backups/{said.document['backup']}"
    assert {f"{backup}/manifest.json", f"{backup}/verified.json"} <= names
    assert any(name.startswith(f"{backup}/dump") for name in names)
    assert f"clinic/repairs/{run}/plan.json" in names
    assert any(name.startswith(f"clinic/repairs/{run}/changes") for name in names)
    assert {f"clinic/evidence/{run}/report.json", f"clinic/evidence/{run}/report.md"} <= names
    assert [name for name in names if name.startswith("clinic/journal/")] == []
    listed = upkeep("backups", "--json").document["backups"]
    assert len(listed) == 3
    assert all(one["verified"] for one in listed)
    looked = upkeep("check", "--backup", first["backup"], "--json").document
    assert found(looked) == known(truth)
    assert upkeep("restore", "latest", "--to", f"sqlite:///{tmp_path / 'again.db'}").code == 0
    with closing(sqlite3.connect(tmp_path / "again.db")) as restored, closing(sqlite3.connect(database)) as live:
        assert [*restored.iterdump()] == [*live.iterdump()]


@pytest.mark.usefixtures("prefect_here")
def test_maintain_on_nothing_but_a_url_keeps_what_no_policy_speaks_of_promise_7(place: Place) -> None:
    before = place.path.read_bytes()
    said = upkeep("maintain", "--perform", "within_limits")
    assert said.code == 0, said
    assert said.out.splitlines()[0] == "main: the verdict passed: nothing to do"
    assert "keep 1 (a)" in said.out
    assert place.path.read_bytes() == before


@pytest.mark.usefixtures("prefect_here")
def test_p119_a_row_that_a_trigger_keeps_is_told_and_the_performance_of_the_others_is_as_promised(place: Place) -> None:
    place.run(
        "INSERT INTO child VALUES (4, 98, 'closed');"
        "CREATE TRIGGER closed BEFORE DELETE ON child WHEN OLD.note = 'closed' "
        "BEGIN SELECT RAISE(ABORT, 'it is closed'); END"
    )
    place.policy(DELETES)
    plan = upkeep("maintain", "--json").document["plan"]
    assert plan["by_action"] == {"delete": 1, "keep": 1}
    approved = ("--perform", "ask", "--approve", plan["digest"], "--by", "Ada", "--reason", "it is due")
    said = upkeep("maintain", *approved, "--json")
    assert (said.code, said.document["ended"]) == (0, "performed and verified")
    assert place.ask("SELECT id FROM child") == [(1,), (3,), (4,)]


@pytest.mark.usefixtures("prefect_here")
def test_after_a_performance_the_backups_before_and_after_it_are_named(place: Place) -> None:
    place.policy(DELETES)
    said = upkeep("maintain", "--perform", "within_limits")
    rows = {one.parent.name: json.loads(one.read_text())["census"]["tables"]["child"]["rows"] for one in place.backups}
    (before,), (after,) = ([name for name, counted in rows.items() if counted == wanted] for wanted in (3, 2))
    assert f"backup before it was performed: {before}\n  `upkeep restore {before} --to URL` brings it back" in said.out
    assert f"backup after it was performed: {after}\n" in said.out
    (report,) = (place.folder / "store").glob("*/evidence/*/report.md")
    assert f"- backup before it was performed: `{before}`\n- backup after it was performed: `{after}`" in (
        report.read_text()
    )
    (document,) = (json.loads(one.read_text()) for one in (place.folder / "store").glob("*/evidence/*/report.json"))
    assert (document["backup_before"], document["backup"]) == (before, after)


@pytest.mark.usefixtures("prefect_here")
def test_recover_answers_as_maintain_does(place: Place) -> None:
    said = upkeep("recover", "--json")
    assert said.code == 0
    assert set(said.document) >= RUN_KEYS
    assert (said.document["performed"], said.document["recovered"]) == (False, [])
    assert said.document["verdict"]["passed"] is True
    assert upkeep("recover").out == "nothing was left behind\n"
    assert place.backups == []


@pytest.mark.slow
def test_maintain_writes_one_document_and_nothing_else_in_a_process_of_its_own(place: Place, prefect_here: str) -> None:
    """With a server that is there; the demo in a process of its own begins one for itself."""
    place.set(PREFECT_API_URL=prefect_here)
    place.policy(DELETES)
    said = upkeep_in_a_process("maintain", "--perform", "within_limits", "--json", folder=place.folder)
    assert said.code == 0, said
    assert said.document["performed"] is True
    assert said.err == ""


def test_a_refusal_within_the_flow_is_two_lines_and_no_traceback(place: Place) -> None:
    place.set(UPKEEP_STORE=(place.folder / "not" / "there").as_uri())
    said = upkeep_in_a_process("maintain", folder=place.folder)
    assert said.complaint[0] == 2
    assert said.out == ""


def test_a_dead_prefect_server_is_unreachable_and_says_so(place: Place) -> None:
    os.environ["PREFECT_API_URL"] = "http://127.0.0.1:9/api"  # where nobody listens
    os.environ["PREFECT_CLIENT_MAX_RETRIES"] = "0"
    code, sentence, hint = upkeep_in_a_process("maintain", folder=place.folder).complaint
    assert (code, sentence.split(":")[0]) == (3, "Prefect's server does not answer")
    assert "PREFECT_API_URL" in hint


# --- demo ---


@pytest.mark.slow
def test_the_demo_passes_and_answers_as_maintain_does(tmp_path: Path) -> None:
    said = upkeep_in_a_process("demo", "--folder", "demo", "--json", folder=tmp_path)
    assert said.code == 0, said
    assert set(said.document) >= RUN_KEYS
    assert said.document["performed"] is True
    assert said.document["again"]["ended"] == "nothing to do"
    assert said.err == ""


def test_the_demo_does_not_write_into_a_folder_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    code, sentence, hint = upkeep("demo", "--folder", str(tmp_path)).complaint
    assert (code, sentence) == (2, f"{tmp_path} is not empty and not of an earlier demo")
    assert hint == "name another folder with --folder"
    assert [*tmp_path.iterdir()] == [tmp_path / "letter.txt"]


# --- all of them ---


def commands() -> Iterator[list[str]]:
    """Every command that answers without being given anything, and the groups."""
    for name in ("check", "backup", "backups", "prune", "maintain", "recover"):
        yield [name]
    yield ["policy", "check"]
    yield ["verify", "latest"]
    yield ["restore", "latest", "--to", "sqlite:///x.db"]


@pytest.mark.parametrize("command", [*commands()], ids=" ".join)
def test_with_json_an_error_is_one_document_with_error_and_hint(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = upkeep(*command, "--json")
    assert said.code == 2
    assert said.err == ""
    assert set(said.document) == {"error", "hint", "exit"}
    assert [path.name for path in tmp_path.iterdir()] == []


def test_help_names_every_command_of_the_design() -> None:
    said = upkeep("--help")
    names = (
        "demo",
        "check",
        "maintain",
        "backup",
        "backups",
        "verify",
        "prune",
        "restore",
        "serve",
        "policy",
        "recover",
    )
    assert said.code == 0
    assert [name for name in names if f"│ {name} " not in said.out] == []
    assert upkeep().out == said.out
    assert json.dumps(said.err) == '""'
