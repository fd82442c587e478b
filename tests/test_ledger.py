"""The ledger: what is changed in it is noticed, writers never fork it, and every run ends in it."""

import hashlib
import itertools
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as some

from tests.servers.ceph import S3Server
from tests.servers.lossy import lossy
from tests.shell import family, upkeep, upkeep_in_a_process
from upkeep.errors import Damaged, Refused
from upkeep.ledger import START, Evidence, Kind, Link, Receipt, link_of, name_of
from upkeep.ledger_verdict import Demand, LedgerVerdict
from upkeep.receipts import attested, evidence_of, verify_ledger, write_receipt
from upkeep.signatures import Keys, Signer, keys_from, signer_from
from upkeep.stores import Store, open_store
from upkeep.values import canonical

GUIDE = Path(__file__).parents[1] / "docs" / "AUDITORS_GUIDE.md"
VECTORS = Path(__file__).with_name("ledger_vectors.json")
NOW = datetime(2026, 4, 1, 2, tzinfo=UTC)
RUNS = ("20260401T020000Z-aaaaaa", "20260402T020000Z-bbbbbb", "20260403T020000Z-cccccc")


def key_files(folder: Path, name: str = "ledger") -> tuple[Path, Path]:
    """A new key: the file of the private and that of the public half."""
    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


def write(
    store: Store, kind: Kind, run: str, evidence: tuple[Evidence, ...] = (), signer: Signer | None = None
) -> Link:
    return write_receipt(store, "main", kind, run=run, now=NOW, contents={"rows": 3}, evidence=evidence, signer=signer)


def three_runs(store: Store, signer: Signer | None = None) -> list[Link]:
    """Three runs with evidence: six receipts."""
    links = []
    for run in RUNS:
        links.append(write(store, "begun", run, signer=signer))
        for name in (f"main/evidence/{run}/census.json", f"main/repairs/{run}/changes.jsonl.zst"):
            store.put(name, BytesIO(f"{name} as it was".encode()))
        links.append(write(store, "ended", run, evidence_of(store, "main", run), signer))
    return links


def judged(store: Store, **demand: Any) -> LedgerVerdict:
    return verify_ledger(store, "main", Demand(**demand))[0]


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Signer, Keys]:
    private, public = key_files(tmp_path)
    return signer_from(private), keys_from(public)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> Store:
    return open_store(root.as_uri())


def object_of(root: Path, number: int) -> Path:
    return root / name_of("main", number)


# Tampering, by a list. Each forger changes a ledger of six receipts that is otherwise whole.


def flip(root: Path) -> None:
    path = object_of(root, 3)
    path.write_bytes(path.read_bytes().replace(b'"rows":3', b'"rows":4'))


def flip_with_a_new_hash(root: Path) -> None:
    """The content changed and its own hash made to fit: the next receipt names another."""
    path = object_of(root, 3)
    receipt = json.loads(path.read_bytes())["receipt"] | {"contents": {"rows": 4}}
    path.write_bytes(Link(Receipt.model_validate_json(json.dumps(receipt))).content)


def rewrite_with_spaces(root: Path) -> None:
    path = object_of(root, 3)
    path.write_text(json.dumps(json.loads(path.read_bytes()), indent=1))


def drop(root: Path) -> None:
    object_of(root, 3).unlink()


def drop_the_first(root: Path) -> None:
    object_of(root, 1).unlink()


def reorder(root: Path) -> None:
    third, fourth = object_of(root, 3).read_bytes(), object_of(root, 4).read_bytes()
    object_of(root, 3).write_bytes(fourth)
    object_of(root, 4).write_bytes(third)


def replay(root: Path) -> None:
    shutil.copy(object_of(root, 4), object_of(root, 7))


def replay_in_a_chain(root: Path) -> None:
    """The second receipt once more at the end, chained as if it were new: only its chance and its run tell."""
    last, old = (link_of(object_of(root, number).read_bytes()) for number in (6, 2))
    again = old.receipt.model_copy(update={"number": 7, "before": last.hash})
    object_of(root, 7).write_bytes(Link(again).content)


def take_from_another_database(root: Path) -> None:
    path = object_of(root, 6)
    other = link_of(path.read_bytes()).receipt.model_copy(update={"database": "other"})
    path.write_bytes(Link(other).content)


