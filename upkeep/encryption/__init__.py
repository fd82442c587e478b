"""Who can read what is stored: the streams in which it is sealed and opened; this folder is the one door to age."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pydantic import BaseModel, ConfigDict

from upkeep.errors import Damaged, Refused
from upkeep.pumping import Pumped, Writer

if TYPE_CHECKING:  # it is imported where a key is used: who has none does not wait for it
    from pyrage.x25519 import Identity

CANNOT_READ = "older backups cannot be read without UPKEEP_IDENTITY_FILE"


class Sealed(BaseModel):
    """To whom an object of the store is encrypted: public age keys, and that of the run, whose other half is gone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipients: tuple[str, ...]
    run_key: str

    def __str__(self) -> str:
        return ", ".join(self.recipients)


@dataclass(frozen=True, repr=False)
class Keyring:
    """The public keys to which a run encrypts, and the private ones with which it can read.

    The key of the run stands in its memory and nowhere else: with it the run reads what it has itself stored. It shows
    itself in no repr and cannot be pickled.
    """

    recipients: tuple[str, ...] = ()
    identity_file: Path | None = None
    identities: "tuple[Identity, ...]" = ()
    of_the_run: "Identity | None" = None
    is_plain_on_purpose: bool = False

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self.recipients) or 'plain'})"

    @property
    def sealed(self) -> Sealed | None:
        """What is to be said beside an object that is sealed with it; None where nothing is encrypted."""
        if self.of_the_run is None:
            return None
        return Sealed(recipients=self.recipients, run_key=str(self.of_the_run.to_public()))

    @property
    def suffix(self) -> str:
        """The end of the names of what is sealed with it, as the stock program has it."""
        return ".age" if self.sealed else ""

    def reads(self, sealed: Sealed | None) -> bool:
        """Can what is sealed so be read? What is plain always can."""
        return sealed is None or bool(self._fitting(sealed))

    def refuse_unreadable(self, sealed: Sealed | None, what: str) -> None:
        """Raise Refused, with what is missing, where it cannot be read."""
        if sealed is None or self.reads(sealed):
            return
        if self.identity_file is None:
            raise Refused(
                f"{what} is encrypted to {sealed}, and no identity is set",
                "set UPKEEP_IDENTITY_FILE to the file that holds the identity of one of these keys",
            )
        raise Refused(
            f"{what} is encrypted to {sealed}, and no identity in {self.identity_file} is that of one of them",
            "set UPKEEP_IDENTITY_FILE to the file that holds it; after a change of keys the old one is still needed",
        )

    def _fitting(self, sealed: Sealed) -> "list[Identity]":
        wanted = {*sealed.recipients, sealed.run_key}
        own = () if self.of_the_run is None else (self.of_the_run,)
        return [one for one in (*own, *self.identities) if str(one.to_public()) in wanted]

    def seal(self, plain: BinaryIO) -> BinaryIO:
        """What is read from here is ``plain`` encrypted; ``plain`` itself where there are no recipients.

        Its end comes only after that of ``plain`` did and the last piece was sealed (P-124). It is to be closed.
        """
        if self.of_the_run is None:
            return plain
        from pyrage import EncryptError, encrypt_io
        from pyrage.x25519 import Recipient

        to = [*map(Recipient.from_str, self.recipients), self.of_the_run.to_public()]

        def pump(writer: Writer) -> None:
            _with_own_errors(plain, lambda source: encrypt_io(source, writer, to), EncryptError, None)

        return Pumped(pump)  # type: ignore[return-value]  # a raw file reads like any other

    def open(self, stored: BinaryIO, sealed: Sealed | None, what: str) -> BinaryIO:
        """What is read from here is the plain form of ``stored``; ``stored`` itself where it is not sealed.

        Raises Refused where no key is here that reads it, and while it is read Damaged where one byte has changed, is
        missing or is too many. It is to be closed.
        """
        if sealed is None:
            return stored
        self.refuse_unreadable(sealed, what)
        from pyrage import DecryptError, decrypt_io

        keys = self._fitting(sealed)

        def pump(writer: Writer) -> None:
            # One of the keys fits, by what stands beside the object. So a header that none of them opens was changed.
            _with_own_errors(stored, lambda source: decrypt_io(source, writer, keys), DecryptError, changed(what))

        return Pumped(pump)  # type: ignore[return-value]  # a raw file reads like any other


PLAIN = Keyring()
"""Nothing is encrypted, and nothing that is can be read."""


def changed(what: str) -> Damaged:
    """What is said of stored bytes that are not those that were stored."""
    return Damaged(f"{what} is not what was stored: its bytes have changed", "use another backup, see `upkeep backups`")


class _Overheard:
    """A file to read whose own error is kept: age makes all of them one of its own, and words of them."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.fault: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            return self._source.read(size)
        except BaseException as fault:
            self.fault = fault
            raise


def _with_own_errors(
    source: BinaryIO, pump: Callable[[Any], None], error: type[Exception], instead: Damaged | None
) -> None:
    """Run age over ``source``: what the source raises is raised as it is, what age does as ``instead`` where given."""
    overheard = _Overheard(source)
    try:
        pump(overheard)
    except (error, OSError):
        if overheard.fault is not None:
            raise overheard.fault from None
        if instead is None:
            raise
        raise instead from None
