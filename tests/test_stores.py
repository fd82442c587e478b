"""What every store promises, asked of a directory, of a real S3 server and of moto's."""

import errno
import hashlib
import io
import os
import random
import resource
import signal
import stat
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import boto3.session
import pytest
from botocore.exceptions import ClientError

from tests.servers.ceph import S3Server, client_for
from tests.servers.lossy import Line, lossy
from upkeep.errors import Damaged, Refused, Taken, Unreachable, UpkeepError
from upkeep.stores import Store, open_store
from upkeep.stores.directory import DirectoryStore
from upkeep.stores.s3 import S3Store
from upkeep.stores.s3_answers import verdict
from upkeep.stores.s3_probe import sweep
from upkeep.stores.s3_sizes import LARGEST_OBJECT, MOST_PARTS, part_size
from upkeep.stores.streams import pieces

MIB = 1 << 20


@dataclass(frozen=True)
class Place:
    """An empty store of one kind, and what can be seen there that a store does not show."""

    kind: str
    store: Store
    leftovers: Callable[[], int]  # half-written files, or uploads in parts that were never completed

    def names(self, prefix: str = "") -> list[str]:
        return [entry.name for entry in self.store.list(prefix)]

    def read(self, name: str, **window: int) -> bytes:
        with self.store.get(name, **window) as reader:
            return reader.read()

    def write(self, name: str, content: bytes, **conditions: Any) -> int:
        return self.store.put(name, io.BytesIO(content), **conditions)


@pytest.fixture(params=["directory", "ceph", "moto"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    if request.param == "directory":
        return directory_at(tmp_path / "store")
    return bucket_at(request.getfixturevalue(request.param), request.param, monkeypatch)


def directory_at(root: Path) -> Place:
    store = open_store(root.as_uri())
    return Place("directory", store, lambda: len([path for path in root.rglob(".*") if path.is_file()]))


def bucket_at(server: S3Server, kind: str, monkeypatch: pytest.MonkeyPatch) -> Place:
    use(server, monkeypatch)
    bucket = server.make_bucket()
    store = open_store(f"s3://{bucket}/upkeep")
    client = client_for(server)
    return Place(kind, store, lambda: len(client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])))


def use(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)


class Stream(io.RawIOBase):
    """Bytes in reads that may be as short as those of a pipe, their digest, and an end that may be bad."""

    def __init__(self, size: int, *, most: int = MIB, end: BaseException | None = None) -> None:
        self._left, self._most, self._end = size, most, end
        self._dice = random.Random(size)  # noqa: S311 - bytes to move, no secrets
        self._block = self._dice.randbytes(MIB)
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        wanted = min(self._left, self._most, size if size >= 0 else MIB)
        if wanted == 0 and self._end is not None:
            raise self._end
        piece = self._block[: self._dice.randint(min(1, wanted), wanted) if self._most < MIB else wanted]
        self._left -= len(piece)
        self.sha256.update(piece)
        return piece


def streamed(*arguments: Any, **more: Any) -> Any:
    return Stream(*arguments, **more)  # a BinaryIO in all that a store asks of one: read


@contextmanager
def memory() -> Iterator[list[int]]:
    """The most bytes that Python held at once within the with statement, afterwards in the list."""
    peak: list[int] = []
    tracemalloc.start()
    try:
        yield peak
        peak.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


# Every store


def test_what_is_put_is_got_back_and_listed_with_its_size_and_time(place: Place) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    assert place.write("clinic/backups/1/manifest.json", b"{}") == 2
    assert place.read("clinic/backups/1/manifest.json") == b"{}"
    (entry,) = place.store.list()
    assert (entry.name, entry.size) == ("clinic/backups/1/manifest.json", 2)
    assert before <= entry.written <= datetime.now(UTC) + timedelta(seconds=2)
    assert place.store.exists("clinic/backups/1/manifest.json")
    assert not place.store.exists("clinic/backups/1/manifest")
    assert not place.store.exists("clinic/backups/1")


def test_an_empty_object_is_an_object(place: Place) -> None:
    assert place.write("empty", b"") == 0
    assert place.read("empty") == place.read("empty", start=3, length=4) == b""
    assert place.names() == ["empty"]