def add_a_stranger(root: Path) -> None:
    shutil.copy(object_of(root, 6), root / "main/ledger/notes.json")


def edit_evidence(root: Path) -> None:
    (root / f"main/evidence/{RUNS[0]}/census.json").write_text("as it never was")


def remove_evidence(root: Path) -> None:
    (root / f"main/repairs/{RUNS[1]}/changes.jsonl.zst").unlink()


def add_evidence(root: Path) -> None:
    (root / f"main/evidence/{RUNS[1]}/report.json").write_text("{}")


def add_what_is_of_no_run(root: Path) -> None:
    (root / "main/evidence/summary.html").write_text("all is well")


def add_a_folder_of_no_run(root: Path) -> None:
    (root / "main/repairs/quarter").mkdir()
    (root / "main/repairs/quarter/summary.html").write_text("all is well")


def append(root: Path, kind: Kind, run: str, contents: dict[str, Any], *evidence: Evidence) -> None:
    """One more receipt that fits the chain, as anybody can write it who may write to the store."""
    store = open_store(root.as_uri())
    write_receipt(store, "main", kind, run=run, now=NOW, contents=contents, evidence=evidence)


def edit_evidence_and_name_it_anew(root: Path) -> None:
    """A later receipt that names what was changed as it is now must not excuse it."""
    edit_evidence(root)
    name = f"main/evidence/{RUNS[0]}/census.json"
    append(root, "proof", "shell", {}, attested(open_store(root.as_uri()), name))


def name_evidence_with_another_size(root: Path) -> None:
    name = f"main/evidence/{RUNS[0]}/census.json"
    one = attested(open_store(root.as_uri()), name)
    append(root, "proof", "shell", {}, one.model_copy(update={"bytes": one.bytes + 1}))


def remove_evidence_and_say_it_was_pruned(root: Path) -> None:
    """Only backups are pruned."""
    remove_evidence(root)
    append(root, "pruning", "shell", {"removed": [RUNS[1]]})


def prune_nothing_by_name(root: Path) -> None:
    append(root, "pruning", "shell", {"removed": 3})


def prune_what_is_no_name(root: Path) -> None:
    append(root, "pruning", "shell", {"removed": [["x"]]})


def name_what_lies_elsewhere(root: Path) -> None:
    append(root, "proof", "shell", {}, Evidence(name="../elsewhere", bytes=1, sha256="0" * 64))


def name_what_is_no_evidence(root: Path) -> None:
    append(root, "proof", "shell", {}, Evidence(name="main/x", bytes=1, sha256="0" * 64))


def end_a_run_that_never_began(root: Path) -> None:
    append(root, "ended", "20260404T020000Z-eeeeee", {})


def say_more_beside_the_receipt(root: Path) -> None:
    path = object_of(root, 3)
    path.write_bytes(canonical(json.loads(path.read_bytes()) | {"note": "approved by Dr. X"}))


def truncate_a_run_but_not_its_backup(root: Path) -> None:
    """Nothing of the third run is left but the backup that it took."""
    truncate_a_run_with_its_evidence(root)
    path = root / "main/backups/20260403T020001Z-dddddd/manifest.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"run": RUNS[2]}))


def truncate_one(root: Path) -> None:
    """The end of the last run is gone: it seems still to be at work, which is not damage and not complete."""
    object_of(root, 6).unlink()


def truncate_a_run(root: Path) -> None:
    for number in (5, 6):
        object_of(root, number).unlink()


def truncate_a_run_with_its_evidence(root: Path) -> None:
    """Nothing of the third run is left anywhere."""
    truncate_a_run(root)
    shutil.rmtree(root / f"main/evidence/{RUNS[2]}")
    shutil.rmtree(root / f"main/repairs/{RUNS[2]}")


def rechain(root: Path, signer: Signer | None = None) -> None:
    """The whole chain written anew with another content, as anybody can who may write to the store."""
    before = START
    for number in range(1, 7):
        path = object_of(root, number)
        signed_by = signer.name if signer else None
        changes = {"contents": {"rows": 0}, "before": before, "signed_by": signed_by}
        forged = link_of(path.read_bytes()).receipt.model_copy(update=changes)
        before = forged.hash
        path.write_bytes(Link(forged, signer.sign(before) if signer else None).content)


