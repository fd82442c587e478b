"""The files of private keys and the names of public ones: read into a keyring, or made."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from upkeep.encryption import Keyring
from upkeep.errors import Refused

if TYPE_CHECKING:
    from pyrage.x25519 import Identity

_MAKE = "make a pair with `upkeep keys new identity.txt` or age-keygen"
_PROTECTED = ("age-encryption.org/", "-----BEGIN AGE ENCRYPTED FILE-----")
_NONE = "none"
_SECRET = "AGE-SECRET-KEY-1"  # noqa: S105  # with what an identity begins


def keyring_from(recipients: Iterable[str], identity_file: Path | None) -> Keyring:
    """The keys that the settings name, and a new one for this run.

    Raises Refused for a recipient that is no public age key and for a file that holds no identities, is protected by a
    passphrase, or may be read by others.
    """
    identities = identities_from(identity_file) if identity_file else ()
    named = tuple(recipients)
    if named in ((), (_NONE,)):
        return Keyring((), identity_file, identities, is_plain_on_purpose=bool(named))
    from pyrage.x25519 import Identity

    known = (_recipient(name, f"key {number} of UPKEEP_RECIPIENTS") for number, name in enumerate(named, 1))
    return Keyring(tuple(dict.fromkeys(known)), identity_file, identities, Identity.generate())


def _recipient(name: str, what: str) -> str:
    """The public key as age writes it, whatever the case of its letters was."""
    from pyrage import RecipientError
    from pyrage.x25519 import Recipient

    if name.upper().startswith(_SECRET[:10]):  # and never with a word of it
        raise Refused(
            f"{what} is a private key, which by now has been where it should not be",
            f"{_MAKE}; name only that one, age1..., and throw the old pair away",
        )
    try:
        return str(Recipient.from_str(name))
    except RecipientError:
        raise Refused(f"{what} is no public age key: {name}", f"copy it whole, age1...; {_MAKE}") from None


def identities_from(path: Path) -> "tuple[Identity, ...]":
    """The identities of a file as age-keygen writes it; raises Refused where there is none or it is not kept well."""
    from pyrage import IdentityError
    from pyrage.x25519 import Identity

    lines = _private_lines(path)
    if any(line.startswith(_PROTECTED) for line in lines):
        raise Refused(
            f"the identities in {path} are protected by a passphrase, which nobody is there to type",
            f"`age -d {path} > FILE`, name that file in UPKEEP_IDENTITY_FILE, and remove it afterwards",
        )
    found = []
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        try:
            found.append(Identity.from_str(line))
        except IdentityError:
            raise Refused(
                f"line {number} of {path} is no age identity",
                f"it holds lines that begin with {_SECRET}; {_MAKE}",
            ) from None
    if not found:
        raise Refused(f"{path} holds no age identity", f"it holds lines that begin with {_SECRET}; {_MAKE}")
    return tuple(found)


def _private_lines(path: Path) -> list[str]:
    """The lines of a file of private keys.

    As ssh does, a file of one's own is refused that others may read: a warning in the log of a night is read by nobody,
    and an encryption whose key every account of the machine can copy protects from none of them. A file that is
    somebody else's, as a secret that is mounted into a container, is that one's to guard.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            content = file.read()
    except OSError as fault:
        raise Refused(
            f"the identity file {path} cannot be read: {fault.strerror}", "let the account that runs Upkeep read it"
        ) from None
    if status.st_uid == os.getuid() and stat.S_IMODE(status.st_mode) & 0o077:
        raise Refused(f"the identity file {path} may be read by others", f"`chmod 600 {path}`")
    return [line.strip() for line in content.decode("utf-8", "replace").splitlines()]


def make_identity_file(path: Path) -> str:
    """Write a new identity to a file that is not there yet and that only this account may read; its public key."""
    from pyrage.x25519 import Identity

    identity = Identity.generate()
    public = str(identity.to_public())
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(f"# public key: {public}\n{identity}\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise Refused(f"{path} is there already", "name a new file: a lost identity is a lost backup") from None
    except OSError as fault:
        raise Refused(f"{path} cannot be written: {fault.strerror}", "name another file") from None
    return public
