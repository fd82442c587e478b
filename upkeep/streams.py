"""The one stream of a backup: plain bytes in, compressed bytes out, both counted and hashed on the way."""

import hashlib
import io
import sys
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from upkeep.errors import Damaged

if sys.version_info >= (3, 14):
    from compression.zstd import CompressionParameter, ZstdCompressor, ZstdDecompressor, ZstdError
else:
    from backports.zstd import CompressionParameter, ZstdCompressor, ZstdDecompressor, ZstdError

CODEC = "zstd"
_LEVEL = 3
_WORKERS = 2
# A worker's share. Left to itself zstd takes 8 MiB, and with it 50 MiB more of memory for no gain.
_JOB = 1 << 20
_CHUNK = 1 << 20


class Measured:
    """The number of bytes that went past and their SHA-256."""

    def __init__(self) -> None:
        self.size = 0
        self._hash = hashlib.sha256()

    def add(self, chunk: bytes) -> None:
        """Count and hash one more piece."""
        self.size += len(chunk)
        self._hash.update(chunk)

    @property
    def sha256(self) -> str:
        """The digest so far, in hex."""
        return self._hash.hexdigest()


class _Reader(io.RawIOBase):
    """Reads pieces from ``_next`` until it returns b'' and hands them out in the sizes that are asked for."""

    def __init__(self) -> None:
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def _next(self) -> bytes:
        raise io.UnsupportedOperation

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed asks for a Buffer
        if not self._rest:
            self._rest = memoryview(self._next())
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


class Packing(_Reader):
    """What is read from here is the compressed form of ``source``; ``plain`` and ``stored`` measure both."""

    def __init__(self, source: BinaryIO) -> None:
        super().__init__()
        self.plain, self.stored = Measured(), Measured()
        self._source = source
        options: dict[int, int] = {
            CompressionParameter.compression_level: _LEVEL,
            CompressionParameter.nb_workers: _WORKERS,
            CompressionParameter.job_size: _JOB,
        }
        self._compressor: ZstdCompressor | None = ZstdCompressor(options=options)

    def _next(self) -> bytes:
        while self._compressor is not None:
            chunk = self._source.read(_CHUNK)
            self.plain.add(chunk)
            if chunk:
                packed = self._compressor.compress(chunk)
            else:
                packed, self._compressor = self._compressor.flush(), None
            if packed:
                self.stored.add(packed)
                return packed
        return b""


class Unpacking(_Reader):
    """What is read from here is the plain form of ``source``.

    The end is reported only after both digests were found to be what the manifest says; else Damaged (P-124, P-125).
    """

    def __init__(self, source: BinaryIO, *, plain_sha256: str, stored_sha256: str, what: str) -> None:
        super().__init__()
        self._source = source
        self._plain, self._stored = Measured(), Measured()
        self._wanted = (plain_sha256, stored_sha256)
        self._what = what
        self._decompressor = ZstdDecompressor()

    def _next(self) -> bytes:
        try:
            while True:
                chunk = b""
                if self._decompressor.needs_input or self._decompressor.eof:
                    if not (chunk := self._source.read(_CHUNK)):
                        break
                    self._stored.add(chunk)
                if plain := self._decompressor.decompress(chunk, 4 * _CHUNK):
                    self._plain.add(plain)
                    return plain
        except (ZstdError, EOFError):
            raise self._damaged() from None
        if (self._plain.sha256, self._stored.sha256) != self._wanted:
            raise self._damaged()
        return b""

    def _damaged(self) -> Damaged:
        return Damaged(
            f"{self._what} is not what was stored: its bytes have changed", "use another backup, see `upkeep backups`"
        )


def buffered(reader: _Reader) -> BinaryIO:
    """The reader with every read filled up to the size asked for (P-123)."""
    return io.BufferedReader(reader, _CHUNK)


class _Pieces(_Reader):
    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces

    def _next(self) -> bytes:
        return next(self._pieces, b"")


def reader_of(pieces: Iterable[bytes]) -> BinaryIO:
    """Pieces of bytes, none of them empty, as one file to read."""
    return buffered(_Pieces(iter(pieces)))