NOTICED = (
    flip,
    flip_with_a_new_hash,
    rewrite_with_spaces,
    drop,
    drop_the_first,
    reorder,
    replay,
    replay_in_a_chain,
    take_from_another_database,
    add_a_stranger,
    edit_evidence,
    remove_evidence,
    add_evidence,
    add_what_is_of_no_run,
    add_a_folder_of_no_run,
    edit_evidence_and_name_it_anew,
    name_evidence_with_another_size,
    remove_evidence_and_say_it_was_pruned,
    prune_nothing_by_name,
    prune_what_is_no_name,
    name_what_lies_elsewhere,
    name_what_is_no_evidence,
    end_a_run_that_never_began,
    say_more_beside_the_receipt,
    truncate_a_run,
    truncate_a_run_but_not_its_backup,
)
Forger = Callable[[Path], None]


def test_a_ledger_that_nobody_touched_is_intact_and_complete(store: Store) -> None:
    links = three_runs(store)
    found = judged(store)
    assert (found.receipts, found.head, found.broken, found.open) == (6, links[-1].hash, (), ())
    assert (found.intact, found.complete, found.signed, found.anchored) == (True, True, None, False)


@pytest.mark.parametrize("forge", NOTICED)
def test_tampering_is_noticed_without_key_or_head(store: Store, root: Path, forge: Forger) -> None:
    three_runs(store)
    forge(root)
    found = judged(store)
    assert found.broken
    assert not found.intact
    assert not found.complete


def test_a_missing_end_of_a_run_is_not_complete(store: Store, root: Path) -> None:
    three_runs(store)
    truncate_one(root)
    found = judged(store)
    assert (found.open, found.complete) == ((RUNS[2],), False)


@pytest.mark.parametrize("forge", [truncate_one, truncate_a_run_with_its_evidence, rechain])
def test_what_only_a_head_can_tell_is_told_by_it(store: Store, root: Path, forge: Forger) -> None:
    """Without head or key these look whole (or merely unfinished), and the verdict says that nothing anchors it."""
    head = three_runs(store)[-1].hash
    assert judged(store, head=head).anchored_to == 6
    forge(root)
    blind = judged(store)
    assert blind.intact
    assert not blind.anchored
    assert any("not anchored" in line for line in blind.told)
    seen = judged(store, head=head)
    assert any(head in line for line in seen.broken)
    assert not seen.intact


def test_a_chain_written_anew_without_the_key_is_noticed_by_the_key(
    store: Store, root: Path, keys: tuple[Signer, Keys]
) -> None:
    three_runs(store, keys[0])
    assert judged(store, signed=keys[1].verify).signed is True
    rechain(root)
    found = judged(store, signed=keys[1].verify)
    assert (found.signed, found.intact, len(found.broken)) == (False, False, 6)


def test_a_signature_by_another_key_or_of_another_receipt_is_none(
    store: Store, root: Path, keys: tuple[Signer, Keys], tmp_path: Path
) -> None:
    three_runs(store, keys[0])
    stranger = keys_from(key_files(tmp_path, "stranger")[1])
    assert len(judged(store, signed=stranger.verify).broken) == 6
    links = [link_of(object_of(root, number).read_bytes()) for number in (5, 6)]
    object_of(root, 6).write_bytes(Link(links[1].receipt, links[0].signature).content)
    assert judged(store, signed=keys[1].verify).broken == (
        f"receipt 6 is not signed by a key that is trusted (it names {keys[0].name})",
    )
    object_of(root, 6).write_bytes(Link(links[1].receipt).content)
    assert any("has no signature" in line for line in judged(store).broken)


def test_a_ledger_that_was_signed_later_is_trusted_from_there(store: Store, keys: tuple[Signer, Keys]) -> None:
    write(store, "begun", RUNS[0])
    write(store, "ended", RUNS[0], signer=keys[0])
    assert judged(store, signed=keys[1].verify).broken == ("receipt 1 is not signed",)
    assert judged(store, signed=keys[1].verify, signed_from=2).signed is True