def test_put_overwrites(place: Place) -> None:
    place.write("a", b"first and longer")
    place.write("a", b"second")
    assert place.read("a") == b"second"
    assert place.names() == ["a"]


@pytest.mark.parametrize("size", [0, 300_000, 20 * MIB])
@pytest.mark.parametrize("end", [RuntimeError("pg_dump died"), OSError("decryption error"), KeyboardInterrupt()])
def test_p124_a_source_that_raises_leaves_nothing(place: Place, size: int, end: BaseException) -> None:
    with pytest.raises(type(end)) as raised:
        place.store.put("a/b", streamed(size, end=end))
    assert raised.value is end
    assert place.names() == []
    assert not place.store.exists("a/b")
    with pytest.raises(Damaged):
        place.read("a/b")
    assert place.leftovers() == 0


def test_p124_a_source_that_raises_leaves_what_was_there_before(place: Place) -> None:
    place.write("a", b"the old one")
    with pytest.raises(RuntimeError):
        place.store.put("a", streamed(20 * MIB, end=RuntimeError("pg_dump died")))
    assert place.read("a") == b"the old one"
    assert place.leftovers() == 0


def test_p123_a_source_that_gives_little_at_a_time_arrives_whole(place: Place) -> None:
    stream = streamed(1_500_000, most=100)
    assert place.store.put("a", stream) == 1_500_000
    assert hashlib.sha256(place.read("a")).digest() == stream.sha256.digest()


def test_p123_a_pipe_arrives_whole(place: Place) -> None:
    program = "import sys,time\nfor i in range(30): sys.stdout.buffer.write(bytes([i])*700_000); sys.stdout.flush()"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, bufsize=0) as child:
        pipe: Any = child.stdout
        assert place.store.put("a", pipe) == 21_000_000
    assert place.read("a") == b"".join(bytes([i]) * 700_000 for i in range(30))


def test_a_source_that_does_not_wait_is_not_taken_for_ended(place: Place) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with os.fdopen(reading, "rb", 0) as source, os.fdopen(writing, "wb"), pytest.raises(BlockingIOError):
        place.store.put("a", source)
    assert place.names() == []


@pytest.mark.parametrize("size", [8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 16 * MIB])
def test_sizes_around_those_of_the_parts_arrive_whole(place: Place, size: int) -> None:
    stream = streamed(size)
    assert place.store.put("a", stream) == size
    assert hashlib.sha256(place.read("a")).digest() == stream.sha256.digest()
    assert [entry.size for entry in place.store.list()] == [size]


def test_p127_memory_stays_flat_while_a_stream_goes_in_and_out(place: Place) -> None:
    if place.kind == "moto":
        pytest.skip("moto keeps its objects in the memory of this process (P-129: it is no real server)")
    place.write("warm", bytes(9 * MIB))  # what is loaded once is not what a stream needs
    most = 4 * MIB if place.kind == "directory" else 5 * part_size(1, None)
    stream = streamed(96 * MIB)
    with memory() as peak:
        assert place.store.put("a", stream) == 96 * MIB
    assert peak[0] < most
    received = hashlib.sha256()
    with memory() as peak, place.store.get("a") as reader:
        for piece in pieces(reader):
            received.update(piece)
    assert peak[0] < 4 * MIB
    assert received.digest() == stream.sha256.digest()


def test_a_range_is_what_was_asked_for_and_no_more(place: Place) -> None:
    content = bytes(range(256)) * 1000
    place.write("a", content)
    for start, length in [(0, 10), (5, None), (255_990, 100), (256_000, 5), (300_000, None), (7, 0), (100, 200_000)]:
        window = {"start": start} if length is None else {"start": start, "length": length}
        assert place.read("a", **window) == content[start : None if length is None else start + length]


def test_a_reader_gives_pieces_of_the_size_that_is_asked_for(place: Place) -> None:
    place.write("a", bytes(3 * MIB))
    with place.store.get("a") as reader:
        assert [len(reader.read(MIB)) for _ in range(4)] == [MIB, MIB, MIB, 0]


