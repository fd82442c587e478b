"""What uploads and downloads need of a bucket, without knowing boto3."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from upkeep.errors import Damaged

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Answer = TypeVar("Answer")
Sums = dict[str, Any]  # the arguments that ask the server to check the bytes of a request; empty where it cannot
Request = Callable[["S3Client", Sums], Answer]


class Bucket(Protocol):
    """One bucket of a server that is asked for things."""

    @property
    def name(self) -> str:
        """What the bucket is called."""

    @property
    def url(self) -> str:
        """Where the store is, for messages."""

    def ask(self, what: str, request: Request[Answer]) -> Answer:
        """Send a request about ``what``; raises Unreachable, Refused (Taken) or Damaged, never an error of boto3."""

    def refusals(self, what: str) -> AbstractContextManager[None]:
        """Turn the errors of boto3 that are raised inside into ours."""


def facts_of(bucket: Bucket, key: str, what: str) -> dict[str, Any] | None:
    """What a HEAD says of the object; None if there is none, or no bucket: a HEAD cannot tell."""

    def head(client: "S3Client", sums: Sums) -> dict[str, Any]:
        with_sum: Any = {"ChecksumMode": "ENABLED"} if sums else {}
        return dict(client.head_object(Bucket=bucket.name, Key=key, **with_sum))

    try:
        return bucket.ask(what, head)
    except Damaged:
        return None
