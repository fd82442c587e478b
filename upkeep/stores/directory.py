"""A store in a folder of this machine, or of a disk that is mounted here."""

import errno
import io
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from upkeep.errors import NO_ROOM, Damaged, Refused, Unreachable, UpkeepError
from upkeep.holds import Hold, Version
from upkeep.stores import Entry, cannot_hold
from upkeep.stores.names import checked_name, checked_prefix, is_name, taken
from upkeep.stores.streams import Window, pieces

_UNFINISHED = ".unfinished-"  # begins with a dot, so it is the name of no object
_ABANDONED = 24 * 60 * 60  # seconds after which nobody can still be writing
_GONE = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENOTCONN)
_NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS)
_IN_THE_WAY = (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY)
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class DirectoryStore:
    """Objects are files below ``root``, readable by their owner alone; what begins with a dot is no object."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def from_url(cls, url: str) -> "DirectoryStore":
        """The store at ``file:///folder``; raises Refused where the URL says more than an absolute path."""
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost") or parts.query or parts.fragment or not parts.path.startswith("/"):
            raise Refused("the URL of a directory store is an absolute path", "write it like file:///var/lib/upkeep")
        return cls(Path(unquote(parts.path)))

    @property
    def url(self) -> str:
        """Where the store is."""
        return self.root.absolute().as_uri()

    def put(
        self,
        name: str,
        source: BinaryIO,
        *,
        only_if_absent: bool = False,
        expected_size: int | None = None,  # noqa: ARG002 - a file grows without being told how far
        hold: Hold | None = None,
    ) -> int:
        """Write all of ``source`` under ``name``, whole or not at all; see Store.put."""
        if hold:
            raise cannot_hold(self)
        target = self._path(name)
        if only_if_absent and os.path.lexists(target):
            raise taken(name)
        with self._refusals(name):
            draft, file = self._draft(target)
        try:
            with file:
                size = self._fill(file, source, name)
            with self._refusals(name):
                self._reveal(draft, target, only_if_absent=only_if_absent)
                _sync_folder(target.parent)
        finally:
            draft.unlink(missing_ok=True)
        return size

    @contextmanager
    def get(self, name: str, *, start: int = 0, length: int | None = None) -> Iterator[BinaryIO]:
        """Open the bytes of ``name``; raises Damaged if there is no such object."""
        try:
            file = self._path(name).open("rb", buffering=0)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise Damaged(
                f"{name} is not in the store {self.url}", "look at what the store holds: it may be pruned"
            ) from error
        except OSError as error:
            raise self.refusal(error, name) from error
        with file, io.BufferedReader(Window(file, length, lambda: self._refusals(name))) as reader:
            file.seek(start)
            yield reader

    def exists(self, name: str) -> bool:
        """Is there an object of this name?"""
        with self._refusals(name):
            return self._path(name).is_file()

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """All objects whose name begins with ``prefix``, in the order of their names, as they are found."""
        folder = checked_prefix(prefix).rpartition("/")[0]
        with self._refusals("listing"):
            self.root.parent.stat()  # a typing error in the path is no empty store
            yield from (entry for entry in self._walk(folder) if entry.name.startswith(prefix))

    def delete(self, name: str) -> None:
        """Remove the object, and the folders that are empty without it; a name that is not there is no error."""
        target = self._path(name)
        with self._refusals(name):
            try:
                target.unlink()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return
            _sync_folder(self._tidy(target.parent))

    @property
    def unlockable(self) -> str:
        """A folder holds nothing, and what it held before it does not know."""
        return "in a folder who may write may also remove"

    def held(self, name: str) -> Hold | None:
        """Never."""
        del name
        return None

    def versions(self, prefix: str) -> Iterator[Version]:
        """None but what is there."""
        del prefix
        yield from ()

    def probe(self) -> None:
        """Make the root if only it is missing, write, read back and delete a small object, sweep what was left."""
        name, words = f"probe-{secrets.token_hex(8)}", secrets.token_bytes(64)
        try:
            self.put(name, io.BytesIO(words), only_if_absent=True)
            with self.get(name) as reader:
                if reader.read() != words:
                    raise Damaged(f"the store {self.url} gives back other bytes than it was given", "check the disk")
        finally:
            self.delete(name)
        self._sweep(older_than=time.time() - _ABANDONED)

    def _path(self, name: str) -> Path:
        return self.root / checked_name(name)

    def _draft(self, target: Path) -> tuple[Path, io.FileIO]:
        # The same folder, since a rename across a mount point fails. delete() may take an empty folder away between
        # our making it and our using it: make it again.
        for _ in range(20):
            draft = target.parent / f"{_UNFINISHED}{secrets.token_hex(8)}"
            try:
                _make_folders(target.parent, self.root)
                return draft, io.FileIO(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")
            except FileNotFoundError:
                if not self.root.parent.is_dir():
                    raise
        raise Unreachable(f"the folder of {target.name} is taken away again and again", "see who else deletes there")

    def _fill(self, file: io.FileIO, source: BinaryIO, name: str) -> int:
        # What the source raises passes as it is: only what the disk says is translated.
        size = 0
        for piece in pieces(source):
            with self._refusals(name):
                size += _write_all(file, piece)
        with self._refusals(name):
            os.fsync(file.fileno())
        return size

    def _reveal(self, draft: Path, target: Path, *, only_if_absent: bool) -> None:
        if not only_if_absent:
            draft.rename(target)
            return
        try:
            os.link(draft, target)
        except FileExistsError as error:
            # NFS repeats a link whose acknowledgement was lost, and then refuses its own: the count tells (P-126).
            if draft.stat().st_nlink != 2:
                raise taken(target.relative_to(self.root).as_posix()) from error
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            hint = "choose a folder on a file system with hard links, or an S3 bucket"
            raise Refused(f"the file system of {self.url} cannot write a name only if it is free", hint) from error

    def _walk(self, folder: str) -> Iterator[Entry]:
        # A folder sorts as its name with a slash: so a whole walk comes in the order of the names, a-b before a/b.
        for sort, name, found in sorted(_ours(self.root, folder)):
            if sort.endswith("/"):
                yield from self._walk(name)
                continue
            try:
                facts = found.stat()
            except FileNotFoundError:  # deleted while we walked
                continue
            yield Entry(name, facts.st_size, datetime.fromtimestamp(facts.st_mtime, UTC))

    def _tidy(self, folder: Path) -> Path:
        while folder != self.root:
            try:
                folder.rmdir()
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    break
                if error.errno != errno.ENOENT:
                    raise
            folder = folder.parent
        return folder

    def _sweep(self, older_than: float) -> None:
        with self._refusals("sweeping"):
            for draft in self.root.rglob(f"{_UNFINISHED}*"):
                try:
                    if draft.stat().st_mtime < older_than:
                        draft.unlink()
                except FileNotFoundError:
                    continue

    @contextmanager
    def _refusals(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self.refusal(error, name) from error

    def refusal(self, error: OSError, name: str) -> UpkeepError:
        """What an error of the disk about ``name`` means for the caller."""
        words: dict[tuple[int, ...], tuple[Callable[[str, str], UpkeepError], str, str]] = {
            NO_ROOM: (
                Refused,
                f"has no room left for {name}",
                f"make room on the disk of {self.root}, or prune old backups",
            ),
            _NO_RIGHT: (Refused, f"may not be used for {name}", f"let this user read and write {self.root}"),
            _IN_THE_WAY: (
                Refused,
                f"has something in the way of {name}",
                f"look at {self.root}: a file and a folder cannot share a name",
            ),
            (errno.EFBIG,): (
                Refused,
                f"takes no file as large as {name}",
                "raise the limit (ulimit -f) or choose another file system",
            ),
            (errno.ENAMETOOLONG,): (Refused, f"takes no name as long as {name[:80]}", "choose a shorter name"),
            (errno.ENOENT,): (Refused, "is not there", f"make the folder above it: mkdir -p {self.root.parent}"),
            _GONE: (Unreachable, f"does not answer for {name}", f"check the disk or the mount of {self.root}"),
        }
        for numbers, (kind, message, hint) in words.items():
            if error.errno in numbers:
                return kind(f"the store {self.url} {message}", hint)
        return Refused(
            f"the store {self.url} fails on {name}: {(error.strerror or 'unknown').lower()}", f"check {self.root}"
        )


def _make_folders(folder: Path, root: Path) -> None:
    if folder.is_dir():
        return
    if folder != root:
        _make_folders(folder.parent, root)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if _is_something_else(folder):
            raise
    _sync_folder(folder.parent)


def _is_something_else(folder: Path) -> bool:
    """Is there something that is no folder? One question, for a neighbour may tidy the folder away between two."""
    try:
        return not stat.S_ISDIR(folder.stat().st_mode)
    except FileNotFoundError:
        return False


def _sync_folder(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:  # tidied away by a neighbour: nothing of ours is in it
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(file: io.FileIO, piece: bytes) -> int:
    # A disk that is nearly full takes a part of the bytes and only refuses the next ones.
    rest = memoryview(piece)
    while rest:
        rest = rest[file.write(rest) :]
    return len(piece)


def _ours(root: Path, folder: str) -> Iterator[tuple[str, str, Path]]:
    try:
        with os.scandir(root / folder) as found:
            for item in found:
                name = f"{folder}/{item.name}" if folder else item.name
                if is_name(name):
                    yield item.name + ("/" if item.is_dir() else ""), name, Path(item)
    except (FileNotFoundError, NotADirectoryError):
        return
