"""A night without a restore: it looks at the live database or a replica, and says loudly that nothing was proven."""

import json
import os
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from examples.clinic import DEMO_KINDS, build
from tests.damaged_clinic import Clinic
from tests.engines.sqlite import bytes_of
from tests.servers.postgresql import PostgresServer
from tests.shell import Place, family, upkeep

pytest_plugins = ("tests.clinics",)
pytestmark = pytest.mark.usefixtures("prefect_here")

HOUSE = Path(__file__).parents[1]
LOOKED = "looked; the backup was not proven tonight"
PERFORMING = ("ask", "within_limits")


def says(clinic: Clinic, snapshot: str) -> None:
    """Let the policy of a clinic say how often a backup is restored."""
    clinic.policy.write_text(f'[run]\nsnapshot = "{snapshot}"\n\n' + clinic.policy.read_text())


def evidence(clinic: Clinic, report: Any, name: str) -> str:
    """One file of the evidence of a run."""
    return (clinic.folder / "store" / str(report["evidence"]) / name).read_text()


def age_proofs(store: Path, age: timedelta) -> None:
    """Let every proof be so old."""
    for path in store.glob("*/backups/*/verified.json"):
        when = (datetime.now(UTC) - age).isoformat()
        path.write_text(json.dumps(json.loads(path.read_text()) | {"proven": when}))


def maintain(*arguments: str) -> Any:
    """The report of one run from a shell."""
    return upkeep("maintain", "--json", *arguments).document


def steps(report: Any) -> list[str]:
    """The names of the steps of a run."""
    return [step["name"] for step in report["steps"]]


@pytest.mark.slow
def test_a_week_of_nights_proves_a_backup_in_the_first_and_looks_in_the_others(damaged: Clinic) -> None:
    says(damaged, "weekly")
    first = maintain()
    assert "snapshot" in steps(first)
    assert (first["verified"], first["last_proven"]["backup"]) == (True, first["backup"])
    assert first["plan"]["rows"] > 0
    before = bytes_of(damaged.path)
    second = maintain()
    assert bytes_of(damaged.path) == before, "promise 1"
    assert second["ended"] == LOOKED
    assert steps(second) == ["recover", "preflight", "back up", "detect", "evidence", "publish"]
    assert second["verdict"]["passed"] is True
    assert second["plan"] is None
    assert second["verified"] is False
    assert second["last_proven"]["backup"] == first["backup"] != second["backup"]
    assert second["last_proven"]["age_days"] < 0.1
    key = ("child", "columns", "parent", "orphans", "missing_keys")
    assert [[f[k] for k in key] for f in second["findings"]] == [[f[k] for k in key] for f in first["findings"]]
    assert not (damaged.store / "backups" / second["backup"] / "verified.json").exists()
    assert damaged.scratches == []
    page = evidence(damaged, second, "report.md").splitlines()
    assert page[2].startswith("**NOT PROVEN: the backup of this run was not proven: the policy says weekly; ")
    assert first["backup"] in page[2]
    assert json.loads(evidence(damaged, second, "look.json")) == second["verdict"]
    age_proofs(damaged.folder / "store", timedelta(days=6, hours=13))
    third = maintain()
    assert third["verified"] is True
    assert third["plan"]["digest"] == first["plan"]["digest"]


def test_no_claim_says_anything_of_the_backup_or_of_a_repair_that_nobody_tried_p96(damaged: Clinic) -> None:
    says(damaged, "never")
    report = maintain()
    claims = {check["claim"]: check["holds"] for check in report["verdict"]["checks"]}
    assert claims["the policy says that no night proves a backup"] is True
    assert set(claims.values()) == {True}
    assert not any(
        word in claim for claim in claims for word in ("restored", "orphan that is left", "migration", "changed")
    )
    left_out = " ".join(report["verdict"]["left_out"])
    for what in ("no backup was ever proven", "no repair was rehearsed", "can be enforced", "was not rehearsed"):
        assert what in left_out
    assert (report["verified"], report["last_proven"]) == (False, None)