def test_a_name_that_is_not_there_is_damage_to_read_and_nothing_to_delete(place: Place) -> None:
    place.write("a/b", b"1")
    for name in ("a/c", "a", "z/z", "a/b/c"):
        with pytest.raises(Damaged, match=f"{name} is not in the store"):
            place.read(name)
        with pytest.raises(Damaged):
            place.read(name, start=1, length=1)
    for name in ("a/c", "a", "z/z", "a/b/c"):
        place.store.delete(name)
    assert place.names() == ["a/b"]
    place.store.delete("a/b")
    place.store.delete("a/b")
    assert place.names() == []


def test_names_come_in_order_and_by_prefix(place: Place) -> None:
    names = ["a-b", "a.b", "a/b", "a/b-c", "a/c/d", "a0", "b", "b_", "B/1"]
    for name in reversed(names):
        place.write(name, name.encode())
    assert place.names() == sorted(names)
    for prefix in ("a", "a/", "a/b", "a/c", "a/c/", "a-", "b", "nothing", "nothing/at/all"):
        assert place.names(prefix) == sorted(name for name in names if name.startswith(prefix)), prefix


@pytest.mark.slow
@pytest.mark.parametrize(
    "place", ["directory", "ceph", pytest.param("moto", marks=pytest.mark.exhaustive)], indirect=True
)
def test_more_names_than_fit_on_a_page_are_all_listed(place: Place) -> None:
    names = [f"ledger/{number:06}.json" for number in range(1100)]
    with ThreadPoolExecutor(8) as writers:
        assert set(writers.map(lambda name: place.write(name, b"{}"), names)) == {2}
    assert place.names() == names
    assert place.names("ledger/00109") == names[1090:]


ESCAPING = ["../x", "a/../b", "/a", "."]
BAD_NAMES = [*ESCAPING, "", "a//b", ".hidden", "a/.hidden", "a b", "a/", "a\\b", "ä", "a\n", "x" * 901]


def test_names_that_could_leave_the_store_or_hide_in_it_are_refused(place: Place) -> None:
    source = io.BytesIO(b"1")
    verbs: list[Callable[[str], object]] = [
        lambda name: place.store.put(name, source),
        place.read,
        place.store.exists,
        place.store.delete,
    ]
    for name in BAD_NAMES:
        for verb in verbs:
            with pytest.raises(Refused, match="is no name for objects"):
                verb(name)
    assert source.tell() == 0
    for prefix in ("../", "/", ".hid", "a//b", "a b"):
        with pytest.raises(Refused, match="is no prefix for objects"):
            place.names(prefix)


def test_p31_of_eight_writers_at_once_exactly_one_wins(place: Place) -> None:
    for attempt in range(5):
        contents = [f"writer {number}".encode() for number in range(8)]
        outcomes = race(place, f"ledger/{attempt}.json", contents)
        (winner,) = [content for content, lost in zip(contents, outcomes, strict=True) if lost is None]
        assert [type(lost) for lost in outcomes if lost is not None] == [Taken] * 7
        assert place.read(f"ledger/{attempt}.json") == winner
    assert place.leftovers() == 0


def test_p31_of_eight_large_writers_exactly_one_wins_or_the_store_says_that_it_cannot(place: Place) -> None:
    if place.kind == "moto":
        pytest.skip("moto looks whether a name is free and writes it in two steps (P-129)")
    contents = [bytes([number]) * (9 * MIB) for number in range(8)]
    outcomes = race(place, "large", contents)
    winners = [content for content, lost in zip(contents, outcomes, strict=True) if lost is None]
    if place.kind == "ceph" and not winners:  # Ceph 16 ignores If-None-Match there
        assert {str(lost).split(" (")[0] for lost in outcomes} == {
            f"the store {place.store.url} cannot write a large object only if its name is free"
        }
        assert place.names() == []
    else:
        assert len(winners) == 1
        assert {type(lost) for lost in outcomes if lost is not None} == {Taken}
        assert place.read("large") == winners[0]
    assert place.leftovers() == 0