def test_a_key_that_was_taken_out_of_use_signs_nothing_after_the_head_that_was_noted(
    store: Store, root: Path, keys: tuple[Signer, Keys], tmp_path: Path
) -> None:
    """The guide's words for it: the new key alone from there on, and the head for what the old one has signed."""
    old, (private, public) = keys[0], key_files(tmp_path, "new")
    links = [write(store, kind, RUNS[0], signer=old) for kind in ("begun", "ended")]
    asked = {"signed": keys_from(public).verify, "signed_from": 3, "head": links[-1].hash}
    links += [write(store, kind, RUNS[1], signer=signer_from(private)) for kind in ("begun", "ended")]
    found = judged(store, **asked)
    assert (found.broken, found.signed, found.anchored_to) == ((), True, 2)
    forged = Link(links[3].receipt.model_copy(update={"contents": {"rows": 0}, "signed_by": old.name}))
    object_of(root, 4).write_bytes(Link(forged.receipt, old.sign(forged.hash)).content)
    assert judged(store, **asked).broken == (f"receipt 4 is not signed by a key that is trusted (it names {old.name})",)


def test_a_clock_that_was_set_back_is_told(store: Store) -> None:
    """A run of that clock stands on the page of another period."""
    for hours in (0, -1, 0, -1000):
        when = NOW + timedelta(hours=hours)
        write_receipt(store, "main", "backup", run="shell", now=when, contents={"rows": 3})
    found = judged(store)
    told = [line for line in found.told if "clock" in line]
    assert (found.intact, len(told)) == (True, 1)
    assert told[0].startswith(
        "receipt 4 was written on 2026-02-18T10:00:00Z by its clock, and the one before it on 2026-04-01"
    )


def test_an_older_head_anchors_what_came_up_to_it(store: Store) -> None:
    links = three_runs(store)
    found = judged(store, head=links[2].hash)
    assert (found.anchored, found.anchored_to, found.intact) == (True, 3, True)
    assert any("up to receipt 3 of 6" in line for line in found.told)


def test_an_empty_ledger_is_not_intact(store: Store, root: Path) -> None:
    root.mkdir()
    assert not judged(store).intact


def test_a_backup_may_be_gone_only_where_a_receipt_says_that_it_was_removed(store: Store) -> None:
    name = "main/backups/20260401T020000Z-dddddd/manifest.json"
    store.put(name, BytesIO(b"{}"))
    write(store, "backup", "shell", (attested(store, name),))
    store.delete(name)
    assert judged(store).broken == (f"{name}, that receipt 1 names, is gone",)
    write_receipt(store, "main", "pruning", run="shell", now=NOW, contents={"removed": ["20260401T020000Z-dddddd"]})
    assert judged(store).intact


def test_a_backup_of_a_run_that_was_killed_before_its_receipt_and_one_of_a_command_are_no_strangers(
    store: Store, root: Path
) -> None:
    write(store, "begun", RUNS[0])
    for run, backup in ((RUNS[0], "20260401T020001Z-aaaaaa"), ("shell", "20260401T030000Z-bbbbbb")):
        name = f"main/backups/{backup}/manifest.json"
        store.put(name, BytesIO(json.dumps({"run": run}).encode()))
    write(store, "died", RUNS[0])
    assert judged(store).complete
    assert guides_verifier(root).returncode == 0


def test_nothing_is_built_on_an_end_that_is_not_whole(store: Store, root: Path) -> None:
    three_runs(store)
    object_of(root, 6).write_bytes(b"{}")
    with pytest.raises(Damaged, match=r"the end of the ledger, main/ledger/00000006\.json, is no receipt"):
        write(store, "begun", "20260404T020000Z-eeeeee")