@pytest.mark.slow
@pytest.mark.parametrize("perform", PERFORMING)
def test_what_may_be_performed_is_always_rehearsed(damaged: Clinic, perform: str) -> None:
    says(damaged, "never")
    report = maintain("--perform", perform)
    assert "snapshot" in steps(report)
    assert "rehearse" in steps(report)
    assert report["verified"] is True
    assert report["performed"] is (perform == "within_limits")
    assert report["last_proven"]["backup"] == report["backup"]


@pytest.mark.slow
def test_a_night_without_proof_removes_no_backup_p30(damaged: Clinic) -> None:
    says(damaged, "weekly")
    os.environ["BACKUP_RETENTION_DAYS"] = "1"
    first = maintain()
    assert len(first["removed"]) > 0, "the clinic's old nights are past their time"
    shutil.rmtree(damaged.store / "ledger")  # its receipts know the manifests as they were
    old = sorted(damaged.store.glob("backups/*/manifest.json"))
    for path in old:
        taken = (datetime.now(UTC) - timedelta(days=5)).isoformat()
        path.write_text(json.dumps(json.loads(path.read_text()) | {"taken": taken}))
    age_proofs(damaged.folder / "store", timedelta(days=5))
    second = maintain()
    assert (second["ended"], second["verdict"]["passed"], second["removed"]) == (LOOKED, True, [])
    assert all(path.exists() for path in old)
    age_proofs(damaged.folder / "store", timedelta(days=8))
    third = maintain()
    assert third["verified"] is True
    assert sorted(third["removed"]) == sorted(path.parent.name for path in old)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A small database whose policy proves no backup."""
    place = family(tmp_path / "place")
    place.policy('[run]\nsnapshot = "never"\n')
    return place


@pytest.mark.usefixtures("place")
def test_a_shell_says_it_in_its_first_lines_and_ends_with_0_where_what_was_asked_holds() -> None:
    said = upkeep("maintain")
    assert said.code == 0, said
    lines = said.out.splitlines()
    assert lines[0] == f"main: the verdict passed: {LOOKED}"
    assert lines[1].startswith("  NOT PROVEN  the backup of this run was not proven: the policy says never; ")
    assert "no backup was ever proven" in " ".join(said.out.split())[:250]
    assert "  looked at   a copy of the live file, made beside its writers" in lines[:4]
    assert "next: `upkeep maintain --perform ask` restores the backup and rehearses the repair" in lines
    assert "  LEFT OUT   no repair was rehearsed and no plan drawn up, so nothing can be approved" in lines


def test_a_look_that_finds_a_rule_broken_or_cannot_ask_it_does_not_pass(place: Place) -> None:
    suites = place.folder / "suites"
    suites.mkdir()
    place.set(UPKEEP_SUITES=str(suites))
    for query, holds in (("SELECT 1 FROM child WHERE note = 'astray'", False), ("SELECT 1 FROM nowhere", None)):
        rule = {"type": "expect_no_rows", "kwargs": {"query": query}, "severity": "critical", "description": "a rule"}
        (suites / "rules.json").write_text(json.dumps({"name": "rules", "expectations": [rule]}))
        said = upkeep("maintain", "--json")
        assert said.code == 1, said
        assert {"a rule": holds}.items() <= {c["claim"]: c["holds"] for c in said.document["verdict"]["checks"]}.items()


def test_a_replica_of_a_sqlite_file_is_refused_before_anything_is_done(place: Place) -> None:
    place.set(UPKEEP_REPLICA_URL=f"sqlite:///{place.folder}/other.db")
    said = upkeep("maintain", "--json")
    assert said.code == 2
    assert said.document["error"] == "database main is a SQLite file, which has no replica"
    assert place.backups == []


Wait = Callable[[str], None]


@pytest.fixture(params=["live", "replica"])
def served(
    request: pytest.FixtureRequest, replicated: tuple[PostgresServer, PostgresServer], tmp_path: Path
) -> tuple[PostgresServer, str, Wait]:
    """A database on each server, the settings for it, with a policy that says weekly; with and without a replica.

    What it holds is for the test to say, which then calls for the replica.
    """
    live, replica = replicated
    base = live.make_database()
    shutil.copy(HOUSE / "examples/clinic/policy.toml", tmp_path)
    says(Clinic(tmp_path), "weekly")
    (tmp_path / "store").mkdir()
    os.environ.update(
        DATABASE_URL=live.url(base),
        UPKEEP_DATABASE="clinic",
        UPKEEP_STORE=(tmp_path / "store").as_uri(),
        UPKEEP_SCRATCH=str(tmp_path / "scratch"),
        UPKEEP_POLICY=str(tmp_path / "policy.toml"),
    )
    if request.param == "replica":
        os.environ["UPKEEP_REPLICA_URL"] = replica.url(base)
    return live, base, replica.wait_for


def found_in(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The findings without what earlier runs have seen of them."""
    return [{word: said for word, said in one.items() if word not in ("since", "new")} for one in report["findings"]]


