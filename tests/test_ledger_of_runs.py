"""What whole runs write into the ledger: begun and ended, settled if killed, and no value of a row."""

from pathlib import Path
from typing import Any

import pytest

from tests.clinics import Runs
from tests.pages import read
from tests.shell import DELETES, family, upkeep
from upkeep.ledger_verdict import Demand
from upkeep.manifests import list_backups
from upkeep.proofs import receipt_of
from upkeep.receipts import verify_ledger
from upkeep.stores import open_store

pytest_plugins = ("tests.clinics",)


def ledger_of(store: Path, database: str = "main") -> list[dict[str, Any]]:
    """The receipts of a ledger that is intact and complete."""
    verdict, links = verify_ledger(open_store(store.as_uri()), database, Demand())
    assert (verdict.broken, verdict.open) == ((), ())
    assert [line for line in verdict.told if "stands in no receipt" in line] == []
    return [link.receipt.model_dump() for link in links]


@pytest.mark.usefixtures("prefect_here")
def test_a_rehearsal_and_a_remediation_stand_in_the_ledger(tmp_path: Path) -> None:
    place = family(tmp_path / "shop")
    place.policy(DELETES)
    first = upkeep("maintain", "--json").document
    digest = first["plan"]["digest"]
    approval = ("--approve", digest, "--by", "Dr Test", "--reason", "to see")
    second = upkeep("maintain", "--perform", "ask", *approval, "--json").document
    assert second["performed"]
    receipts = ledger_of(place.store)
    assert [one["kind"] for one in receipts] == [
        *("begun", "rehearsed", "ended"),
        *("begun", "rehearsed", "performing", "performed", "ended"),
    ]
    assert {one["run"] for one in receipts[:3]} == {first["run"]}
    assert receipts[5]["contents"] == {"plan_sha256": digest, "approved_by": "Dr Test", "reason": "to see"}
    assert receipts[4]["contents"]["plan"]["actions"] == [
        {"table": "child", "action": "delete", "rows": 1, "table_rows": 3}
    ]
    assert receipts[6]["contents"]["tables"] == [{"table": "child", "table_rows": 2}]
    assert receipts[7]["contents"]["scratches"] == {"made": 2, "left": 0}
    assert second["receipt"]["number"] == 8
    named = {one["name"].rpartition("/")[2] for one in receipts[7]["evidence"]}
    wanted = {"census.json", "changes.jsonl.zst", "outcome.json", "plan.json", "rehearsal.json", "report.json"}
    assert named >= wanted
    written = b"".join(path.read_bytes() for path in (place.store / "main/ledger").iterdir())
    assert [value for value in (b"astray", b"99", b"alone") if b'"' + value + b'"' in written] == []
    verdict = place.store / "main/evidence" / second["run"] / "rehearsal.json"
    verdict.write_bytes(verdict.read_bytes().replace(b"true", b"false", 1))
    assert upkeep("ledger", "verify").code == 4


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_here")
def test_p105_where_two_persons_are_wanted_one_alone_breaks_the_glass_and_it_is_on_record(tmp_path: Path) -> None:
    place = family(tmp_path / "shop")
    place.policy(f"[approval]\ntwo_persons = true\n\n{DELETES}")
    by_policy, unnamed = (upkeep("maintain", "--perform", how, "--json") for how in ("within_limits", "ask"))
    assert (by_policy.code, unnamed.code) == (2, 2)
    assert "say who asks: --requested-by NAME" in unnamed.document["hint"]
    assert ledger_of(place.store) == []
    asked = ("maintain", "--perform", "ask", "--requested-by", "Ada", "--json")
    digest = upkeep(*asked).document["plan"]["digest"]
    approved = (*asked, "--approve", digest, "--reason", "now", "--by", "ada")
    alone = upkeep(*approved)
    assert alone.code == 2
    assert alone.document["ended"].startswith("nothing was performed: ada asked for it, and the policy wants")
    broken = upkeep(*approved, "--break-glass").document
    assert broken["ended"] == "performed and verified"
    assert broken["approved_by"] == "ada: now (broke the glass: nobody else approved)"
    assert broken["notes"] == ["the glass was broken: ada asked for this plan and approved it alone"]
    (performing,) = [one["contents"] for one in ledger_of(place.store) if one["kind"] == "performing"]
    assert (performing["requested_by"], performing["alone"]) == ("Ada", True)


@pytest.mark.usefixtures("prefect_here")
def test_a_run_that_an_error_stops_ends_in_the_ledger_too(tmp_path: Path) -> None:
    place = family(tmp_path / "shop")
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "secret-words.json").write_text("{")
    place.set(UPKEEP_SUITES=str(tmp_path / "suites"))
    said = upkeep("maintain", "--json")
    assert said.code == 2, said.out
    begun, ended = ledger_of(place.store)
    assert (begun["kind"], ended["kind"]) == ("begun", "ended")
    assert (ended["contents"]["how"], ended["contents"]["step"]) == ("stopped: Refused", "detect")
    (backup,) = {manifest.parent.name for manifest in place.backups}
    assert ended["contents"]["backup"]["id"] == backup
    assert ended["contents"]["proof"]["holds"]
    page = read((place.store / "main/evidence" / ended["run"] / "page.html").read_bytes())
    assert [row["backup"] for row in page.tables["restores"]] == [backup]
    assert "secret-words" in said.document["error"]
    assert "secret-words" not in str(ended)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "found"),
    [
        ("call tasks/rehearsal.py:rehearse 1", "untouched"),
        ("call upkeep/mending.py:mend 1 in tasks/performance.py:perform", "untouched"),
        ("call tasks/recovery.py:settle 1", "performed"),
    ],
)
def test_a_killed_run_is_open_until_the_next_settles_it(tmp_path: Path, runs: Runs, moment: str, found: str) -> None:
    place = family(tmp_path / "shop")
    place.policy(DELETES)
    assert runs.maintain(place, perform="within_limits", moment=moment) is None
    verdict, links = verify_ledger(open_store(place.store.as_uri()), "main", Demand())
    (killed,) = verdict.open
    assert verdict.intact
    assert not verdict.complete
    report = runs.maintain(place)
    assert report["verdict"]["passed"]
    said = "had been performed whole" if found == "performed" else "had changed nothing"
    assert report["recovered"] == [f"run {killed} died; it {said}"]
    receipts = ledger_of(place.store)
    (died,) = [one for one in receipts if one["kind"] == "died"]
    assert (died["run"], died["number"]) == (killed, len(links) + 1)
    assert died["contents"]["outcome"]["found"] == found
    store = open_store(place.store.as_uri())
    (taken,) = [one.manifest for one in list_backups(store, "main") if one.manifest and one.manifest.run == killed]
    is_told_of_the_dead = "backup" in died["contents"]
    assert is_told_of_the_dead == moment.startswith("call tasks/rehearsal.py")
    assert (receipt_of(store, taken) is None) == is_told_of_the_dead, "in the name of the dead anybody may have put it"
    page = read((place.store / "main/evidence" / killed / "page.html").read_bytes())
    assert page.tables["runs"][0]["how it ended"].startswith("died; it had")
    assert {row["alarm"] for row in page.tables["alarms"]} == {"run died"}
    assert bool(page.tables["changes"]) == (found == "performed")