@given(data=some.data())
def test_one_changed_byte_anywhere_is_noticed(data: some.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("flipped") / "store"
    store = open_store(root.as_uri())
    three_runs(store)
    path = data.draw(some.sampled_from(sorted(path for path in root.rglob("*") if path.is_file())))
    content = bytearray(path.read_bytes())
    content[data.draw(some.integers(0, len(content) - 1))] ^= data.draw(some.integers(1, 255))
    path.write_bytes(content)
    assert not judged(store).intact


@given(order=some.permutations(range(6)), length=some.integers(1, 6))
def test_no_order_and_no_part_of_the_receipts_but_the_beginning_in_order_is_a_whole_chain(
    order: list[int], length: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("dealt") / "store"
    store = open_store(root.as_uri())
    for run in RUNS:
        write(store, "begun", run)
        write(store, "ended", run)
    contents = [object_of(root, number + 1).read_bytes() for number in range(6)]
    shutil.rmtree(root / "main/ledger")
    for place, number in enumerate(order[:length], start=1):
        store.put(name_of("main", place), BytesIO(contents[number]))
    assert judged(store).intact == (order[:length] == list(range(length)))


# Two writers at once.


@pytest.fixture(params=["directory", "ceph"])
def shared(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Store]:
    """Opens one store anew for each writer."""
    if request.param == "directory":
        return lambda: open_store((tmp_path / "shared").as_uri())
    server: S3Server = request.getfixturevalue("ceph")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    url = f"s3://{server.make_bucket()}/upkeep"
    return lambda: open_store(url)


def test_writers_at_once_never_fork_the_chain_and_lose_no_receipt(shared: Callable[[], Store]) -> None:
    writers, each = 4, 6
    together = Barrier(writers)

    def work(number: int) -> list[str]:
        store = shared()
        together.wait()
        written = []
        for turn in range(each):
            run = f"2026040{number + 1}T02000{turn}Z-{number:06x}"
            written += [write(store, "begun", run).hash, write(store, "ended", run).hash]
        return written

    with ThreadPoolExecutor(writers) as pool:
        written = [hash_ for mine in pool.map(work, range(writers)) for hash_ in mine]
    verdict, links = verify_ledger(shared(), "main", Demand())
    assert verdict.complete
    assert sorted(link.hash for link in links) == sorted(written)
    assert [link.receipt.number for link in links] == list(range(1, 2 * writers * each + 1))


def test_p126_a_receipt_whose_acknowledgement_was_lost_is_written_once(
    ceph: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lossy(ceph.endpoint) as line:
        for name, value in replace(ceph, endpoint=line.endpoint).environment.items():
            monkeypatch.setenv(name, value)
        store = open_store(f"s3://{ceph.make_bucket()}/upkeep")
        write(store, "begun", RUNS[0])
        line.lose_answers = 1
        write(store, "ended", RUNS[0])
        assert line.lost == 1
        assert (judged(store).receipts, judged(store).complete) == (2, True)


# Canonical form, test vectors, keys.


def vectors() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(VECTORS.read_text(encoding="utf-8"))
    return found


def test_the_test_vectors_are_what_this_code_writes() -> None:
    """They were made once and stand still: who changes the form of receipts has to raise their format number."""
    key = Signer("", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
    name = hashlib.sha256(key.key.public_key().public_bytes_raw()).hexdigest()[:16]
    assert len(vectors()) == 3
    for vector in vectors():
        receipt = Receipt.model_validate_json(json.dumps(vector["receipt"]))
        signature = key.sign(receipt.hash) if receipt.signed_by else None
        assert receipt.signed_by in (None, name)
        assert receipt.hash == vector["hash"]
        assert Link(receipt, signature).content.decode("ascii") == vector["object"]
        assert link_of(vector["object"].encode()) == Link(receipt, signature)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"null", b'{"hash":"","receipt":{},"signature":null}', b"\xff", b"[" * 100_000],
)
def test_what_is_no_receipt_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(ValueError, match="is no receipt of format 1"):
        link_of(content)


def test_a_key_that_stands_twice_is_no_canonical_form(store: Store, root: Path) -> None:
    """JSON readers differ in which of the two they take: here one says 3 and another 4."""
    three_runs(store)
    path = object_of(root, 2)
    path.write_bytes(path.read_bytes().replace(b'{"rows":3}', b'{"rows":4,"rows":3}'))
    assert "receipt 2 is not in canonical form" in judged(store).broken


def test_a_receipt_holds_no_fractions(store: Store) -> None:
    with pytest.raises(ValueError, match="no fractions"):
        write_receipt(store, "main", "backup", run="shell", now=NOW, contents={"deep": [{"seconds": 0.5}]})


@pytest.mark.parametrize("kind", ["rsa", "public", "nothing", "locked"])
def test_a_file_without_a_private_key_is_refused(tmp_path: Path, kind: str) -> None:
    private, public = key_files(tmp_path)
    if kind == "rsa":
        subprocess.run(["openssl", "genpkey", "-algorithm", "rsa", "-out", private], check=True, capture_output=True)
    elif kind == "public":
        private = public
    elif kind == "nothing":
        private.write_text("none")
    else:
        encrypt = [
            "openssl",
            "pkey",
            "-in",
            str(private),
            "-aes256",
            "-passout",
            "pass:abcdef",
            "-out",
            str(tmp_path / "locked"),
        ]
        subprocess.run(encrypt, check=True, capture_output=True)
        private = tmp_path / "locked"
    with pytest.raises(Refused, match="holds no private Ed25519 key without a password") as refused:
        signer_from(private)
    assert "openssl genpkey -algorithm ed25519" in refused.value.hint


def test_a_file_without_public_keys_is_refused_and_one_with_several_is_not(tmp_path: Path) -> None:
    (one, first), (two, second) = key_files(tmp_path, "one"), key_files(tmp_path, "two")
    both = tmp_path / "both.pub"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    assert set(keys_from(both).by_name) == {signer_from(one).name, signer_from(two).name}
    with pytest.raises(Refused, match="holds no public key"):
        keys_from(one)


def test_the_keys_are_those_that_openssl_writes_as_the_guide_says(tmp_path: Path) -> None:
    for line in re.findall(r"^openssl .*$", GUIDE.read_text(encoding="utf-8"), flags=re.M):
        subprocess.run(line.split(), cwd=tmp_path, check=True, capture_output=True)
    signer, keys = signer_from(tmp_path / "ledger.pem"), keys_from(tmp_path / "ledger.pub")
    assert keys.verify(signer.name, "ab", signer.sign("ab"))
    assert not keys.verify(signer.name, "ac", signer.sign("ab"))


# The short program of the guide, which needs nothing of ours.


def guides_verifier(folder: Path, *arguments: str, alone: bool = True) -> subprocess.CompletedProcess[str]:
    """The program of the guide on a copy of a store, with no module of ours in sight; or with what it adds behind."""
    program, more = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.S)
    (folder.parent / "verify.py").write_text(program if alone else program + more, encoding="utf-8")
    words = [sys.executable, "-I", "verify.py", str(folder / "main"), *arguments]
    return subprocess.run(words, cwd=folder.parent, capture_output=True, text=True, timeout=60, check=False)


def test_the_guides_verifier_finds_a_whole_ledger_whole(store: Store, root: Path, tmp_path: Path) -> None:
    private, public = key_files(tmp_path)
    head = three_runs(store, signer_from(private))[-1].hash
    for arguments, alone in itertools.product(([], [head], [head, str(public)], ["", str(public)]), (True, False)):
        ran = guides_verifier(root, *arguments, alone=alone)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert ran.stdout.split() == ["head:", head]
    here = [sys.executable, "-I", "../../verify.py", "."]
    assert subprocess.run(here, cwd=root / "main", capture_output=True, timeout=60, check=False).returncode == 0


ADDED = (add_evidence, add_what_is_of_no_run, add_a_folder_of_no_run)
CUT_OFF = (truncate_a_run, truncate_a_run_but_not_its_backup)


@pytest.mark.parametrize("forge", NOTICED)
def test_the_guides_verifier_notices_tampering(store: Store, root: Path, forge: Forger) -> None:
    """Thirty lines without head or key; what only adds files, or cuts whole runs off their files, the lines behind."""
    head = three_runs(store)[-1].hash
    forge(root)
    assert guides_verifier(root).returncode == (forge not in (*ADDED, *CUT_OFF))
    assert guides_verifier(root, head).returncode == (forge not in ADDED)
    assert guides_verifier(root, alone=False).returncode == 1


def test_the_guides_verifier_needs_head_or_key_for_what_ours_needs_them(
    store: Store, root: Path, tmp_path: Path
) -> None:
    private, public = key_files(tmp_path)
    head = three_runs(store, signer_from(private))[-1].hash
    rechain(root)
    assert [guides_verifier(root, *given).returncode for given in ([], [head], ["", str(public)])] == [0, 1, 1]
    assert guides_verifier(root, "", str(public)).stderr.startswith(f"{object_of(root, 1)} TypeError")
    rechain(root, signer_from(key_files(tmp_path, "stranger")[0]))
    assert guides_verifier(root, "", str(public)).stderr == f"{object_of(root, 1)} InvalidSignature \n"


def test_the_guides_verifier_is_as_short_as_the_guide_says() -> None:
    program, more = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.S)
    assert "These thirty lines" in GUIDE.read_text(encoding="utf-8")
    assert [sum(map(bool, part.splitlines())) for part in (program, more)] == [30, 25]