def test_p31_a_large_object_is_not_written_over_one_that_came_meanwhile(place: Place) -> None:
    class Overtaken(Stream):
        def read(self, size: int = -1, /) -> bytes:
            piece = super().read(size)
            if not piece:
                place.write("large", b"I was here first")
            return piece

    source: Any = Overtaken(9 * MIB)
    with pytest.raises(Refused) as raised:
        place.store.put("large", source, only_if_absent=True)
    if isinstance(raised.value, Taken):
        assert place.read("large") == b"I was here first"
    else:
        assert "cannot write a large object only if its name is free" in str(raised.value)
        assert place.kind == "ceph"
        assert place.names() == []
    assert place.leftovers() == 0


def race(place: Place, name: str, contents: list[bytes]) -> list[UpkeepError | None]:
    start = Barrier(len(contents))

    def write(content: bytes) -> UpkeepError | None:
        start.wait()
        try:
            place.write(name, content, only_if_absent=True)
        except UpkeepError as error:
            return error
        return None

    with ThreadPoolExecutor(len(contents)) as writers:
        return list(writers.map(write, contents))


@pytest.mark.parametrize("size", [3, 9 * MIB])
def test_a_taken_name_is_not_written(place: Place, size: int) -> None:
    place.write("a", b"first")
    with pytest.raises(Taken, match="a is already in the store"):
        place.write("a", bytes(size), only_if_absent=True)
    assert place.read("a") == b"first"
    assert place.leftovers() == 0


def test_a_probe_leaves_nothing(place: Place) -> None:
    place.store.probe()
    place.store.probe()
    assert place.names() == []
    assert place.leftovers() == 0


KILLED = """
import os, signal, sys
from upkeep.stores import open_store
class Dying:
    left = 20
    def read(self, size):
        self.left -= 1
        return bytes(1 << 20) if self.left else os.kill(os.getpid(), signal.SIGKILL)
open_store(sys.argv[1]).put("a/b", Dying())
"""


def test_a_killed_writer_leaves_nothing_that_is_listed_and_is_swept_up_after(place: Place) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, place.store.url], cwd=Path(__file__).parents[1], timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert place.names() == []
    assert not place.store.exists("a/b")
    assert place.leftovers() == 1
    if place.kind == "moto":
        pytest.skip("moto says that every upload was begun in 2010")
    place.store.probe()
    assert place.leftovers() == 1  # it could still be somebody's
    grow_old(place.store)
    assert place.leftovers() == 0


def grow_old(store: Store) -> None:
    if isinstance(store, S3Store):
        sweep(store.bucket, store.prefix, begun_before=datetime.now(UTC) + timedelta(minutes=1))
    elif isinstance(store, DirectoryStore):
        for draft in store.root.rglob(".*"):
            os.utime(draft, times=(time.time() - 90_000,) * 2)
        store.probe()


# A directory


def test_files_and_folders_are_for_their_owner_alone(tmp_path: Path) -> None:
    directory_at(tmp_path / "store").write("a/b/c", b"1")
    found = [tmp_path / "store", *(tmp_path / "store").rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_dir()} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_file()} == {0o600}


def test_folders_that_are_empty_go_with_their_last_object(tmp_path: Path) -> None:
    place = directory_at(tmp_path / "store")
    place.write("a/b/c", b"1")
    place.write("a/d", b"1")
    place.store.delete("a/b/c")
    assert sorted(path.name for path in (tmp_path / "store").rglob("*")) == ["a", "d"]
    place.store.delete("a/d")
    assert list((tmp_path / "store").rglob("*")) == []
    place.write("a", b"a name that was a folder")
    assert place.names() == ["a"]


def test_writers_and_deleters_of_one_folder_do_not_disturb_each_other(tmp_path: Path) -> None:
    place = directory_at(tmp_path / "store")

    def write_and_delete(number: int) -> None:
        for _ in range(100):
            place.write(f"a/b/{number}", b"1", only_if_absent=True)
            place.store.delete(f"a/b/{number}")

    with ThreadPoolExecutor(4) as writers:
        list(writers.map(write_and_delete, range(4)))
    assert place.names() == []


def test_files_that_are_no_objects_are_not_listed(tmp_path: Path) -> None:
    place = directory_at(tmp_path)
    place.write("a", b"1")
    (tmp_path / ".DS_Store").write_bytes(b"")
    (tmp_path / "lost file (1)").write_bytes(b"")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    assert place.names() == ["a"]


