"""The one stream of a backup: plain bytes in, compressed and sealed out, both counted and hashed on the way."""

import hashlib
import sys
from typing import BinaryIO

from upkeep.encryption import PLAIN, Keyring, Sealed, changed
from upkeep.readers import CHUNK, Reader

if sys.version_info >= (3, 14):
    from compression.zstd import CompressionParameter, ZstdCompressor, ZstdDecompressor, ZstdError
else:
    from backports.zstd import CompressionParameter, ZstdCompressor, ZstdDecompressor, ZstdError

CODEC = "zstd"
_LEVEL = 3
_WORKERS = 2
# A worker's share. Left to itself zstd takes 8 MiB, and with it 50 MiB more of memory for no gain.
_JOB = 1 << 20


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


class _Compressed(Reader):
    """The compressed form of ``source``, whose plain bytes are measured."""

    def __init__(self, source: BinaryIO, plain: Measured) -> None:
        super().__init__()
        self._source, self._plain = source, plain
        options: dict[int, int] = {
            CompressionParameter.compression_level: _LEVEL,
            CompressionParameter.nb_workers: _WORKERS,
            CompressionParameter.job_size: _JOB,
        }
        self._compressor: ZstdCompressor | None = ZstdCompressor(options=options)

    def _next(self) -> bytes:
        while self._compressor is not None:
            chunk = self._source.read(CHUNK)
            self._plain.add(chunk)
            if chunk:
                packed = self._compressor.compress(chunk)
            else:
                packed, self._compressor = self._compressor.flush(), None
            if packed:
                return packed
        return b""


class Packing(Reader):
    """What is read from here is ``source`` compressed, then sealed; ``plain`` and ``stored`` measure both ends.

    Close it, or what buffers it: where it is sealed a thread works for it.
    """

    def __init__(self, source: BinaryIO, keyring: Keyring = PLAIN) -> None:
        super().__init__()
        self.plain, self.stored = Measured(), Measured()
        compressed: BinaryIO = _Compressed(source, self.plain)  # type: ignore[assignment]  # a raw file reads like any
        self._packed = keyring.seal(compressed)

    def _next(self) -> bytes:
        packed = self._packed.read(CHUNK)
        self.stored.add(packed)
        return packed

    def close(self) -> None:
        """Nobody reads on."""
        self._packed.close()
        super().close()


class _Metered(Reader):
    """``source`` as it is, measured."""

    def __init__(self, source: BinaryIO, stored: Measured) -> None:
        super().__init__()
        self._source, self._stored = source, stored

    def _next(self) -> bytes:
        chunk = self._source.read(CHUNK)
        self._stored.add(chunk)
        return chunk


class Unpacking(Reader):
    """What is read from here is the plain form of ``source``, opened with ``keyring`` where it is ``sealed``.

    The end is reported only after both digests were found to be what the manifest says; else Damaged (P-124, P-125).
    Raises Refused where no key is there that opens it. Close it, or what buffers it, as a ``Packing``.
    """

    def __init__(
        self,
        source: BinaryIO,
        *,
        plain_sha256: str,
        stored_sha256: str,
        what: str,
        sealed: Sealed | None = None,
        keyring: Keyring = PLAIN,
    ) -> None:
        super().__init__()
        self._plain, self._stored = Measured(), Measured()
        self._wanted = (plain_sha256, stored_sha256)
        self._what = what
        metered: BinaryIO = _Metered(source, self._stored)  # type: ignore[assignment]  # a raw file reads like any
        self._packed = metered  # what is refused is closed too
        self._packed = keyring.open(metered, sealed, what)
        self._decompressor = ZstdDecompressor()

    def _next(self) -> bytes:
        try:
            while True:
                chunk = b""
                if (self._decompressor.needs_input or self._decompressor.eof) and not (
                    chunk := self._packed.read(CHUNK)
                ):
                    break
                if plain := self._decompressor.decompress(chunk, 4 * CHUNK):
                    self._plain.add(plain)
                    return plain
        except (ZstdError, EOFError):
            raise changed(self._what) from None
        if (self._plain.sha256, self._stored.sha256) != self._wanted:
            raise changed(self._what)
        return b""

    def close(self) -> None:
        """Nobody reads on."""
        self._packed.close()
        super().close()
