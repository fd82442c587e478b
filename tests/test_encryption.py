"""What is sealed is opened by the right keys alone, as it was, or not at all; and no key shows itself."""

import io
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.age_by_hand import CHUNK, SEALED_CHUNK, header_of, opened
from upkeep.encryption import Keyring
from upkeep.encryption.files import identities_from, keyring_from, make_identity_file
from upkeep.errors import Damaged, Refused, Unreachable
from upkeep.readers import buffered, reader_of
from upkeep.streams import Packing, Unpacking

ADA, BEN, EVE = (pyrage.x25519.Identity.generate() for _ in range(3))
BOTH = (str(ADA.to_public()), str(BEN.to_public()))
MISTYPED = BOTH[0][:-1] + ("p" if BOTH[0].endswith("q") else "q")
SIZES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 7)
WHAT = "backup 1"


def sealing() -> Keyring:
    """The keys of one run that encrypts to two people."""
    return keyring_from(BOTH, None)


def reading(*identities: object) -> Keyring:
    """The keys of somebody who has these identities."""
    return Keyring(identity_file=Path("identity.txt"), identities=identities)


def sealed(plain: bytes, keyring: Keyring) -> bytes:
    """The sealed form, of nothing but the encryption."""
    with keyring.seal(io.BytesIO(plain)) as packed:
        return b"".join(iter(lambda: packed.read(1 << 20), b""))


def open_again(stored: bytes, keyring: Keyring, by: Keyring) -> bytes:
    """What comes back of it, to its end."""
    with by.open(io.BytesIO(stored), keyring.sealed, WHAT) as plain:
        return b"".join(iter(lambda: plain.read(1 << 20), b""))


def unzstd(packed: bytes) -> bytes:
    """As the stock program would, in one go."""
    if sys.version_info >= (3, 14):
        from compression.zstd import decompress
    else:
        from backports.zstd import decompress
    return decompress(packed)


def pumps() -> list[threading.Thread]:
    """The threads that work for a stream."""
    return [thread for thread in threading.enumerate() if thread.name == "pump"]


# --- There and back ---


@given(plain=st.binary(max_size=3000) | st.sampled_from(SIZES).map(os.urandom))
def test_each_recipient_and_the_run_itself_read_it_and_so_does_who_knows_only_the_format(plain: bytes) -> None:
    keyring = sealing()
    packing = Packing(io.BytesIO(plain), keyring)
    with buffered(packing) as packed:
        stored = packed.read()
    assert (packing.plain.size, packing.stored.size) == (len(plain), len(stored))
    for identity in (ADA, BEN, keyring.of_the_run):
        assert unzstd(opened(stored, str(identity))) == plain
    with pytest.raises(ValueError, match="for others"):
        opened(stored, str(EVE))
    for by in (keyring, reading(ADA), reading(EVE, BEN)):
        unpacking = Unpacking(
            io.BytesIO(stored),
            plain_sha256=packing.plain.sha256,
            stored_sha256=packing.stored.sha256,
            what=WHAT,
            sealed=keyring.sealed,
            keyring=by,
        )
        with buffered(unpacking) as back:
            assert back.read() == plain


@pytest.mark.parametrize("size", SIZES)
def test_p32_at_the_bounds_of_a_chunk_nothing_is_lost(size: int) -> None:
    keyring, plain = sealing(), os.urandom(size)
    stored = sealed(plain, keyring)
    assert opened(stored, str(ADA)) == open_again(stored, keyring, reading(ADA)) == plain


def test_two_runs_have_two_keys_and_neither_reads_what_the_other_stored() -> None:
    first, second = sealing(), sealing()
    stored = sealed(b"rows", first)
    assert open_again(stored, first, first) == b"rows"
    with pytest.raises(Refused, match="no identity is set"):
        open_again(stored, first, second)


# --- What has changed is never taken for whole ---


def test_p32_a_bit_flipped_anywhere_is_noticed_by_the_encryption_alone() -> None:
    keyring = sealing()
    stored = sealed(os.urandom(2 * CHUNK + 100), keyring)
    header = len(header_of(stored))
    bounds = [header, header + 15, *(header + 16 + n * SEALED_CHUNK + d for n in (1, 2) for d in (-16, -1, 0, 1))]
    for place in (*range(header), *bounds, len(stored) - 1):
        other = bytearray(stored)
        other[place] ^= 1 << place % 8
        with pytest.raises(Damaged, match="its bytes have changed"):
            open_again(bytes(other), keyring, reading(ADA))