@pytest.mark.slow
def test_on_postgresql_a_look_finds_what_the_restored_copy_showed_and_makes_no_scratch(
    served: tuple[PostgresServer, str, Wait], tmp_path: Path
) -> None:
    live, base, wait_for_replica = served
    build(tmp_path / "clinic", url=live.url(base), kinds=DEMO_KINDS)
    wait_for_replica(base)
    os.environ["UPKEEP_SUITES"] = str(HOUSE / "expectations/suites/clinic")
    live.run(base, "SET synchronous_commit = on", "CREATE TABLE last_written (id int)")
    first = upkeep("maintain", "--json").document
    assert first["verified"] is True
    made = live.run("postgres", "SELECT MAX(oid::bigint) FROM pg_database")
    second = upkeep("maintain", "--json")
    assert second.code == 0, second
    assert live.run("postgres", "SELECT MAX(oid::bigint) FROM pg_database") == made
    report = second.document
    assert report["ended"] == LOOKED
    assert found_in(report) == found_in(first)
    claims = {check["claim"]: check for check in report["verdict"]["checks"]}
    with_replica = "UPKEEP_REPLICA_URL" in os.environ
    assert report["looked_at"].startswith("the replica " if with_replica else "the live database ")
    freshness = claims.get("the replica is less than a day behind the live database")
    assert (freshness is not None) is with_replica
    if freshness:
        assert freshness["holds"] is True
        # The server's own notes may be on their way while somebody looks.
        assert re.fullmatch(
            r"no change was missing|\d+ bytes of changes are missing; .* is \d+ s old", freshness["seen"]
        )
    assert os.environ["DATABASE_URL"].rpartition("@")[0] not in second.out


@pytest.mark.slow
def test_on_postgresql_a_question_that_takes_too_long_is_no_answer_and_no_pass(
    served: tuple[PostgresServer, str, Wait], tmp_path: Path
) -> None:
    live, base, wait_for_replica = served
    live.run(base, "CREATE TABLE a (id int PRIMARY KEY)", "CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a)")
    wait_for_replica(base)
    assert upkeep("maintain", "--json").document["verified"] is True
    suites = tmp_path / "suites"
    suites.mkdir()
    rule = {"type": "expect_no_rows", "kwargs": {"query": "SELECT 1 FROM pg_sleep(60)"}, "severity": "critical"}
    (suites / "slow.json").write_text(json.dumps({"name": "slow", "expectations": [rule | {"description": "a rule"}]}))
    os.environ.update(UPKEEP_SUITES=str(suites), UPKEEP_LOOK_SECONDS="2")
    said = upkeep("maintain", "--json")
    assert said.code == 1, said
    (check,) = (check for check in said.document["verdict"]["checks"] if check["claim"] == "a rule")
    assert check["holds"] is None
    assert "statement timeout" in check["seen"]
    assert live.run("postgres", "SELECT 1 FROM pg_stat_activity WHERE application_name = 'upkeep look'") == []
