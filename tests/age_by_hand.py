"""The format of age read by hand, as an oracle: X25519 recipients alone, after age-encryption.org/v1, all at once."""

import base64
import hashlib
import hmac
from itertools import pairwise

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

CHUNK = 64 * 1024
SEALED_CHUNK = CHUNK + 16
_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def opened(stored: bytes, identity: str) -> bytes:
    """The plain bytes of an age file, by a private key; ValueError where it is not whole, or is for others."""
    header, key = header_of(stored), b""
    lines = header.decode().splitlines()
    assert lines[0] == "age-encryption.org/v1"
    private = X25519PrivateKey.from_private_bytes(raw(identity))
    for line, wrapped in pairwise(lines):
        if line.startswith("-> X25519 "):
            key = key or _file_key(private, _decoded(line.split()[2]), _decoded(wrapped))
    if not key:
        raise ValueError("for others")
    wanted = hmac.new(_derived(key, b"", b"header"), header[: header.rindex(b"\n---") + 4], hashlib.sha256).digest()
    if wanted != _decoded(lines[-1].removeprefix("--- ")):
        raise ValueError("the header was changed")
    nonce, body = stored[len(header) : len(header) + 16], stored[len(header) + 16 :]
    cipher = ChaCha20Poly1305(_derived(key, nonce, b"payload"))
    chunks = [body[at : at + SEALED_CHUNK] for at in range(0, len(body), SEALED_CHUNK)]
    return b"".join(
        cipher.decrypt(number.to_bytes(11, "big") + bytes([number == len(chunks) - 1]), chunk, None)
        for number, chunk in enumerate(chunks)
    )


def header_of(stored: bytes) -> bytes:
    """Everything before the nonce of the payload."""
    return stored[: stored.index(b"\n", stored.index(b"\n--- ") + 1) + 1]


def raw(identity: str) -> bytes:
    """The 32 bytes behind a private key in Bech32; its checksum is not looked at."""
    words = [_ALPHABET.index(char) for char in identity.strip().lower().rpartition("1")[2][:-6]]
    number = 0
    for word in words:
        number = number << 5 | word
    return (number >> (5 * len(words) - 256)).to_bytes(32, "big")


def _file_key(private: X25519PrivateKey, share: bytes, wrapped: bytes) -> bytes:
    shared = private.exchange(X25519PublicKey.from_public_bytes(share))
    salt = share + private.public_key().public_bytes_raw()
    try:
        return ChaCha20Poly1305(_derived(shared, salt, b"age-encryption.org/v1/X25519")).decrypt(
            bytes(12), wrapped, None
        )
    except InvalidTag:
        return b""


def _derived(secret: bytes, salt: bytes, words: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt or None, words).derive(secret)


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))
