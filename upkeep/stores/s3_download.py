"""Reading one object from a bucket, also over a connection that breaks."""

import io
from typing import TYPE_CHECKING, Any

from upkeep.errors import Damaged, Taken, Unreachable
from upkeep.stores.s3_answers import PastTheEnd
from upkeep.stores.s3_bucket import Bucket, Sums

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

_RESUMES = 3  # times in a row without one byte more


class Download(io.RawIOBase):
    """The bytes of an object from ``start`` up to ``end``, or to its end; all of them from one version of the object.

    No sum of the server's is relied on (P-125): who reads compares with a sum of his own.
    """

    def __init__(self, bucket: Bucket, key: str, name: str, start: int, end: int | None) -> None:
        self._bucket, self._key, self._name = bucket, key, name
        self._position, self._end = start, end
        self._tag: str | None = None
        self._body = self._open()

    def readable(self) -> bool:
        """It is; io asks."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's WriteableBuffer is private
        """Take what the connection gives; 0 at the end."""
        wanted = len(buffer) if self._end is None else min(len(buffer), self._end - self._position)
        if wanted <= 0:
            return 0
        piece = self._read(wanted)
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def close(self) -> None:
        """Let go of the connection."""
        if not self.closed and self._body is not None:
            self._body.close()
        super().close()

    def _read(self, wanted: int) -> bytes:
        for resumes_left in reversed(range(_RESUMES + 1)):
            if self._body is None:
                break
            try:
                with self._bucket.refusals(self._name):
                    return self._body.read(wanted)
            except Unreachable:
                if not resumes_left:
                    raise
                self._body = self._open()
        return b""

    def _open(self) -> "StreamingBody | None":
        try:
            response = self._bucket.ask(self._name, self._request)
        except PastTheEnd:
            return None
        except Taken as error:
            raise Damaged(f"{self._name} was changed while it was read", "read it again from its beginning") from error
        self._tag = response["ETag"]
        body: StreamingBody = response["Body"]
        return body

    def _request(self, client: "S3Client", _sums: Sums) -> dict[str, Any]:
        ask: dict[str, Any] = {"Bucket": self._bucket.name, "Key": self._key}
        if self._position or self._end is not None:
            last = "" if self._end is None else max(self._end - 1, self._position)
            ask["Range"] = f"bytes={self._position}-{last}"
        if self._tag is not None:
            ask["IfMatch"] = self._tag
        return dict(client.get_object(**ask))