def test_a_directory_whose_parent_is_missing_is_refused_with_what_to_type(tmp_path: Path) -> None:
    store = DirectoryStore.from_url((tmp_path / "not" / "there").as_uri())
    for attempt in (store.probe, lambda: store.put("a", io.BytesIO()), lambda: list(store.list())):
        with pytest.raises(Refused, match=f"is not there .*mkdir -p {tmp_path / 'not'}"):
            attempt()
    assert list(tmp_path.iterdir()) == []


def test_a_directory_whose_parent_is_there_is_made_when_it_is_needed(tmp_path: Path) -> None:
    store = DirectoryStore.from_url((tmp_path / "new").as_uri())
    assert list(store.list()) == []
    store.probe()
    assert (tmp_path / "new").is_dir()


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    place = directory_at(tmp_path / "file")
    for attempt in (place.store.probe, lambda: place.write("a", b"1")):
        with pytest.raises(Refused, match="has something in the way"):
            attempt()
    place = directory_at(tmp_path)
    place.write("b", b"1")
    with pytest.raises(Refused, match="has something in the way of b/c"):
        place.write("b/c", b"1")
    place.write("d/e", b"1")
    with pytest.raises(Refused, match="has something in the way of d"):
        place.write("d", b"1")
    assert place.leftovers() == 0


def test_a_directory_without_the_right_to_write_is_refused(tmp_path: Path) -> None:
    place = directory_at(tmp_path / "store")
    place.write("a", b"1")
    (tmp_path / "store").chmod(0o500)
    before = os.geteuid()
    if before == 0:  # root may write everywhere, so be nobody for a moment
        os.seteuid(65534)
    try:
        for attempt in (place.store.probe, lambda: place.write("b", b"1")):
            with pytest.raises(Refused, match=r"may not be used for .*let this user read and write"):
                attempt()
    finally:
        os.seteuid(before)
        (tmp_path / "store").chmod(0o700)
    assert place.names() == ["a"]


def test_a_full_disk_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(tmp_path)]
    mounted = subprocess.run(mount, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        place = directory_at(tmp_path / "store")
        place.write("a", bytes(MIB))
        with pytest.raises(Refused, match=r"has no room left for b .*prune old backups"):
            place.store.put("b", streamed(3 * MIB))
        assert place.names() == ["a"]
        assert place.leftovers() == 0
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_limit_on_the_size_of_files_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    place = directory_at(tmp_path / "store")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB + 7, before[1]))
    try:
        with pytest.raises(Refused, match="takes no file as large as b"):
            place.store.put("b", streamed(3 * MIB))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert place.names() == []
    assert place.leftovers() == 0


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.ELOOP])
def test_every_answer_of_a_disk_is_one_of_the_three_errors(number: int, tmp_path: Path) -> None:
    found = DirectoryStore(tmp_path).refusal(OSError(number, os.strerror(number)), "a")
    assert isinstance(found, Unreachable if number in (errno.EIO, errno.ESTALE) else Refused)
    assert found.message.startswith("the store file:///")
    assert found.hint


# A bucket