@pytest.mark.parametrize("size", [0, 1, CHUNK, 2 * CHUNK, 2 * CHUNK + 7])
def test_p32_what_is_cut_off_or_added_or_in_another_order_is_noticed(size: int) -> None:
    keyring = sealing()
    stored = sealed(os.urandom(size), keyring)
    header = len(header_of(stored)) + 16
    pieces = [stored[at : at + SEALED_CHUNK] for at in range(header, len(stored), SEALED_CHUNK)]
    cut = {0, 1, header - 1, header, len(stored) - 1, *range(header + SEALED_CHUNK, len(stored), SEALED_CHUNK)}
    others = [*(stored[:end] for end in cut), stored + b"\0", stored + pieces[-1]]
    if len(pieces) > 1:
        others += [stored[:header] + b"".join(reversed(pieces)), stored[:header] + b"".join(pieces[1:])]
    for other in others:
        with pytest.raises(Damaged, match="its bytes have changed"):
            open_again(other, keyring, reading(ADA))


def test_p125_a_backup_that_somebody_encrypted_anew_to_the_same_keys_is_not_the_one_that_was_stored() -> None:
    keyring = sealing()
    mine, forged = (Packing(io.BytesIO(plain), keyring) for plain in (b"rows", b"woes"))
    stored = {packing: buffered(packing).read() for packing in (mine, forged)}
    unpacking = Unpacking(
        io.BytesIO(stored[forged]),
        plain_sha256=mine.plain.sha256,
        stored_sha256=mine.stored.sha256,
        what=WHAT,
        sealed=keyring.sealed,
        keyring=keyring,
    )
    with buffered(unpacking) as plain, pytest.raises(Damaged, match="its bytes have changed"):
        plain.read()


# --- Errors of others, and ends that come early ---


def breaking_off(pieces: int) -> Iterator[bytes]:
    """A dump, or a store, that is lost after some pieces."""
    for _ in range(pieces):
        yield os.urandom(CHUNK)
    raise Unreachable("the server was lost", "run it again")


@pytest.mark.parametrize("pieces", [0, 1, 40])
def test_p124_where_the_dump_dies_its_error_comes_and_no_end(pieces: int) -> None:
    with buffered(Packing(reader_of(breaking_off(pieces)), sealing())) as packed:
        with pytest.raises(Unreachable, match="the server was lost"):
            packed.read()
        with pytest.raises(Unreachable, match="the server was lost"):
            packed.read()


def test_where_the_store_is_lost_its_error_comes_and_not_one_about_the_bytes() -> None:
    keyring = sealing()
    stored = sealed(os.urandom(9 * CHUNK), keyring)

    def lost() -> Iterator[bytes]:
        yield stored[: 5 * CHUNK]
        yield from breaking_off(0)

    with keyring.open(reader_of(lost()), keyring.sealed, WHAT) as plain, pytest.raises(Unreachable, match="was lost"):
        list(iter(lambda: plain.read(CHUNK), b""))


@pytest.mark.parametrize("taken", [0, 1, 3 * CHUNK])
def test_who_stops_reading_leaves_no_thread_behind(taken: int) -> None:
    assert pumps() == []
    keyring = sealing()
    with buffered(Packing(io.BytesIO(os.urandom(200 * CHUNK)), keyring)) as packed:
        assert len(packed.read(taken)) == taken
    assert pumps() == []
    with keyring.open(io.BytesIO(sealed(bytes(200 * CHUNK), keyring)), keyring.sealed, WHAT) as plain:
        plain.read(taken)
    assert pumps() == []


# --- The keys ---


def test_a_wrong_identity_is_refused_before_a_byte_is_read_with_what_would_fit() -> None:
    keyring = sealing()
    with pytest.raises(Refused, match=f"{WHAT} is encrypted to {BOTH[0]}, {BOTH[1]}, and no identity in ") as refused:
        reading(EVE).open(reader_of(breaking_off(0)), keyring.sealed, WHAT)
    assert "UPKEEP_IDENTITY_FILE" in refused.value.hint


def test_what_is_plain_is_read_with_any_keys_and_with_none() -> None:
    for by in (Keyring(), sealing(), reading(EVE)):
        assert by.open(io.BytesIO(b"rows"), None, WHAT).read() == b"rows"


def test_p100_no_private_key_stands_in_a_repr_and_none_can_be_pickled() -> None:
    keyring = replace(sealing(), identities=(ADA,))
    for secret in (str(ADA), str(keyring.of_the_run)):
        assert secret not in f"{keyring!r} {keyring} {keyring.sealed!r}"
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(keyring)


