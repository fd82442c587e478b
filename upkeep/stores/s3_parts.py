"""An upload in parts: begun, sent, and completed or aborted."""

import base64
import io
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, BinaryIO

from upkeep.errors import Refused, UpkeepError
from upkeep.stores.s3_bucket import Bucket, Sums
from upkeep.stores.s3_sizes import MOST_PARTS, part_size
from upkeep.stores.streams import filled

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

IN_FLIGHT = 3  # parts that are sent at once; one more is being filled, so the memory is that of four parts


def encoded(crc: int) -> str:
    """A CRC32 as S3 writes it."""
    return base64.b64encode(crc.to_bytes(4, "big")).decode()


class Parts:
    """An unfinished upload at the server: nobody sees it, and it takes room until it is completed or aborted."""

    def __init__(self, bucket: Bucket, key: str, name: str, metadata: dict[str, str]) -> None:
        self._bucket, self._name = bucket, name
        self._where: dict[str, Any] = {"Bucket": bucket.name, "Key": key}

        def begin(client: "S3Client", sums: Sums) -> dict[str, Any]:
            whole = {**sums, "ChecksumType": "FULL_OBJECT"} if sums else {}
            return dict(client.create_multipart_upload(**self._where, Metadata=metadata, **whole))

        begun = bucket.ask(name, begin)
        self._where["UploadId"] = begun["UploadId"]
        self._keeps_whole_sum = begun.get("ChecksumType") == "FULL_OBJECT"
        self._sent: list[dict[str, Any]] = []

    def send_all(self, first: io.BytesIO, source: BinaryIO, expected_size: int | None) -> tuple[int, int]:
        """Send ``first`` and all that ``source`` gives; the size in bytes and the CRC32 of it all."""
        size = crc = 0
        under_way: deque[Future[dict[str, Any]]] = deque()
        with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="upload") as senders:
            for number, body in self._bodies(first, source, expected_size):
                size += len(body.getbuffer())
                crc = zlib.crc32(body.getbuffer(), crc)
                if len(under_way) == IN_FLIGHT:
                    self._sent.append(under_way.popleft().result())
                under_way.append(senders.submit(self._send, number, body))
            self._sent.extend(future.result() for future in under_way)
        return size, crc

    def complete(self, crc: int, condition: dict[str, Any]) -> None:
        """Make one object of the parts; raises Taken where the condition does not hold."""
        parts: Any = {"Parts": self._sent}
        whole: dict[str, Any] = (
            {"ChecksumCRC32": encoded(crc), "ChecksumType": "FULL_OBJECT"} if self._keeps_whole_sum else {}
        )

        def complete(client: "S3Client", _sums: Sums) -> object:
            return client.complete_multipart_upload(**self._where, MultipartUpload=parts, **whole, **condition)

        self._bucket.ask(self._name, complete)

    def abort(self, reason: BaseException) -> None:
        """Throw the parts away; where that fails too, ``reason`` stays the error and says so."""
        try:
            self._bucket.ask(self._name, lambda client, _sums: client.abort_multipart_upload(**self._where))
        except UpkeepError as error:
            reason.add_note(f"its unfinished upload is left in the bucket until it is swept: {error.message}")

    def _bodies(
        self, first: io.BytesIO, source: BinaryIO, expected_size: int | None
    ) -> Iterator[tuple[int, io.BytesIO]]:
        yield 1, first
        for number in range(2, MOST_PARTS + 1):
            body = filled(source, part_size(number, expected_size))
            if not body.getbuffer():
                return
            yield number, body
        raise Refused(
            f"{self._name} is larger than S3 can hold in {MOST_PARTS} parts", "say its size when it is stored"
        )

    def _send(self, number: int, body: io.BytesIO) -> dict[str, Any]:
        def send(client: "S3Client", sums: Sums) -> dict[str, Any]:
            body.seek(0)
            return dict(client.upload_part(**self._where, PartNumber=number, Body=body, **sums))

        with body:  # gives its memory back, whoever still knows it
            answer = self._bucket.ask(self._name, send)
        kept = {"ChecksumCRC32": answer["ChecksumCRC32"]} if "ChecksumCRC32" in answer else {}
        return {"PartNumber": number, "ETag": answer["ETag"], **kept}