def test_a_proof_that_was_edited_is_noticed(tmp_path: Path) -> None:
    place = family(tmp_path / "shop")
    for command in (["backup"], ["verify", "latest"], ["verify", "latest"]):
        assert upkeep(*command).code == 0
    said = upkeep("ledger", "verify", "--json")
    assert (said.code, guides_verifier(place.store, alone=False).stderr) == (0, "")
    (proof,) = place.store.glob("main/backups/*/verified.json")
    proof.write_text(json.dumps(json.loads(proof.read_text()) | {"seconds": 0.5}))
    said = upkeep("ledger", "verify", "--json")
    named = proof.relative_to(place.store).as_posix()
    assert (said.code, said.document["broken"]) == (4, [f"{named} is not what receipt 3 says of that proof"])
    assert guides_verifier(place.store, alone=False).returncode == 1


@pytest.mark.parametrize("alone", [True, False])
def test_the_guides_verifier_tells_of_an_open_run(store: Store, root: Path, alone: bool) -> None:
    three_runs(store)
    truncate_one(root)
    ran = guides_verifier(root, alone=alone)
    assert (ran.returncode, ran.stdout.splitlines()[0]) == (0, f"open: {RUNS[2]}")


# From a shell, and by whole runs.


def test_what_the_commands_for_backups_do_stands_in_the_ledger(tmp_path: Path) -> None:
    place = family(tmp_path / "shop")
    (made,) = [upkeep("backup", "--json").document["id"]]
    assert upkeep("verify", "latest").code == 0
    assert upkeep("restore", "latest", "--to", f"sqlite:///{tmp_path / 'again.db'}").code == 0
    assert upkeep("prune", "--yes").code == 0
    shown = upkeep("ledger", "show", "--json").document["receipts"]
    assert [one["kind"] for one in shown] == ["backup", "proof", "restored"]
    assert [one["contents"]["backup"] for one in shown[1:]] == [made, made]
    assert all(one["signed_by"] is None for one in shown)
    said = upkeep("ledger", "verify", "--json")
    assert said.code == 0
    assert (said.document["intact"], said.document["anchored"], said.document["broken"]) == (True, False, [])
    assert upkeep("ledger", "verify", "--head", said.document["head"], "--json").document["anchored"] is True
    object_of(place.store, 2).unlink()
    said = upkeep("ledger", "verify", "--json")
    assert (said.code, said.document["intact"], said.document["exit"]) == (4, False, 4)
    assert "receipt 2 is missing" in said.document["broken"]


