"""All that a folder holds, looked through for words: each file as it is, and unpacked where anybody could do that."""

import io
import re
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdError, decompress
else:
    from backports.zstd import ZstdError, decompress

_ZSTD, _ZIP = b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
_IN_PDF = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)


def telling(folder: Path, words: tuple[str, ...]) -> list[str]:
    """The files below ``folder`` in which one of the words stands, with the word."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = b"\n".join(unpacked(path.read_bytes()))
        found += [f"{word} in {path.relative_to(folder)}" for word in words if word.encode() in content]
    return found


def unpacked(content: bytes) -> Iterator[bytes]:
    """The bytes, and those that are packed in them."""
    yield content
    if content.startswith(_ZSTD):
        try:
            yield from unpacked(decompress(content))
        except ZstdError as fault:
            raise AssertionError("what begins like zstd is none") from fault
    elif content.startswith(_ZIP):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield from unpacked(archive.read(name))
    elif content.startswith(b"%PDF"):
        for (packed,) in map(re.Match.groups, _IN_PDF.finditer(content)):
            yield _inflated(packed)


def _inflated(packed: bytes) -> bytes:
    try:
        return zlib.decompress(packed)
    except zlib.error:
        return packed
