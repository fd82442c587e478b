"""Writing one object into a bucket, whole or not at all."""

import io
import secrets
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from upkeep.errors import Damaged, Refused, Taken, Unreachable
from upkeep.stores.names import taken
from upkeep.stores.s3_bucket import Bucket, Sums, facts_of
from upkeep.stores.s3_parts import Parts, encoded
from upkeep.stores.s3_sizes import part_size
from upkeep.stores.streams import filled

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_WRITER = "upkeep-writer"  # the metadata by which an upload knows its own object again


@dataclass(frozen=True)
class Upload:
    """One object on its way: where to, on which condition, what to see to before it goes in parts, and its own mark.

    A condition whose first answer was lost is refused by the object that it made itself (P-126): the mark tells.
    """

    bucket: Bucket
    key: str
    name: str
    only_if_absent: bool
    before_parts: Callable[[], None]
    hold: Mapping[str, Any] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: secrets.token_hex(16))

    def send(self, source: BinaryIO, expected_size: int | None) -> int:
        """Send all of ``source`` and see that it arrived; the number of bytes."""
        wanted = part_size(1, expected_size)
        first = filled(source, wanted)
        size = first.seek(0, io.SEEK_END)
        if size < wanted:
            crc = zlib.crc32(first.getbuffer())
            self._settled(lambda: self._send_at_once(first))
        else:
            size, crc = self._send_in_parts(first, source, expected_size)
        self._compare(size, crc)
        return size

    def _send_at_once(self, body: io.BytesIO) -> None:
        def put(client: "S3Client", sums: Sums) -> object:
            body.seek(0)
            return client.put_object(
                Bucket=self.bucket.name,
                Key=self.key,
                Body=body,
                Metadata=self.metadata,
                **sums,
                **self.condition,
                **self.hold,
            )

        self.bucket.ask(self.name, put)

    def _send_in_parts(self, first: io.BytesIO, source: BinaryIO, expected_size: int | None) -> tuple[int, int]:
        if self.hold:
            raise Refused(f"{self.name} is too large to be held against change", "tell its authors: receipts are small")
        if self.only_if_absent:
            self._refuse_early()
        parts = Parts(self.bucket, self.key, self.name, self.metadata)
        try:
            size, crc = parts.send_all(first, source, expected_size)
            self._settled(lambda: parts.complete(crc, self.condition))
        except BaseException as error:
            parts.abort(error)
            raise
        return size, crc

    @property
    def metadata(self) -> dict[str, str]:
        """What the object bears besides its bytes."""
        return {_WRITER: self.mark}

    @property
    def condition(self) -> dict[str, Any]:
        """The argument that makes a request depend on the name being free."""
        return {"IfNoneMatch": "*"} if self.only_if_absent else {}

    def _refuse_early(self) -> None:
        if facts_of(self.bucket, self.key, self.name) is not None:
            raise taken(self.name)
        self.before_parts()

    def _settled(self, last_request: Callable[[], None]) -> None:
        try:
            last_request()
        except (Taken, Damaged) as error:
            found = facts_of(self.bucket, self.key, self.name)
            if found is not None and found["Metadata"].get(_WRITER) == self.mark:
                return
            if found is None and isinstance(error, Taken):  # two at once, and the server let neither through
                raise Unreachable(f"{self.name} was written by two at once", "try again") from error
            raise

    def _compare(self, size: int, crc: int) -> None:
        found = facts_of(self.bucket, self.key, self.name)
        if found is not None and found["Metadata"].get(_WRITER, self.mark) != self.mark:
            return  # written again since, by somebody else: theirs to compare
        kept = None if found is None else found.get("ChecksumCRC32")
        whole = kept is None or "-" in kept or kept == encoded(crc)  # with a dash it is the sum of the parts' sums
        if found is None or found["ContentLength"] != size or not whole:
            self.bucket.ask(
                self.name, lambda client, _sums: client.delete_object(Bucket=self.bucket.name, Key=self.key)
            )
            hint = "set AWS_REQUEST_CHECKSUM_CALCULATION=when_required if the server is an old one, or use another"
            raise Damaged(f"what arrived as {self.name} in {self.bucket.url} is not what was sent", hint)