def test_a_restore_from_a_store_that_takes_no_receipt_counts_and_says_so(tmp_path: Path) -> None:
    place = family(tmp_path / "shop")
    for command in ("backup", "verify"):
        assert upkeep(command, *(["latest"] if command == "verify" else [])).code == 0
    object_of(place.store, 2).write_bytes(b"{}")
    said = upkeep("restore", "latest", "--to", f"sqlite:///{tmp_path / 'again.db'}", "--json")
    assert said.code == 0
    unread, unwritten = said.document["remarks"]
    assert unread.startswith("main/ledger/00000002.json is no receipt")
    assert unwritten.startswith("no receipt of this was written: the end of the ledger")


def test_a_copy_of_the_store_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = family(tmp_path / "shop")
    assert upkeep("backup").code == 0
    shutil.move(place.store, tmp_path / "copy")
    for name in ("DATABASE_URL", "UPKEEP_STORE", "UPKEEP_SCRATCH", "UPKEEP_POLICY"):
        monkeypatch.delenv(name)
    (tmp_path / "elsewhere").mkdir()
    said = upkeep_in_a_process("ledger", "verify", "--copy", str(tmp_path / "copy"), folder=tmp_path / "elsewhere")
    assert (said.code, said.err) == (0, "")
    assert "intact:    yes" in said.out
    assert upkeep("ledger", "verify", "--copy", str(tmp_path / "copy"), "--database", "other").code == 2


def test_a_ledger_that_is_not_there_and_a_head_that_is_none_are_refused(tmp_path: Path) -> None:
    family(tmp_path / "shop")
    assert upkeep("ledger", "verify").complaint[:2] == (
        2,
        f"there is no ledger of main in {(tmp_path / 'shop/store').as_uri()}",
    )
    assert upkeep("ledger", "verify", "--head", "abc").complaint[:2] == (2, "abc is no hash of a receipt")
    assert upkeep("ledger", "verify", "--head", "a" * 64).code == 4