@pytest.mark.parametrize(
    "name",
    ["age1", MISTYPED, BOTH[0].upper()[:-2], "ssh-ed25519 AAAA", "ada@example"],
    ids=["too short", "a wrong sum", "cut", "of another program", "no key"],
)
def test_a_recipient_that_is_no_age_key_is_refused_by_its_number(name: str) -> None:
    with pytest.raises(Refused, match=r"key 2 of UPKEEP_RECIPIENTS is no public age key") as refused:
        keyring_from([BOTH[0], name], None)
    assert "upkeep keys new" in refused.value.hint


def test_a_private_key_among_the_recipients_is_refused_and_not_said() -> None:
    with pytest.raises(Refused, match="key 1 of UPKEEP_RECIPIENTS is a private key") as refused:
        keyring_from([str(EVE)], None)
    assert str(EVE) not in str(refused.value)


FAULTY = {
    "": "holds no age identity",
    "# only words\n\n": "holds no age identity",
    f"{ADA}\n{str(BEN)[:-1]}x\n": "line 2 of .* is no age identity",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n": "line 1 of .* is no age identity",
    f"{BOTH[0]}\n": "line 1 of .* is no age identity",
    pyrage.passphrase.encrypt(str(ADA).encode(), "secret").decode("latin-1"): "protected by a passphrase",
    "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n": "protected by a passphrase",
}


@pytest.mark.parametrize("content", FAULTY, ids=FAULTY.values())
def test_an_identity_file_that_is_none_is_refused_and_nothing_of_it_is_said(tmp_path: Path, content: str) -> None:
    file = tmp_path / "identity.txt"
    file.write_bytes(content.encode("latin-1"))
    file.chmod(0o600)
    with pytest.raises(Refused, match=FAULTY[content]) as refused:
        identities_from(file)
    assert str(file) in refused.value.message
    assert not [line for line in content.splitlines() if len(line) > 40 and line in str(refused.value)]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_an_identity_file_that_others_may_read_is_refused_as_ssh_does(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "identity.txt"
    make_identity_file(file)
    assert len(identities_from(file)) == 1
    file.chmod(mode)
    with pytest.raises(Refused, match="may be read by others") as refused:
        identities_from(file)
    assert refused.value.hint == f"`chmod 600 {file}`"


def test_a_new_identity_is_nobody_elses_to_read_fits_what_is_said_and_is_never_written_over(tmp_path: Path) -> None:
    file = tmp_path / "identity.txt"
    public = make_identity_file(file)
    assert file.stat().st_mode & 0o777 == 0o600
    keyring = keyring_from([public], None)
    assert open_again(sealed(b"rows", keyring), keyring, keyring_from([], file)) == b"rows"
    before = file.read_bytes()
    with pytest.raises(Refused, match="is there already"):
        make_identity_file(file)
    assert file.read_bytes() == before


# --- Memory ---

PROGRAM = """
import os, sys
from upkeep.encryption.files import keyring_from
from upkeep.readers import buffered, reader_of
from upkeep.streams import Packing, Unpacking
from upkeep.stores import open_store
import pyrage
store, size = open_store(sys.argv[1]), int(sys.argv[2])
keyring = keyring_from([str(pyrage.x25519.Identity.generate().to_public())], None)
packing = Packing(reader_of(os.urandom(1 << 20) for _ in range(size)), keyring)
with buffered(packing) as packed:
    store.put("main/dump", packed)
with store.get("main/dump") as stored:
    unpacking = Unpacking(stored, plain_sha256=packing.plain.sha256, stored_sha256=packing.stored.sha256, what="it",
                          sealed=keyring.sealed, keyring=keyring)
    with buffered(unpacking) as plain:
        while plain.read(1 << 20):
            pass
print(*(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")))
"""


def peak(folder: Path, mebibytes: int) -> int:
    """The most memory, in KiB, of a process that stores so much and reads it back.

    Its own since it began: ``getrusage`` counts that of whoever forked it, and a process of pytest is larger than both.
    """
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, folder.as_uri(), str(mebibytes)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return int(ran.stdout)


@pytest.mark.slow
def test_promise_12_eight_times_as_much_needs_no_more_memory(tmp_path: Path) -> None:
    small, large = peak(tmp_path, 16), peak(tmp_path, 128)
    assert large < small + (16 << 10)