def test_p122_over_https_a_server_that_refuses_default_checksums_is_served_without(
    ceph_tls: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = bucket_at(ceph_tls, "ceph", monkeypatch)
    assert isinstance(place.store, S3Store)
    client = boto3.session.Session().client("s3")
    with pytest.raises(ClientError, match="MissingContentLength"):
        client.put_object(Bucket=place.store.bucket.name, Key="a", Body=b"1")
    stream = streamed(20 * MIB)
    assert place.store.put("large", stream) == 20 * MIB
    assert hashlib.sha256(place.read("large")).digest() == stream.sha256.digest()
    assert place.write("small", b"1") == 1


def test_a_certificate_that_nobody_vouches_for_is_refused(ceph_tls: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    use(replace(ceph_tls, authority=None), monkeypatch)
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    with pytest.raises(Refused, match=r"certificate .* is not trusted .*AWS_CA_BUNDLE"):
        list(open_store("s3://bucket").list())


def every_verb(store: Store) -> list[Callable[[], object]]:
    return [
        lambda: store.put("a", io.BytesIO(b"1")),
        lambda: store.put("a", streamed(9 * MIB)),
        lambda: store.get("a").__enter__(),
        lambda: store.exists("a"),
        lambda: list(store.list()),
        lambda: store.delete("a"),
        store.probe,
    ]


def test_p129_a_wrong_secret_is_refused_and_not_told(ceph: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    use(replace(ceph, secret_key="swordfish"), monkeypatch)
    for attempt in every_verb(open_store(f"s3://{ceph.make_bucket()}/upkeep")):
        with pytest.raises(Refused, match=r"AWS_SECRET_ACCESS_KEY|check the keys") as raised:
            attempt()
        assert "swordfish" not in str(raised.value)
        assert "testkey" not in str(raised.value)


def test_a_missing_bucket_is_refused(ceph: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    use(ceph, monkeypatch)
    for attempt in every_verb(open_store("s3://no-such-bucket/upkeep")):
        with pytest.raises(Refused, match="there is no bucket for the store s3://no-such-bucket/upkeep"):
            attempt()


def test_missing_keys_are_refused(ceph: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    use(ceph, monkeypatch)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(Refused, match=r"there are no keys .*set AWS_ACCESS_KEY_ID"):
        list(open_store("s3://bucket").list())


def test_a_server_that_does_not_answer_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    use(S3Server("http://127.0.0.1:9", "testkey", "testsecret"), monkeypatch)
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"the store s3://bucket/upkeep does not answer .*AWS_ENDPOINT_URL_S3"):
        open_store("s3://bucket/upkeep").put("a", io.BytesIO(b"1"))
    assert time.monotonic() - began < 60


def test_stores_of_one_bucket_do_not_see_each_other(ceph: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    use(ceph, monkeypatch)
    bucket = ceph.make_bucket()
    first, second, whole = (open_store(f"s3://{bucket}{prefix}") for prefix in ("/up", "/upkeep", ""))
    first.put("a", io.BytesIO(b"1"))
    assert [entry.name for entry in second.list()] == []
    assert [entry.name for entry in whole.list()] == ["up/a"]


@contextmanager
def on_a_bad_line(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Line, Place]]:
    with lossy(server.endpoint) as line:
        yield line, bucket_at(replace(server, endpoint=line.endpoint), "ceph", monkeypatch)


@pytest.mark.parametrize("conditions", [{}, {"only_if_absent": True}])
def test_p126_a_write_whose_answer_was_lost_is_known_again(
    ceph: S3Server, monkeypatch: pytest.MonkeyPatch, conditions: dict[str, Any]
) -> None:
    with on_a_bad_line(ceph, monkeypatch) as (line, place):
        line.lose_answers = 1
        assert place.write("ledger/1.json", b"{}", **conditions) == 2
        assert line.lost == 1
        with pytest.raises(Taken):
            place.write("ledger/1.json", b"{}", only_if_absent=True)


def test_p126_an_upload_in_parts_survives_lost_answers(ceph: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with on_a_bad_line(ceph, monkeypatch) as (line, place):
        stream = streamed(20 * MIB)
        line.lose_answers = 2
        assert place.store.put("a", stream) == 20 * MIB
        assert line.lost == 2
        assert hashlib.sha256(place.read("a")).digest() == stream.sha256.digest()


def test_a_download_is_taken_up_where_the_connection_broke(ceph: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with on_a_bad_line(ceph, monkeypatch) as (line, place):
        content = os.urandom(3 * MIB)
        place.write("a", content)
        line.cut_answers = 5
        assert place.read("a") == content
        line.cut_answers = 2
        assert place.read("a", start=1000, length=2 * MIB) == content[1000 : 1000 + 2 * MIB]
        assert line.cut == 7


def test_a_download_of_an_object_that_is_overwritten_meanwhile_is_damaged(
    ceph: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with on_a_bad_line(ceph, monkeypatch) as (line, place):
        place.write("a", bytes(3 * MIB))
        line.cut_answers = 1
        with place.store.get("a") as reader:
            reader.read(10)
            place.write("a", bytes([1]) * (3 * MIB))
            with pytest.raises(Damaged, match="a was changed while it was read"):
                reader.read()


@pytest.mark.parametrize("size", [300_000, 9 * MIB])
def test_p129_bytes_that_are_altered_on_their_way_are_noticed(
    ceph: S3Server, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    with on_a_bad_line(ceph, monkeypatch) as (line, place):
        line.alter = lambda body: body[:-1] + bytes([body[-1] ^ 1]) if body else body
        with pytest.raises(Damaged, match="a was altered on its way to the store"):
            place.store.put("a", streamed(size))
        line.alter = None
        assert place.names() == []
        assert place.leftovers() == 0


def test_a_server_that_loses_bytes_without_a_word_is_found_out(moto: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with on_a_bad_line(moto, monkeypatch) as (line, place):
        line.alter = lambda body: body[:-1]
        with pytest.raises(Damaged, match=r"what arrived as a in .* is not what was sent"):
            place.write("a", b"12345")
        assert place.names() == []


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("SlowDown", 503, Unreachable),
        ("InternalError", 500, Unreachable),
        ("BadGateway", 502, Unreachable),
        ("RequestTimeTooSkewed", 403, Refused),
        ("ExpiredToken", 400, Refused),
        ("AccessDenied", 403, Refused),
        ("QuotaExceeded", 403, Refused),
        ("XMinioStorageFull", 507, Refused),
        ("NotImplemented", 501, Refused),
        ("NeverHeardOf", 418, Refused),
        ("NoSuchKey", 404, Damaged),
        ("PreconditionFailed", 412, Taken),
    ],
)
def test_every_answer_of_a_server_is_one_of_the_three_errors(code: str, status: int, kind: type[UpkeepError]) -> None:
    found = verdict(code, status, "s3://bucket/upkeep", "a")
    assert type(found) is kind
    assert found.message[0].islower()
    assert found.hint


def test_p127_parts_suffice_for_the_largest_object_and_stay_small_for_small_ones() -> None:
    for expected in (None, 1, 10**9, 10**11, 10**12, 5 * 10**12):
        sizes = [part_size(number, expected) for number in range(1, MOST_PARTS + 1)]
        assert sizes == sorted(sizes)
        assert sizes[0] >= 5 * MIB
        assert sizes[-1] <= 5 << 30
        assert sum(sizes) >= (LARGEST_OBJECT if expected is None else min(LARGEST_OBJECT, 10 * expected))
        assert expected is None or sum(sizes[:8000]) >= 1.3 * expected
    assert part_size(1, None) == part_size(1, 10**9) == 8 * MIB
    assert part_size(8000, 10**11) == 16 * MIB


# URLs


@pytest.mark.parametrize(
    "url", ["s3://key:swordfish@bucket/x", "s3:///x", "s3://bucket/x?secret=swordfish", "s3://bucket/../x"]
)
def test_urls_of_buckets_that_say_more_than_a_bucket_and_a_prefix_are_refused(url: str) -> None:
    with pytest.raises(Refused) as raised:
        open_store(url)
    assert "swordfish" not in str(raised.value)


@pytest.mark.parametrize("url", ["file://server/share", "file:relative", "file:///a?b", "ftp://x", "folder", ""])
def test_urls_that_are_no_store_are_refused(url: str) -> None:
    with pytest.raises(Refused):
        open_store(url)


def test_an_endpoint_with_a_password_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    use(S3Server("http://key:swordfish@127.0.0.1:9", "testkey", "testsecret"), monkeypatch)
    with pytest.raises(Refused, match="must not hold a password") as raised:
        open_store("s3://bucket")
    assert "swordfish" not in str(raised.value)


def test_the_url_of_a_store_opens_it_again(place: Place) -> None:
    place.write("a", b"1")
    assert [entry.name for entry in open_store(place.store.url).list()] == ["a"]


def test_a_folder_with_spaces_has_a_url(tmp_path: Path) -> None:
    place = directory_at(tmp_path / "a folder")
    place.write("a", b"1")
    assert (tmp_path / "a folder" / "a").read_bytes() == b"1"
    assert place.store.url.endswith("/a%20folder")
