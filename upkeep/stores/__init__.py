"""Where backups and evidence live: the few verbs of a store, and which class serves which URL."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit

from upkeep.errors import Refused
from upkeep.holds import Hold, Version


@dataclass(frozen=True)
class Entry:
    """One object of a store: its name below the store's root, its size in bytes, when it was written (UTC)."""

    name: str
    size: int
    written: datetime


class Store(Protocol):
    """A flat space of names, each of which holds bytes, whole or not at all.

    A name is made of parts of ``A-Z a-z 0-9 . _ -`` joined by ``/``; no part begins with a dot.
    Every verb raises Unreachable where the store does not answer and Refused where it says no.
    """

    @property
    def url(self) -> str:
        """Where the store is, fit to be shown to anybody: without credentials."""

    def put(
        self,
        name: str,
        source: BinaryIO,
        *,
        only_if_absent: bool = False,
        expected_size: int | None = None,
        hold: Hold | None = None,
    ) -> int:
        """Write all that ``source`` gives under ``name`` and return the number of bytes.

        The object appears whole or not at all, also when ``source`` raises in the middle: then nothing is
        under that name that was not there before. ``only_if_absent`` raises Taken if the name is in use, and of two
        writers at once exactly one wins. ``expected_size`` (bytes) helps to choose the part size of a large stream.
        ``hold``, for a small object: nobody may change or remove it; Refused where the store is ``unlockable``.
        """

    def get(self, name: str, *, start: int = 0, length: int | None = None) -> AbstractContextManager[BinaryIO]:
        """Open the bytes of ``name``, from ``start`` on, at most ``length``; raises Damaged if there is no object."""

    def exists(self, name: str) -> bool:
        """Is there an object of this name?"""

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """All objects whose name begins with ``prefix``, in the order of their names."""

    def delete(self, name: str) -> None:
        """Remove the object; a name that is not there is no error."""

    @property
    def unlockable(self) -> str:
        """Why the store can hold no object against those who may write to it; '' if it can."""

    def held(self, name: str) -> Hold | None:
        """What the store itself says of the object, now; None if it is not held."""

    def versions(self, prefix: str) -> Iterator[Version]:
        """Every state of names that begin with ``prefix`` that the store still keeps, removed ones too."""

    def probe(self) -> None:
        """Write, read back and delete a small object; raises Refused or Unreachable, with what to do, if that fails."""


def cannot_hold(store: Store) -> Refused:
    """The error for a store that is to hold objects and cannot."""
    return Refused(
        f"the store {store.url} cannot hold receipts against change: {store.unlockable}",
        "name a bucket in UPKEEP_STORE that was made with object lock, or unset UPKEEP_LEDGER_LOCK",
    )


def _directory(url: str) -> Store:
    from upkeep.stores.directory import DirectoryStore

    return DirectoryStore.from_url(url)


def _s3(url: str) -> Store:
    from upkeep.stores.s3 import S3Store  # boto3 takes a fifth of a second to import

    return S3Store.from_url(url)


SCHEMES: dict[str, Callable[[str], Store]] = {"file": _directory, "s3": _s3}


def open_store(url: str) -> Store:
    """The store behind a URL (``file:///folder`` or ``s3://bucket/prefix``); raises Refused for any other scheme."""
    scheme = urlsplit(url).scheme
    if scheme not in SCHEMES:
        raise Refused(
            f"there is no store for URLs that begin with {scheme or 'nothing'}",
            f"write one of {', '.join(f'{known}://' for known in SCHEMES)}",
        )
    return SCHEMES[scheme](url)
