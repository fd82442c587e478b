"""Ed25519 signatures of receipts, by keys in PEM files as `openssl genpkey -algorithm ed25519` writes them."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from upkeep.errors import Refused

if TYPE_CHECKING:  # it is imported where a key is used: who restores in an emergency does not wait for it
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_PUBLIC = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)
_MAKE = "make one with `openssl genpkey -algorithm ed25519 -out ledger.pem`"
_SHOW = "write them with `openssl pkey -in ledger.pem -pubout >> ledger.pub`"


def signed_words(digest: str) -> bytes:
    """What is signed of a receipt with this hash: the hash with words before it, so that it is no other's signature."""
    return f"upkeep receipt 1 {digest}".encode()


@dataclass(frozen=True, repr=False)
class Signer:
    """A private key; ``name`` is that of its public half."""

    name: str
    key: "Ed25519PrivateKey"

    def sign(self, digest: str) -> str:
        """The signature of a receipt with this hash, in base64."""
        return base64.b64encode(self.key.sign(signed_words(digest))).decode()


@dataclass(frozen=True)
class Keys:
    """Public keys by their names."""

    by_name: "Mapping[str, Ed25519PublicKey]"

    def verify(self, name: str | None, digest: str, signature: str | None) -> bool:
        """Did one of these keys, the one of this name, sign the receipt with this hash?"""
        from cryptography.exceptions import InvalidSignature

        if name is None or signature is None or name not in self.by_name:
            return False
        try:
            self.by_name[name].verify(base64.b64decode(signature, validate=True), signed_words(digest))
        except (InvalidSignature, binascii.Error):
            return False
        return True


def signer_from(path: Path) -> Signer:
    """The private key of a file; raises Refused where it is none of Ed25519, or asks for a password."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(_content(path), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise Refused(f"{path} holds no private Ed25519 key without a password", _MAKE)
    return Signer(_name(key.public_key()), key)


def keys_from(path: Path) -> Keys:
    """The public keys of a file, one or several; raises Refused where there is none, or one of another kind."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    found: dict[str, Ed25519PublicKey] = {}
    for written in _PUBLIC.findall(_content(path)):
        try:
            key = load_pem_public_key(written)
        except ValueError:
            key = None
        if not isinstance(key, Ed25519PublicKey):
            raise Refused(f"{path} holds a key that is no public Ed25519 key", _SHOW)
        found[_name(key)] = key
    if not found:
        raise Refused(f"{path} holds no public key", _SHOW)
    return Keys(found)


def _name(key: "Ed25519PublicKey") -> str:
    """The first 16 digits of the SHA-256 over the key's 32 bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise Refused(
            f"the key file {path} cannot be read: {fault.strerror}", "let the account that runs Upkeep read it"
        ) from None
